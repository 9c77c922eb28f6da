"""Docstrings for the site: roles of reStructuredText, which editors understand, become Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?P<role>func|class|meth|attr|mod|math):`(?P<text>[^`]+)`")
MATH_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. math::\n(?P<body>(?:\n*(?P=indent) +.*)+)", re.MULTILINE
)


def markdown(text: str) -> str:
    """The same text with `code` for names, `$…$` for formulas."""

    def role(found: re.Match[str]) -> str:
        text = found["text"].removeprefix("~").removeprefix("mlx.").removeprefix("heddle.core.")
        return f"${text}$" if found["role"] == "math" else f"`{text}`"

    def block(found: re.Match[str]) -> str:
        indent = found["indent"]
        formula = " ".join(line.strip() for line in found["body"].split("\n"))
        return f"{indent}$$\n{indent}{aligned(formula.strip())}\n{indent}$$\n"

    text = MATH_BLOCK.sub(block, text)
    return ROLE.sub(role, text).replace("``", "`")


def aligned(formula: str) -> str:
    """What reStructuredText lets be understood of several lines."""
    if "&" in formula and r"\begin" not in formula:
        return rf"\begin{{align*}} {formula} \end{{align*}}"
    return formula


class Stubs(griffe.Extension):
    """Rewrites the docstrings of all objects as they are loaded. In a stub, a function may be there
    by its overloads alone: they become one function."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
        if not (obj.is_module or obj.is_class):
            return
        for name, overloads in obj.overloads.items():
            if name not in obj.members and overloads:
                overloads[-1].overloads = overloads[:]
                obj.set_member(name, overloads[-1])
