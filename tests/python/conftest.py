"""Makes the helpers of this folder importable, and keeps two test processes on two threads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS_PER_TEST = 120
os.environ.setdefault("OMP_NUM_THREADS", "2")

# Whoever starts the tests in the background has them ignore Ctrl-C, and so would programs that they
# start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "faults"))


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


@pytest.fixture(scope="session")
def installed_library(tmp_path_factory):
    """The folder that the C++ library is installed into, and the library in it."""
    build = Path(__file__).resolve().parents[2] / "build" / "release"
    prefix = tmp_path_factory.mktemp("installed")
    if not list(build.glob("libheddle.so*")):
        pytest.fail(f"{build} has no libheddle.so: cmake --build build/release --target heddle")
    subprocess.run(
        ["cmake", "--install", build, "--component", "cpp", "--prefix", prefix],
        check=True,
        capture_output=True,
    )
    return prefix, next(prefix.glob("lib*/**/libheddle.so"))
