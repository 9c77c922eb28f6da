"""The command ``heddle``, also ``python -m heddle``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys

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
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())
