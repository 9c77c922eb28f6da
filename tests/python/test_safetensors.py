"""safetensors: files of others, ours in other hands, hostile files refused by name and place."""

import io
import json
import struct

import mlx.core
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from engines import DTYPES, IS_HEDDLE, NUMPY, mx, to_engine, to_numpy

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="MLX accepts or misreads hostile files")
STORED = [dtype for dtype in DTYPES if dtype not in ("complex64", "float64")]


def values(dtype, shape=(2, 3)):
    ramp = np.arange(int(np.prod(shape))) % 2
    return np.asarray(ramp.reshape(shape), NUMPY[dtype])


@pytest.mark.parametrize("dtype", STORED)
def test_files_of_others(tmp_path, dtype):
    path = str(tmp_path / "given.safetensors")
    tensors = {"a": values(dtype), "b.c": values(dtype, (4,)), "zero": values(dtype, ())}
    tensors["empty"] = np.zeros((0, 3), NUMPY[dtype])
    safetensors.numpy.save_file(tensors, path, metadata={"key": "value", "none": ""})
    loaded, metadata = mx.load(path, return_metadata=True)
    assert metadata == {"key": "value", "none": ""}
    assert set(loaded) == set(tensors)
    for name, wanted in tensors.items():
        assert loaded[name].dtype == getattr(mx, dtype) and loaded[name].shape == wanted.shape
        np.testing.assert_array_equal(to_numpy(loaded[name]), wanted)


@pytest.mark.parametrize("dtype", STORED)
def test_our_files_in_other_hands(tmp_path, dtype):
    path = str(tmp_path / "ours.safetensors")
    wanted = values(dtype, (5, 3))
    array = to_engine(mx, wanted, dtype)
    saved = {"plain": array, "view": mx.transpose(array), "slice": array[1:4, ::2], "new": array}
    mx.save_safetensors(path, saved, metadata={"author": "test"})
    with safetensors.safe_open(path, framework="np") as file:
        assert file.metadata()["author"] == "test"
        for name, truth in (("plain", wanted), ("view", wanted.T), ("slice", wanted[1:4, ::2])):
            np.testing.assert_array_equal(file.get_tensor(name), truth)
    theirs = mlx.core.load(path)
    assert set(theirs) == set(saved)
    for name, array in saved.items():
        np.testing.assert_array_equal(to_numpy(theirs[name]), to_numpy(array))


def test_both_ways_bit_for_bit(tmp_path):
    path = str(tmp_path / "bits.safetensors")
    bits = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    mx.save_safetensors(path, {"x": mx.array(bits.view(np.float32))})
    assert np.array(mx.load(path)["x"]).view(np.uint32).tolist() == bits.tolist()


def test_a_file_object(tmp_path):
    path = tmp_path / "object.safetensors"
    with path.open("wb") as file:
        mx.save_safetensors(file, {"x": mx.arange(5)})
    with path.open("rb") as file:
        assert mx.load(file, format="safetensors")["x"].tolist() == [0, 1, 2, 3, 4]


def test_saving_over_the_file_that_is_mapped(tmp_path):
    path = str(tmp_path / "self.safetensors")
    mx.save_safetensors(path, {"x": mx.arange(100_000)})
    loaded = mx.load(path)["x"]
    if IS_HEDDLE:  # MLX reads lazily and would read what it is writing.
        mx.save_safetensors(path, {"x": loaded + 1})
        assert mx.load(path)["x"][:3].tolist() == [1, 2, 3]
    assert loaded[:3].tolist() == [0, 1, 2]


def test_missing_and_wrong_arguments(tmp_path):
    with pytest.raises(RuntimeError, match="nowhere.safetensors"):
        mx.load(str(tmp_path / "nowhere.safetensors"))
    with pytest.raises(RuntimeError):
        mx.save_safetensors(str(tmp_path / "x.safetensors"), {"x": 3})
    with pytest.raises((RuntimeError, OSError, ValueError)):
        mx.save_safetensors(str(tmp_path / "no" / "folder.safetensors"), {"x": mx.ones((2,))})


def container(header, data=b"", length=None):
    """A file of this header (an object or its text) and data; `length` may lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype="F32", shape=(2,), offsets=(0, 8), data=8, **more):
    """A file of one tensor named "a"."""
    entry = {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)} | more
    return container({"a": entry}, bytes(data))


TENSOR = '{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
DOUBLE = ('{"a":' + TENSOR % (0, 4) + ',"a":' + TENSOR % (4, 8) + "}").encode()
OVERLAP = json.dumps(
    {f"t{i}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for i in range(1000)}
).encode()

HOSTILE = {
    "empty": b"",
    "seven-bytes": b"\0" * 7,
    "only-length": struct.pack("<Q", 2),
    "length-beyond-file": container({}, length=1000),
    "length-huge": container({}, length=101_000_000),
    "length-2^63": container({}, length=2**63),
    "length-2^64-1": container({}, length=2**64 - 1),
    "length-zero": struct.pack("<Q", 0),
    "not-an-object": container(b"[]"),
    "leading-space": container(b" {}"),
    "trailing-garbage-in-header": container(b"{} x"),
    "not-utf8": container(b'{"\xff":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)),
    "not-json": container(b"{a:1}"),
    "unterminated": container(b'{"a":'),
    "deep": container(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep-objects": container(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "duplicate-tensor": container(DOUBLE, bytes(8)),
    "duplicate-metadata": container(b'{"__metadata__":{"a":"b"},"__metadata__":{}}'),
    "metadata-number": container({"__metadata__": {"a": 1}}),
    "metadata-list": container({"__metadata__": []}),
    "entry-number": container({"a": 3}),
    "entry-null": container({"a": None}),
    "byte-order-mark": container(b"\xef\xbb\xbf{}"),
    "null-behind-header": container(b"{}\0"),
    "text-behind-a-null": container(b"{}\0<script>"),
    "key-twice-in-an-entry": container(
        b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
    ),
    "no-dtype": container({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "no-shape": container({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)),
    "no-offsets": container({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "unknown-dtype": one(dtype="F31"),
    "dtype-number": one(dtype=3),
    "odd-f4": one(dtype="F4", shape=(3,), offsets=(0, 1), data=1),
    "negative-dimension": one(shape=(-2,)),
    "two-negative-dimensions": one(shape=(-1, -2)),
    "float-dimension": one(shape=(2.0,)),
    "string-dimension": one(shape=("2",)),
    "bool-dimension": one(shape=(True, 2)),
    "null-dimension": one(shape=(None, 2)),
    "list-dimension": one(shape=([2],)),
    "dimension-2^64": one(shape=(2**64,)),
    "dimension-2^31": one(shape=(2**31,), dtype="U8"),
    "product-overflow": one(shape=(2**32, 2**32)),
    "product-overflow-with-zero": one(shape=(2**32, 2**32, 0), offsets=(0, 0), data=0),
    "infinite-dimension": container(
        b'{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,8]}}', bytes(8)
    ),
    "nan-dimension": container(
        b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', bytes(8)
    ),
    "bytes-overflow": one(shape=(2**62,)),
    "rank-1000": one(shape=(1,) * 1000 + (2,) * 60),
    "begin-after-end": one(offsets=(8, 0)),
    "negative-begin": one(offsets=(-8, 0)),
    "offset-2^64": one(offsets=(0, 2**64)),
    "offset-float": one(offsets=(0.0, 8.0)),
    "one-offset": one(offsets=(0,)),
    "three-offsets": one(offsets=(0, 8, 8)),
    "end-beyond-data": one(offsets=(0, 8), data=4),
    "size-mismatch": one(shape=(3,)),
    "hole-at-start": one(offsets=(4, 12), data=12),
    "extra-bytes": one(data=9),
    "overlap": container(OVERLAP, bytes(4)),
    "hole-between": container(
        {
            "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
            "b": {"dtype": "U8", "shape": [1], "data_offsets": [2, 3]},
        },
        bytes(3),
    ),
}


def refuse(path):
    """The refusal of a file: one clean error of one line that names the file."""
    import heddle

    with pytest.raises((heddle.UnsafeFileError, ValueError)) as caught:
        mx.eval(mx.load(str(path)))
    message = str(caught.value)
    assert path.name in message, message
    assert len(message) < 1000 and "\n" not in message.strip(), message
    return message


@heddle_only
@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_files(tmp_path, label):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[label])
    refuse(path)
    assert (mx.ones((2,)) + 1).tolist() == [2, 2]


@heddle_only
@pytest.mark.parametrize("label", ["size-mismatch", "negative-dimension", "end-beyond-data"])
def test_the_refusal_names_the_tensor(tmp_path, label):
    path = tmp_path / "named.safetensors"
    path.write_bytes(HOSTILE[label].replace(b'"a"', b'"q"'))
    message = refuse(path)
    assert "q" in message.replace(path.name, "") and "offset" in message


@heddle_only
def test_truncated_at_every_byte(tmp_path):
    whole = tmp_path / "whole.safetensors"
    tensors = {"a": np.arange(3, dtype=np.float32), "b": np.ones((2, 2), np.int8)}
    safetensors.numpy.save_file(tensors, str(whole), metadata={"k": "v"})
    content = whole.read_bytes()
    for length in range(len(content)):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(content[:length])
        refuse(path)


@heddle_only
def test_every_flipped_bit():
    """A flip is refused or read as the package reads it, which refuses the same ones."""
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b\u00e9": np.ones((3,), np.int8),
        "c": np.zeros((0, 2), np.float16),
    }
    content = safetensors.numpy.save(tensors, metadata={"k": "v"})
    compared = 0
    for at in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[at // 8] ^= 1 << at % 8
        try:
            wanted = safetensors.numpy.load(bytes(flipped))
        except (safetensors.SafetensorError, UnicodeDecodeError):
            with pytest.raises(ValueError, match="offset"):
                mx.load(io.BytesIO(flipped), format="safetensors")
            continue
        loaded = mx.load(io.BytesIO(flipped), format="safetensors")
        assert set(loaded) == set(wanted)
        for name, array in loaded.items():
            np.testing.assert_array_equal(np.array(array), wanted[name])
        compared += 1
    assert compared > 200


@heddle_only
def test_things_that_are_no_files(tmp_path):
    import os

    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    fifo = tmp_path / "fifo.safetensors"
    os.mkfifo(fifo)
    for path in (folder, fifo):
        with pytest.raises((ValueError, RuntimeError, OSError)):
            mx.load(str(path))


@heddle_only
def test_a_sparse_terabyte_is_not_read(tmp_path):
    path = tmp_path / "sparse.safetensors"
    with path.open("wb") as file:
        file.write(container({}))
        file.truncate(1 << 40)
    refuse(path)


@heddle_only
@pytest.mark.parametrize("name", ["a\0b", "../x", "", "x" * 10_000, "new\nline", "\u202e"])
def test_strange_names_are_only_names(tmp_path, name):
    path = tmp_path / "names.safetensors"
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    path.write_bytes(container({name: entry}, b"\x07"))
    loaded = mx.load(str(path))
    assert list(loaded) == [name] and loaded[name].item() == 7


def test_alignment_of_odd_headers(tmp_path):
    """Data that start at an odd address are read right."""
    path = tmp_path / "odd.safetensors"
    data = np.arange(5, dtype=np.float32)
    entry = {"dtype": "F32", "shape": [5], "data_offsets": [0, 20]}
    for padding in range(4):
        text = json.dumps({"a": entry}).encode() + b" " * padding
        path.write_bytes(container(text, data.tobytes()))
        loaded = mx.load(str(path))["a"]
        assert (loaded * 2).tolist() == (data * 2).tolist()
