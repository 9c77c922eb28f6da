"""Which folder may include which (docs/architecture.md, "The way of the data").

    python tools/lint/includes.py [FOLDER]

prints each include that goes the wrong way, and each exception below that nothing needs any more;
exits with 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatch
from pathlib import Path

# The engine, from the bottom up: each layer includes those before it, and itself.
LAYERS = ("core", "ops", "transforms", "eval", "cpu")
ENGINE = {layer: set(LAYERS[: i + 1]) for i, layer in enumerate(LAYERS)}
# Beside it. Whatever else there is in src stands on the public headers alone.
BESIDE = {
    "io": {"core"},  # bytes and arrays
    # Dialects name ops, capture graphs and read containers. They know no device.
    "convert": {"core", "ops", "transforms", "io"},
}
PUBLIC = "heddle"  # include/heddle, which everything may include

# File, header, and why.
EXCEPTIONS = [
    (
        "src/transforms/*.cpp",
        "eval/eval.h",
        "what a trace made, and what folds to a constant, is computed when the trace ends",
    ),
    ("src/io/stored.cpp", "ops/load.h", "elements that are fetched when they are needed are an op"),
    ("src/nn/*", "ops/checks.h", "functions of layers refuse in the words of ops"),
    ("src/nn/*.cpp", "ops/following.h", "and tell a shapeless trace where they compute with sizes"),
    ("src/nn/rewrite_activations.*", "transforms/*", "rules of rewriting: its part of a pass"),
    ("src/optim/optimizers.cpp", "nn/*", "formulas in float32, as those of layers are"),
    ("src/optim/update.*", "core/*", "an update captures its formula as one op,"),
    ("src/optim/update.*", "transforms/pointwise_function.h", "and makes a node for each result"),
    # Python asks for what C++ programs are not to depend on.
    ("python/src/array.cpp", "ops/following.h", "sizes that Python reads while tracing"),
    ("python/src/array.cpp", "core/node.h", "arrays that stand for others, in their repr"),
    ("python/src/array_interchange.cpp", "core/node.h", "memory lent to others"),
    ("python/src/foreign_memory.cpp", "core/node.h", "memory of others"),
    ("python/src/compile.cpp", "core/node.h", "what a trace depends on"),
    ("python/src/compile.cpp", "transforms/compile.h", "traces told apart by Python's constants"),
    ("python/src/custom_function.cpp", "core/node.h", "whether anything traces"),
    ("python/src/creation.cpp", "ops/creation.h", "Python's integers in ranges, exactly"),
    ("python/src/device.cpp", "core/threads.h", "how many threads there are, for `heddle devices`"),
    ("python/src/evaluation.cpp", "core/graph_lock.h", "Ctrl-C, and waiting without Python's lock"),
    ("python/src/evaluation.cpp", "eval/async.h", "forks, and the end of the process"),
    ("python/src/*.cpp", "convert/*", "functions as files keep the structure of what Python gives"),
    ("python/src/export.cpp", "io/file.h", "text written as files are"),
    ("python/src/index.h", "ops/index_expression.h", "indices as Python writes them"),
    ("python/src/introspection.cpp", "core/*", "ops and graphs, for the tests"),
    ("python/src/optim.cpp", "nn/clip.h", "gradients of a group, clipped"),
    ("python/src/optim.cpp", "optim/update.h", "one update of many parameters"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def layer_of(path: str) -> str:
    """The folder that rules speak of: "core" of src/core/x.h, "python", "heddle" or "mlx"."""
    parts = path.split("/")
    return "python" if parts[0] == "python" else parts[1]


def allowed(layer: str) -> set[str]:
    if layer == PUBLIC:
        return {PUBLIC}
    if layer == "mlx":  # MLX's headers, a binding like Python's
        return {"mlx", PUBLIC}
    if layer == "python":
        return {PUBLIC}
    return {layer, PUBLIC} | ENGINE.get(layer, set()) | BESIDE.get(layer, set())


def sources(root: Path):
    for folder in ("include", "src", "python/src"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path.relative_to(root).as_posix(), path.read_text()


def problems(root: Path, exceptions=None) -> list[str]:
    """A line for each include that is not allowed, and for each exception without a need."""
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    ours = {p.name for base in ("include", "src") for p in (root / base).glob("*") if p.is_dir()}
    found, used = [], set()
    for path, text in sources(root):
        layer = layer_of(path)
        for header in INCLUDE.findall(text):
            folder = header.split("/")[0] if "/" in header else ""
            if folder not in ours or folder in allowed(layer):
                continue
            fits = [e for e in exceptions if fnmatch(path, e[0]) and fnmatch(header, e[1])]
            used.update(fits)
            if not fits:
                may = ", ".join(sorted(allowed(layer)))
                found.append(f"{path} includes {header}: {layer} may include {may}")
    for exception in exceptions:
        if exception not in used:
            found.append(f"tools/lint/includes.py: nothing needs {exception[0]} -> {exception[1]}")
    return found


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = problems(root)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
