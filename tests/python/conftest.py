"""Makes the helpers of this folder importable, and keeps two test processes on two threads."""

import os
import signal
import sys
from pathlib import Path

import pytest

SECONDS_PER_TEST = 120
os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).parent))


def end_test(number, frame):
    pytest.fail(f"took more than {SECONDS_PER_TEST} s")


@pytest.fixture(autouse=True)
def end_what_hangs():
    """A test that takes too long fails. One that hangs inside the engine, where Python answers no
    signal, is ended with its process by pytest's faulthandler (pyproject.toml)."""
    signal.signal(signal.SIGALRM, end_test)
    signal.alarm(SECONDS_PER_TEST)
    yield
    signal.alarm(0)
