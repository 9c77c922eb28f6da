"""The documentation: every block of every page runs, and prints what the page says.

`pages.py` says how pages are written. To look at one: pytest tests/python/test_docs.py -k indexing
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pages
from engines import IS_HEDDLE
from pages import Block, blocks, same_output

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="pages are about heddle")

PAGES = {str(page.relative_to(pages.TREE)): page for page in pages.pages()}
SESSIONS = [
    name
    for name, page in PAGES.items()
    if any(b.runs and b.language != "cpp" for b in blocks(page))
]
PROGRAMS = [
    (name, block)
    for name, page in PAGES.items()
    for block in blocks(page)
    if block.runs and block.language == "cpp"
]


def difference(name: str, block: Block, printed: str) -> str | None:
    """What is wrong with what a block printed."""
    expected = block.output or ""
    if same_output(expected, printed):
        return None
    said = f"the page says\n{expected}" if expected else "the page says nothing"
    return f"{name}:{block.line} prints\n{printed}\n{said}\n"


@pytest.fixture(scope="session")
def commands(tmp_path_factory) -> Path:
    """A folder with the commands `heddle` and `python` of the engine that is tested."""
    folder = tmp_path_factory.mktemp("commands")
    for command, start in (("heddle", "-m heddle "), ("python", "")):
        script = folder / command
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {start}"$@"\n')
        script.chmod(0o755)
    return folder


@pytest.mark.parametrize("name", SESSIONS)
def test_a_page_prints_what_it_says(name, tmp_path, commands, request):
    told = [b for b in blocks(PAGES[name]) if b.is_file or (b.runs and b.language != "cpp")]
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}
    if any("cmake" in b.code for b in told if b.language == "shell"):
        environment["CMAKE_PREFIX_PATH"] = str(request.getfixturevalue("installed_library")[0])
    session = {
        "name": name,
        "blocks": [
            {"line": b.line, "language": b.language, "code": b.code, "title": b.title} for b in told
        ],
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_page.py"))],
        input=json.dumps(session),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) == len(told)
    wrong = [
        difference(name, block, text)
        for block, text in zip(told, results, strict=True)
        if not block.is_file
    ]
    assert not any(wrong), "\n".join(filter(None, wrong))


def build_and_run(name: str, block: Block, folder: Path, compiler: list[str]) -> str | None:
    """What is wrong with a program of a page."""
    folder.mkdir()
    (folder / "program.cpp").write_text(block.code + "\n")
    built = subprocess.run(
        [*compiler[:-1], "program.cpp", "-o", "program", compiler[-1]],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if built.returncode:
        return f"{name}:{block.line} does not compile:\n{built.stderr[:3000]}"
    ran = subprocess.run(
        ["./program"], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    ending = f"exit status {ran.returncode}\n" if ran.returncode else ""
    return difference(name, block, ran.stdout + ran.stderr + ending)


def test_programs_in_cpp_print_what_their_pages_say(tmp_path, installed_library):
    """All of them at once, so that the library is installed once and the cores are shared."""
    assert PROGRAMS
    prefix, library = installed_library
    compiler = ["g++", "-std=c++20", "-I", str(prefix / "include")]
    compiler += [f"-Wl,-rpath,{library.parent}", str(library)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = pool.map(
            lambda each: build_and_run(*each[1], tmp_path / str(each[0]), compiler),
            enumerate(PROGRAMS),
        )
        assert not any(problems := [*wrong]), "\n".join(filter(None, problems))


def problems_of(site: Path, **files: str) -> str:
    """What the check of the built site says of these files, page.html by default."""
    for name, text in files.items():
        (site / f"{name}.html").write_text(text)
    check = pages.TREE / "tools" / "docs" / "check_site.py"
    done = subprocess.run([sys.executable, check, site], capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        '<script src="//example.org/a.js"></script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="http://example.org/a.png">',
        '<img srcset="a.png 1x, https://example.org/a.png 2x">',
        '<iframe src="https://example.org"></iframe>',
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>@font-face { src: url(https://example.org/a.woff2) }</style>",
        '<p style="background: url(//example.org/a.png)">',
        '<script>fetch("https://example.org/a.json")</script>',
        '<a href="nowhere.html">',
        '<a href="other.html#nowhere">',
        '<a href="#nowhere">',
        '<img src="nowhere.png">',
    ],
)
def test_a_site_that_loads_from_elsewhere_or_leads_nowhere_is_refused(text, tmp_path):
    other = '<p id="here">'
    assert "page.html" in problems_of(tmp_path, other=other, page=text)


def test_a_site_by_itself_is_accepted(tmp_path):
    links = '<a href="https://example.org"><a href="other.html#here"><a id="a" href="#a">'
    assert not problems_of(tmp_path, other='<p id="here">', page=links)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a 1 b", "a 1 b", True),
        ("a 1 b", "a 2 b", False),
        ("a 1 b", "a 1.0 b", False),
        ("0.1234567", "0.1234568", True),
        ("0.1234", "0.1235", False),
        ("1.5e-3", "0.0015", True),
        ("took … s", "took 1.25 s", True),
        ("took … s", "took 1.25 ms", False),
        ("one line", "one line\nmore", False),
        ("a  b", "a b", True),
        ("", "something", False),
        ("float16", "float32", False),
        ("[0.5, 2]", "[0.5, 3]", False),
    ],
)
def test_outputs_are_compared_as_the_pages_promise(expected, printed, same):
    assert same_output(expected, printed) == same


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```python\nprint(1)\n", "without an end"),
        ("```ruby\nputs 1\n```\n", "'ruby'"),
        ("```\nmake\n```\n", "language ''"),
        ("```cmake\nproject(x)\n```\n", "nothing runs"),
    ],
)
def test_a_block_that_nothing_runs_is_refused(page, message, tmp_path):
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(pages.PageError, match=message):
        blocks(tmp_path / "page.md")


def test_a_block_is_left_out_only_where_readers_see_why(tmp_path):
    page = tmp_path / "page.md"
    for before, left_out in (
        ("*Not run by the tests: it takes an hour.*", True),
        ("*Not run by the tests: no.*", False),  # no reason
        ("<!-- Not run by the tests: it takes an hour. -->", False),
    ):
        page.write_text(f"{before}\n\n```shell\nsleep 3600\n```\n")
        (block,) = blocks(page)
        assert block.runs != left_out
