"""How a sample input is written: a public function, its arguments, and what may be asked of it.

`Arr` stands for an array argument that a seeded generator fills; everything else is passed as is
(`Name` becomes an attribute of the module, as in `Name("float16")`). One sample serves many dtypes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines import FLOATS, INTEGERS, NUMPY, UNSIGNED, reference, to_engine

FLOATING = {*FLOATS, "complex64"}


@dataclass(frozen=True)
class Name:
    """An attribute of the module under test, such as a dtype."""

    name: str


@dataclass(frozen=True)
class Arr:
    """An array argument. `view` is "", "transposed", "strided" or "broadcast"."""

    shape: tuple[int, ...] = (3, 4)
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None
    view: str = ""
    distinct: bool = False
    special: bool = False
    values: tuple | None = None
    diff: bool = True

    def numpy(self, rng: np.random.Generator, dtype: str) -> np.ndarray:
        """The values, rounded to the dtype; a view's values are those of the array it views."""
        dtype = self.dtype or dtype
        shape = self.stored_shape()
        if self.values is not None:
            return np.array(self.values).astype(NUMPY[dtype]).reshape(shape)
        if dtype == "bool_":
            return rng.random(shape) < 0.5
        low = max(self.low, 0.0) if dtype in UNSIGNED else self.low
        if self.distinct:
            drawn = rng.permutation(int(np.prod(shape))).reshape(shape) - (
                0 if dtype in UNSIGNED else int(np.prod(shape)) // 2
            )
        elif dtype in INTEGERS:
            drawn = rng.integers(int(np.ceil(low)), int(np.floor(self.high)) + 1, shape)
        else:
            drawn = rng.uniform(low, self.high, shape)
        if dtype == "complex64":
            drawn = drawn + 1j * rng.uniform(low, self.high, shape)
        drawn = np.asarray(drawn).astype(NUMPY[dtype])
        if self.special and dtype in FLOATING and drawn.size >= 4:
            drawn.reshape(-1)[:4] = (np.nan, np.inf, -np.inf, -0.0)
        return drawn

    def stored_shape(self) -> tuple[int, ...]:
        if self.view == "transposed":
            return self.shape[::-1]
        if self.view == "strided":
            return tuple(2 * size + 1 for size in self.shape)
        if self.view == "broadcast":
            return (1, *self.shape[1:])
        return self.shape

    def seen(self, module: Any, stored: Any) -> Any:
        """The view of the stored array that the function gets."""
        if self.view == "transposed":
            return module.transpose(stored)
        if self.view == "strided":
            return stored[tuple(slice(1, None, 2) for _ in self.shape)]
        if self.view == "broadcast":
            return module.broadcast_to(stored, self.shape)
        return stored


@dataclass(frozen=True)
class Sample:
    """One call.

    `call` replaces `getattr(module, function)` (a method, an operator, an index expression).
    `truth` is a NumPy function of the same arguments in float64 that decides about values where
    MLX's own are not exact enough; "numpy" takes the function of the same name.
    `length`: how many terms a result sums, which widens the tolerance by its root.
    `grad`, `vmap`, `compiled` are False where the question has no meaning (integers, random).
    `exact`: results are equal to the reference bit for bit.
    `check`: "values"; "shape" where MLX's values are no judge; "truth" where MLX itself may hang
    or crash (it loops forever on some reductions of nothing), so that only `truth` judges.
    """

    function: str
    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = FLOATS
    label: str = ""
    call: Callable | None = None
    truth: Callable | str | None = None
    length: int = 1
    tolerance: dict[str, float] = field(default_factory=dict)
    grad: bool = True
    vmap: bool = True
    compiled: bool = True
    shapeless: bool = True
    exact: bool = False
    check: str = "values"

    def name(self) -> str:
        return f"{self.function}-{self.label}" if self.label else self.function

    def arrays(self) -> list[Arr]:
        return [leaf for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, Arr)]

    def draw(self, dtype: str, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng([seed, *self.name().encode()])
        return [arr.numpy(rng, dtype) for arr in self.arrays()]

    def function_of(self, module: Any) -> Callable:
        """The call as a function of the stored arrays alone."""
        call = self.call
        if call is None:
            target = module
            for part in self.function.split("."):
                target = getattr(target, part)
        else:

            def target(*args, **kwargs):
                return call(module, *args, **kwargs)

        def run(*stored):
            supply = iter(stored)

            def resolve(leaf):
                if isinstance(leaf, Arr):
                    return leaf.seen(module, next(supply))
                return getattr(module, leaf.name) if isinstance(leaf, Name) else leaf

            args, kwargs = mapped(resolve, (self.args, self.kwargs))
            return target(*args, **kwargs)

        return run

    def engine_arrays(self, module: Any, drawn: list[np.ndarray]) -> list:
        return [to_engine(module, value) for value in drawn]

    def expected(self, drawn: list[np.ndarray]) -> Any:
        """What `truth` says, in float64 (integers stay as they are)."""
        function = getattr(np, self.function) if self.truth == "numpy" else self.truth
        wide = [
            value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
            if value.dtype.kind not in "iub"
            else value
            for value in drawn
        ]
        supply = iter(wide)

        def resolve(leaf):
            return leaf.seen(np, next(supply)) if isinstance(leaf, Arr) else leaf

        args, kwargs = mapped(resolve, (self.args, self.kwargs))
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)


def leaves(tree: Any):
    """The leaves of nested tuples, lists and dicts, in order."""
    if isinstance(tree, (tuple, list)):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from leaves(part)
    else:
        yield tree


def mapped(function: Callable, tree: Any) -> Any:
    """The tree with `function` applied to its leaves, in the order of `leaves`."""
    if isinstance(tree, (tuple, list)):
        return type(tree)(mapped(function, part) for part in tree)
    if isinstance(tree, dict):
        return {key: mapped(function, part) for key, part in tree.items()}
    return function(tree)


def in_mlx(function: str) -> bool:
    target = reference
    for part in function.split("."):
        target = getattr(target, part, None)
    return target is not None


def sample(function: str, *args: Any, kw: dict[str, Any] | None = None, **options: Any) -> Sample:
    """Of a function that MLX lacks `truth` alone judges: NumPy's of the same name, if not given."""
    if "call" not in options and not in_mlx(function):
        options["check"] = "truth"
        options["truth"] = options.get("truth") or "numpy"
    return Sample(function, args, kw or {}, **options)
