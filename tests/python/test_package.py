"""The package as it is installed: version, typing marker, hidden symbols, relative run paths."""

import ast
import builtins
import importlib.metadata
import importlib.resources
import os
import subprocess
import sys
from pathlib import Path

import heddle.core as mx
import pytest

import heddle

PACKAGE = Path(importlib.resources.files("heddle"))
installed_only = pytest.mark.skipif(
    (PACKAGE.parent.parent / "CMakeCache.txt").exists(),
    reason="a build folder has neither metadata nor stubs nor the installed run paths",
)


@installed_only
def test_version_is_the_one_of_the_distribution():
    assert mx.__version__ == importlib.metadata.version("heddle")


def test_version_is_the_one_that_is_built():
    project = (Path(__file__).parents[2] / "CMakeLists.txt").read_text()
    assert f"project(heddle VERSION {mx.__version__} " in project
    assert heddle.__version__ == mx.__version__


def names_defined(tree: ast.Module) -> set[str]:
    names = {
        node.id for node in ast.walk(tree) if isinstance(getattr(node, "ctx", None), ast.Store)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names


@installed_only
def test_package_is_typed():
    assert (PACKAGE / "py.typed").exists()
    stubs = sorted((PACKAGE / "core").glob("*.pyi"))
    assert "__init__.pyi" in {stub.name for stub in stubs}
    for stub in stubs:
        tree = ast.parse(stub.read_text())
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert used <= names_defined(tree) | set(dir(builtins)), stub.name


def readelf(*options: str) -> str:
    command = ["readelf", "--wide", *options, mx.__file__]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_extension_shows_nothing_but_its_entry():
    symbols = [line.split() for line in readelf("--dyn-syms").splitlines()]
    defined = {
        s[7].split("@")[0] for s in symbols if len(s) > 7 and s[6].isdigit() and s[4] != "LOCAL"
    }
    assert defined == {"PyInit_core"}


@installed_only
def test_extension_has_only_relative_run_paths():
    lines = [
        line for line in readelf("--dynamic").splitlines() if "RUNPATH" in line or "RPATH" in line
    ]
    paths = [path for line in lines for path in line.split("[")[1].rstrip("]").split(":")]
    assert paths and all(path.startswith("$ORIGIN/") for path in paths)


@pytest.mark.parametrize(
    ("library", "told"),
    [("libdnnl.so.3", "pip install"), ("libgomp.so.1", "apt-get install libgomp1")],
)
def test_of_a_missing_library_it_is_said_what_brings_it(tmp_path, library, told):
    # The package as it is, but for a library that is called otherwise than any.
    broken = tmp_path / "heddle"
    broken.mkdir()
    for entry in PACKAGE.iterdir():
        if entry.suffix != ".so" and entry.name != "__pycache__":
            (broken / entry.name).symlink_to(entry)
    extension, name = Path(mx.__file__), library.encode() + b"\0"
    content = extension.read_bytes()
    assert name in content
    (broken / extension.name).write_bytes(content.replace(name, name[:-2] + b"?\0"))
    for code in ("import heddle.core", "import heddle; heddle.__version__"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert run.returncode == 1
        last = run.stderr.splitlines()[-1]
        assert last.startswith(f"ImportError: {library[:-1]}?: cannot open shared object file")
        assert told in last


@pytest.mark.parametrize("order", ["import torch, heddle.core", "import heddle.core, torch"])
def test_torch_and_heddle_live_in_one_process(order):
    code = (
        f"{order}; import torch; print(torch.ones(64, 64).matmul(torch.ones(64, 64)).sum().item())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "262144.0", run.stderr
