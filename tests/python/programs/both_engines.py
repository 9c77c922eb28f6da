"""Runs a program for MLX twice, each in a process of its own: under MLX and under heddle."""

import os
import subprocess
import sys
from pathlib import Path

ENGINES = {
    # Without the variable MLX starts a C++ compiler for each fused function.
    "mlx": ([], {"MLX_DISABLE_COMPILE": "1"}),
    "heddle": (["-m", "heddle", "run"], {}),
}


def run_both(folder: Path, program: Path, arguments, seconds: float = 240) -> dict[str, Path]:
    """Calls `program` with what `arguments(out)` gives, where `out` is an engine's own folder.

    Both run at once; what they print goes to a file beside the folder. An engine that fails or
    takes too long is an AssertionError with the end of that file. Gives the folders by engine.
    """
    folders, processes = {}, []
    for engine, (runner, environment) in ENGINES.items():
        out = folders[engine] = folder / engine
        out.mkdir()
        with open(folder / f"{engine}.log", "w") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *runner, program, *arguments(out)],
                    env={**os.environ, **environment},
                    stdout=log,
                    stderr=log,
                )
            )
    try:
        codes = [process.wait(seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    logs = {engine: (folder / f"{engine}.log").read_text()[-2000:] for engine in ENGINES}
    assert codes == [0, 0], logs
    return folders
