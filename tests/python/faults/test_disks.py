"""Full and read-only disks, processes killed amid a save: a writer leaves the old file whole, or
the new one, and nothing beside it."""

import itertools
import os
import signal
import subprocess
import sys

import heddle.core as mx
import pytest
from program import run

WRITERS = {
    "x.npy": "mx.save(path, big)",
    "x.npz": "mx.savez(path, a=big)",
    "c.npz": "mx.savez_compressed(path, a=big)",
    "x.safetensors": "mx.save_safetensors(path, {'a': big}, {'k': 'v'})",
    "x.gguf": "mx.save_gguf(path, {'a': big})",
    "x.mlxfn": "mx.export_function(path, lambda a: a + big, big * 1)",
    "x.heddle": "mx.export_function(path, lambda a: a + big, big * 1)",
    "x.dot": "mx.export_to_dot(path, sum((small * i for i in range(2000)), start=small))",
    "w.safetensors": "layer.save_weights(path)",
    "w.npz": "layer.save_weights(path)",
}
SETTING = """
import sys
import heddle.core as mx
import heddle.nn as nn
layer = nn.Linear(600, 600)
big = mx.random.normal((300_000,))
small = mx.ones(3)
mx.eval(big, small, layer.parameters())
path, write = sys.argv[1:3]
"""
OLD = b"what was there before"


def may_mount() -> bool:
    if os.getuid() != 0:
        return False
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return done.returncode == 0


# In a mount namespace of its own: what is mounted goes with the process.
MOUNTED = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20000, 1, 32, 16384, 1 << 18
def mount(source, target, kind, flags, options):
    if libc.mount(source, target, kind, flags, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
folder = os.path.dirname(path)
assert libc.unshare(CLONE_NEWNS) == 0
mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
mount(b"none", os.fsencode(folder), b"tmpfs", 0, b"size=256k")
open(path, "wb").write(OLD)
if sys.argv[3] == "read-only":
    mount(b"none", os.fsencode(folder), None, MS_REMOUNT | MS_RDONLY, None)
else:
    open(os.path.join(folder, "filler"), "wb").write(bytes(200 << 10))
    os.sync()
for _ in range(2):
    try:
        exec(write)
    except (RuntimeError, OSError) as error:
        assert path in str(error), error
        told = str(error)
    else:
        raise SystemExit("the save did not fail")
assert open(path, "rb").read() == OLD, "the old file"
left = sorted(set(os.listdir(folder)) - {"filler"})
assert left == [os.path.basename(path)], left
print(told)
"""


@pytest.mark.skipif(
    not may_mount(), reason="mounting takes root's rights; a limit stands in for it"
)
@pytest.mark.parametrize("fault", ["full", "read-only"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_takes_nothing(tmp_path, name, fault):
    code = SETTING + f"OLD = {OLD!r}\n" + MOUNTED
    told = run(code, tmp_path / name, WRITERS[name], fault)
    # A function's file is tried before the function is traced, and then as MLX says it.
    assert ("No space left" if fault == "full" else "Read-only") in told or "Failed to open" in told


LIMITED = """
import os, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    exec(write)
except (RuntimeError, OSError) as error:
    assert path in str(error), error
else:
    raise SystemExit("the save did not fail")
print(sorted(os.listdir(os.path.dirname(path))))
"""


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("exists", [True, False])
def test_a_file_that_may_not_grow(tmp_path, name, exists):
    path = tmp_path / name
    if exists:
        path.write_bytes(OLD)
    left = run(SETTING + LIMITED, path, WRITERS[name])
    assert left == f"{[name] if exists else []}\n"
    assert not exists or path.read_bytes() == OLD


SAVING = """
print("ready", flush=True)
while True:
    exec(write)
"""
NAMED = """
import ctypes, os, sys
# Without /proc/self/fd files have names from the start, as on file systems without unnamed ones.
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 16384, 1 << 18
libc = ctypes.CDLL(None)
assert libc.unshare(CLONE_NEWNS) == 0
assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
assert libc.mount(b"none", b"/proc", b"tmpfs", 0, None) == 0
"""


def killed_while_saving(code, path, write, moment):
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), write], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def whole(path, name):
    loaded = mx.load(str(path))
    loaded = loaded if name == "x.npy" else loaded["a"]
    return loaded.size == 300_000


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.safetensors", "x.gguf"])
def test_a_killed_save_leaves_nothing(tmp_path, name):
    path = tmp_path / name
    for moment in (0.01, 0.03, 0.08):
        killed_while_saving(SETTING + SAVING, path, WRITERS[name], moment)
        assert whole(path, name) if path.exists() else True
        assert set(os.listdir(tmp_path)) <= {name, f"{name}.0.partial"}
    run(SETTING + "exec(write)", path, WRITERS[name])
    assert os.listdir(tmp_path) == [name] and whole(path, name)


@pytest.mark.skipif(not may_mount(), reason="hiding /proc takes root's rights")
def test_where_files_have_names_the_next_save_takes_over_what_was_left(tmp_path):
    path = tmp_path / "x.npy"
    for moment in (0.01, 0.02, 0.04, 0.08):
        killed_while_saving(SETTING + NAMED + SAVING, path, WRITERS["x.npy"], moment)
        assert set(os.listdir(tmp_path)) <= {"x.npy", "x.npy.0.partial"}
    run(SETTING + NAMED + "exec(write)", path, WRITERS["x.npy"])
    assert os.listdir(tmp_path) == ["x.npy"] and whole(path, "x.npy")


TOGETHER = """
import os, threading
def save(i):
    for _ in range(10):
        exec(write)
threads = [threading.Thread(target=save, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(os.listdir(os.path.dirname(path)))
"""


@pytest.mark.parametrize("named", [False, pytest.param(True, marks=pytest.mark.skipif(
    not may_mount(), reason="hiding /proc takes root's rights"))])  # fmt: skip
def test_writers_of_one_file_do_not_disturb_each_other(tmp_path, named):
    path = tmp_path / "x.npy"
    code = SETTING + (NAMED if named else "") + TOGETHER
    assert run(code, path, WRITERS["x.npy"]) == "['x.npy']\n"
    assert whole(path, "x.npy")


def test_a_link_or_another_s_file_of_a_temporary_s_name_is_not_touched(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(OLD)
    path = tmp_path / "x.npy"
    (tmp_path / "x.npy.0.partial").symlink_to(precious)
    for _ in range(2):
        mx.save(str(path), mx.arange(10))
    assert precious.read_bytes() == OLD and mx.load(str(path)).size == 10


def test_a_folder_that_may_not_be_written(tmp_path):
    code = SETTING + ("import os\nos.setuid(54321)\n" if os.getuid() == 0 else "")
    path = tmp_path / "x.npy"
    path.write_bytes(OLD)
    for folder in itertools.takewhile(lambda p: p != p.parent, path.parents):
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o755)
    tmp_path.chmod(0o555)
    try:
        told = run(
            code + "try: exec(write)\nexcept RuntimeError as e: print(e)", path, WRITERS["x.npy"]
        )
    finally:
        tmp_path.chmod(0o755)
    assert "Permission denied" in told and path.read_bytes() == OLD
