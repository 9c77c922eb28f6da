"""Programs that meet a fault, each in a process of its own."""

import os
import subprocess
import sys

HELPERS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(code: str, *arguments, seconds: float = 100, environment=None, **options) -> str:
    """What a program writes; it has to end by itself, without an error."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **(environment or {})},
        **options,
    )
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
