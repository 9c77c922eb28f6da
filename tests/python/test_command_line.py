"""The command heddle: version, files it inspects, devices, and what it says of what is wrong."""

import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import heddle.core as mx
import numpy as np
import pytest
import torch

import heddle
from heddle import cli


def called(*arguments):
    """Exit code and output, in this process: the command does nothing but that."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as end:  # argparse
            code = end.code
    return code, out.getvalue(), err.getvalue()


def heddle_command(*arguments, code=0):
    ended, out, err = called(*arguments)
    assert ended == code, (out, err)
    if code == 0:
        assert err == ""
        return out
    if code != 2:
        lines = err.splitlines()
        assert len(lines) == 2 and lines[0].startswith("heddle: "), err
        assert lines[1].startswith("hint: ")
    return err


def inspected(path, code=0):
    """What --json prints; the text for people comes to the same end."""
    ended, out, err = called("inspect", "--json", path)
    assert ended == code, (out, err)
    heddle_command("inspect", path, code=code)
    return json.loads(out)


@pytest.mark.parametrize("code", [0, 2, 4])
def test_as_a_program(tmp_path, code):
    arguments = {0: ["--version"], 2: ["nothing"], 4: ["inspect", str(tmp_path)]}[code]
    command = [sys.executable, "-m", "heddle", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == code
    assert done.stdout == (f"heddle {heddle.__version__}\n" if code == 0 else "")
    assert (done.stderr == "") == (code == 0)


def test_version():
    assert heddle_command("--version") == f"heddle {heddle.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["inspect"], ["inspect", "a", "--mlx-surface"]]
)
def test_wrong_usage(arguments):
    assert "usage: heddle" in heddle_command(*arguments, code=2)


def test_devices():
    (device,) = json.loads(heddle_command("devices", "--json"))
    assert device["device"] == "cpu" and device["default"] is True
    assert (
        1 <= device["threads"] <= max(device["cores"], int(os.environ.get("HEDDLE_NUM_THREADS", 1)))
    )
    assert device["memory"] > 1 << 20
    assert heddle_command("devices").startswith("cpu:0  ")


def tensors(found):
    return {t["name"]: (t["dtype"], t["shape"], t["bytes"]) for t in found["tensors"]}


def test_files_of_arrays(tmp_path):
    arrays = {"w": mx.ones((3, 4)), "b": mx.zeros((4,), mx.bfloat16)}
    wanted = {"w": ("float32", [3, 4], 48), "b": ("bfloat16", [4], 8)}
    mx.save_safetensors(str(tmp_path / "x.safetensors"), arrays, {"by": "me"})
    mx.save_gguf(str(tmp_path / "x.gguf"), arrays, {"general.name": "me"})
    mx.savez(str(tmp_path / "x.npz"), w=arrays["w"], b=arrays["b"].astype(mx.float32))
    mx.save(str(tmp_path / "x.npy"), arrays["w"])
    for name in ("x.safetensors", "x.gguf", "x.npz", "x.npy"):
        # A name says nothing about the kind.
        (tmp_path / "other").write_bytes((tmp_path / name).read_bytes())
        for path in (tmp_path / name, tmp_path / "other"):
            found = inspected(path)
            assert found["kind"] == name[2:] and found["risks"] == [] and found["readable"]
            assert found["bytes"] == path.stat().st_size
            if name == "x.npy":
                assert tensors(found) == {"": wanted["w"]}
            elif name == "x.npz":
                assert tensors(found) == {"w": wanted["w"], "b": ("float32", [4], 16)}
            else:
                assert tensors(found) == wanted
                assert "me" in found["metadata"].values()
    text = heddle_command("inspect", tmp_path / "x.safetensors")
    assert "2 arrays, 56 B" in text and "float32 (3, 4)" in text and "by = me" in text


def test_an_index_and_its_shards(tmp_path):
    mx.save_safetensors(str(tmp_path / "one.safetensors"), {"a": mx.ones(2)})
    mx.save_safetensors(str(tmp_path / "two.safetensors"), {"b": mx.ones(3)})
    path = tmp_path / "x.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    found = inspected(path)
    assert found["kind"] == "safetensors index" and set(tensors(found)) == {"a", "b"}
    path.write_text(json.dumps({"weight_map": {"a": "../one.safetensors"}}))
    heddle_command("inspect", path, code=4)


@pytest.mark.parametrize("suffix", ["mlxfn", "heddle"])
def test_functions(tmp_path, suffix):
    path = tmp_path / f"f.{suffix}"
    weights = mx.random.normal((4, 5))
    mx.eval(weights)

    def f(x, *, scale):
        return mx.exp(x @ weights) * scale, x.sum()

    mx.export_function(str(path), f, mx.ones((3, 4)), scale=mx.array(2.0))
    found = inspected(path)
    assert found["kind"] == suffix and found["graph"]["shapeless"] is False
    (trace,) = found["graph"]["traces"]
    assert [(v["dtype"], v["shape"]) for v in trace["inputs"]] == [
        ("float32", [3, 4]),
        ("float32", []),
    ]
    assert list(trace["keywords"]) == ["scale"]
    assert sorted(v["shape"] for v in trace["outputs"]) == [[], [3, 5]]
    assert trace["operations"]["Exp"] == 1 and trace["operations"]["Matmul"] == 1
    assert [c["shape"] for c in trace["constants"]] == [[4, 5]]
    assert "scale: float32 ()" in heddle_command("inspect", path)


RESIDENT = """
import re, sys
from heddle.cli import main
code = main(["inspect", "--json", sys.argv[1]])
text = open("/proc/self/status").read()
print(re.search(r"VmHWM:\\s+(\\d+)", text)[1], file=sys.stderr)
"""


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    size = 1 << 32
    header = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}})
    header = header.encode().ljust((len(header) + 7) // 8 * 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT, str(path)], capture_output=True, text=True, timeout=100
    )
    assert json.loads(done.stdout)["tensors"][0]["bytes"] == size
    assert int(done.stderr) < 200 << 10  # KiB


class Evil:
    def __reduce__(self):
        return os.system, ("touch was-executed",)


class Nested:
    def __reduce__(self):
        return eval, ("open('was-executed', 'w')",)


def test_checkpoints_of_torch_are_named_and_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good, legacy, evil = tmp_path / "good.pt", tmp_path / "legacy.pt", tmp_path / "evil.pt"
    state = {"w": torch.ones(3, 4), "h": torch.ones(2, dtype=torch.bfloat16), "n": np.float64(3)}
    torch.save(state, good)
    torch.save({"w": torch.ones(3)}, legacy, _use_new_zipfile_serialization=False)
    torch.save({"w": torch.ones(3), "x": Evil()}, evil)
    found = inspected(good, code=1)
    assert found["kind"] == "torch" and found["risks"] == [] and not found["readable"]
    assert "torch._utils._rebuild_tensor_v2" in found["globals"]
    assert inspected(legacy, code=1)["kind"] == "pickle"
    found = inspected(evil, code=4)
    assert "posix.system" in found["globals"]
    assert [risk["code"] for risk in found["risks"]] == ["global"]
    for protocol in range(1, 6):
        for harm in (Evil(), [Nested()], {"a": Evil()}):
            path = tmp_path / "bare.pkl"
            path.write_bytes(pickle.dumps(harm, protocol))
            if protocol == 1:
                continue  # begins with no mark: not told from other files
            assert inspected(path, code=4)["risks"]
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "script.pt"))
    assert inspected(tmp_path / "script.pt", code=4)["kind"] == "torchscript"
    assert not (tmp_path / "was-executed").exists()


def bomb():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(300 << 20))
    return content.getvalue()


def test_what_cannot_be_read(tmp_path):
    mx.save_safetensors(str(tmp_path / "x.safetensors"), {"a": mx.ones(100)})
    cut = (tmp_path / "x.safetensors").read_bytes()[:-8]
    files = {
        "empty": b"",
        "text": b"hello\n",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "cut.safetensors": cut,
        "deep": b"{" * 100_000,
        "huge": (1 << 62).to_bytes(8, "little") + b"{}",
        "cut.npy": b"\x93NUMPY\1\0v\0{",
        "cut.gguf": b"GGUF\3\0\0\0",
        "cut.zip": b"PK\x03\x04" + bytes(30),
        "cut.mlxfn": (6).to_bytes(8, "little") + b"0.32.4" + bytes(3),
        "cut.pickle": b"\x80\x04\x95" + bytes(4),
        "bomb": bomb(),
        "json": b'{"weight_map": []}',
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert name in heddle_command("inspect", path, code=4)
        for prefix in range(0, min(len(content), 40), 7):
            path.write_bytes(content[:prefix])
            heddle_command("inspect", path, code=4) if prefix % 2 else None
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", "/dev/zero"):
        heddle_command("inspect", path, code=4)


def test_a_chat_template_is_a_risk(tmp_path):
    path = tmp_path / "x.gguf"
    mx.save_gguf(str(path), {"a": mx.ones(3)}, {"tokenizer.chat_template": "{{ x }}"})
    assert [risk["code"] for risk in inspected(path)["risks"]] == ["template"]
