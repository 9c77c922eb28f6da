"""Makes the helpers of this folder importable, and keeps two test processes on two threads."""

import os
import signal
import sys
from pathlib import Path

import pytest

SECONDS_PER_TEST = 60
os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def end_what_hangs():
    """A test that hangs inside the engine ends its process by a signal and is named as crashed."""
    signal.alarm(SECONDS_PER_TEST)
    yield
    signal.alarm(0)
