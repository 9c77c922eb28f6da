"""Files and the system: mapped memory, many tensors, full disks, unwritable places, links."""

import errno
import json
import os
import pathlib
import resource
import subprocess
import sys

import pytest

from engines import IS_HEDDLE, mx

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="MLX writes in place")


# --- memory -------------------------------------------------------------------------------------


def in_a_process(code, *arguments, **options):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


RESIDENT = """
import re, sys
import heddle.core as mx

def resident():
    text = open("/proc/self/status").read()
    return sum(int(re.search(k + r":\\s*(\\d+)", text)[1]) for k in ("RssAnon", "RssFile"))

mx.eval(mx.ones((10,)) * 2)
before = resident()
loaded = mx.load(sys.argv[1])
opened = resident()
(loaded["t0"] * 2).sum().item()
print(opened - before, resident() - before)
"""


def write_sparse(path, tensors, mebibytes, padding):
    """A file of zeros that take no place on the disk."""
    size = mebibytes << 20
    header = {
        f"t{i}": {"dtype": "F32", "shape": [size // 4], "data_offsets": [i * size, (i + 1) * size]}
        for i in range(tensors)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8 + padding)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + tensors * size)


@heddle_only
@pytest.mark.parametrize("padding", [0, 1], ids=["aligned", "unaligned"])
def test_a_gigabyte_takes_the_memory_of_what_is_used(tmp_path, padding):
    path = tmp_path / "large.safetensors"
    write_sparse(path, tensors=64, mebibytes=16, padding=padding)
    opened, used = map(int, in_a_process(RESIDENT, path).split())
    # In KiB: the mapped tensor of 16 MiB, a copy where it is not aligned, kernels touched first.
    assert opened < 4 << 10 and used < (16 * (1 + padding) + 12) << 10


@heddle_only
def test_a_hundred_thousand_tensors(tmp_path):
    path = str(tmp_path / "many.safetensors")
    mx.save_safetensors(path, {f"layer.{i}.weight": mx.array(i) for i in range(100_000)})
    loaded = mx.load(path)
    assert len(loaded) == 100_000 and loaded["layer.99999.weight"].item() == 99_999


# --- saves that fail ----------------------------------------------------------------------------

SAVES = {
    "x.npy": "mx.save(path, big)",
    "x.npz": "mx.savez(path, a=big)",
    "x.safetensors": "mx.save_safetensors(path, {'a': big})",
    "x.gguf": "mx.save_gguf(path, {'a': big})",
    "x.mlxfn": "mx.eval(big); mx.export_function(path, lambda a: a + big, big * 1)",
    "x.heddle": "mx.eval(big); mx.export_function(path, lambda a: a + big, big * 1)",
}
ARRAYS = [name for name in SAVES if "save" in SAVES[name]]
FULL = """
import sys
import heddle.core as mx

path, save = sys.argv[1:]
big = mx.random.normal((300_000,))
try:
    exec(save)
except (OSError if "savez" in save else RuntimeError) as error:
    assert path in str(error), error
else:
    raise SystemExit("the save did not fail")
"""


@heddle_only
@pytest.mark.parametrize("name", SAVES)
def test_a_full_disk_leaves_the_old_file(tmp_path, name):
    path = tmp_path / name
    scope = {"mx": mx, "path": str(path), "big": mx.arange(10)}
    exec(SAVES[name], scope)
    old = path.read_bytes()

    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    in_a_process(FULL, path, SAVES[name], preexec_fn=limit_files)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == [name]


def failure(name):
    """What MLX raises if the system fails: it writes archives by Python's own zipfile."""
    return OSError if "savez" in SAVES[name] else RuntimeError


@pytest.mark.parametrize("save", ["savez", "savez_compressed"])
def test_an_archive_that_cannot_be_written_is_an_error_of_the_system(tmp_path, save):
    with pytest.raises(FileNotFoundError) as caught:
        getattr(mx, save)(str(tmp_path / "none" / "x"), mx.arange(3))
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "none" / "x.npz")
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(IsADirectoryError):
        getattr(mx, save)(str(tmp_path / "x"), mx.arange(3))


@heddle_only
@pytest.mark.parametrize("name", SAVES)
def test_an_unwritable_place(tmp_path, name):
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / name, pathlib.Path("/proc") / name):
        with pytest.raises(failure(name), match="Failed to (write|open)|Errno"):
            exec(SAVES[name], {"mx": mx, "path": str(path), "big": mx.arange(10)})
    (tmp_path / name).mkdir()
    with pytest.raises(failure(name), match="folder|directory"):
        exec(SAVES[name], {"mx": mx, "path": str(tmp_path / name), "big": mx.arange(10)})
    assert sorted(os.listdir(tmp_path)) == sorted(["file", name])


@heddle_only
def test_an_array_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    mx.savez(path, a=mx.arange(3))
    with pytest.raises(ValueError):
        mx.savez(path, **{"../b": mx.arange(4)})
    assert mx.load(path)["a"].tolist() == [0, 1, 2] and os.listdir(tmp_path) == ["x.npz"]


@heddle_only
def test_links_and_modes_stay(tmp_path):
    real, link = tmp_path / "real.npy", tmp_path / "link.npy"
    mx.save(real, mx.arange(3))
    os.chmod(real, 0o640)
    link.symlink_to(real)
    mx.save(link, mx.arange(5))
    assert link.is_symlink() and mx.load(real).shape == (5,)
    assert real.stat().st_mode & 0o777 == 0o640
    mask = os.umask(0o027)
    try:
        mx.save(tmp_path / "new", mx.arange(3))
    finally:
        os.umask(mask)
    assert (tmp_path / "new.npy").stat().st_mode & 0o777 == 0o640


@heddle_only
def test_devices_are_written_in_place(tmp_path):
    full, null = tmp_path / "full.npy", tmp_path / "null.npy"
    full.symlink_to("/dev/full")
    null.symlink_to("/dev/null")
    with pytest.raises(RuntimeError, match="No space"):
        mx.save(full, mx.arange(3))
    mx.save(null, mx.arange(3))
    assert full.is_symlink() and null.is_symlink() and os.path.exists("/dev/full")


@heddle_only
def test_saving_over_what_is_mapped(tmp_path):
    for name in ARRAYS:
        path = tmp_path / name
        scope = {"mx": mx, "path": str(path), "big": mx.arange(10_000)}
        exec(SAVES[name], scope)
        loaded = mx.load(path)
        loaded = loaded if name == "x.npy" else loaded["a"]
        scope["big"] = loaded + 1
        exec(SAVES[name], scope)
        again = mx.load(path)
        again = again if name == "x.npy" else again["a"]
        assert again[:2].tolist() == [1, 2] and loaded[:2].tolist() == [0, 1]
