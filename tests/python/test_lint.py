"""The check of includes in `make lint`: the tree passes, and what goes the wrong way is named."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("includes", ROOT / "tools/lint/includes.py")
includes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(includes)


def test_the_tree():
    assert includes.problems(ROOT) == []


def tree(root, files):
    for folder in ("core", "ops", "eval", "cpu", "io", "convert", "nn", "sparse"):
        (root / "src" / folder).mkdir(parents=True)
    for folder in ("include/heddle", "include/mlx", "python/src"):
        (root / folder).mkdir(parents=True)
    for name, header in files.items():
        (root / name).write_text(f'// A file.\n#include <vector>\n\n#include "{header}"\n')
    return root


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("src/core/a.cpp", "ops/b.h"),
        ("src/ops/a.h", "eval/b.h"),
        ("src/eval/a.cpp", "cpu/b.h"),
        ("src/io/a.cpp", "convert/b.h"),
        ("src/convert/a.cpp", "cpu/b.h"),
        ("src/nn/a.cpp", "core/b.h"),
        ("src/sparse/a.cpp", "ops/b.h"),
        ("include/heddle/a.h", "core/b.h"),
        ("include/heddle/a.h", "mlx/b.h"),
        ("include/mlx/a.h", "ops/b.h"),
        ("python/src/a.cpp", "core/b.h"),
    ],
)
def test_an_include_that_goes_the_wrong_way(file, header, tmp_path):
    (found,) = includes.problems(tree(tmp_path, {file: header}), [])
    assert found.startswith(f"{file} includes {header}: ")
    assert includes.problems(tmp_path, [(file, header, "a reason")]) == []


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("src/cpu/a.cpp", "eval/b.h"),
        ("src/ops/a.cpp", "core/b.h"),
        ("src/io/a.cpp", "core/b.h"),
        ("src/convert/a.cpp", "io/b.h"),
        ("src/sparse/a.cpp", "heddle/b.h"),
        ("src/sparse/a.cpp", "sparse/b.h"),
        ("src/cpu/a.cpp", "hwy/b.h"),
        ("python/src/a.cpp", "b.h"),
        ("include/mlx/a.h", "heddle/b.h"),
    ],
)
def test_includes_that_go_the_right_way(file, header, tmp_path):
    assert includes.problems(tree(tmp_path, {file: header}), []) == []


def test_an_exception_that_nothing_needs(tmp_path):
    (found,) = includes.problems(tree(tmp_path, {}), [("src/nn/a.cpp", "core/b.h", "a reason")])
    assert "nothing needs src/nn/a.cpp -> core/b.h" in found
