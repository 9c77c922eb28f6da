"""Bits do not depend on what is fused, in whatever order their memory has the axes of arrays: a
kernel that computes the expression before it reads and adds up as it would what was stored."""

import math

import pytest

import checks
from engines import IS_HEDDLE, mx
from samples import SAMPLES, fast, reduce, scan
from subjects import resized

DTYPE = "float32"
ENOUGH = 1 << 16  # elements from which an expression may be stored after all
FROM_THE_BACK = (lambda n: range(n)[::-1], lambda n: [n - 1, *range(n - 1)])


def laid_out(array, order):
    """The same values, in memory that has the axes in this order."""
    axes = list(order(array.ndim))
    back = [axes.index(axis) for axis in range(array.ndim)]
    return mx.transpose(mx.contiguous(mx.transpose(array, axes)), back)


def twice(array, order, store):
    return store(store(laid_out(array, order) * 0.5) * 2)


def in_two_orders(array, order, store):
    half = store(laid_out(array, FROM_THE_BACK[0]) * 0.5)
    return store(half + store(laid_out(array, order) * 0.5))


def beside_broadcasts(array, order, store):
    column = mx.zeros((*array.shape[:-1], 1))
    zeros = store(column + mx.zeros((array.shape[-1],)))
    return store(laid_out(array, order) - zeros)


def evaluated(array):
    mx.eval(array)
    return array


def difference(function, arrays, expression, order):
    """Between the function of expressions and the function of their stored values."""

    def given(store):
        return [
            expression(array, order, store)
            if array.ndim > 1 and array.dtype == mx.float32
            else array
            for array in arrays
        ]

    fused, error = checks.outcome(function, *given(lambda array: array))
    stored, other_error = checks.outcome(function, *given(evaluated))
    if error or other_error:
        return None if str(error) == str(other_error) else f"{error!r}, stored {other_error!r}"
    for one, other in zip(checks.flatten(fused), checks.flatten(stored), strict=True):
        if isinstance(one, mx.array):
            problem = checks.bits_difference(one, other)
            if problem:
                return problem
    return None


def enlarged(arrays):
    most = max(array.size for array in arrays)
    rank = max(array.ndim for array in arrays if array.size == most)
    factor = math.ceil((ENOUGH / most) ** (1 / rank)) if rank and most else 1
    sizes = {size for array in arrays for size in array.shape if size > 1}
    return resized(arrays, {size: size * factor for size in sizes})


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX fuses only what is compiled")
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("expression", [twice, in_two_orders, beside_broadcasts])
def test_expressions_before_every_function(expression, size):
    found = {}
    reducing = reduce.SAMPLES + scan.SAMPLES + fast.SAMPLES  # results are no larger than arrays
    for sample in SAMPLES if size == "small" else reducing:
        if DTYPE not in sample.dtypes or not sample.arrays():
            continue
        drawn = sample.draw(DTYPE)
        if size == "large":
            drawn = enlarged(drawn)
        for number, order in enumerate(FROM_THE_BACK):
            arrays = sample.engine_arrays(mx, drawn)
            problem = difference(sample.function_of(mx), arrays, expression, order)
            if problem:
                found[f"{sample.name()}, order {number}"] = problem[:200]
    assert not found, "\n".join(f"{name}: {problem}" for name, problem in found.items())
