"""GGUF: files of MLX and of the package gguf, ours in their hands, blocks against that package."""

import struct

import gguf
import mlx.core
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from engines import IS_HEDDLE, NUMPY, mx, to_engine, to_numpy

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="MLX refuses or misreads these")
RNG = np.random.default_rng(0)

KEPT = ("int8", "int16", "int32", "float16", "float32")
ALSO_OURS = ("int64", "float64", "bfloat16")
VALUES = (
    "bool_",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
)
AFFINE = (Type.Q4_0, Type.Q4_1, Type.Q8_0)
DECODED = (
    *(Type.Q5_0, Type.Q5_1, Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K),
    *(Type.IQ4_NL, Type.IQ4_XS, Type.TQ1_0, Type.TQ2_0, Type.MXFP4, Type.NVFP4),
)
REFUSED = (
    *(Type.Q8_1, Type.Q8_K, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ3_XXS, Type.IQ1_S),
    *(Type.IQ3_S, Type.IQ2_S, Type.IQ1_M),
)
# Where in a block its float16 factors lie: random bits there would be infinities and NaN.
FACTORS = {
    **{Type.Q4_0: (0,), Type.Q4_1: (0, 2), Type.Q8_0: (0,), Type.Q5_0: (0,), Type.Q5_1: (0, 2)},
    **{Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2)},
    **{Type.Q6_K: (208,), Type.IQ4_NL: (0,), Type.IQ4_XS: (0,), Type.TQ1_0: (52,)},
    **{Type.TQ2_0: (64,), Type.MXFP4: (), Type.NVFP4: ()},
}


def blocks(kind, rows=3, per_row=2):
    """Random bytes of this type with sensible factors, as rows of blocks."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    data = RNG.integers(0, 256, (rows, per_row, size), dtype=np.uint8)
    for at in FACTORS[kind]:
        factor = RNG.standard_normal((rows, per_row)).astype(np.float16) / 50
        data[..., at : at + 2] = factor[..., None].view(np.uint8)
    if kind == Type.MXFP4:
        data[..., 0] = RNG.integers(118, 132, (rows, per_row))
    if kind == Type.NVFP4:
        data[..., :4] &= 0x7E  # no sign, and no NaN, which is all ones
    return data.reshape(rows, per_row * size), values * per_row


def write_with_package(path, tensors, metadata=()):
    writer = gguf.GGUFWriter(str(path), "test")
    for add, key, value in metadata:
        getattr(writer, add)(key, value)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("dtype", KEPT)
def test_tensors_both_ways(tmp_path, dtype):
    path = str(tmp_path / "x.gguf")
    wanted = (np.arange(12).reshape(3, 4) - 5).astype(NUMPY[dtype])
    for writer, reader in ((mx, mlx.core), (mlx.core, mx), (mx, mx)):
        writer.save_gguf(path, {"a": to_engine(writer, wanted, dtype), "b.c": writer.zeros((2,))})
        loaded = reader.load(path)
        assert set(loaded) == {"a", "b.c"}
        assert loaded["a"].dtype == getattr(reader, dtype) and loaded["a"].shape == (3, 4)
        np.testing.assert_array_equal(to_numpy(loaded["a"]), wanted)


@heddle_only
@pytest.mark.parametrize("dtype", ALSO_OURS)
def test_tensors_that_mlx_does_not_keep(tmp_path, dtype):
    path = str(tmp_path / "x.gguf")
    array = to_engine(mx, (np.arange(12) * 1.5).astype(NUMPY[dtype]).reshape(3, 4), dtype)
    mx.save_gguf(path, {"a": array, "t": mx.transpose(array)})
    loaded = mx.load(path)
    assert loaded["a"].dtype == getattr(mx, dtype)
    np.testing.assert_array_equal(to_numpy(loaded["a"]), to_numpy(array))
    np.testing.assert_array_equal(to_numpy(loaded["t"]), to_numpy(array).T)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}
    assert kinds["a"] == {"int64": "I64", "float64": "F64", "bfloat16": "BF16"}[dtype]


def test_bytes_are_those_of_mlx(tmp_path):
    ours, theirs = str(tmp_path / "ours.gguf"), str(tmp_path / "theirs.gguf")
    for module, path in ((mx, ours), (mlx.core, theirs)):
        module.save_gguf(path, {"a": module.arange(10)}, {"k": module.array([1, 2])})
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()


@heddle_only
def test_the_package_reads_ours(tmp_path):
    path = str(tmp_path / "x.gguf")
    wanted = np.arange(6, dtype=np.float32).reshape(2, 3)
    metadata = {
        "s": "héllo",
        "l": ["a", "b"],
        "n": mx.array(3),
        "general.alignment": mx.array(64, mx.uint32),
    }
    mx.save_gguf(
        path, {"a": mx.array(wanted), "odd": mx.zeros((3,), mx.int8), "z": mx.ones((5,))}, metadata
    )
    reader = gguf.GGUFReader(path)
    assert reader.fields["s"].contents() == "héllo" and reader.fields["l"].contents() == ["a", "b"]
    assert reader.fields["n"].contents() == 3
    tensors = {t.name: t for t in reader.tensors}
    np.testing.assert_array_equal(tensors["a"].data, wanted)
    np.testing.assert_array_equal(tensors["z"].data, np.ones(5))
    assert all(t.data_offset % 64 == 0 for t in reader.tensors)
    np.testing.assert_array_equal(to_numpy(mx.load(path)["z"]), np.ones(5))


@pytest.mark.parametrize("dtype", VALUES)
@pytest.mark.parametrize("shape", [(), (3,)])
def test_metadata(tmp_path, dtype, shape):
    path = str(tmp_path / "x.gguf")
    wanted = np.full(shape, 1, NUMPY[dtype])
    for writer, reader in ((mx, mlx.core), (mlx.core, mx), (mx, mx)):
        given = {"m": to_engine(writer, wanted, dtype), "s": "text", "l": ["a", "", "ü"], "e": []}
        writer.save_gguf(path, {"a": writer.zeros((1,))}, given)
        _, metadata = reader.load(path, return_metadata=True)
        assert metadata["s"] == "text" and metadata["l"] == ["a", "", "ü"] and metadata["e"] == []
        assert metadata["m"].dtype == getattr(reader, dtype) and metadata["m"].shape == shape
        np.testing.assert_array_equal(to_numpy(metadata["m"]), wanted)


@heddle_only
def test_float64_metadata_narrow(tmp_path):
    """MLX 0.32.4 ends the process."""
    path = tmp_path / "x.gguf"
    write_with_package(
        path,
        {"a": (np.zeros(4, np.float32), None)},
        [("add_float64", "f", 1.1), ("add_array", "l", [1, 2])],
    )
    _, metadata = mx.load(str(path), return_metadata=True)
    assert metadata["f"].dtype == mx.float32 and metadata["f"].item() == np.float32(1.1)
    assert metadata["l"].tolist() == [1, 2]
    assert metadata["general.architecture"] == "test"


def what_raises(module, tensors, metadata, path):
    try:
        module.save_gguf(path, tensors, metadata)
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    "label",
    ["bool", "uint8", "complex64", "half", "two-dimensional", "empty", "number", "none", "numbers"],
)
def test_refusals_are_those_of_mlx(tmp_path, label):
    def arguments(m):
        good = {"a": m.zeros((1,))}
        return {
            "bool": ({"a": m.array([True])}, {}),
            "uint8": ({"a": m.array([1], m.uint8)}, {}),
            "complex64": ({"a": m.array([1j])}, {}),
            "half": (good, {"m": m.array(1, m.float16)}),
            "two-dimensional": (good, {"m": m.ones((1, 1))}),
            "empty": (good, {"m": m.zeros((0,))}),
            "number": (good, {"m": 3}),
            "none": (good, {"m": None}),
            "numbers": (good, {"m": [1, 2]}),
        }[label]

    path = str(tmp_path / "x.gguf")
    wanted = what_raises(mlx.core, *arguments(mlx.core), path)
    assert wanted is not None and what_raises(mx, *arguments(mx), path) is wanted


@pytest.mark.parametrize("kind", AFFINE, ids=lambda k: k.name)
def test_blocks_that_stay_quantized(tmp_path, kind):
    path = tmp_path / "q.gguf"
    data, columns = blocks(kind, per_row=4)
    write_with_package(path, {"x.weight": (data, kind), "y": (np.ones(2, np.float32), None)})
    ours, theirs = mx.load(str(path)), mlx.core.load(str(path))
    assert set(ours) == {"x.weight", "x.scales", "x.biases", "y"} == set(theirs)
    for name, array in theirs.items():
        assert str(ours[name].dtype) == str(array.dtype) and ours[name].shape == array.shape
        np.testing.assert_array_equal(to_numpy(ours[name]), to_numpy(array))
    bits = 8 if kind == Type.Q8_0 else 4
    words = to_numpy(ours["x.weight"])
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    q = (words[..., None] >> shifts & (2**bits - 1)).reshape(3, columns // 32, 32)
    scales, biases = (
        to_numpy(ours[f"x.{n}"]).astype(np.float32)[..., None] for n in ("scales", "biases")
    )
    wanted = gguf.dequantize(data, kind)
    # The bias is rounded to float16, at most half a step of its size.
    np.testing.assert_allclose(
        (scales * q + biases).reshape(3, columns), wanted, atol=2e-3 * abs(wanted).max()
    )


@heddle_only
@pytest.mark.parametrize("kind", DECODED, ids=lambda k: k.name)
def test_blocks_that_become_float16(tmp_path, kind):
    path = tmp_path / "q.gguf"
    data, columns = blocks(kind)
    write_with_package(path, {"x.weight": (data, kind)})
    loaded = mx.load(str(path))
    assert set(loaded) == {"x.weight"} and loaded["x.weight"].dtype == mx.float16
    assert loaded["x.weight"].shape == (3, columns)
    wanted = gguf.dequantize(data, kind).astype(np.float32)
    # Two ways to round d * s * q - m * s in float32, then to float16.
    scale = abs(wanted).max()
    np.testing.assert_allclose(to_numpy(loaded["x.weight"]), wanted, rtol=1e-3, atol=scale * 2e-6)


@pytest.mark.parametrize("kind", [Type.Q2_K, Type.Q6_K], ids=lambda k: k.name)
def test_blocks_that_mlx_decodes_too(tmp_path, kind):
    path = tmp_path / "q.gguf"
    write_with_package(path, {"x.weight": (blocks(kind, 4, 8)[0], kind)})
    ours, theirs = (to_numpy(m.load(str(path))["x.weight"]) for m in (mx, mlx.core))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=abs(theirs).max() * 2e-6)


def raw(
    version=3, tensors=(), values=(), tensor_count=None, value_count=None, data=b"", magic=b"GGUF"
):
    """A file of packed tensor descriptions and key-values; counts may lie."""
    head = magic + struct.pack("<I", version)
    head += struct.pack("<Q", len(tensors) if tensor_count is None else tensor_count)
    head += struct.pack("<Q", len(values) if value_count is None else value_count)
    head += b"".join(values) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + data


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value)) + value


def tensor(name="a", shape=(4,), kind=0, offset=0, rank=None):
    sizes = b"".join(struct.pack("<Q", n) for n in shape)
    rank = len(shape) if rank is None else rank
    return text(name) + struct.pack("<I", rank) + sizes + struct.pack("<IQ", kind, offset)


def value(key="k", kind=4, content=b"\1\0\0\0"):
    return text(key) + struct.pack("<I", kind) + content


def good(**more):
    return raw(**{"tensors": [tensor()], "values": [value()], "data": bytes(16)} | more)


HOSTILE = {
    "empty": b"",
    "four-bytes": b"GGUF",
    "magic": good(magic=b"GGML"),
    "version-0": good(version=0),
    "version-1": good(version=1),
    "version-4": good(version=4),
    "big-endian": good(version=3 << 24),
    "tensors-minus-1": good(tensor_count=2**64 - 1),
    "values-minus-1": good(value_count=2**64 - 1),
    "one-more-tensor": good(tensor_count=2),
    "key-minus-1": good(values=[struct.pack("<QI", 2**64 - 1, 4)]),
    "key-2^62": good(values=[struct.pack("<QI", 2**62, 4)]),
    "key-empty": good(values=[value("")]),
    "key-long": good(values=[value("k" * 70_000)]),
    "key-not-utf8": good(values=[value(b"\xff\xfe")]),
    "key-twice": good(values=[value(), value()]),
    "value-type-13": good(values=[value(kind=13)]),
    "value-type-2^32-1": good(values=[value(kind=2**32 - 1)]),
    "bool-2": good(values=[value(kind=7, content=b"\2")]),
    "string-2^62": good(values=[value(kind=8, content=struct.pack("<Q", 2**62))]),
    "string-not-utf8": good(values=[value(kind=8, content=text(b"\xc3\x28"))]),
    "array-2^62": good(values=[value(kind=9, content=struct.pack("<IQ", 12, 2**62))]),
    "array-of-strings-2^62": good(values=[value(kind=9, content=struct.pack("<IQ", 8, 2**62))]),
    "array-of-strings-that-end": good(
        values=[value(kind=9, content=struct.pack("<IQ", 8, 3) + text("a"))]
    ),
    "array-of-bools": good(values=[value(kind=9, content=struct.pack("<IQ", 7, 2) + b"\0\7")]),
    "array-nested": good(values=[value(kind=9, content=struct.pack("<IQ", 9, 1) + bytes(12))]),
    "array-nested-deep": good(
        values=[value(kind=9, content=struct.pack("<IQ", 9, 1) * 100_000 + bytes(12))]
    ),
    "array-type": good(values=[value(kind=9, content=struct.pack("<IQ", 77, 1) + bytes(12))]),
    **{
        f"alignment-{n}": good(values=[value("general.alignment", content=struct.pack("<I", n))])
        for n in (0, 13, 2**32 - 1)
    },
    "alignment-type": good(values=[value("general.alignment", 10, struct.pack("<Q", 32))]),
    "name-long": good(tensors=[tensor("a" * 70_000)]),
    "name-not-utf8": good(tensors=[tensor(b"\xff")]),
    "name-twice": good(tensors=[tensor(), tensor(offset=32)], data=bytes(64)),
    "rank-5": good(tensors=[tensor(shape=(1, 1, 1, 1, 4))]),
    "rank-2^32-1": good(tensors=[tensor(rank=2**32 - 1)]),
    "dimension-minus-1": good(tensors=[tensor(shape=(2**64 - 1,))]),
    "dimension-2^31": good(tensors=[tensor(shape=(2**31,))]),
    "elements-overflow": good(tensors=[tensor(shape=(2**31 - 1,) * 4)]),
    "elements-overflow-with-0": good(tensors=[tensor(shape=(0, *(2**31 - 1,) * 3))]),
    "bytes-overflow": good(tensors=[tensor(shape=(2**31 - 1, 2**31 - 1, 2), kind=28)]),
    **{f"removed-type-{n}": good(tensors=[tensor(kind=n)]) for n in (4, 5, 31, 33, 36, 38)},
    "type-41": good(tensors=[tensor(kind=41)]),
    "type-2^32-1": good(tensors=[tensor(kind=2**32 - 1)]),
    "row-of-half-a-block": good(tensors=[tensor(kind=2, shape=(16,))]),
    "scalar-of-blocks": good(tensors=[tensor(kind=2, shape=())]),
    "offset-odd": good(tensors=[tensor(shape=(1,), offset=4)]),
    "offset-beyond": good(tensors=[tensor(offset=32)]),
    "offset-2^64-32": good(tensors=[tensor(offset=2**64 - 32)]),
    "no-data": good(data=b""),
    "sizes-overflow-together": good(
        tensors=[tensor(f"t{i}", (2**31 - 1, 2**31 - 1), 24, i << 62) for i in range(4)]
    ),
    "ten-to-the-ninth-texts": good(values=[value(kind=9, content=struct.pack("<IQ", 8, 10**9))]),
    "data-short": good(data=bytes(15)),
    "overlap": good(tensors=[tensor("a", (16,)), tensor("b", (8,), offset=32)], data=bytes(64)),
    "scales-named-twice": good(
        tensors=[tensor("x.weight", (32,), 2), tensor("x.scales", (1,), offset=32)], data=bytes(64)
    ),
    **{
        f"refused-{k.name}": good(tensors=[tensor(kind=int(k), shape=(256,))], data=bytes(999))
        for k in REFUSED
    },
}


@heddle_only
def test_long_names_are_read(tmp_path):
    """MLX writes names of more than the 64 bytes of the format; heddle reads them, and does not."""
    name = "model.layers.0." + "x" * 70
    path = tmp_path / "long.gguf"
    mlx.core.save_gguf(str(path), {name: mlx.core.arange(4.0)})
    assert mx.load(str(path))[name].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="64"):
        mx.save_gguf(str(path), {name: mx.arange(4.0)})


def refuse(path):
    import heddle

    with pytest.raises(heddle.UnsafeFileError) as caught:
        mx.eval(mx.load(str(path)))
    message = str(caught.value)
    assert path.name in message and "offset" in message and len(message) < 1000, message
    assert "\n" not in message
    return message


@heddle_only
def test_the_good_file_is_good(tmp_path):
    path = tmp_path / "good.gguf"
    for version in (2, 3):
        path.write_bytes(good(version=version))
        arrays, metadata = mx.load(str(path), return_metadata=True)
        assert arrays["a"].tolist() == [0, 0, 0, 0] and metadata["k"].item() == 1


@heddle_only
@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_files(tmp_path, label):
    path = tmp_path / "hostile.gguf"
    path.write_bytes(HOSTILE[label])
    message = refuse(path)
    if label.startswith("refused-"):
        assert label.removeprefix("refused-") in message


@heddle_only
def test_truncated_at_every_byte(tmp_path):
    whole, path = tmp_path / "whole.gguf", tmp_path / "cut.gguf"
    tensors = {
        "x.weight": (blocks(Type.Q4_0)[0], Type.Q4_0),
        "y": (np.ones((2, 3), np.float32), None),
    }
    write_with_package(whole, tensors, [("add_array", "l", ["a", "b"]), ("add_uint32", "n", 3)])
    content = whole.read_bytes()
    end = max(t.data_offset + t.n_bytes for t in gguf.GGUFReader(str(whole)).tensors)
    for length in range(end):
        path.write_bytes(content[:length])
        refuse(path)


@heddle_only
def test_flipped_bits(tmp_path):
    whole, path = tmp_path / "whole.gguf", tmp_path / "flipped.gguf"
    tensors = {
        "x.weight": (blocks(Type.Q4_K)[0], Type.Q4_K),
        "y": (np.ones((2, 3), np.float32), None),
    }
    write_with_package(whole, tensors, [("add_array", "l", ["a", "b"])])
    content = np.frombuffer(whole.read_bytes(), np.uint8)
    for at in range(400):
        flipped = content.copy()
        flipped[at % content.size] ^= 1 << RNG.integers(8)
        path.write_bytes(flipped.tobytes())
        try:
            mx.eval(mx.load(str(path)))
        except ValueError:
            continue


@heddle_only
def test_file_objects(tmp_path):
    path = tmp_path / "x.gguf"
    with path.open("wb") as file:
        mx.save_gguf(file, {"a": mx.arange(5)}, {"k": "v"})
    with path.open("rb") as file:
        arrays, metadata = mx.load(file, return_metadata=True)
    assert arrays["a"].tolist() == [0, 1, 2, 3, 4] and metadata == {"k": "v"}
