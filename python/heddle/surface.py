"""What of the installed MLX heddle has, name by name: ``heddle inspect --mlx-surface``.

A name is compared by kind and parameters. With the sample inputs of heddle's tests at hand,
functions are also run on both sides.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = (
    "core", "core.random", "core.fft", "core.linalg", "core.fast", "core.metal", "core.cuda",
    "core.distributed", "nn", "nn.losses", "nn.init", "optimizers", "utils",
)  # fmt: skip


@dataclass
class Entry:
    """One public name of MLX. `status` is "same", "differs", "missing" or "not compared"."""

    name: str
    kind: str
    status: str
    reason: str = ""
    samples: str = ""  # "12 agree", "3 of 12 differ", or nothing where no sample calls it
    differences: list[str] = field(default_factory=list)


def parameters(callable_: Any) -> set[str] | None:
    """Names of parameters, over all overloads; None where nothing tells them."""
    if isinstance(callable_, type):
        callable_ = callable_.__init__
    signatures = getattr(callable_, "__nb_signature__", None)
    if signatures is None:
        try:
            found = inspect.signature(callable_).parameters.values()
        except (TypeError, ValueError):
            return None
        return {_shown(p.name, p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)) for p in found}
    names: set[str] = set()
    for text, *_ in signatures:
        # nanobind writes defaults as \0, \1, ..., attributes of types as ndarray[writable=False].
        header = re.sub(r"\\\d+", "None", re.sub(r"\[\w+=\w+\]", "", text.strip())).rstrip(":")
        try:
            (function,) = ast.parse(header + ": ...").body
        except (SyntaxError, ValueError):
            return None
        if not isinstance(function, ast.FunctionDef):
            return None
        arguments = function.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            names.add(one.arg)
        for several in (arguments.vararg, arguments.kwarg):
            if several is not None:
                names.add(_shown(several.arg, True))
    return names


def _shown(name: str, several: bool) -> str:
    """One name for every catch-all, whatever it is called."""
    return "*" if several else name


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    if isinstance(value, ModuleType):
        return "module"
    return "function" if callable(value) else "value"


def _positional_only(value: Any) -> set[str]:
    """Parameters that no caller can name."""
    value = value.__init__ if isinstance(value, type) else value
    out = {"self"}
    for text, *_ in getattr(value, "__nb_signature__", ()) or ():
        for part in text.split(", /")[:-1]:
            out |= set(re.findall(r"(\w+):", part.partition("(")[2]))
        out |= set(re.findall(r"\barg\d*\b", text))
    return out


def _compared(name: str, theirs: Any, ours: Any) -> Entry:
    kind = _kind(theirs)
    if kind == "module":
        return Entry(name, kind, "same")
    if kind != _kind(ours):
        return Entry(name, kind, "differs", f"is a {_kind(ours)} in heddle")
    if kind == "value":
        return Entry(name, kind, "same")
    wanted, given = parameters(theirs), parameters(ours)
    if kind == "class" and wanted is None:
        return Entry(name, kind, "same")  # not to be constructed
    if wanted is None or given is None:
        return Entry(name, kind, "not compared", "one side does not state its parameters")
    lacking = wanted - given - _positional_only(theirs) - {"*"}
    if lacking and "*" not in given:
        return Entry(name, kind, "differs", f"lacks {', '.join(sorted(lacking))}")
    return Entry(name, kind, "same")


def _members(owner: Any) -> Iterator[str]:
    """Public names, and the special methods that a class defines itself."""
    for name in dir(owner):
        special = name.startswith("__") and isinstance(owner, type) and name in vars(owner)
        ignored = name in ("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__")
        if not name.startswith("_") or (special and not ignored):
            yield name


def _entries(prefix: str, theirs: Any, ours: Any) -> Iterator[Entry]:
    for name in _members(theirs):
        value = getattr(theirs, name, None)
        full = f"{prefix}.{name}"
        if isinstance(value, ModuleType):
            continue  # heddle's modules are listed themselves; others are only imported there
        source = getattr(value, "__module__", None) or ""
        if isinstance(theirs, ModuleType) and callable(value) and not source.startswith("mlx"):
            continue  # a class or function of the standard library that the module imports
        if not hasattr(ours, name):
            yield Entry(full, _kind(value), "missing")
            continue
        if name.startswith("__"):
            yield Entry(full, "special method", "same")
            continue
        yield _compared(full, value, getattr(ours, name))
        if isinstance(value, type) and isinstance(theirs, ModuleType):
            for entry in _entries(full, value, getattr(ours, name)):
                inherited = entry.name.rpartition(".")[2] not in vars(value)
                if not inherited:
                    yield entry


def compare() -> list[Entry]:
    """Every public name of the installed MLX beside heddle's. Raises ImportError without MLX."""
    found: list[Entry] = []
    for module in MODULES:
        theirs = importlib.import_module(f"mlx.{module}")
        try:
            ours = importlib.import_module(f"heddle.{module}")
        except ImportError:
            found.append(Entry(module, "module", "missing"))
            continue
        found += _entries(module, theirs, ours)
    return found


def add_samples(entries: list[Entry], folder: Path) -> None:
    """Runs the sample inputs in `folder` (heddle's tests/python) on both sides."""
    sys.path.insert(0, str(folder))
    try:
        samples = importlib.import_module("samples").SAMPLES
        problem_of: Callable = importlib.import_module("checks").value_problem
    finally:
        sys.path.remove(str(folder))
    results: dict[str, list[str | None]] = {}
    for sample in samples:
        for dtype in sample.dtypes:
            problem = problem_of(sample, dtype)
            label = f"{sample.name()} {dtype}: {problem}" if problem else None
            results.setdefault(f"core.{sample.function}", []).append(label)
    for entry in entries:
        found = results.get(entry.name)
        if not found:
            continue
        entry.differences = [problem for problem in found if problem]
        bad = len(entry.differences)
        entry.samples = f"{bad} of {len(found)} differ" if bad else f"{len(found)} agree"
        if bad and entry.status == "same":
            entry.status, entry.reason = "differs", "values"


def counts(entries: list[Entry]) -> dict[str, int]:
    out: dict[str, int] = {}
    for entry in entries:
        out[entry.status] = out.get(entry.status, 0) + 1
    return out


def as_text(entries: list[Entry]) -> str:
    """What is not the same, one line each, and the counts."""
    lines = [
        f"{entry.status:13}{entry.kind:15}{entry.name}  {entry.reason}".rstrip()
        for entry in entries
        if entry.status != "same"
    ]
    lines += [f"             {'':15}{line}" for entry in entries for line in entry.differences]
    summary = ", ".join(f"{number} {status}" for status, number in sorted(counts(entries).items()))
    return "\n".join([*lines, f"{len(entries)} public names of MLX: {summary}"])


def as_json(entries: list[Entry]) -> dict[str, Any]:
    return {"counts": counts(entries), "names": [asdict(entry) for entry in entries]}
