"""Sorting one million floats."""

import numpy as np
from harness.work import Target, Work

ELEMENTS = 1_000_000


def distinct(rng):
    """Distinct values, so that argsort has one right answer in every engine."""
    return [rng.permutation(ELEMENTS).astype(np.float32)]


WORKS = [
    Work(
        name="sort",
        title="sort 1 M f32",
        target=Target(1.0),
        inputs=distinct,
        functions={
            "mlx": lambda mx, x: mx.sort(x),
            "torch": lambda torch, x: torch.sort(x).values,
            "jax": lambda jnp, x: jnp.sort(x, stable=False),
            "numpy": lambda np, x: np.sort(x),
        },
        tolerance=0.0,
    ),
    Work(
        name="argsort",
        title="argsort 1 M f32",
        target=Target(1.0),
        inputs=distinct,
        functions={
            "mlx": lambda mx, x: mx.argsort(x),
            "torch": lambda torch, x: torch.argsort(x),
            "jax": lambda jnp, x: jnp.argsort(x, stable=False),
            "numpy": lambda np, x: np.argsort(x),
        },
        tolerance=0.0,
    ),
]
