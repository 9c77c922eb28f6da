"""The same code on heddle and on mlx, in one process, with the outcomes compared.

An expression is a string that is evaluated twice, once with ``mx``, ``nn``, ``optim`` and ``utils``
of each of the two. Its outcome is its value, arrays being turned into those of numpy, or its
exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import heddle.core
import mlx.core
import mlx.nn
import mlx.optimizers
import mlx.utils
import numpy as np

import heddle.nn
import heddle.optimizers
import heddle.utils

# MLX starts a C++ compiler for every function that it compiles; that is not what is tested here.
mlx.core.disable_compile()


@dataclass(frozen=True)
class Side:
    mx: ModuleType
    nn: ModuleType
    optim: ModuleType
    utils: ModuleType

    def names(self) -> dict[str, Any]:
        return {"mx": self.mx, "nn": self.nn, "optim": self.optim, "utils": self.utils, "np": np}


HEDDLE = Side(heddle.core, heddle.nn, heddle.optimizers, heddle.utils)
MLX = Side(mlx.core, mlx.nn, mlx.optimizers, mlx.utils)


def draws(*shapes: tuple[int, ...], seed: int = 1) -> list[np.ndarray]:
    """Normally distributed float32 arrays, the same for the same shapes."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype("float32") for shape in shapes]


def plain(value: Any) -> Any:
    """A tree with numpy arrays for arrays and their dtypes beside them, text for modules."""
    if isinstance(value, (HEDDLE.mx.array, MLX.mx.array)):
        dtype = str(value.dtype)
        mx = HEDDLE.mx if isinstance(value, HEDDLE.mx.array) else MLX.mx
        if value.dtype == mx.bfloat16:
            value = value.astype(mx.float32)
        return SimpleNamespace(array=np.array(value), dtype=dtype)
    if isinstance(value, (HEDDLE.mx.Dtype, MLX.mx.Dtype)):
        return str(value)
    if isinstance(value, (HEDDLE.nn.Module, MLX.nn.Module)):
        return repr(value)
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(child) for child in value]
    return value


def same(ours: Any, theirs: Any, tolerance: float, path: str = "result") -> None:
    """Assert that two plain trees are the same, floating point numbers within the tolerance."""
    assert type(ours) is type(theirs), f"{path}: {ours!r} against {theirs!r}"
    if isinstance(ours, SimpleNamespace):
        assert ours.dtype == theirs.dtype, path
        assert ours.array.shape == theirs.array.shape, path
        np.testing.assert_allclose(
            ours.array, theirs.array, rtol=tolerance, atol=tolerance, err_msg=path
        )
    elif isinstance(ours, dict):
        assert set(ours) == set(theirs), path
        for key in ours:
            same(ours[key], theirs[key], tolerance, f"{path}.{key}")
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), path
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(a, b, tolerance, f"{path}.{i}")
    elif isinstance(ours, str):
        assert without_addresses(ours) == without_addresses(theirs), path
    elif isinstance(ours, float):
        assert ours == theirs or abs(ours - theirs) <= tolerance, path
    else:
        assert ours == theirs, path


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def evaluate(side: Side, expression: str, names: Callable[[Side], dict]) -> Any:
    """The value of an expression, or its exception; random numbers start from the same seed."""
    side.mx.random.seed(7)
    try:
        return plain(eval(expression, {**side.names(), **names(side)}))
    except Exception as error:
        return error


def assert_same(
    expression: str,
    names: Callable[[Side], dict] = lambda side: {},
    tolerance: float = 0.0,
    error_text: bool = True,
) -> None:
    """Assert that an expression has the same outcome on both sides.

    Args:
        expression: What to evaluate.
        names: ``names(side)`` makes further names for it.
        tolerance: The relative and absolute tolerance for numbers.
        error_text: Whether the texts of exceptions are to be the same too.
    """
    ours = evaluate(HEDDLE, expression, names)
    theirs = evaluate(MLX, expression, names)
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), f"{ours!r} against {theirs!r}"
        if error_text:
            assert without_addresses(str(ours)) == without_addresses(str(theirs))
        return
    if isinstance(ours, Exception):
        raise ours
    same(ours, theirs, tolerance)
