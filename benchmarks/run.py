"""Runs heddle beside its peers: `python benchmarks/run.py [--only name,...] [--engines a,b]`.

Prints a table with the ratio that each line must reach; `--json` and `--markdown` store it. With
`--before` it also runs the watched works, which have no peers: small calls and single functions.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import works
from harness import report
from harness.engine import BEFORE, ENGINES
from harness.session import Session
from harness.work import Work


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of works, or their beginnings")
    parser.add_argument(
        "--engines",
        default=",".join(name for name in ENGINES if name != BEFORE),
        help="which engines to run",
    )
    parser.add_argument(
        "--before", type=Path, help="also run another build of heddle, the package in this folder"
    )
    parser.add_argument("--rounds", type=int, default=8, help="turns that each engine gets")
    parser.add_argument("--seconds", type=float, default=1.5, help="time per work and engine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also store the figures here")
    parser.add_argument("--markdown", type=Path, help="also store the table here")
    parser.add_argument("--list", action="store_true", help="print the names of the works")
    return parser.parse_args()


def chosen_works(text: str, watched: bool) -> list[Work]:
    """Those of the names in `text`, or that begin with one that is no work's own; else all, the
    watched ones only if asked for.
    """
    wanted = [name for name in text.split(",") if name]
    for name in wanted:
        if not any(work.startswith(name) for work in works.WORKS):
            sys.exit(f"run.py: no work begins with '{name}'; --list prints them all")

    def is_chosen(name: str) -> bool:
        return any(name == w if w in works.WORKS else name.startswith(w) for w in wanted)

    return [
        work
        for name, work in works.WORKS.items()
        # The copy gives the yardstick, so it is always measured.
        if (name == works.memory.COPY)
        or (is_chosen(name) if wanted else watched or not work.watched)
    ]


def chosen_engines(text: str) -> tuple[list[str], dict[str, str]]:
    present, skipped = [], {}
    for name in [part for part in text.split(",") if part]:
        if name not in ENGINES:
            sys.exit(f"run.py: unknown engine '{name}'; known are {', '.join(ENGINES)}")
        missing = ENGINES[name].missing()
        if missing:
            skipped[name] = missing
        else:
            present.append(name)
    return present, skipped


def supported(work: Work) -> bool:
    return not work.needs_cpu or bool(set(work.needs_cpu) & set(report.instruction_sets()))


def main() -> None:
    options = arguments()
    if options.list:
        print("\n".join(f"{work.name:16} {work.title}" for work in works.WORKS.values()))
        return
    engines, skipped = chosen_engines(options.engines)
    if options.before:
        engines.append(BEFORE)
    for name, why in skipped.items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    if not engines:
        sys.exit("run.py: none of the engines asked for is installed")
    session = Session(engines, options.threads, options.rounds, options.seconds, options.before)
    measurements = []
    for work in chosen_works(options.only, options.before is not None):
        if not supported(work):
            print(f"skipped {work.name}: needs one of {', '.join(work.needs_cpu)}", file=sys.stderr)
            continue
        print(f"{work.title} ...", file=sys.stderr, flush=True)
        measurements.append(session.measure(work))
    session.close()
    print(report.as_text(report.rows(measurements, engines)))
    for remark in report.notes(measurements):
        print(f"note: {remark}")
    if options.json:
        options.json.write_text(json.dumps(report.as_json(measurements, engines), indent=1) + "\n")
    if options.markdown:
        command = " ".join(["python", "benchmarks/run.py", *sys.argv[1:]])
        text = report.as_markdown(measurements, engines, options.threads, command, skipped)
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
