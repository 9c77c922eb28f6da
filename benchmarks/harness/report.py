"""The table of a run, as text for the terminal and as a Markdown page."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from .engine import BEFORE, ENGINES, HEDDLE
from .session import Measurement
from .work import BEST, Target


@dataclass
class Verdict:
    """`ratio`: how many times as fast as the peer heddle is; None where one of them is missing."""

    ratio: float | None
    peer: str | None
    share: float | None
    met: bool | None


def verdict(measurement: Measurement, copy_bandwidth: float | None) -> Verdict:
    work, seconds = measurement.work, measurement.seconds
    mine = seconds.get(HEDDLE)
    peers = {name: time for name, time in seconds.items() if name not in (HEDDLE, BEFORE)}
    target = work.target or Target(0.0)
    name = min(peers, key=peers.get, default=None) if target.peer == BEST else target.peer
    share = None
    if mine and work.bytes and copy_bandwidth:
        share = work.bytes / mine / copy_bandwidth
    if mine is None or name not in peers:
        return Verdict(None, name, share, None)
    ratio = peers[name] / mine
    differs = any(text.startswith("heddle ") for text in measurement.mismatches)
    met = ratio >= target.ratio and not differs
    if target.share:
        met = met and share is not None and share >= target.share
    return Verdict(ratio, name, share, met if work.target else None)


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def rate(measurement: Measurement, seconds: float | None) -> str:
    work = measurement.work
    if not seconds:
        return "-"
    if work.flops:
        return f"{work.flops / seconds / 1e9:.0f} GF/s"
    return f"{work.bytes / seconds / 1e9:.1f} GB/s" if work.bytes else "-"


def change(measurement: Measurement) -> str:
    """The time of the build before over that of this one: above 1 it has become faster."""
    now, before = (measurement.seconds.get(name) for name in (HEDDLE, BEFORE))
    return f"{before / now:.2f}" if now and before else "-"


def copy_bandwidth(measurements: list[Measurement]) -> float | None:
    for measurement in measurements:
        work = measurement.work
        if work.target is None and not work.watched and measurement.seconds:
            return measurement.work.bytes / min(measurement.seconds.values())
    return None


def rows(measurements: list[Measurement], engines: list[str]) -> list[list[str]]:
    bandwidth = copy_bandwidth(measurements)
    speaker = HEDDLE if HEDDLE in engines else None
    head = ["work", *engines, f"rate of {speaker or 'the best'}", "copy share", "ratio", "target"]
    compared = BEFORE in engines
    table = [[*head, "", *(["before / now"] if compared else [])]]
    for measurement in measurements:
        judged = verdict(measurement, bandwidth)
        best = min(measurement.seconds.values(), default=None)
        shown = measurement.seconds.get(HEDDLE) if speaker else best
        ratio = "-" if judged.ratio is None else f"{judged.ratio:.2f} x {judged.peer}"
        table.append(
            [
                measurement.work.title,
                *(
                    "failed" if e in measurement.failures else duration(measurement.seconds.get(e))
                    for e in engines
                ),
                rate(measurement, shown),
                "-" if judged.share is None else f"{judged.share:.0%}",
                ratio,
                str(measurement.work.target or "-"),
                {True: "met", False: "not met", None: ""}[judged.met],
                *([change(measurement)] if compared else []),
            ]
        )
    return table


def as_text(table: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])


def as_markdown_table(table: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """The vector and matrix extensions that decide which kernels can run."""
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return []
    return [name for name in wanted if name in flags]


def notes(measurements: list[Measurement]) -> list[str]:
    found = []
    for measurement in measurements:
        title = measurement.work.title
        found += [f"{title}: {text}" for text in measurement.mismatches]
        found += [f"{title}: {name} failed: {text}" for name, text in measurement.failures.items()]
    return found


def as_markdown(
    measurements: list[Measurement], engines: list[str], threads: int, command: str, skipped: dict
) -> str:
    bandwidth = copy_bandwidth(measurements)
    sets = ", ".join(instruction_sets())
    versions = ", ".join(f"{name} {ENGINES[name].version()}" for name in engines)
    remarks = [f"- {text}" for text in notes(measurements)]
    remarks += [f"- {name} is missing from this run: {why}" for name, why in skipped.items()]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Best of many runs, interleaved between the engines, each in its own process. A ratio",
            "of 2 means that heddle took half the peer's time. `copy share` is the rate at which",
            "heddle moved the bytes that must be moved, over the copy bandwidth of the same run.",
            "",
            f"- Processor: {processor()} ({sets}), {threads} threads",
            f"- Python {platform.python_version()}; {versions}",
            f"- Copy bandwidth: {bandwidth / 1e9:.1f} GB/s" if bandwidth else "- No copy measured",
            f"- Made by: `{command}`",
            "",
            as_markdown_table(rows(measurements, engines)),
            "",
            *(["## Remarks", "", *remarks, ""] if remarks else []),
        ]
    )


def as_json(measurements: list[Measurement], engines: list[str]) -> list[dict]:
    bandwidth = copy_bandwidth(measurements)
    made = []
    for measurement in measurements:
        judged = verdict(measurement, bandwidth)
        made.append(
            {
                "work": measurement.work.name,
                "target": str(measurement.work.target or ""),
                "seconds": measurement.seconds,
                "runs": measurement.counts,
                "ratio": judged.ratio,
                "peer": judged.peer,
                "copy_share": judged.share,
                "met": judged.met,
                "failures": measurement.failures,
                "mismatches": measurement.mismatches,
            }
        )
    return made
