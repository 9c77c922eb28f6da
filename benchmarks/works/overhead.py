"""What a call costs when the work itself costs nothing: tiny ops, first calls, the import."""

import itertools
import subprocess
import sys
import time

import numpy as np
from harness.work import Step, Target, Work, normal

REPEATS = 1000
TINY = normal((4,), (4,))


def as_result(dialect):
    return lambda value: [dialect.numpy(value)]


def mlx_tiny_add(dialect, inputs):
    mx = dialect.core
    a, b = (dialect.array(value) for value in inputs)
    mx.eval(a, b)

    def run():
        add, evaluate = mx.add, mx.eval
        for _ in range(REPEATS):
            c = add(a, b)
            evaluate(c)
        return c

    return Step(run, as_result(dialect))


def eager_tiny_add(dialect, inputs):
    a, b = (dialect.array(value) for value in inputs)

    def run():
        add = dialect.library.add
        for _ in range(REPEATS):
            c = add(a, b)
        return c

    return Step(run, as_result(dialect))


def jax_tiny_add(dialect, inputs):
    a, b = (dialect.array(value) for value in inputs)
    add = dialect.jax.jit(dialect.library.add)

    def run():
        for _ in range(REPEATS):
            c = add(a, b)
        return dialect.jax.block_until_ready(c)

    return Step(run, as_result(dialect))


def chained(dialect, inputs):
    """c = c + b, a thousand times; lazy engines evaluate once at the end."""
    a, b = (dialect.array(value) for value in inputs)
    finish = getattr(dialect, "core", None)

    def run():
        c = a
        for _ in range(REPEATS):
            c = c + b
        if finish is not None:
            finish.eval(c)
        return c

    return Step(run, as_result(dialect))


def jax_chained(dialect, inputs):
    a, b = (dialect.array(value) for value in inputs)
    add = dialect.jax.jit(dialect.library.add)

    def run():
        c = a
        for _ in range(REPEATS):
            c = add(c, b)
        return dialect.jax.block_until_ready(c)

    return Step(run, as_result(dialect))


def fresh_constant():
    """Constants that no earlier run of any process used: an engine that caches compiled code by
    its text (MLX does, on disk) must compile again. The first one is fixed: its result is checked.
    """
    yield 0.5
    seed = time.time_ns() % 1_000_003
    for count in itertools.count():
        yield 0.5 + (seed + count) * 1e-7


def first_call(dialect, inputs):
    x = dialect.array(inputs[0])
    constants = fresh_constant()
    lib = dialect.library
    compile_function = dialect.jax.jit if hasattr(dialect, "jax") else dialect.core.compile
    finish = dialect.jax.block_until_ready if hasattr(dialect, "jax") else dialect.core.eval

    def run():
        constant = next(constants)

        def function(x):
            z = lib.exp(-x * constant) + x
            z = lib.tanh(z * z + 1.0)
            return lib.abs(z - constant) * (x + 0.25) / 3.0

        value = compile_function(function)(x)
        finish(value)
        return value

    return Step(run, as_result(dialect))


def importer(dialect, inputs):
    command = [sys.executable, "-c", f"import {dialect.module}"]
    return Step(lambda: subprocess.run(command, check=True), lambda value: [np.zeros(1)])


WORKS = [
    Work(
        name="tiny_add",
        title="one add of 4 floats, built and evaluated",
        target=Target(0.5, "torch"),
        inputs=TINY,
        prepare={
            "mlx": mlx_tiny_add,
            "torch": eager_tiny_add,
            "jax": jax_tiny_add,
            "numpy": eager_tiny_add,
        },
        operations=REPEATS,
    ),
    Work(
        name="tiny_chain",
        title="an add in a chain of 1,000",
        target=Target(1.0, "torch"),
        inputs=TINY,
        prepare={"mlx": chained, "torch": chained, "jax": jax_chained, "numpy": chained},
        operations=REPEATS,
        # A thousand roundings on the way to values near a thousand.
        tolerance=1e-4,
    ),
    Work(
        name="first_call",
        title="first call of a compiled 10-op function",
        target=Target(10.0, "jax"),
        inputs=normal((1024,)),
        prepare={"mlx": first_call, "jax": first_call},
    ),
    Work(
        name="import",
        title="import in a fresh process, with the interpreter's start",
        target=Target(1.0 / 3.0, "mlx"),
        prepare=dict.fromkeys(("mlx", "torch", "jax", "numpy"), importer),
    ),
]
