"""Each single allocation of the engine fails in turn: an error, and what runs afterwards is right.

Little memory (test_little_memory.py) meets large allocations; small ones, as those of arguments and
nodes, it meets by chance. Here every sample of every function meets all of them.
"""

import os
import subprocess
from pathlib import Path

import pytest
from program import HELPERS, run

HERE = Path(__file__).parent
PROGRAM = """
import ctypes, sys

sys.path.insert(0, sys.argv[1])
from checks import flatten, structure
from engines import mx, to_engine
from samples import SAMPLES

fail_after, has_failed = ctypes.CDLL(None).fail_after, ctypes.CDLL(None).has_failed
fail_after.argtypes, has_failed.restype = [ctypes.c_long], ctypes.c_bool
way, part, parts = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
tried = refused = failures = 0
for sample in SAMPLES[part::parts]:
    if way == "gradient" and not sample.grad or way == "compiled" and not sample.compiled:
        continue
    dtype = sample.dtypes[0]
    stored = [to_engine(mx, value, arr.dtype or dtype)
              for value, arr in zip(sample.draw(dtype), sample.arrays())]
    function = sample.function_of(mx)

    def work():
        if way == "gradient":
            result = mx.vjp(function, stored, cotangents)
        else:
            result = (mx.compile(function) if way == "compiled" else function)(*stored)
        mx.eval([leaf for leaf in flatten(result) if isinstance(leaf, mx.array)])
        return result

    print(sample.name(), flush=True)  # the last one is the one that ended the process
    try:
        cotangents = [mx.ones_like(leaf) for leaf in flatten(function(*stored))
                      if isinstance(leaf, mx.array)]
        wanted = work()
    except ValueError:
        refused += 1  # as it should be: other tests see to it
        continue
    n = 0
    while True:
        fail_after(n)
        error = None
        try:
            work()
        except Exception as raised:
            error = raised
        failed = has_failed()
        fail_after(-1)
        if not failed:
            assert error is None, error
            break
        if error is not None:
            assert isinstance(error, MemoryError) or "memory" in str(error), repr(error)
            failures += 1
        n += 1
    tried += 1
    assert structure(work()) == structure(wanted)
print(tried, refused, failures)
"""


@pytest.fixture(scope="module")
def failing_new(tmp_path_factory):
    library = tmp_path_factory.mktemp("failing") / "failing_new.so"
    command = ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", HERE / "failing_new.cpp", "-ldl"]
    subprocess.run([*command, "-o", library], check=True)
    return library


@pytest.mark.parametrize(
    "way, part, parts",
    [
        *(("called", part, 4) for part in range(4)),
        ("compiled", 0, 5),
        ("gradient", 3, 7),
    ],
)
def test_an_allocation_that_fails_is_an_error(failing_new, way, part, parts):
    environment = {"LD_PRELOAD": os.fspath(failing_new)}
    written = run(PROGRAM, HELPERS, way, part, parts, environment=environment).splitlines()
    tried, refused, failures = map(int, written[-1].split())
    assert tried + refused == len(written) - 1 and refused < 0.1 * tried
    assert failures > 10 * tried
