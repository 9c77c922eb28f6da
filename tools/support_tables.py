"""Writes docs/support.md and docs/mlx-compatibility.md, where each cell comes from a run.

    python tools/support_tables.py

runs the checks of tests/python/test_registry.py on every sample of every function and notes for
which dtypes they hold, and compares every public name of the installed MLX with heddle's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "python"
sys.path.insert(0, str(SAMPLES))

import mlx.core  # noqa: E402
import pytest  # noqa: E402

import samples  # noqa: E402
import test_export_registry as exports  # noqa: E402
import test_registry as registry  # noqa: E402
from heddle import surface  # noqa: E402
from samples.differences import DIFFERENCES  # noqa: E402
from samples.scope import NOT_YET  # noqa: E402

COLUMNS = {
    "value": registry.test_value,
    "grad": registry.test_grad,
    "jvp": registry.test_jvp_against_vjp,
    "vmap": registry.test_vmap_against_loop,
    "compile": registry.test_compiled_equals_eager,
    "shapeless": registry.test_shapeless_at_other_sizes,
}
SHORT = {"bool_": "bool", "bfloat16": "bf16", "complex64": "c64"} | {
    f"{long}{bits}": f"{short}{bits}"
    for long, short in (("float", "f"), ("int", "i"), ("uint", "u"))
    for bits in (8, 16, 32, 64)
}
SUPPORT_HEAD = """\
# What is supported

Made by `make docs` (`tools/support_tables.py`) from the checks of the test suite: a cell lists the
dtypes with which every sample of the function was run under the transformation and was right.

- value: beside MLX and truth
- grad: the gradient against differences
- jvp: the forward derivative against the gradient
- vmap: the batched call against a loop
- compile: against eager, bit for bit
- shapeless: compiled once without shapes, and run at other sizes
- export: written to a file and run from it, bit for bit (`fast.rnn`, `fast.gru` and `fast.lstm`,
  which files hold step by step: within tolerance)

Values are tried with all dtypes, transformations with representative ones. `floats` are f16, bf16,
f32 and f64, `ints` the eight kinds of integers, `all` these, bool and c64.

An empty cell: the question has no meaning for the function. Integers, truth values, random draws
and copies without a gradient have no derivative; a function that takes no array has nothing to
batch and no sizes to change, one that gives no array (`einsum_path`) nothing to compile; and
functions with rules of their own (`custom_function`) cannot be exported, as in MLX.
"""
COMPATIBILITY_HEAD = """\
# Beside MLX, name by name

Made by `make docs` from MLX {version}; `heddle inspect --mlx-surface` prints it for the MLX that is
installed. A name is the same if its kind and its parameters are, and if all sample inputs of the
tests that call it give the same: values within tolerance, shapes, dtypes, exception types.
"""
GROUPS = (
    ("all", ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32",
             "f64", "c64")),
    ("ints", ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")),
    ("floats", ("f16", "bf16", "f32", "f64")),
)  # fmt: skip


def samples_of(test):
    """The samples that a test of the registry is asked for."""
    for mark in test.pytestmark:
        if mark.name == "parametrize":
            return mark.args[1]
    return []


Found = dict[str, dict[str, list[str]]]  # function -> dtype -> problems


def note(found: Found, column: str, sample, dtype: str, check, is_no_case=None) -> None:
    """Notes the sample's dtype, and what is wrong with it, unless its error says it is no case."""
    try:
        problem = check()
    except Exception as error:  # an answer like any other: it goes into the table
        if is_no_case and is_no_case(error):
            return
        problem = f"raised {error!r}"
    notes = found[sample.function][SHORT[dtype]]
    if problem:
        notes.append(f"{sample.name()} {dtype} {column}: {problem}")


def run(column: str, test) -> Found:
    """Every function and dtype that a test of the registry is run with."""
    found: Found = defaultdict(lambda: defaultdict(list))

    def recorded(sample, dtypes, check):
        for dtype in dtypes:
            note(found, column, sample, dtype, partial(check, dtype))

    registry.failures = recorded
    for sample in samples_of(test):
        try:
            test(sample)
        except pytest.skip.Exception:
            continue
    return found


def run_exported(column: str) -> Found:
    """Every function and dtype whose samples are exported to a file and run from it."""
    found: Found = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "function.heddle")
        for family in range(len(samples.FAMILIES)):
            for _, sample, dtype, arrays, wanted in exports.own_cases(family):
                check = partial(exports.own_file_problem, path, sample, arrays, wanted)
                note(found, column, sample, dtype, check, exports.refused_by_design)
    return found


def dtype_text(dtypes: set[str]) -> str:
    """Dtypes, with names for groups that are there as a whole."""
    names, rest = [], set(dtypes)
    for name, group in GROUPS:
        if rest.issuperset(group):
            names.append(name)
            rest -= set(group)
    order = GROUPS[0][1]
    return " ".join([*names, *sorted(rest, key=order.index)])


def support_page() -> str:
    results = {column: run(column, test) for column, test in COLUMNS.items()}
    results["export"] = run_exported("export")
    functions = sorted({name for found in results.values() for name in found})
    lines = [
        SUPPORT_HEAD,
        "| function | " + " | ".join(results) + " |",
        "|---|" + "---|" * len(results),
    ]
    problems = []
    for function in functions:
        cells = []
        for column in results:
            by_dtype = results[column].get(function, {})
            right = {dtype for dtype, notes in by_dtype.items() if not notes}
            wrong = set(by_dtype) - right
            problems += [problem for notes in by_dtype.values() for problem in notes]
            cells.append(dtype_text(right) + (f" **not {dtype_text(wrong)}**" if wrong else ""))
        lines.append(f"| `{function}` | " + " | ".join(cells) + " |")
    lines += ["", "## What is wrong", "", *(f"- {problem}" for problem in problems or ["nothing"])]
    if NOT_YET:
        lines += ["", "## Not there yet", ""]
        lines += [f"- `{name}` ({reason})" for name, reason in sorted(NOT_YET.items())]
    return "\n".join(lines) + "\n"


def compatibility_page() -> str:
    entries = surface.compare()
    surface.add_samples(entries, SAMPLES)
    counts = surface.counts(entries)
    lines = [
        COMPATIBILITY_HEAD.format(version=mlx.core.__version__),
        "| | names |",
        "|---|---|",
        *(f"| {status} | {number} |" for status, number in sorted(counts.items())),
        "",
        "## What differs or is missing",
        "",
    ]
    different = [entry for entry in entries if entry.status in ("missing", "differs")]
    lines += [
        f"- `{entry.name}`: {entry.status}{': ' + entry.reason if entry.reason else ''}"
        + "".join(f"; {difference}" for difference in entry.differences[:3])
        for entry in different
    ] or ["- nothing"]
    lines += [
        "",
        *differences_section(),
        "",
        "## Every name",
        "",
        "| name | kind | | samples |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{e.name}` | {e.kind} | {e.status} | {e.samples} |" for e in entries]
    return "\n".join(lines) + "\n"


def given(difference) -> str:
    if isinstance(difference.gives, str):
        return f"raises {difference.gives}"
    return f"gives `{difference.gives[0]}` ({difference.gives[1]})"


def differences_section() -> list[str]:
    """What a program may notice, from the list that test_differences.py holds true."""
    return [
        "## Where an answer is not MLX's",
        "",
        "Programs of the tests whose results differ, each run under both:",
        "",
        *(f"- `{d.code}` {given(d)}: {d.reason}" for d in DIFFERENCES),
    ]


def main() -> None:
    for name, page in (("support", support_page), ("mlx-compatibility", compatibility_page)):
        started = time.monotonic()
        (ROOT / "docs" / f"{name}.md").write_text(page())
        print(f"docs/{name}.md: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
