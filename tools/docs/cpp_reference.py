"""The reference of a C++ header as Markdown: its comments as prose, its declarations as code.

heddle's headers are regular: a comment at the top, `#pragma once`, and in a namespace blocks of
declarations, each with its contract in a comment above, apart by empty lines. So a block becomes a
section. What only the compiler needs is left out: bodies of functions, private members.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

COMMENT = re.compile(r"^\s*//+ ?")


def reference(header: Path, include: Path) -> str:
    """The section of a page about one header, from a heading of the second level on."""
    name = header.relative_to(include).as_posix()
    top, _, body = header.read_text().partition("#pragma once\n")
    lines = [f"## `{name}` {{: #{anchor(name)} }}", "", prose(top.splitlines()), ""]
    namespace = ""
    for block in split_blocks(body):
        code = [line for line in block if not line.startswith("#")]
        if opened := re.match(r"(?:inline )?namespace ([\w:]+) \{$", code[0] if code else ""):
            namespace = opened[1]
            code = code[1:]
        elif not code or code[0].startswith("}  // namespace"):
            continue
        for comment, declared_code in contracts(code):
            if comment and re.match(r"// --- .* -+$", comment[0]):
                lines += [f"### {comment.pop(0).strip('/- ')}", ""]
            shown = declarations("\n".join(declared_code)).rstrip()
            if shown.strip():
                lines += section(shown, prose(comment), name, namespace)
            elif comment:
                lines += [prose(comment), ""]
    return distinct("\n".join(lines) + "\n")


def distinct(text: str) -> str:
    """The same with a number behind places that have the name of an earlier one."""
    seen: Counter[str] = Counter()

    def numbered(place: re.Match[str]) -> str:
        seen[place[1]] += 1
        return place[0] if seen[place[1]] == 1 else f"{{: #{place[1]}-{seen[place[1]]} }}"

    return re.sub(r"\{: #(\S+) \}", numbered, text)


def section(code: str, comment: str, header: str, namespace: str) -> list[str]:
    names = declared(code)
    if all(re.fullmatch(r"(class|struct) \w+;", line) for line in code.splitlines()):
        return []  # names that another header explains
    heading = ", ".join(f"`{name}`" for name in names[:6]) + (", …" if len(names) > 6 else "")
    lines = [f"#### {heading} {{: #{anchor(header, names[0])} }}", ""] if names else []
    if comment:
        lines += [comment, ""]
    if namespace not in ("", "heddle"):
        code = f"// in namespace {namespace}\n{code}"
    return [*lines, "```cpp", code, "```", ""]


def anchor(*parts: str) -> str:
    return "-".join(re.sub(r"\W+", "-", part).strip("-") for part in ("cpp", *parts))


def prose(comment: list[str]) -> str:
    """Comment lines as Markdown; lines that are indented are code or a table."""
    text: list[str] = []
    code: list[str] = []
    for line in [*(COMMENT.sub("", line).rstrip() for line in comment), None]:
        if line is not None and re.match(r"  (?!\s*[-*] )", line):
            code.append(line[2:])
            continue
        if code:
            language = "cpp" if any(mark in "".join(code) for mark in "{;") else "text"
            text += ["", f"```{language}", *code, "```", ""]
            code = []
        text += [] if line is None else [escape(line)]
    return "\n".join(text)


def escape(line: str) -> str:
    """A backslash before letters that Markdown would take for its own, but for those in code."""
    parts = line.split("`")
    parts[::2] = [re.sub(r"([*_<>\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def split_blocks(body: str) -> list[list[str]]:
    """Groups of lines that an empty line parts outside of classes."""
    blocks: list[list[str]] = []
    current: list[str] = []
    depth = 0
    for line in body.splitlines():
        if not line.strip() and depth == 0:
            if current:
                blocks.append(current)
            current = []
            continue
        current.append(line)
        code = line.split("//")[0]
        if not re.match(r"(inline )?namespace [\w:]+ \{$|\}$", code.strip()) or depth > 0:
            depth += code.count("{") - code.count("}")
    return [*blocks, current] if current else blocks


def contracts(block: list[str]) -> list[tuple[list[str], list[str]]]:
    """The parts of a block: a comment, and the declarations that it goes with."""
    parts: list[tuple[list[str], list[str]]] = [([], [])]
    for line in block:
        if line.startswith("//"):
            if parts[-1][1]:
                parts.append(([], []))
            parts[-1][0].append(line)
        else:
            parts[-1][1].append(line)
    return parts


def declarations(code: str) -> str:
    """The code without the bodies of functions and without private members."""
    return without_private(without_bodies(re.sub(r" *// NOLINT.*", "", code)))


def without_bodies(code: str) -> str:
    """A function's initializers and body become a semicolon; braces of types stay."""
    out, at, parens = "", 0, 0
    while at < len(code):
        letter = code[at]
        if code.startswith("//", at):
            end = code.find("\n", at)
            end = len(code) if end < 0 else end
            out += code[at:end]
            at = end
            continue
        parens += (letter == "(") - (letter == ")")
        tail = re.sub(r"//[^\n]*", "", out).rstrip()
        after_parameters = bool(re.search(r"\)\s*(const|noexcept|override|final|\s)*$", tail))
        if parens == 0 and after_parameters and letter in "{:" and not code.startswith("::", at):
            at = end_of_body(code, at)
            out = out.rstrip() + ";"
            continue
        out += letter
        at += 1
    return out


def end_of_body(code: str, at: int) -> int:
    """Behind the body that begins at `at`, or behind the one after initializers that do."""
    depth, initializing = 0, code[at] == ":"
    while at < len(code):
        letter = code[at]
        if letter == "{" and depth == 0 and initializing:
            # x_(1), y_{2} {: a brace after a name belongs to an initializer
            initializing = bool(re.search(r"[\w>]$", code[:at]))
            if initializing:
                at = code.index("}", at) + 1
                continue
        if letter in "{(":
            depth += 1
        elif letter in "})":
            depth -= 1
            if depth == 0 and letter == "}":
                return at + 1
        at += 1
    return at


def without_private(code: str) -> str:
    lines, hidden = [], False
    for line in code.splitlines():
        if access := re.match(r" *(public|protected|private):$", line):
            hidden = access[1] == "private"
            if hidden:
                while lines and not lines[-1].strip():
                    lines.pop()
        if hidden and re.match(r"\};?$", line):
            hidden = False
        if not hidden:
            lines.append(line)
    return "\n".join(lines)


def declared(code: str) -> list[str]:
    """The names that the code declares, in its order, each once."""
    names, depth = [], 0
    for line in code.splitlines():
        line = line.split("//")[0]
        if depth == 0 and not line.startswith(" "):
            if type_ := re.match(
                r"(?:template <.*> )?(?:enum class|class|struct|using) (?:\w+::)*(\w+)", line
            ):
                names.append(type_[1])
            elif operator := re.search(r"\b(operator\s*\S+?)\(", line):
                names.append(operator[1])
            elif function := re.search(r"(\w+)\(", line):
                names.append(function[1])
            elif constant := re.match(r"(?:inline )?(?:constexpr|const) .*?(\w+)(?: =|\{)", line):
                names.append(constant[1])
        depth += line.count("{") - line.count("}")
    return [*dict.fromkeys(names)]
