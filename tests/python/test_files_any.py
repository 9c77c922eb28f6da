"""What every reader must survive: paths to no file, broken streams, files that ask for much."""

import contextlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import test_export_files
import test_files
import test_files_gguf
import test_files_hostile
import test_safetensors
from engines import IS_HEDDLE, mx

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's readers")

INDEX = "safetensors.index.json"
ARRAYS = ("npy", "npz", "safetensors", "gguf")
FORMATS = (*ARRAYS, INDEX, "mlxfn", "heddle")


def read(path):
    """What the reader of the path's format makes of it."""
    if str(path).endswith((".mlxfn", ".heddle")):
        return mx.import_function(path)
    return mx.load(path)


def refusal(path):
    """The one error, of one line, that a path which cannot be read gets."""
    with pytest.raises((RuntimeError, ValueError)) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith("[") and len(message) < 1000 and "\n" not in message, message
    return message


def whole(format, folder):
    """A small good file of this format and its content."""
    path = folder / f"whole.{format}"
    if format == INDEX:
        path = test_files.write_shards(folder)
    elif format in ("mlxfn", "heddle"):
        mx.export_function(str(path), lambda x: mx.exp(x) + 1, mx.ones((3,)))
    else:
        save = {
            "npy": lambda p, x: mx.save(p, x),
            "npz": lambda p, x: mx.savez(p, a=x, b=x * 2),
            "safetensors": lambda p, x: mx.save_safetensors(p, {"a": x}, {"k": "v"}),
            "gguf": lambda p, x: mx.save_gguf(p, {"a": x}, {"k": "v"}),
        }[format]
        save(str(path), mx.arange(6.0))
    return path


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_regular_file(tmp_path, format):
    folder, pipe = tmp_path / f"folder.{format}", tmp_path / f"pipe.{format}"
    folder.mkdir()
    os.mkfifo(pipe)
    for name in ("zero", "null", "full"):
        (tmp_path / f"{name}.{format}").symlink_to(f"/dev/{name}")
    for name in ("folder", "pipe", "zero", "null", "full"):
        assert "not a regular file" in refusal(tmp_path / f"{name}.{format}")
    (tmp_path / f"loop.{format}").symlink_to(tmp_path / f"loop.{format}")
    assert "symbolic links" in refusal(tmp_path / f"loop.{format}")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["a\nb", "\u202e", "x" * 300, "x" * 1_000_000, "\udcff", "\x1b["])
def test_strange_paths(tmp_path, format, name):
    assert refusal(f"{tmp_path}/{name}.{format}").isprintable() or name == "\u202e"


@pytest.mark.parametrize("format", FORMATS)
def test_a_path_does_not_end_at_a_null(tmp_path, format):
    """The system would open the file whose name ends before the null."""
    path = whole(format, tmp_path)
    path.rename(tmp_path / "short")
    assert "null" in refusal(f"{tmp_path}/short\0.{format}")
    old = (tmp_path / "short").read_bytes()
    for save in (mx.save, mx.savez):
        with pytest.raises(ValueError, match="null"):
            save(f"{tmp_path}/short\0", mx.ones(3))
    assert (tmp_path / "short").read_bytes() == old


@pytest.mark.parametrize("format", ARRAYS)
def test_names_that_are_no_text(tmp_path, format):
    path = whole(format, tmp_path)
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe." + format.encode())
    path.rename(strange)
    loaded = read(strange)
    assert (loaded if format == "npy" else loaded["a"]).tolist() == [0, 1, 2, 3, 4, 5]
    Path(strange).write_bytes(b"\x93NUMPY" if format == "npy" else b"")
    assert "\\xff\\xfe" in refusal(strange)
    written = os.fsdecode(os.fsencode(tmp_path) + b"/\xf0.npy")
    mx.save(written, mx.arange(3))
    assert mx.load(written).tolist() == [0, 1, 2]


@pytest.mark.parametrize("format", FORMATS)
def test_files_of_other_formats(tmp_path, format):
    for other in {"npy", "npz", "safetensors", "gguf", "mlxfn"} - {format}:
        wrong = tmp_path / f"wrong.{format}"
        wrong.write_bytes(whole(other, tmp_path).read_bytes())
        if (format, other) == ("heddle", "mlxfn"):  # known by their content, not by their name
            continue
        assert "wrong" in refusal(wrong)


# --- streams ------------------------------------------------------------------------------------

HOSTILE = {
    "npy": test_files_hostile.NPY,
    "npz": test_files_hostile.NPZ | test_files_hostile.ZIP64_LIES,
    "safetensors": test_safetensors.HOSTILE,
    "gguf": test_files_gguf.HOSTILE,
}
LONGER = ("data-long", "extra-bytes")  # a stream may go on behind what was read


@pytest.mark.parametrize("format", ["npz", "safetensors", "gguf"])
def test_hostile_streams(format):
    for label, content in HOSTILE[format].items():
        if label in LONGER:
            continue
        with pytest.raises(ValueError) as caught:
            mx.eval(mx.load(io.BytesIO(content), format=format))
        message = str(caught.value)
        assert "file object" in message and "offset" in message and "\n" not in message, label


class OneByte(io.RawIOBase):
    """Gives a byte at a time, and fails at the k-th."""

    def __init__(self, content, fails_at=None):
        self.content, self.at, self.fails_at = content, 0, fails_at

    def readable(self):
        return True

    def readinto(self, memory):
        if self.at == self.fails_at:
            raise OSError(f"byte {self.at} is bad")
        piece = self.content[self.at : self.at + 1]
        memory[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


@pytest.mark.parametrize("format", ARRAYS)
def test_streams_that_give_little_and_fail(tmp_path, format):
    content = whole(format, tmp_path).read_bytes()
    loaded = mx.load(OneByte(content), format=format)
    assert (loaded if format == "npy" else loaded["a"]).tolist() == [0, 1, 2, 3, 4, 5]
    # An archive's reader raises what MLX's does where a file cannot be read.
    for at in range(0, len(content), 7):
        with pytest.raises((OSError, ValueError), match=f"byte {at} is bad"):
            mx.load(OneByte(content, at), format=format)


class Refusing(io.RawIOBase):
    """Takes some bytes, then fails."""

    def __init__(self, takes):
        self.left = takes

    def writable(self):
        return True

    def write(self, memory):
        if self.left <= 0:
            raise OSError("no room")
        taken = min(len(memory), self.left)
        self.left -= taken
        return taken


@pytest.mark.parametrize("format", ARRAYS)
def test_sinks_that_fail(tmp_path, format):
    size = whole(format, tmp_path).stat().st_size
    save = {
        "npy": lambda file: mx.save(file, mx.arange(6.0)),
        "npz": lambda file: mx.savez(file, a=mx.arange(6.0)),
        "safetensors": lambda file: mx.save_safetensors(file, {"a": mx.arange(6.0)}, {"k": "v"}),
        "gguf": lambda file: mx.save_gguf(file, {"a": mx.arange(6.0)}, {"k": "v"}),
    }[format]
    for takes in range(0, size // 2, 5):
        with pytest.raises(OSError, match="no room"):
            save(Refusing(takes))


# --- what files ask for -------------------------------------------------------------------------

LITTLE = """
import pickle, resource, sys
import heddle.core as mx

corpus = pickle.load(sys.stdin.buffer)
mx.eval(mx.ones((2, 2)) @ mx.ones((2, 2)))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20),) * 2)
folder = sys.argv[1]
for name, content in corpus:
    path = f"{folder}/{name}"
    with open(path, "wb") as file:
        file.write(content)
    try:
        read = mx.import_function if path.endswith(("mlxfn", "heddle")) else mx.load
        mx.eval(read(path))
    except ValueError as error:
        continue
    raise SystemExit(f"{name} was read")
assert mx.get_peak_memory() < 1 << 20, mx.get_peak_memory()
"""


def test_lies_take_no_memory(tmp_path):
    """Refusals cost no memory: these files are small, whatever they claim."""
    corpus = [(f"{n}.{f}", c) for f, files in HOSTILE.items() for n, c in files.items()]
    corpus += [
        (f"{name}.{INDEX}", (c if isinstance(c, str) else json.dumps(c)).encode())
        for name, c in test_files.BAD_INDEXES.items()
    ]
    corpus = [(name.replace("/", "-"), content) for name, content in corpus]
    test_files.write_shards(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LITTLE, str(tmp_path)],
        input=pickle.dumps(corpus),
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr.decode()


SCARCE = """
import os, resource, sys
import heddle.core as mx

folder, formats = sys.argv[1], sys.argv[2:]
SAVES = {
    "npy": lambda path, x: mx.save(path, x),
    "npz": lambda path, x: mx.savez_compressed(path, a=x),
    "safetensors": lambda path, x: mx.save_safetensors(path, {"abc": x}),
    "gguf": lambda path, x: mx.save_gguf(path, {"a": x}),
    "mlxfn": lambda path, x: mx.export_function(path, lambda a: a + x, x * 1),
    "heddle": lambda path, x: mx.export_function(path, lambda a: a + x, x * 1),
}
limit = lambda n: resource.setrlimit(resource.RLIMIT_AS, (n, resource.RLIM_INFINITY))
old, new = mx.random.normal((1 << 18,)), mx.random.normal((1 << 18,))
mx.eval(old, new, mx.sum(old))
path = lambda format: f"{folder}/x.{format}"
for format, save in SAVES.items():
    save(path(format), old)
failed = 0
for room in range(1, 11):
    mx.clear_cache()
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    for format, save in SAVES.items():
        limit(used + (room << 19))
        try:
            if format in ("mlxfn", "heddle"):
                mx.eval(mx.import_function(path(format))(old))
            else:
                mx.eval(mx.load(path(format)))
        except (RuntimeError, ValueError, MemoryError) as error:
            failed += 1
        try:
            save(path(format), new)
        except (RuntimeError, ValueError, MemoryError) as error:
            failed += 1
        limit(resource.RLIM_INFINITY)
        if format not in ("mlxfn", "heddle"):
            kept = mx.load(path(format))
            kept = kept if format == "npy" else next(iter(kept.values()))
            assert mx.array_equal(kept, old) or mx.array_equal(kept, new), (format, room)
            del kept
        else:
            mx.import_function(path(format))
assert failed > 10, failed
assert sorted(os.listdir(folder)) == sorted(f"x.{format}" for format in SAVES)
"""


def test_memory_that_runs_out(tmp_path):
    """Loads and saves for which the system has no memory fail cleanly; files stay whole."""
    done = subprocess.run(
        [sys.executable, "-c", SCARCE, str(tmp_path)], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_terabyte_that_is_there(tmp_path):
    """A sparse file that keeps its promise is used where it lies, a row at a time."""
    path = tmp_path / "large.safetensors"
    rows, columns = 1 << 19, 1 << 19
    entry = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [0, 4 * rows * columns]}
    text = json.dumps({"a": entry}).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 4 * rows * columns)
        file.seek(-4, os.SEEK_END)
        file.write(struct.pack("<f", 7))
    before = mx.get_active_memory()
    loaded = mx.load(path)["a"]
    assert loaded[-1, -2:].tolist() == [0, 7] and loaded[5, :2].tolist() == [0, 0]
    assert mx.get_active_memory() - before < 1 << 24


def test_headers_beyond_the_limit(tmp_path):
    """A header of more than 100 MB is refused before it is read, though the file has it."""
    path = tmp_path / "long.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100_000_001) + b"{")
        file.truncate(200_000_000)
    assert "100000000" in refusal(path).replace(",", "").replace("_", "")
    path = tmp_path / f"long.{INDEX}"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    assert "100000000" in refusal(path).replace(",", "").replace("_", "")


@pytest.mark.parametrize("format", FORMATS)
def test_python_holds_nothing_of_a_refused_file(tmp_path, format):
    """A thousand refusals leave no memory behind."""
    path = tmp_path / f"cut.{format}"
    content = whole(format, tmp_path).read_bytes()
    path.write_bytes(content[: len(content) // 2])

    def refuse_often(times):
        for _ in range(times):
            with contextlib.suppress(ValueError):
                read(path)

    refuse_often(50)
    before = mx.get_active_memory()
    tracemalloc.start()
    try:
        refuse_often(1000)
        assert tracemalloc.get_traced_memory()[0] < 1 << 16
    finally:
        tracemalloc.stop()
    assert mx.get_active_memory() == before


@pytest.mark.parametrize("format", [INDEX, "heddle", "mlxfn"])
def test_truncated_at_every_byte(tmp_path, format):
    content = whole(format, tmp_path).read_bytes()
    path = tmp_path / f"cut.{format}"
    for length in range(len(content.rstrip())):
        path.write_bytes(content[:length])
        assert "offset" in refusal(path)


def test_flipped_bits_of_an_index(tmp_path):
    """A flip is refused, names a file that is not there, or changes what is passed over."""
    path = whole(INDEX, tmp_path)
    content = path.read_bytes()
    for at in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                assert set(read(path)) == {"a", "b", "c"}
            except (ValueError, RuntimeError) as error:
                assert "\n" not in str(error)


def test_primitives_with_impossible_windows(tmp_path):
    """Strides, dilations and groups of 0 or less, and negative padding beyond the input."""
    make, path = test_export_files, tmp_path / "f.mlxfn"
    for name, state in {
        "stride": [[0], [0], [0], [1], [1], 1, False],
        "negative-stride": [[-1], [0], [0], [1], [1], 1, False],
        "dilation": [[1], [0], [0], [0], [1], 1, False],
        "groups": [[1], [0], [0], [1], [1], 0, False],
        "negative-groups": [[1], [0], [0], [1], [1], -1, False],
        "padding": [[1], [-(2**31)], [-(2**31)], [1], [1], 1, False],
        "rank": [[1] * 9, [0] * 9, [0] * 9, [1] * 9, [1] * 9, 1, False],
    }.items():
        outputs = [((1, 1, 1), "float32")]
        entry = make.primitive("Convolution", state, inputs=(1, 1), outputs=outputs)
        path.write_bytes(make.build(make.File([make.function(entry, shape=(1, 1, 1))])))
        assert "primitive Convolution: [conv]" in refusal(path), name
