"""The commands of ``heddle``.

Every listing has ``--json``. Errors are one line and a hint on stderr; the exit code is 0 where all
is well, 1 for what heddle refuses, 2 for wrong usage, 3 for results that differ, 4 for a file that
cannot be read or is unsafe.
"""

from __future__ import annotations

import argparse

from . import devices, inspect, run
from .messages import Failure, tell


class _Version(argparse.Action):
    """Prints the version: of the engine, which is loaded only then."""

    def __call__(self, parser, namespace, values, option_string=None):
        from .. import __version__

        print(f"heddle {__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="heddle", description="A tensor engine that speaks MLX.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print heddle's version")
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
    command.set_defaults(function=run.run)

    command = commands.add_parser(
        "inspect",
        help="say what is in a file, or what heddle has of the installed MLX",
        description="Say what is in a file of arrays or functions: its kind, its tensors or graph, "
        "sizes, risks. Nothing in the file is executed and no data is read.",
    )
    command.add_argument("file", metavar="FILE", nargs="?", help="the file")
    command.add_argument(
        "--mlx-surface",
        action="store_true",
        help="list the public names of the installed MLX that heddle lacks or differs in",
    )
    command.add_argument(
        "--samples", metavar="FOLDER", help="with --mlx-surface: also run the samples of the tests"
    )
    command.add_argument("--json", action="store_true", help="everything, as JSON")
    command.set_defaults(function=inspect.inspect, parser=command)

    command = commands.add_parser(
        "devices",
        help="list what heddle computes on",
        description="List the devices with their cores, threads and memory.",
    )
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(function=devices.devices)
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.function(options)
    except Failure as failure:
        return tell(failure)
