"""The command ``heddle``, also ``python -m heddle``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import runpy
import sys

EXIT_DIFFERENT = 3
EXIT_UNREADABLE = 4


def _fail(message: str, hint: str) -> int:
    print(f"heddle: {message}\nhint: {hint}", file=sys.stderr)
    return EXIT_UNREADABLE


def _module_exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def run(options: argparse.Namespace) -> int:
    """Run a program for MLX with heddle in the place of MLX."""
    from . import mlx

    mlx.install()
    program = options.program
    sys.argv = [program, *options.arguments]
    # The first place to import from is what it would be if Python ran the program itself.
    start = "" if options.module else os.path.dirname(os.path.realpath(program))
    if not sys.flags.safe_path:
        sys.path[0] = start

    if options.module:
        if not _module_exists(program):
            return _fail(f"no module named {program!r}", "a file is run without -m")
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        if not os.path.exists(program):
            return _fail(f"cannot find the file {program!r}", "a module is run with -m")
        runpy.run_path(program, run_name="__main__")
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Say what of the installed MLX heddle has. 3 if anything is missing or differs."""
    from . import surface

    try:
        entries = surface.compare()
    except ModuleNotFoundError as error:
        return _fail(f"cannot import {error.name}", "pip install 'mlx[cpu]' brings what to compare")
    if options.samples:
        folder = pathlib.Path(options.samples)
        if not (folder / "samples").is_dir():
            return _fail(
                f"no sample inputs in {options.samples!r}", "they lie in heddle's tests/python"
            )
        surface.add_samples(entries, folder)
    if options.json:
        print(json.dumps(surface.as_json(entries), indent=1))
    else:
        print(surface.as_text(entries))
    same = all(entry.status not in ("missing", "differs") for entry in entries)
    return 0 if same else EXIT_DIFFERENT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="heddle", description="A tensor engine that speaks MLX.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "run",
        help="run a program for MLX on heddle",
        description="Run a program with 'import mlx...' giving heddle's modules.",
    )
    command.add_argument(
        "-m", dest="module", action="store_true", help="PROGRAM is the name of a module"
    )
    command.add_argument("program", metavar="PROGRAM", help="a Python file, or a module with -m")
    command.add_argument(
        "arguments", metavar="...", nargs=argparse.REMAINDER, help="arguments for the program"
    )
    command.set_defaults(function=run)

    command = commands.add_parser(
        "inspect",
        help="say what heddle has of the installed MLX",
        description="List the public names of the installed MLX that heddle lacks or differs in.",
    )
    command.add_argument("--mlx-surface", action="store_true", required=True, help="MLX's names")
    command.add_argument("--samples", metavar="FOLDER", help="also run the samples of tests/python")
    command.add_argument("--json", action="store_true", help="every name, as JSON")
    command.set_defaults(function=inspect)
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())
