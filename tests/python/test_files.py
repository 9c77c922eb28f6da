"""npy and npz of numpy and MLX, ours in their hands; file objects, safetensors, shards."""

import ast
import io
import json
import os
import zipfile

import mlx.core
import numpy as np
import pytest

from engines import DTYPES, IS_HEDDLE, NUMPY, mx, to_engine, to_numpy

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="MLX refuses or misreads this")
IN_NUMPY = [dtype for dtype in DTYPES if dtype != "bfloat16"]
SHAPES = [(), (1,), (7,), (3, 4), (0, 3), (2, 0), (2, 1, 3)]


def ramp(dtype, shape=(3, 4)):
    count = int(np.prod(shape))
    values = np.arange(count) % 2 if dtype == "bool_" else np.arange(count) + 1
    return values.reshape(shape).astype(NUMPY[dtype])


def same(loaded, wanted, module, dtype):
    assert loaded.dtype == getattr(module, dtype) and loaded.shape == wanted.shape
    np.testing.assert_array_equal(
        to_numpy(loaded), wanted.astype(np.float32) if dtype == "bfloat16" else wanted
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_npy_between_engines(tmp_path, dtype, shape):
    path = str(tmp_path / "x.npy")
    wanted = ramp(dtype, shape)
    for writer, reader in ((mx, mlx.core), (mlx.core, mx), (mx, mx)):
        writer.save(path, to_engine(writer, wanted, dtype))
        same(reader.load(path), wanted, reader, dtype)


def header_of(content):
    """The dict and the elements of an npy file, as numpy documents them. How wide the header is and
    how it is filled up differs between versions of numpy."""
    assert content[:8] == b"\x93NUMPY\1\0"
    end = 10 + int.from_bytes(content[8:10], "little")
    assert end % 64 == 0 and content[end - 1 : end] == b"\n"
    return ast.literal_eval(content[10:end].decode("latin1")), content[end:]


@heddle_only
@pytest.mark.parametrize("dtype", IN_NUMPY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_npy_is_numpys(tmp_path, dtype, shape):
    wanted = ramp(dtype, shape)
    array = to_engine(mx, wanted, dtype)
    for ours, theirs in ((array, wanted), (mx.transpose(array), wanted.T)):
        mx.save(str(tmp_path / "ours"), ours)
        np.save(tmp_path / "theirs", theirs)
        files = [(tmp_path / name).read_bytes() for name in ("ours.npy", "theirs.npy")]
        assert header_of(files[0]) == header_of(files[1])
        loaded = np.load(tmp_path / "ours.npy")
        assert loaded.dtype == theirs.dtype and loaded.shape == theirs.shape
        np.testing.assert_array_equal(loaded, theirs)
        same(mx.load(str(tmp_path / "theirs.npy")), theirs, mx, dtype)


@heddle_only
def test_a_long_header(tmp_path):
    path = tmp_path / "x.npy"
    header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }".ljust(70_000) + "\n"
    body = b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header.encode()
    path.write_bytes(body + np.array([1, 2], np.int32).tobytes())
    assert mx.load(str(path)).tolist() == [1, 2]


@pytest.mark.parametrize("view", ["transposed", "strided", "reversed", "broadcast", "lazy"])
def test_views_are_written_as_they_look(tmp_path, view):
    path = str(tmp_path / "x.npy")
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    array = mx.array(base)
    ours, wanted = {
        "transposed": (array.T, base.T),
        "strided": (array[1:, ::2], base[1:, ::2]),
        "reversed": (array[::-1], base[::-1]),
        "broadcast": (mx.broadcast_to(array[0], (3, 6)), np.broadcast_to(base[0], (3, 6))),
        "lazy": (array * 2 + 1, base * 2 + 1),
    }[view]
    mx.save(path, ours)
    np.testing.assert_array_equal(np.load(path), wanted)
    same(mx.load(path), wanted, mx, "float32")
    mx.savez(str(tmp_path / "x"), a=ours)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npz")["a"], wanted)
    mx.save_safetensors(str(tmp_path / "x"), {"a": ours})
    same(mx.load(str(tmp_path / "x.safetensors"))["a"], wanted, mx, "float32")


@heddle_only
@pytest.mark.parametrize("code", [">f4", ">f2", ">f8", ">i2", ">i8", ">u4", ">c8", "<c16", ">c16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_elements_of_other_forms(tmp_path, code, order):
    path = str(tmp_path / "x.npy")
    wanted = (np.arange(6).reshape(2, 3) + 0.5).astype(code, order=order)
    np.save(path, wanted)
    native = np.complex64 if code.endswith("c16") else wanted.dtype.newbyteorder("=")
    loaded = mx.load(path)
    assert str(loaded.dtype).rpartition(".")[2] == np.dtype(native).name
    np.testing.assert_array_equal(to_numpy(loaded), wanted.astype(native))
    with open(path, "rb") as file:
        np.testing.assert_array_equal(to_numpy(mx.load(file)), wanted.astype(native))
    np.savez_compressed(str(tmp_path / "x.npz"), a=wanted)
    np.testing.assert_array_equal(
        to_numpy(mx.load(str(tmp_path / "x.npz"))["a"]), wanted.astype(native)
    )


@heddle_only
def test_booleans_are_0_or_1_whatever_the_file_says(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(4, bool))
    path.write_bytes(path.read_bytes()[:-4] + b"\0\1\2\xff")
    assert mx.load(str(path)).astype(mx.int32).tolist() == [0, 1, 1, 1]
    assert mx.load(str(path)).sum().item() == 3


# --- npz ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_between_engines(tmp_path, compressed):
    path = str(tmp_path / "x.npz")
    for writer, reader in ((mx, mlx.core), (mlx.core, mx), (mx, mx)):
        save = writer.savez_compressed if compressed else writer.savez
        given = {dtype: to_engine(writer, ramp(dtype), dtype) for dtype in DTYPES}
        save(path, writer.zeros((2, 0)), writer.array(3), **given, **{"a.b/c": writer.ones((2,))})
        loaded = reader.load(path)
        assert set(loaded) == {"arr_0", "arr_1", "a.b/c", *DTYPES}
        for dtype in DTYPES:
            same(loaded[dtype], ramp(dtype), reader, dtype)
        assert loaded["arr_0"].shape == (2, 0) and loaded["arr_1"].item() == 3


@heddle_only
def test_npz_is_numpys(tmp_path):
    positional = [ramp("int8"), ramp("bool_", ())]
    named = {"x": ramp("float32"), "größe": ramp("int64", (5,)), "t": ramp("float64").T}
    arrays = {
        name: mx.array(value, dtype=getattr(mx, value.dtype.name)) for name, value in named.items()
    }
    arrays["t"] = mx.transpose(mx.array(named["t"].T, dtype=mx.float64))
    for way in ("savez", "savez_compressed"):
        getattr(np, way)(tmp_path / "theirs", *positional, **named)
        getattr(mx, way)(str(tmp_path / "ours"), *map(mx.array, positional), **arrays)
        ours, theirs = (zipfile.ZipFile(tmp_path / f"{name}.npz") for name in ("ours", "theirs"))
        assert ours.testzip() is None
        told = [
            [(m.filename, m.compress_type, m.file_size) for m in z.infolist()]
            for z in (ours, theirs)
        ]
        assert told[0] == told[1]
        for name in ours.namelist():
            assert header_of(ours.read(name)) == header_of(theirs.read(name))
        loaded = np.load(tmp_path / "ours.npz")
        for name, value in {"arr_0": positional[0], "arr_1": positional[1], **named}.items():
            assert loaded[name].dtype == value.dtype
            np.testing.assert_array_equal(loaded[name], value)
            same(
                mx.load(str(tmp_path / "theirs.npz"))[name],
                value,
                mx,
                value.dtype.name.replace("bool", "bool_"),
            )


class Unseekable(io.RawIOBase):
    """A pipe, as the writer of an archive sees it: sizes follow the members."""

    def __init__(self):
        self.content = io.BytesIO()

    def writable(self):
        return True

    def write(self, data):
        return self.content.write(data)


@heddle_only
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("seekable", [False, True])
def test_npz_of_every_numpy_is_read(tmp_path, compression, zip64, seekable):
    """numpy hands its members to Python's zipfile, which has written their sizes in each of these
    ways: 64 bits wide or not, before the data or after it."""
    member, sink = io.BytesIO(), io.BytesIO() if seekable else Unseekable()
    np.save(member, ramp("float32"))
    with zipfile.ZipFile(sink, "w", compression) as archive:
        for name in ("a.npy", "größe.npy"):
            with archive.open(name, "w", force_zip64=zip64) as file:
                file.write(member.getvalue())
    path = tmp_path / "x.npz"
    path.write_bytes((sink if seekable else sink.content).getvalue())
    for loaded in (mx.load(str(path)), mx.load(io.BytesIO(path.read_bytes()), "npz")):
        assert set(loaded) == {"a", "größe"}
        same(loaded["größe"], ramp("float32"), mx, "float32")


def test_numpy_reads_compressed(tmp_path):
    path = str(tmp_path / "x.npz")
    wanted = np.random.default_rng(0).integers(0, 9, (700, 800), dtype=np.int32)
    mx.savez_compressed(path, a=mx.array(wanted), b=mx.zeros((3_000_000,)))
    assert os.path.getsize(path) < wanted.nbytes
    loaded = np.load(path)
    np.testing.assert_array_equal(loaded["a"], wanted)
    assert loaded["b"].shape == (3_000_000,) and not loaded["b"].any()
    same(mx.load(path)["a"], wanted, mx, "int32")


@heddle_only
def test_more_members_than_16_bits_count(tmp_path):
    path = tmp_path / "x.npz"
    one = io.BytesIO()
    np.save(one, np.float32(1))
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(66_000):
            archive.writestr(f"n{i}.npy", one.getvalue())
    loaded = mx.load(path)
    assert len(loaded) == 66_000 and loaded["n65999"].item() == 1


# --- arguments ----------------------------------------------------------------------------------

FAULTY = {
    "load-missing-npy": lambda m, d: m.load(d + "/none.npy"),
    "load-missing-npz": lambda m, d: m.load(d + "/none.npz"),
    "load-missing-safetensors": lambda m, d: m.load(d + "/none.safetensors"),
    "load-missing-gguf": lambda m, d: m.load(d + "/none.gguf"),
    "load-unknown-suffix": lambda m, d: m.load(d + "/x.foo"),
    "load-no-suffix": lambda m, d: m.load(d + "/x"),
    "load-unknown-format": lambda m, d: m.load(d + "/x.npy", format="NPY"),
    "load-number": lambda m, d: m.load(3),
    "load-bytes": lambda m, d: m.load(b"x.npy"),
    "load-keyword": lambda m, d: m.load(file=d + "/x.npy"),
    "load-metadata-npy": lambda m, d: m.load(d + "/x.npy", return_metadata=True),
    "load-metadata-npz": lambda m, d: m.load(d + "/x.npz", "npz", True),
    "load-object-without-name": lambda m, d: m.load(io.BytesIO()),
    "load-object-unknown": lambda m, d: m.load(io.BytesIO(), format="foo"),
    "load-text": lambda m, d: m.load(io.StringIO("x"), format="npy"),
    "load-stream-text": lambda m, d: m.load(d + "/x.npy", stream="cpu"),
    "load-gpu": lambda m, d: m.load(d + "/x.npy", stream=m.gpu),
    "save-list": lambda m, d: m.save(d + "/y", [1, 2]),
    "save-numpy": lambda m, d: m.save(d + "/y", np.ones(2)),
    "save-number-as-file": lambda m, d: m.save(3, m.ones((2,))),
    "save-no-folder": lambda m, d: m.save(d + "/none/y", m.ones((2,))),
    "save-text": lambda m, d: m.save(io.StringIO(), m.ones((2,))),
    "savez-list": lambda m, d: m.savez(d + "/y", [1, 2]),
    "savez-number": lambda m, d: m.savez(d + "/y", a=1.0),
    "savez-name-taken": lambda m, d: m.savez(d + "/y", m.ones((2,)), arr_0=m.ones((2,))),
    "savez-file-keyword": lambda m, d: m.savez(d + "/y", file=m.ones((2,))),
    "safetensors-list": lambda m, d: m.save_safetensors(d + "/y", [m.ones((2,))]),
    "safetensors-number": lambda m, d: m.save_safetensors(d + "/y", {"a": 3}),
    "safetensors-key": lambda m, d: m.save_safetensors(d + "/y", {3: m.ones((2,))}),
    "safetensors-metadata": lambda m, d: m.save_safetensors(d + "/y", {}, {"a": 3}),
    "safetensors-file": lambda m, d: m.save_safetensors(3, {}),
    "gguf-file": lambda m, d: m.save_gguf(3, {}, {}),
    "gguf-no-folder": lambda m, d: m.save_gguf(d + "/none/y", {}, {}),
}


@pytest.mark.parametrize("label", FAULTY)
def test_errors_are_those_of_mlx(tmp_path, label):
    mx.save(str(tmp_path / "x.npy"), mx.ones((2,)))
    with pytest.raises(Exception) as theirs:
        mlx.core.eval(FAULTY[label](mlx.core, str(tmp_path)))
    with pytest.raises(Exception) as ours:
        FAULTY[label](mx, str(tmp_path))
    assert isinstance(ours.value, theirs.type), (ours.value, theirs.value)


def test_suffixes_and_paths(tmp_path):
    array = mx.ones((2,))
    mx.save(tmp_path / "a", array)
    mx.savez(tmp_path / "a", array)
    mx.save_safetensors(tmp_path / "a", {"x": array})
    mx.save_gguf(tmp_path / "a", {"x": array})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.gguf",
        "a.npy",
        "a.npz",
        "a.safetensors",
    ]
    for path in tmp_path.iterdir():
        mx.eval(mx.load(path))
        mx.eval(mx.load(str(path), stream=mx.cpu))
    os.rename(tmp_path / "a.npy", tmp_path / "a.bin")
    assert mx.load(tmp_path / "a.bin", "npy").tolist() == [1, 1]


# --- file objects -------------------------------------------------------------------------------


class Trickle(io.RawIOBase):
    """Gives and takes a few bytes at a time, and cannot seek."""

    def __init__(self, content=b""):
        self.content = bytearray(content)

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, memory):
        piece = self.content[: min(len(memory), 13)]
        memory[: len(piece)] = piece
        del self.content[: len(piece)]
        return len(piece)

    def write(self, memory):
        self.content += memory[:17]
        return min(len(memory), 17)


class OnlyRead:
    def __init__(self, content):
        self.file = io.BytesIO(content)

    def read(self, n=-1):
        return self.file.read(n)


@heddle_only
@pytest.mark.parametrize("format", ["npy", "npz", "safetensors", "gguf"])
def test_file_objects(tmp_path, format):
    array = mx.arange(1000)
    write = {
        "npy": lambda f: mx.save(f, array),
        "npz": lambda f: mx.savez_compressed(f, x=array),
        "safetensors": lambda f: mx.save_safetensors(f, {"x": array}),
        "gguf": lambda f: mx.save_gguf(f, {"x": array}),
    }[format]
    path = tmp_path / f"file.{format}"
    with open(path, "wb", buffering=0) as file:
        write(file)
    content = path.read_bytes()
    trickle = Trickle()
    write(trickle)
    assert bytes(trickle.content) == content
    with open(path, "rb") as file:
        sources = [file, io.BytesIO(content), OnlyRead(content), Trickle(content)]
        for source in sources:
            loaded = mx.load(source, format=format)
            loaded = loaded if format == "npy" else loaded["x"]
            assert loaded.tolist() == list(range(1000))


@heddle_only
def test_several_in_one_stream():
    stream = io.BytesIO()
    stream.write(b"front")
    mx.save(stream, mx.arange(3))
    mx.save_safetensors(stream, {"x": mx.ones((2,))}, {"k": "v"})
    np.save(stream, np.array([True, False]))
    stream.seek(5)
    assert mx.load(stream, format="npy").tolist() == [0, 1, 2]
    arrays, metadata = mx.load(stream, format="safetensors", return_metadata=True)
    assert arrays["x"].tolist() == [1, 1] and metadata == {"k": "v"}
    assert mx.load(stream, format="npy").tolist() == [True, False]
    assert stream.read() == b""


@heddle_only
def test_an_archive_just_written():
    stream = io.BytesIO()
    mx.savez(stream, x=mx.arange(3))
    assert mx.load(stream, format="npz")["x"].tolist() == [0, 1, 2]


@heddle_only
def test_errors_of_the_object_come_through():
    class Broken:
        def read(self, n):
            raise ZeroDivisionError("mine")

        write = read

    with pytest.raises(ZeroDivisionError, match="mine"):
        mx.load(Broken(), format="npy")
    with pytest.raises(ZeroDivisionError, match="mine"):
        mx.save_safetensors(Broken(), {"x": mx.ones((2,))})


# --- safetensors beyond MLX ---------------------------------------------------------------------


@heddle_only
def test_float64_safetensors(tmp_path):
    path = str(tmp_path / "x.safetensors")
    wanted = np.arange(6).reshape(2, 3) / 3
    array = mx.array(wanted, dtype=mx.float64)
    mx.save_safetensors(path, {"a": array, "t": array.T, "c": mx.array([1j])})
    loaded = mx.load(path)
    same(loaded["a"], wanted, mx, "float64")
    same(loaded["t"], wanted.T, mx, "float64")
    assert loaded["c"].dtype == mx.complex64


@heddle_only
def test_files_of_mlx_that_are_not_aligned(tmp_path):
    """MLX pads no headers: its data begin anywhere."""
    for length in range(8):
        path = str(tmp_path / f"{length}.safetensors")
        mlx.core.save_safetensors(
            path, {"n" * (length + 1): mlx.core.arange(100), "z": mlx.core.ones((3,))}
        )
        loaded = mx.load(path)
        assert loaded["n" * (length + 1)].tolist() == list(range(100))
        assert (loaded["z"] + loaded["z"]).tolist() == [2, 2, 2]


SHARDS = {"one.safetensors": {"a": [1, 2]}, "two.safetensors": {"b": [3], "c": [4]}}


def write_shards(folder, index=None):
    for name, arrays in SHARDS.items():
        mx.save_safetensors(
            folder / name, {k: mx.array(v) for k, v in arrays.items()}, {"format": "mlx"}
        )
    if index is None:
        weight_map = {key: name for name, arrays in SHARDS.items() for key in arrays}
        index = {"metadata": {"total_size": 16}, "weight_map": weight_map}
    path = folder / "model.safetensors.index.json"
    path.write_text(index if isinstance(index, str) else json.dumps(index))
    return path


@heddle_only
def test_shards(tmp_path):
    path = write_shards(tmp_path)
    arrays, metadata = mx.load(path, return_metadata=True)
    assert {k: v.tolist() for k, v in arrays.items()} == {"a": [1, 2], "b": [3], "c": [4]}
    assert metadata == {"format": "mlx"}
    os.chdir(tmp_path)
    assert set(mx.load(path.name)) == {"a", "b", "c"}


WHOLE = {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}
BAD_INDEXES = {
    "not-json": "{",
    "empty": "",
    "list": "[]",
    "no-map": {"metadata": {}},
    "map-is-a-list": {"weight_map": []},
    "map-is-a-text": {"weight_map": "x"},
    "file-is-a-number": {"weight_map": {"a": 1}},
    "file-is-a-list": {"weight_map": {"a": ["one.safetensors"]}},
    "two-maps": '{"weight_map": {}, "weight_map": {}}',
    "name-twice": '{"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}}',
    "parent": {"weight_map": WHOLE | {"a": "../one.safetensors"}},
    "absolute": {"weight_map": WHOLE | {"a": "/etc/passwd"}},
    "dots": {"weight_map": WHOLE | {"a": ".."}},
    "backslash": {"weight_map": WHOLE | {"a": "..\\one.safetensors"}},
    "nul": {"weight_map": WHOLE | {"a": "one.safetensors\0"}},
    "wrong-shard": {"weight_map": WHOLE | {"a": "two.safetensors"}},
    "name-too-many": {"weight_map": WHOLE | {"d": "two.safetensors"}},
    "name-missing": {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}},
    "byte-order-mark": "\ufeff{}",
    "null-behind": '{"weight_map": {}}\0',
    "nan": '{"metadata": NaN, "weight_map": {}}',
    "itself": {"weight_map": {"a": "model.safetensors.index.json"}},
    "in-two-shards": '{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}',
    "deep": '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "huge-number": '{"metadata": {"total_size": 1e400}, "weight_map": []}',
}


@heddle_only
@pytest.mark.parametrize("label", BAD_INDEXES)
def test_bad_indexes(tmp_path, label):
    import heddle

    path = write_shards(tmp_path, BAD_INDEXES[label])
    with pytest.raises(heddle.UnsafeFileError, match="offset"):
        mx.load(path)


@heddle_only
def test_a_shard_that_is_missing(tmp_path):
    path = write_shards(tmp_path)
    (tmp_path / "one.safetensors").unlink()
    with pytest.raises(RuntimeError, match="one.safetensors"):
        mx.load(path)
