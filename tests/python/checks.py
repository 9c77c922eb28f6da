"""Comparing results: containers, dtypes, shapes and values, with the tolerances of each dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines import COMPLEX, FLOATS, IS_HEDDLE, dtype_name, mx, reference, to_numpy

# Relative errors of kernels; sums of K terms add 1e-6 sqrt(K) in float32.
TOLERANCE = {
    "float64": 1e-12,
    "float32": 2e-6,
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "complex64": 4e-6,
}
GRADIENT_TOLERANCE = {"float64": 1e-5, "float32": 2e-3, "float16": 1e-2, "bfloat16": 1e-1}
ARRAYS = (mx.array, reference.array)


def tolerance(dtype: str, length: int = 1, overrides: dict[str, float] | None = None) -> float:
    """The allowed relative error of a result of this dtype."""
    if overrides and dtype in overrides:
        return overrides[dtype]
    if dtype == "float64" and not IS_HEDDLE:
        dtype = "float32"  # MLX evaluates float64 functions by float32 polynomials.
    allowed = TOLERANCE[dtype]
    if not IS_HEDDLE:
        allowed *= 4  # MLX's own error, where a test is checked against MLX.
    return allowed + 1e-6 * math.sqrt(length) * (dtype in ("float32", "complex64") and length > 1)


def flatten(tree: Any) -> list[Any]:
    """The leaves of a result."""
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in flatten(part)]
    return [tree]


def structure(tree: Any) -> Any:
    """Containers, dtypes and shapes, without values."""
    if isinstance(tree, (tuple, list)):
        return (type(tree).__name__, *map(structure, tree))
    if isinstance(tree, ARRAYS):
        return f"{dtype_name(tree.dtype)}{list(tree.shape)}"
    return type(tree).__name__


def wide(value: Any) -> np.ndarray:
    """Values as float64, complex128 or exact integers."""
    array = to_numpy(value) if isinstance(value, ARRAYS) else np.asarray(value)
    if array.dtype.kind == "c":
        return array.astype(np.complex128)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def differing(given: np.ndarray, wanted: np.ndarray, allowed: float, floor: float) -> str | None:
    """What differs beyond `allowed` relative to each value, or to `floor` of the largest."""
    if given.shape != wanted.shape:
        return f"shape {given.shape}, wanted {wanted.shape}"
    finite = np.isfinite(wanted)
    scale = float(np.abs(wanted[finite]).max(initial=0.0))
    with np.errstate(all="ignore"):
        near = np.abs(given - wanted) <= allowed * (np.abs(wanted) + floor * scale)
        same = (given == wanted) | ((given != given) & (wanted != wanted))
        wrong = ~np.where(finite, near | same, same)
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} values, first at {where}: "
        f"{given[where]!r}, wanted {wanted[where]!r}"
    )


def value_difference(
    given: Any, wanted: Any, dtype: str, length: int = 1, overrides: dict | None = None
) -> str | None:
    """Compare one leaf by the tolerance of the given dtype; integers exactly."""
    given, wanted = wide(given), wide(wanted)
    if given.dtype.kind not in "fc":
        if wanted.dtype.kind in "fc":
            wanted = wanted.astype(given.dtype)
        return None if np.array_equal(given, wanted) else f"{given!r}, wanted {wanted!r}"
    # float64 truth overflows where the narrow dtype must: compare what the dtype can hold.
    if dtype in ("float16", "float32"):
        with np.errstate(over="ignore"):
            wanted = wanted.astype(dtype).astype(np.float64) if wanted.dtype.kind == "f" else wanted
    floor = 1.0 if length > 1 else 0.1
    return differing(given, wanted, tolerance(dtype, length, overrides), floor)


def bits_difference(given: Any, wanted: Any) -> str | None:
    """Equality bit for bit; any NaN equals any NaN."""
    given, wanted = wide(given), wide(wanted)
    same = given.shape == wanted.shape and np.array_equal(
        given, wanted, equal_nan=given.dtype.kind in "fc"
    )
    if same and given.dtype.kind == "f":
        same = np.array_equal(np.signbit(given), np.signbit(wanted)) or bool(
            np.isnan(given[np.signbit(given) != np.signbit(wanted)]).all()
        )
    return None if same else f"{given!r} is not {wanted!r}"


def outcome(call, *args):
    """The result of a call, evaluated, or the exception it raised."""
    try:
        result = call(*args)
        for leaf in flatten(result):
            if isinstance(leaf, mx.array):
                mx.eval(leaf)
            elif isinstance(leaf, reference.array):
                reference.eval(leaf)
        return result, None
    except Exception as error:
        return None, error


def described(value: Any) -> Any:
    """A result in plain Python: containers, types, dtypes, shapes and exact values."""
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *map(described, value))
    if isinstance(value, dict):
        return {key: described(part) for key, part in value.items()}
    if isinstance(value, ARRAYS):
        return (dtype_name(value.dtype), value.shape, repr(to_numpy(value).tolist()))
    if isinstance(value, np.ndarray):
        return ("numpy", value.dtype.name, value.shape, repr(value.tolist()))
    if isinstance(value, float):
        return ("float", repr(value))
    if value is None or isinstance(value, (bool, int, complex, str, bytes)):
        return (type(value).__name__, value)
    return repr(value).replace("heddle.core", "mlx.core")


def assert_agrees(call: Any, like: str = "") -> None:
    """`call(module)` gives the same under heddle and MLX, or raises the same kind of exception.

    `like`: a piece of text that both exceptions must say.
    """
    given, error = outcome(call, mx)
    wanted, refusal = outcome(call, reference)
    if refusal is not None:
        assert error is not None, f"gave {given!r} where MLX raises {refusal!r}"
        # std::bad_cast is how MLX says that nobody thought of it: any clear error serves.
        accident = "bad_cast" in str(refusal) and isinstance(error, (ValueError, TypeError))
        assert accident or isinstance(error, type(refusal)), f"raised {error!r}, MLX {refusal!r}"
        assert like in str(error), f"says {error}, not {like}"
        return
    if error is not None:
        raise error
    assert not like, f"MLX raised nothing, and gave {wanted!r}"
    assert described(given) == described(wanted)


def value_problem(sample, dtype: str) -> str | None:
    """What is wrong with the value of a sample, or with its error: beside MLX's, or the truth."""
    drawn = sample.draw(dtype)
    given, error = outcome(sample.function_of(mx), *sample.engine_arrays(mx, drawn))
    if sample.check == "truth":
        if error is not None:
            return repr(error)
        return sample_difference(sample, dtype, given, sample.expected(drawn))
    wanted, refusal = outcome(
        sample.function_of(reference), *sample.engine_arrays(reference, drawn)
    )
    has_truth = sample.truth is not None and dtype in (*FLOATS, *COMPLEX)
    if refusal is not None:
        if error is None and has_truth:
            return sample_difference(sample, dtype, given, sample.expected(drawn))
        if error is None:
            return f"gave a result where MLX raises {refusal!r}"
        return None if isinstance(error, type(refusal)) else f"{error!r}, MLX {refusal!r}"
    if error is not None:
        return f"raised {error!r}"
    if structure(given) != structure(wanted):
        return f"{structure(given)}, MLX {structure(wanted)}"
    if sample.check == "shape":
        return None
    judged = sample.expected(drawn) if has_truth else wanted
    return sample_difference(sample, dtype, given, judged)


def sample_difference(sample, dtype: str, given: Any, right: Any) -> str | None:
    """The first difference of a sample's results from what is right."""
    for mine, judge in zip(flatten(given), flatten(right), strict=True):
        if not isinstance(mine, mx.array):
            problem = None if mine == judge else f"{mine!r}, wanted {judge!r}"
        elif sample.exact:
            problem = bits_difference(mine, judge)
        else:
            # Halves may be rounded before a result widens.
            bound = dtype if dtype in ("float16", "bfloat16") else dtype_name(mine.dtype)
            problem = value_difference(mine, judge, bound, sample.length, sample.tolerance)
        if problem:
            return problem
    return None
