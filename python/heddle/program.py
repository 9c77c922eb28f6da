"""Programs: what a function or a file computes, as data.

:func:`convert` makes a program, :func:`check` says what would happen. A program can be called,
looked at, compared with what it was made of, and saved in every format that can hold it.
"""

from __future__ import annotations

import inspect
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from . import core as mx
from .core import _program as engine


@dataclass(frozen=True)
class Issue:
    """Something to say about one step.

    `code` does not change from version to version; `severity` is "note", "warning" or "error"; `op`
    is what the source or the target calls the step; `location` is ``file:line``, `module_path` the
    module that it belongs to, where they are known.
    """

    code: str
    severity: str
    op: str
    message: str
    hint: str = ""
    name: str = ""
    module_path: str = ""
    location: str = ""


@dataclass(frozen=True)
class Report:
    """What reading or writing a program found, by doing it.

    `steps` is how many there are, `supported` how many can be read or written.
    """

    dialect: str
    steps: int
    supported: int
    issues: tuple[Issue, ...] = ()

    @property
    def runnable(self) -> bool:
        """Whether no issue is an error."""
        return all(issue.severity != "error" for issue in self.issues)

    @property
    def coverage(self) -> float:
        """`supported` / `steps`; NaN if there are no steps."""
        return self.supported / self.steps if self.steps else math.nan

    def to_json(self) -> str:
        """All of it as a JSON object; a coverage of no steps is null."""
        coverage = self.coverage if self.steps else None
        return json.dumps(asdict(self) | {"coverage": coverage, "runnable": self.runnable})

    @staticmethod
    def from_json(text: str) -> Report:
        """The report that :meth:`to_json` wrote."""
        data = json.loads(text)
        issues = tuple(Issue(**issue) for issue in data["issues"])
        return Report(data["dialect"], data["steps"], data["supported"], issues)


class ConversionError(ValueError):
    """A program that cannot be read, or written in some format; `report` has all reasons."""

    def __init__(self, message: str, report: str | Report):
        super().__init__(message)
        self.report = Report.from_json(report) if isinstance(report, str) else report

    def __reduce__(self):
        return type(self), (self.args[0], self.report)


@dataclass(frozen=True)
class Value:
    """An input or a result. A size that may be another at each call is its name."""

    name: str
    shape: tuple[int | str, ...]
    dtype: mx.Dtype


@dataclass(frozen=True)
class Step:
    """One operation, as the format that the program came from calls it, and where it comes from."""

    op: str
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    name: str = ""
    module_path: str = ""
    location: str = ""


@dataclass(frozen=True)
class Verification:
    """What :meth:`Program.verify` found.

    `max_abs` is the largest difference of two numbers, `max_rel` the largest over |reference| +
    scale. `problem` tells the first result that differs; `first_diverging_op` the first step, where
    values of steps were given, and `location` and `module_path` its place.
    """

    ok: bool
    max_abs: float
    max_rel: float
    problem: str = ""
    first_diverging_op: str = ""
    location: str = ""
    module_path: str = ""


class Program:
    """What a function or a file computes, as data; made by :func:`convert`.

    It is called as its source was, with arrays of heddle or of others (numpy, torch, ...) in the
    same nested lists, tuples and dicts, and gives the source's structure. It is built for the sizes
    of its arguments when it is first called with them; up to 256 builds are kept.
    """

    def __init__(self, program: engine.Program):
        self._program = program

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The results. ValueError for arguments that are not as :attr:`inputs` says."""
        return self._program.call(args, kwargs)

    @property
    def inputs(self) -> list[Value]:
        """The arrays that come in, in the order of the arguments."""
        return [Value(*v) for v in self._program.inputs()]

    @property
    def outputs(self) -> list[Value]:
        """The arrays that go out; shapes are those of the sizes that the program was made with."""
        return [Value(*v) for v in self._program.outputs()]

    @property
    def steps(self) -> list[Step]:
        """The operations in an order in which each value comes before its use."""
        return [Step(*s) for s in self._program.steps()]

    @property
    def constants(self) -> dict[str, mx.array]:
        """The arrays that the program holds, by the names that :attr:`steps` uses."""
        return self._program.constants()

    @property
    def report(self) -> Report:
        """How it was read."""
        return Report.from_json(self._program.report())

    def check(self, format: str) -> Report:
        """What saving as "heddle" or "mlxfn" would say, without writing."""
        return Report.from_json(self._program.check(format))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file whose format the suffix names (.heddle, .mlxfn), atomically.

        ConversionError, with all that the format cannot hold.
        """
        self._program.save(path)

    def verify(
        self,
        reference: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        tolerance: float | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Verification:
        """Compares with ``reference(*args, **kwargs)``.

        Numbers may differ by tolerance * (|reference| + scale), where scale is the largest finite
        |reference| of that result; the tolerance is 1e-5 (float32, float64), 2e-3 (float16), 1.6e-2
        (bfloat16) if none is given. Structure, shapes, dtypes, integers, booleans, and where NaN
        and infinities are, must agree exactly. `values` are results of the reference's steps by the
        names of steps or their results (:attr:`steps`): they find the first step that differs.
        """
        if tolerance is not None and not tolerance >= 0:
            raise ValueError(f"[Program] A tolerance is not negative; given was {tolerance}.")
        relative = -1.0 if tolerance is None else float(tolerance)
        found = self._program.verify(
            reference, tuple(args), dict(kwargs or {}), relative, dict(values or {})
        )
        return Verification(**found)

    def __repr__(self) -> str:
        def listed(values):
            return ", ".join(f"{v.name}: {v.dtype}{list(v.shape)}" for v in values)

        return f"Program({listed(self.inputs)}) -> ({listed(self.outputs)})"


def convert(
    source: Callable[..., Any] | str | os.PathLike[str],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Sequence[Any] | Mapping[str, Any] | None = None,
) -> Program:
    """The program of a function of arrays, or of a file.

    A function is traced with the example arguments `args` and `kwargs`, which may be nested lists,
    tuples and dicts of arrays; a file (.heddle, .mlxfn) is found out by its content.

    `dynamic_shapes` names sizes that may be others at each call: a tuple with an entry for each
    positional argument, or a dict of entries by parameter. An entry is None, a list with a name or
    None for each axis, a dict ``{axis: name}``, or, for a container, a container of entries. Sizes
    of the same name are equal. Numbers that the function computes from them (multiples of a size
    and a number, sums of such) follow them; others are a ConversionError, which names them.
    A branch on a size is seen, and refused, where it goes another way at one less, one and three
    more, or twice the size; at one, calls of size one are refused. Beyond that it is not seen.
    """
    if isinstance(source, (str, os.PathLike)):
        if args is not None or kwargs is not None or dynamic_shapes is not None:
            raise TypeError("[convert] A file has its arguments and sizes; none may be given.")
        return Program(engine.load(source))
    if not callable(source):
        raise TypeError(
            "[convert] A function of arrays or a path is wanted; given was a "
            f"{type(source).__name__}."
        )
    if isinstance(args, mx.array) or (args is not None and not isinstance(args, (tuple, list))):
        raise TypeError("[convert] args is the tuple of the positional arguments.")
    given, named = tuple(args or ()), dict(kwargs or {})
    parameters = _parameters(source, given)
    entries = _entries(dynamic_shapes, parameters, named)
    names: list[str] = []
    dimensions: list[list[str]] = []
    for name, value in (*zip(parameters, given, strict=True), *named.items()):
        _collect(name, value, entries.pop(name, None), names, dimensions)
    if entries:
        raise ValueError(
            f"[convert] dynamic_shapes names {', '.join(entries)}; the arguments are "
            f"{', '.join((*parameters, *named)) or 'none'}."
        )
    return Program(engine.trace(source, given, named, dimensions, names))


def check(
    source: Callable[..., Any] | str | os.PathLike[str],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Sequence[Any] | Mapping[str, Any] | None = None,
) -> Report:
    """What :func:`convert` would say of its source, without raising a ConversionError."""
    try:
        return convert(source, args, kwargs, dynamic_shapes=dynamic_shapes).report
    except ConversionError as error:
        return error.report


def _parameters(source: Callable[..., Any], given: tuple[Any, ...]) -> list[str]:
    """Names for the positional arguments: those of the parameters, where they can be told."""
    try:
        kinds = inspect.signature(source).parameters.values()
    except (TypeError, ValueError):
        kinds = ()
    names = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = names[: len(given)]
    return names + [f"input_{i}" for i in range(len(names), len(given))]


def _entries(
    dynamic_shapes: Sequence[Any] | Mapping[str, Any] | None,
    parameters: list[str],
    named: dict[str, Any],
) -> dict[str, Any]:
    if dynamic_shapes is None:
        return {}
    if isinstance(dynamic_shapes, Mapping):
        return dict(dynamic_shapes)
    if len(dynamic_shapes) != len(parameters) + len(named):
        raise ValueError(
            f"[convert] dynamic_shapes has {len(dynamic_shapes)} entries; there are "
            f"{len(parameters) + len(named)} arguments."
        )
    return dict(zip((*parameters, *named), dynamic_shapes, strict=True))


def _collect(
    name: str, value: Any, entry: Any, names: list[str], dimensions: list[list[str]]
) -> None:
    """Names of arrays and of their sizes, in the order in which the tree holds them."""
    if isinstance(value, (list, tuple)):
        items = [(str(i), v) for i, v in enumerate(value)]
    elif isinstance(value, dict):
        items = list(value.items())
    else:
        if hasattr(value, "shape"):
            names.append(name)
            dimensions.append(_sizes(name, value, entry))
        return
    keys = [k for k, _ in items]
    if entry is None:
        within: dict[str, Any] = {}
    elif isinstance(entry, Mapping):
        within = {str(k): e for k, e in entry.items()}
    else:
        within = {str(i): e for i, e in enumerate(entry)}
    if unknown := set(within) - set(keys):
        raise ValueError(
            f"[convert] dynamic_shapes of {name} has {sorted(unknown)}; {name} has {keys}."
        )
    for key, item in items:
        _collect(f"{name}.{key}", item, within.get(key), names, dimensions)


def _sizes(name: str, value: Any, entry: Any) -> list[str]:
    ndim = len(value.shape)
    sizes = [""] * ndim
    if entry is None:
        return sizes
    pairs = entry.items() if isinstance(entry, Mapping) else enumerate(entry)
    for axis, size in pairs:
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"[convert] dynamic_shapes of {name} names axis {axis}; its shape is "
                f"{tuple(value.shape)}."
            )
        if size is not None and not isinstance(size, str):
            raise TypeError(
                f"[convert] dynamic_shapes of {name}: a size has a name or None; "
                f"given was {size!r}."
            )
        sizes[axis] = size or ""
    return sizes
