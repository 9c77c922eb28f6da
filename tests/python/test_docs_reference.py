"""The reference pages: every public C++ header has a place, and what is shown of a header."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import heddle.core as mx
import pytest

import heddle.nn as nn
import heddle.optimizers as optimizers
import heddle.utils as utils
import pages
from engines import IS_HEDDLE

sys.path.insert(0, str(pages.TREE / "tools" / "docs"))

import cpp_reference
import pictures

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="pages are about heddle")

INCLUDE = pages.TREE / "include"
HEADERS = sorted(INCLUDE.glob("heddle/**/*.h"))

STUBS = pages.TREE / "build" / "release" / "stubs"

HEADER = """
// What the header is for. Uses a * b and `code_name`.
//
//   a  table
//   1  2
#pragma once

#include <vector>

namespace heddle {

struct Elsewhere;

// Adds. Throws std::invalid_argument.
Array add(const Array& a, std::vector<int> axes = {0, 1});
inline Array twice(const Array& a) { return add(a, {2}); }  // doubles

class Thing : public Base {
 public:
  explicit Thing(int n = 3) : n_(n), list_{1, 2} { work(); }
  // How many.
  int n() const { return n_; }
  struct Options {
    double rate = 0.1;  // per step
  };

 private:
  void secret();
  int n_;
  std::vector<int> list_;
};

enum class Kind { none, some };

}  // namespace heddle
"""


def test_what_is_shown_of_a_header(tmp_path):
    header = tmp_path / "heddle" / "thing.h"
    header.parent.mkdir()
    header.write_text(HEADER.lstrip())
    shown = cpp_reference.reference(header, tmp_path)
    assert shown.startswith("## `heddle/thing.h`")
    assert r"Uses a \* b and `code_name`." in shown
    assert "```text\na  table\n1  2\n```" in shown
    assert "#### `add`, `twice`" in shown and r"Throws std::invalid\_argument." in shown
    assert "Array add(const Array& a, std::vector<int> axes = {0, 1});" in shown
    assert "inline Array twice(const Array& a);  // doubles" in shown
    assert "  explicit Thing(int n = 3);\n  // How many.\n  int n() const;\n" in shown
    assert "    double rate = 0.1;  // per step\n  };\n};\n" in shown
    assert "enum class Kind { none, some };" in shown
    for hidden in ("secret", "n_", "private", "work", "Elsewhere", "namespace", "#include"):
        assert not re.search(rf"\b{hidden}\b", shown.replace("code_name", "")), hidden


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.relative_to(INCLUDE).as_posix())
def test_the_reference_shows_every_name_that_a_header_declares(header):
    shown = cpp_reference.reference(header, INCLUDE)
    code = re.sub(r"//.*", "", header.read_text())
    # At the left margin stand only types and functions for everyone.
    declared = re.findall(r"^(?:class|struct|enum class) (\w+)\b(?!;)", code, re.MULTILINE)
    declared += re.findall(r"^(?:inline )?\w[\w:<>, ]*[ &](\w+)\(", code, re.MULTILINE)
    for name in declared:
        assert re.search(rf"\b{name}\b", shown), name
    assert shown.count("```") % 2 == 0
    for block in re.findall(r"```cpp\n(.*?)```", shown, re.DOTALL):
        plain = re.sub(r"//.*", "", block)
        assert plain.count("{") == plain.count("}"), block


def test_every_public_header_is_on_one_page():
    named = [
        header
        for page in (pages.TREE / "docs").rglob("*.md")
        for headers in re.findall(r"<!-- reference: (.+?) -->", page.read_text(), re.DOTALL)
        for header in headers.split()
    ]
    assert sorted(named) == sorted(path.relative_to(INCLUDE).as_posix() for path in HEADERS)


def test_every_page_is_in_the_navigation():
    navigation = (pages.TREE / "mkdocs.yml").read_text()
    for page in (pages.TREE / "docs").rglob("*.md"):
        assert f": {page.relative_to(pages.TREE / 'docs').as_posix()}\n" in navigation, page


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_into_the_repository_lead_somewhere(name):
    text = (pages.TREE / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        path, _, place = link.partition("#")
        target = pages.TREE / path
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if place else []
        names = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}
        assert not place or place in names, link


def test_the_picture_of_the_benchmarks_shows_every_measured_row():
    rows = pictures.measured(pictures.BENCHMARKS.read_text())
    picture = pictures.draw("benchmarks", "")
    assert len(rows) > 20
    assert picture.count("<circle") == len(pictures.ENGINES) + sum(len(t) - 1 for _, t in rows)
    assert pictures.seconds("1.5 ms") == 0.0015 and pictures.seconds("-") is None


def test_the_picture_of_a_graph_has_its_arrays_and_operations():
    dot = '{ rank=source; "A"; }\n{ 1 [label ="Exp", shape=rectangle]; }\n"A" -> 1\n'
    dot += '{ rank=sink; "B"; }\n1 -> "B"\n'
    picture = pictures.draw("graph", f"```text\ndigraph {{\n{dot}}}\n```\n")
    assert [picture.count(f">{text}</text>") for text in ("A", "Exp", "B")] == [1, 1, 1]
    assert picture.count("<line") == 2 and picture.count("<rect") == 1


@pytest.mark.skipif(not STUBS.exists(), reason="the reference of Python is made of the stubs")
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", tmp_path]
    check = [sys.executable, "tools/docs/check_site.py", tmp_path]
    for command in (build, check):
        done = subprocess.run(
            command,
            cwd=pages.TREE,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "search" / "search_index.js").exists()
    pages_text = "".join(page.read_text() for page in (tmp_path / "python").glob("*.html"))
    places = set(re.findall(r'id="(heddle\.[\w.]+)"', pages_text))
    last = {place.rpartition(".")[2] for place in places}
    for module in (mx, mx.fft, mx.linalg, mx.random, mx.fast, mx.distributed, mx.metal):
        for name in public_names(module):
            place = f"{module.__name__}.{name}".replace("mlx", "heddle")
            assert place in places, f"{place}: are the stubs older than the extension?"
    for module in (nn, nn.losses, nn.init, optimizers, utils):
        assert public_names(module) <= last, module


def public_names(module) -> set[str]:
    """The functions and classes of a module of heddle."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and (getattr(value, "__module__", "") or "").startswith(("heddle", "mlx"))
    }
