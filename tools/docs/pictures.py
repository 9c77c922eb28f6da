"""Pictures of the pages as SVG, drawn from what the pages say.

`benchmarks`: the table of docs/benchmarks.md. `graph`: the last text block before the picture, in
the language of export_to_dot.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
ENGINES = {"mlx": "#c2572b", "torch": "#b8860b", "jax": "#2a7f62", "numpy": "#5b6abf"}
SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def draw(name: str, markdown_before: str) -> str:
    """The picture of this name for a page that says this before it."""
    return PICTURES[name](markdown_before)


def svg(width: float, height: float, title: str, parts: list[str]) -> str:
    """A figure in the colours of the page around it."""
    return (
        f'<figure style="width:100%"><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
        f' font-size="12" style="max-width:{width:.0f}px;width:100%" fill="currentColor"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{html.escape(title)}</title>'
        + "".join(parts)
        + "</svg></figure>"
    )


def label(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{html.escape(text)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor"'
        f" {more}/>"
    )


def seconds(cell: str) -> float | None:
    """The time that a cell of the table says, if it says one."""
    found = re.fullmatch(r"([\d.]+) (ns|µs|ms|s)", cell)
    return float(found[1]) * SECONDS[found[2]] if found else None


def measured(text: str) -> list[tuple[str, dict[str, float]]]:
    """The rows of the table of benchmarks with heddle's time: the work, and seconds by engine."""
    table = [
        [cell.strip() for cell in row.strip().strip("|").split("|")]
        for row in text.splitlines()
        if row.startswith("|")
    ]
    head, rows = table[0], table[2:]
    found = []
    for row in rows:
        times = {
            engine: time
            for engine in ("heddle", *ENGINES)
            if (time := seconds(row[head.index(engine)])) is not None
        }
        if "heddle" in times and len(times) > 1:
            found.append((row[0], times))
    return found


def benchmarks(_: str) -> str:
    rows = measured(BENCHMARKS.read_text())
    if not rows:
        raise ValueError(f"{BENCHMARKS} has no table of times")
    ratios = [
        {engine: times[engine] / times["heddle"] for engine in ENGINES if engine in times}
        for _, times in rows
    ]
    least = math.floor(math.log10(min(min(r.values()) for r in ratios)))
    greatest = math.ceil(math.log10(max(max(r.values()) for r in ratios)))
    left, right, top, step = 370.0, 850.0, 60.0, 20.0
    bottom = top + step * len(rows)

    def place(ratio: float) -> float:
        return left + (math.log10(ratio) - least) / (greatest - least) * (right - left)

    parts = []
    for power in range(least, greatest + 1):
        x = place(10.0**power)
        strong = "" if power == 0 else 'stroke-opacity="0.2"'
        parts.append(line(x, top - 12, x, bottom, strong))
        parts.append(label(x, bottom + 16, f"{10.0**power:,g} x", "middle"))
    parts.append(label(place(1.0), top - 18, "heddle", "middle"))
    for i, (engine, colour) in enumerate(ENGINES.items()):
        parts.append(f'<circle cx="{left + 90 * i:.1f}" cy="16" r="5" fill="{colour}"/>')
        parts.append(label(left + 90 * i + 10, 20, engine))
    for i, ((work, _), row) in enumerate(zip(rows, ratios, strict=True)):
        y = top + step * i + 4
        parts.append(label(left - 10, y + 4, work, "end", 'font-size="11"'))
        parts.append(line(left, y, right, y, 'stroke-opacity="0.08"'))
        parts += [
            f'<circle cx="{place(ratio):.1f}" cy="{y:.1f}" r="5" fill="{ENGINES[engine]}">'
            f"<title>{html.escape(f'{work}: {engine} takes {ratio:.3g} x the time')}</title>"
            "</circle>"
            for engine, ratio in row.items()
        ]
    title = (
        "How long other engines take, as multiples of heddle's time; right of the line is slower"
    )
    return svg(880, bottom + 26, title, parts)


NODE = re.compile(r'\{ (\d+) \[label ="([^"]*)"')
ARRAY = re.compile(r'\{ (?:rank=\w+; )?"([^"]+)"; \}')
EDGE = re.compile(r'^("[^"]+"|\d+) -> ("[^"]+"|\d+)$', re.MULTILINE)


def graph(markdown_before: str) -> str:
    """Layers from inputs to outputs: operations as boxes, arrays as plain letters."""
    dot = [*re.finditer(r"^```text\n(.*?)^```$", markdown_before, re.MULTILINE | re.DOTALL)][-1][1]
    names = {number: text for number, text in NODE.findall(dot)}
    arrays = ARRAY.findall(dot)
    edges = [(a.strip('"'), b.strip('"')) for a, b in EDGE.findall(dot)]
    if not edges:
        raise ValueError(f"no graph in {dot!r}")
    depth = dict.fromkeys([*arrays, *names], 0)
    for _ in depth:  # as long as the longest path at most
        for start, end in edges:
            depth[end] = max(depth[end], depth[start] + 1)
    for node in depth:  # inputs stand right above what takes them
        ends = [depth[end] for start, end in edges if start == node]
        if ends and not any(end == node for _, end in edges):
            depth[node] = min(ends) - 1
    layers: dict[int, list[str]] = {}
    for node, layer in depth.items():
        layers.setdefault(layer, []).append(node)
    width, step = 120.0 * max(map(len, layers.values())) + 40, 46.0
    at = {
        node: (width * (i + 1) / (len(nodes) + 1), 24 + step * layer)
        for layer, nodes in layers.items()
        for i, node in enumerate(nodes)
    }
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    parts = [arrow]
    for start, end in edges:
        (x1, y1), (x2, y2) = at[start], at[end]
        parts.append(line(x1, y1 + 13, x2, y2 - 13, 'marker-end="url(#arrow)"'))
    for node, (x, y) in at.items():
        if node in names:
            parts.append(
                f'<rect x="{x - 45:.1f}" y="{y - 13:.1f}" width="90" height="26" rx="3"'
                ' fill="none" stroke="currentColor"/>'
            )
        parts.append(label(x, y + 4, names.get(node, node), "middle"))
    return svg(width, 48 + step * max(layers), "A graph of operations and arrays", parts)


PICTURES: dict[str, Callable[[str], str]] = {"benchmarks": benchmarks, "graph": graph}
