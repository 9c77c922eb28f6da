"""Which pages the reference of the Python package has, and what stands on each.

A function of heddle.core stands on the page of the C++ header that declares it. The package is
read from its sources and from the type stubs of heddle.core, and is not imported.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "heddle"
# Headers that together are a topic, where their folder does not say so.
TOPICS = {
    "Arrays": ["array.h"],
    "Dtypes": ["dtype.h", "type_info.h"],
    "Devices and streams": ["device.h"],
    "Memory": ["memory.h"],
    "Transformations": ["transforms.h"],
    "Files": ["io.h"],
    "Functions as files": ["export.h"],
}
SPELT_OUT = {
    "conv": "convolution",
    "index": "indexing",
    "norm": "norms",
    "quantized": "quantization",
    "reduce": "reductions",
    "scan": "scans",
    "shape": "shapes",
    "sort": "sorting",
}
DECLARED = re.compile(r"(?:class|struct) (\w+)|\w[\w:<>, ]*[ &](\w+)\(")
# Of Python alone: what stands beside what.
BESIDE = {
    "array": "Arrays",
    "ArrayAt": "Arrays",
    "ArrayIterator": "Arrays",
    "ArrayLike": "Arrays",
    "printoptions": "Arrays",
    "asarray": "Arrays",
    "from_dlpack": "Arrays",
    "Dtype": "Dtypes",
    "DtypeCategory": "Dtypes",
    "result_type": "Dtypes",
    "can_cast": "Dtypes",
    "isdtype": "Dtypes",
    "DeviceType": "Devices and streams",
    "default_device": "Devices and streams",
    "stream": "Devices and streams",
    "device_info": "Devices and streams",
    "FunctionExporter": "Functions as files",
    "value_and_grad": "Transformations",
    "custom_function": "Transformations",
    "async_eval": "Transformations",
    "eval": "Transformations",
}
PACKAGE = {
    "Layers": "heddle.nn.layers",
    "Losses": "heddle.nn.losses",
    "Initializers": "heddle.nn.init",
    "Utilities of networks": "heddle.nn.utils",
    "Optimizers": "heddle.optimizers",
    "Trees": "heddle.utils",
    "Operations of your own": "heddle.extension",
    "Programs": "heddle.program",
}


def link_sources(stubs: Path, folder: Path) -> None:
    """A package with the Python sources and the stubs, for what reads it without importing."""
    package = folder / "heddle"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.iterdir():
        old.unlink()
    for source in (ROOT / "python" / "heddle").iterdir():
        if source.suffix == ".py" or (source / "__init__.py").exists():
            (package / source.name).symlink_to(source)
    (package / "core").symlink_to(stubs.resolve() / "core")


def names(stub: Path) -> list[str]:
    """The public functions and classes of a stub, in its order."""
    tree = ast.parse(stub.read_text())
    found = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    return [*dict.fromkeys(found)]


def header_topics() -> dict[str, str]:
    """The topic of every name that a C++ header declares."""
    of_header = {header: topic for topic, headers in TOPICS.items() for header in headers}
    found: dict[str, str] = {}
    for header in sorted(INCLUDE.rglob("*.h")):
        relative = header.relative_to(INCLUDE).as_posix()
        folder, _, name = relative.rpartition("/")
        if folder not in ("", "ops"):
            continue
        topic = of_header.get(relative) or (title(name) if folder else None)
        code = re.sub(r"//.*", "", header.read_text())
        if topic and "\nnamespace heddle {" in code:
            for line in code.splitlines():
                if declared := DECLARED.match(line):
                    found.setdefault(declared[1] or declared[2], topic)
    return found


def title(header: str) -> str:
    stem = header.removesuffix(".h")
    return "Operations: " + SPELT_OUT.get(stem, stem)


def pages(sources: Path) -> dict[str, tuple[str, str]]:
    """The pages by their path: title and Markdown."""
    core = sources / "heddle" / "core"
    topics = header_topics()
    content: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for name in names(core / "__init__.pyi"):
        topic = BESIDE.get(name) or topics.get(name) or "Everything else"
        content.setdefault(topic, []).append(f"::: heddle.core.{name}")
    last = content.pop("Everything else", [])
    result = {
        f"python/{path(topic)}.md": (topic, "\n\n".join([f"# {topic}", *blocks]) + "\n")
        for topic, blocks in content.items()
    }
    for stub in sorted(core.glob("[a-z]*.pyi")):
        result[f"python/{stub.stem}.md"] = (f"mx.{stub.stem}", module(f"heddle.core.{stub.stem}"))
    result |= {f"python/{path(topic)}.md": (topic, module(name)) for topic, name in PACKAGE.items()}
    if last:
        text = "\n\n".join(["# Everything else", *last]) + "\n"
        result["python/everything-else.md"] = ("Everything else", text)
    return result


def path(topic: str) -> str:
    return re.sub(r"\W+", "-", topic.lower())


def module(name: str) -> str:
    return f"# `{name}`\n\n::: {name}\n    options:\n      show_root_heading: false\n"
