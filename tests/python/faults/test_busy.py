"""A busy machine, and more threads than cores: results stay right, and nothing waits
for ever. (How fast things are then is no test's business; see docs/performance.md.)"""

import os
import subprocess
import sys

import pytest
from program import run

WORK = """
import heddle.core as mx
import numpy as np

def check(seed):
    key = mx.random.key(seed)
    a = mx.random.normal((256, 256), key=key) + 20 * mx.eye(256)
    wide = np.array(a).astype(np.float64)
    def near(found, wanted, bound=1e-3):
        found = np.array(found).astype(np.float64)
        assert np.abs(found - wanted).max() <= bound * np.abs(wanted).max()
    near(a @ a, wide @ wide)
    near(mx.linalg.inv(a), np.linalg.inv(wide))
    near(mx.linalg.solve(a, a[0]), np.linalg.solve(wide, wide[0]))
    near(mx.linalg.svd(a)[1], np.linalg.svd(wide)[1])
    near(mx.linalg.eigh(a + a.T)[0], np.linalg.eigh(wide + wide.T)[0])
    q, r = mx.linalg.qr(a)
    near(q @ r, wide)
    near(mx.linalg.cholesky(a @ a.T), np.linalg.cholesky(wide @ wide.T))
    big = mx.random.normal((1000, 1000), key=key)
    near(mx.sort(big, axis=0), np.sort(np.array(big), axis=0), 0)
    near(big.sum(0), np.array(big).astype(np.float64).sum(0), 1e-4)
    powers = np.array(mx.exp(big))
    near(mx.softmax(big, axis=-1), powers / powers.sum(-1, keepdims=True))
    image = mx.random.normal((2, 32, 32, 8), key=key)
    assert np.isfinite(np.array(mx.conv2d(image, image[:, :3, :3]))).all()
    return [np.array(v).tobytes() for v in (a @ a, mx.linalg.inv(a), mx.sort(big), big.sum())]

print(len({tuple(check(7)) for _ in range(3)}))
"""
SPIN = "import time\nend = time.time() + 100\nwhile time.time() < end: pass"


@pytest.fixture
def busy_machine():
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(2 * os.cpu_count())]
    yield
    for process in spinning:
        process.kill()
        process.wait()


def test_beside_busy_processes(busy_machine):
    assert run(WORK) == "1\n"


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HEDDLE_NUM_THREADS"])
def test_more_threads_than_cores(name):
    assert run(WORK, environment={name: "64"}) == "1\n"


ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
"""
COUNTED = """
import heddle.core as mx
a = mx.random.normal((900, 900))
mx.eval(a @ a, mx.sort(a), mx.linalg.inv(a), mx.exp(a))
print(mx._num_threads(), len(os.listdir("/proc/self/task")))
"""


def test_no_more_threads_than_the_cores_that_are_allowed():
    environment = {"OMP_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "64"}
    assert run(ONE_CORE + COUNTED, environment=environment) == "1 1\n"
    limit, threads = map(int, run("import os\n" + COUNTED, environment=environment).split())
    cores = len(os.sched_getaffinity(0))
    assert limit <= cores and threads <= 2 * cores  # the pool's and OpenBLAS's
    assert run(ONE_CORE + WORK, environment=environment) == "1\n"
    assert run(ONE_CORE + COUNTED, environment={"HEDDLE_NUM_THREADS": "3"}).split()[0] == "3"
