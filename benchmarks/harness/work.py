"""What a benchmark is: a piece of work that several engines do with the same inputs.

A work states its computation once per dialect (`mlx` serves heddle and MLX alike) or once for all
when the names agree. What needs more than "call a function on arrays" gives a `prepare` instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BEST = "best peer"


@dataclass(frozen=True)
class Target:
    """heddle must be `ratio` times as fast as `peer`, and reach `share` of copy bandwidth."""

    ratio: float
    peer: str = BEST
    share: float = 0.0

    def __str__(self) -> str:
        text = f"{self.ratio:.2g} x {self.peer}"
        return f"{text}, {self.share:.0%} of copy" if self.share else text


@dataclass
class Step:
    """One engine ready to do one work: `run` does it once and waits, `result` is what it gave."""

    run: Callable[[], Any]
    result: Callable[[Any], list[np.ndarray]]


@dataclass(frozen=True)
class Work:
    """`operations`: how many units one run does, so that times are per unit (one op of a chain).

    `flops` and `bytes` are per unit; `bytes` counts what must be read and written at least once.
    `watched`: no peer is of interest, only a build before; run beside one, or by name.
    """

    name: str
    title: str
    target: Target | None
    inputs: Callable[[np.random.Generator], list[np.ndarray]] = lambda rng: []
    functions: Callable | dict[str, Callable] = field(default_factory=dict)
    prepare: dict[str, Callable] = field(default_factory=dict)
    compiled: bool = False
    dtype: str = "float32"
    flops: float = 0.0
    bytes: float = 0.0
    operations: int = 1
    tolerance: float = 1e-5
    needs_cpu: tuple[str, ...] = ()
    watched: bool = False

    def dialects(self) -> set[str]:
        if callable(self.functions):
            return {"mlx", "torch", "jax"} | set(self.prepare)
        return set(self.functions) | set(self.prepare)

    def function(self, dialect: str) -> Callable:
        return self.functions if callable(self.functions) else self.functions[dialect]


def normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[np.ndarray]]:
    """Inputs: standard normal float32 arrays of these shapes."""
    return lambda rng: [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
