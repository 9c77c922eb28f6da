"""The code blocks of the documentation: what a page says that is run, and what it says comes out.

A page is one session: its blocks run from top to bottom, in one folder that is empty at first.

- `python` blocks are executed in one namespace.
- `shell` blocks are run by bash; `heddle` and `python` are those of the tests.
- `cpp` blocks are complete programs, compiled against an installed heddle and run.
- A block of any language with a title (```python title="train.py") is written to a file of that
  name, for blocks after it; a `cpp` block with one is also run.
- A `text` block right after one of these is what it prints, the last line of an exception included.
- A block is left out if the paragraph before it begins with *Not run by the tests*, which readers
  see, and says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
NOT_RUN = re.compile(r"^\*Not run by the tests: (?P<why>\w.{8,})\*$", re.DOTALL)
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<info>[^`]*)$")
TITLE = re.compile(r'title="(?P<title>[^"]+)"')
RUN = {"python", "shell", "cpp"}
FILES = RUN | {"cmake", "json", "toml", "yaml"}


@dataclass
class Block:
    """A fenced block of a page, and what the page says it prints."""

    line: int  # of its first line of code
    language: str
    code: str
    title: str | None = None
    output: str | None = None
    not_run: str | None = None  # why
    before: str = field(default="", repr=False)  # the paragraph before it

    @property
    def runs(self) -> bool:
        return self.not_run is None and (
            self.language == "cpp" or (self.language in RUN and self.title is None)
        )

    @property
    def is_file(self) -> bool:
        return self.not_run is None and self.title is not None


class PageError(Exception):
    """A page that is not written as the pages are."""


def fences(text: str, name: str) -> list[tuple[int, int, str, str]]:
    """The fenced blocks: first line, line after the last, info string, code."""
    found, lines, at = [], text.splitlines(), 0
    while at < len(lines):
        if opening := FENCE.match(lines[at]):
            indent, ticks = opening["indent"], opening["ticks"]
            end = at + 1
            while end < len(lines) and lines[end].strip() != ticks:
                end += 1
            if end == len(lines):
                raise PageError(f"{name}:{at + 1}: a block without an end")
            code = "\n".join(line.removeprefix(indent) for line in lines[at + 1 : end])
            found.append((at, end + 1, opening["info"].strip(), code))
            at = end
        at += 1
    return found


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order, outputs attached to what prints them."""
    text, name = page.read_text(), page.name
    lines = text.splitlines()
    found: list[Block] = []
    previous_end = 0
    for start, end, info, code in fences(text, name):
        between = "\n".join(lines[previous_end:start]).strip()
        language, _, rest = info.partition(" ")
        if language == "text":
            if found and not between and found[-1].output is None and found[-1].runs:
                found[-1].output = code
        elif language in FILES:
            title = TITLE.search(rest)
            paragraph = between.rpartition("\n\n")[2].strip()
            left_out = NOT_RUN.match(paragraph)
            block = Block(start + 2, language, code, before=paragraph)
            block.title = title["title"] if title else None
            block.not_run = " ".join(left_out["why"].split()) if left_out else None
            found.append(block)
            if block.not_run is None and not block.runs and not block.is_file:
                raise PageError(f"{name}:{start + 1}: a block of {language} that nothing runs")
        else:
            raise PageError(f"{name}:{start + 1}: a block of the language {language!r}")
        previous_end = end
    return found


def pages() -> list[Path]:
    """Every page of the documentation, and the two that the repository shows by itself."""
    return [TREE / "README.md", TREE / "CONTRIBUTING.md", *sorted((TREE / "docs").rglob("*.md"))]


NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:e[+-]?\d+)?", re.IGNORECASE)


def same_output(expected: str, printed: str) -> bool:
    """Whether a page's output is what was printed: the same text, where `…` stands for anything
    within a line, and numbers with a point or an exponent agree to four digits."""
    wanted, given = (
        [" ".join(line.split()) for line in text.strip().splitlines()]
        for text in (expected, printed)
    )
    return len(wanted) == len(given) and all(map(same_line, wanted, given))


def same_line(wanted: str, given: str) -> bool:
    parts, numbers = [], []
    for literal in wanted.split("…"):
        pieces, at = [], 0
        for number in NUMBER.finditer(literal):
            pieces.append(re.escape(literal[at : number.start()]))
            inexact = any(mark in number[0].lower() for mark in ".e")
            if inexact:
                numbers.append(float(number[0]))
                pieces.append(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)")
            else:
                pieces.append(re.escape(number[0]))
            at = number.end()
        parts.append("".join([*pieces, re.escape(literal[at:])]))
    match = re.fullmatch(".*?".join(parts), given, re.IGNORECASE)
    return match is not None and all(
        abs(float(found) - number) <= 1e-4 * max(abs(number), 1e-3)
        for found, number in zip(match.groups(), numbers, strict=True)
    )
