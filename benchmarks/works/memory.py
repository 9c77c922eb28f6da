"""Copy bandwidth: the yardstick for every memory-bound line of the same run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from harness.work import Step, Work

ELEMENTS = 1 << 24
COPY = "copy"


def torch_copy(dialect, inputs):
    source = dialect.array(inputs[0])
    target = dialect.library.empty_like(source)
    return Step(lambda: target.copy_(source), lambda value: [value.numpy()])


def numpy_copy(dialect, inputs):
    """Two halves in two threads: NumPy releases the interpreter's lock while it copies."""
    source, target = inputs[0], np.empty_like(inputs[0])
    halves = [slice(0, ELEMENTS // 2), slice(ELEMENTS // 2, ELEMENTS)]
    pool = ThreadPoolExecutor(len(halves))

    def run():
        list(pool.map(lambda half: np.copyto(target[half], source[half]), halves))
        return target

    return Step(run, lambda value: [value])


WORKS = [
    Work(
        name=COPY,
        title="copy 16 M f32 into an existing buffer",
        target=None,
        inputs=lambda rng: [rng.standard_normal(ELEMENTS, dtype=np.float32)],
        prepare={"torch": torch_copy, "numpy": numpy_copy},
        bytes=8.0 * ELEMENTS,
    )
]
