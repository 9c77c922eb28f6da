"""``heddle run``: a program for MLX with heddle in the place of MLX."""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys

from .messages import Failure


def _module_exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def run(options: argparse.Namespace) -> int:
    from .. import mlx

    mlx.install()
    program = options.program
    sys.argv = [program, *options.arguments]
    # The first place to import from is what it would be if Python ran the program itself.
    start = "" if options.module else os.path.dirname(os.path.realpath(program))
    if not sys.flags.safe_path:
        sys.path[0] = start

    if options.module:
        if not _module_exists(program):
            raise Failure(f"no module named {program!r}", "a file is run without -m")
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        if not os.path.exists(program):
            raise Failure(f"cannot find the file {program!r}", "a module is run with -m")
        runpy.run_path(program, run_name="__main__")
    return 0
