"""Trees without end: containers that contain themselves, or are deeper than any stack."""

import subprocess
import sys
from pathlib import Path

import pytest

from engines import IS_HEDDLE

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX crashes")

PROGRAM = Path(__file__).with_name("trees_without_end.py")


@pytest.mark.parametrize("part", ["takers", "everything", "modules"])
def test_trees_without_end(part):
    run = subprocess.run(
        [sys.executable, PROGRAM, part], capture_output=True, text=True, timeout=110
    )
    assert run.returncode == 0, f"exit status {run.returncode}: {run.stderr[-2000:]}"
    assert run.stdout == "done\n"
