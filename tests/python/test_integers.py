"""Integers are exact, or refused: every function that takes them, at the numbers where float32,
float64 and the widths of integers end, against Python's own integers.

The functions and their integer arguments come from the samples of the registry; what takes Python
numbers is in test_python_numbers.py. Where a function promotes to a floating dtype, the numbers are
rounded once.
"""

import itertools
import math
import re

import numpy as np
import pytest

from checks import outcome
from engines import INTEGERS, IS_HEDDLE, mx, to_numpy
from integers import (
    BITS,
    EDGES,
    REFUSALS,
    agree,
    as_python,
    edges,
    exact_array,
    fits,
    one_line,
    rounded,
)
from samples import SAMPLES

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX rounds, wraps around or crashes there")

# ------------------------------------------------------------------------------------------------
# Elements: functions of the registry on arrays of edges, against Python's integers


def floor_div(a, b):
    return a // b if b else 0


def modulo(a, b):
    return a % b if b else a


def raised(a, b):
    if b < 0:
        return 0
    return pow(a, b, 2**64) if b > 64 else a**b


def shifted_left(a, b):
    return a << b if 0 <= b < 64 else 0


PAIRS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "floor_divide": floor_div,
    "remainder": modulo,
    "maximum": max,
    "minimum": min,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b),
}
SINGLES = {
    "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0),
    "negative": lambda a: -a,
    "square": lambda a: a * a,
    "bitwise_invert": lambda a: ~a,
    "logical_not": lambda a: not a,
    "floor": int,
    "ceil": int,
    "trunc": int,
    "round": int,
    "positive": int,
    "real": int,
    "imag": lambda a: 0,
    "conjugate": int,
    "stop_gradient": int,
    "isnan": lambda a: False,
    "isinf": lambda a: False,
    "isfinite": lambda a: True,
    "isposinf": lambda a: False,
    "isneginf": lambda a: False,
}
# Of one axis; whole ones are flattened.
LINES = {
    "sum": sum,
    "prod": math.prod,
    "max": max,
    "min": min,
    "argmax": lambda v: v.index(max(v)),
    "argmin": lambda v: v.index(min(v)),
    "all": all,
    "any": any,
    "count_nonzero": lambda v: sum(map(bool, v)),
}
SCANS = {
    "cumsum": lambda a, b: a + b,
    "cumprod": lambda a, b: a * b,
    "cummax": max,
    "cummin": min,
}


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name, dtype):
    values = edges(dtype)
    a, b = zip(*itertools.product(values, values), strict=True)
    given = getattr(mx, name)(exact_array(a, dtype), exact_array(b, dtype))
    agree(given, [PAIRS[name](x, y) for x, y in zip(a, b, strict=True)], dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("decimals", [2, 0, -1, -2, -5, -18, -19, -20, -(2**31)])
def test_rounding_to_powers_of_ten(decimals, dtype):
    """Ties to the even multiple, as Python's; what a dtype does not hold wraps around."""
    values = [*edges(dtype), *(v for v in (5, 15, 25, 50, 99, 100) if fits(v, dtype))]
    low = -(2 ** (BITS[dtype] - 1)) if dtype.startswith("int") else 0
    wanted = [(round(v, max(decimals, -40)) - low) % 2 ** BITS[dtype] + low for v in values]
    given = mx.round(exact_array(values, dtype), decimals)
    assert to_numpy(given).tolist() == wanted


@pytest.mark.parametrize("dtype", INTEGERS)
def test_powers_and_shifts(dtype):
    exponents = [e for e in (0, 1, 2, 3, 7, 31, 62, 63) if fits(e, dtype)]
    a, b = zip(*itertools.product(edges(dtype), exponents), strict=True)
    x, y = exact_array(a, dtype), exact_array(b, dtype)
    agree(mx.power(x, y), [p**q for p, q in zip(a, b, strict=True)], dtype)
    bits = BITS[dtype]
    narrow = [(p, q) for p, q in zip(a, b, strict=True) if q < bits]
    x, y = (exact_array(v, dtype) for v in zip(*narrow, strict=True))
    agree(mx.left_shift(x, y), [p << q for p, q in narrow], dtype)
    agree(mx.right_shift(x, y), [p >> q for p, q in narrow], dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", SINGLES)
def test_singles(name, dtype):
    values = edges(dtype)
    given, error = outcome(getattr(mx, name), exact_array(values, dtype))
    if error is not None:
        one_line(error)
        return
    agree(given, [SINGLES[name](v) for v in values], dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", LINES)
def test_reductions(name, dtype):
    values = edges(dtype)
    for part in (values, values[::-1], values[:1], values[-2:]):
        x = exact_array(part, dtype)
        agree(getattr(mx, name)(x), LINES[name](list(part)), dtype)
        agree(
            getattr(mx, name)(mx.stack([x, x]), axis=0), [LINES[name]([v, v]) for v in part], dtype
        )


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", SCANS)
def test_scans(name, dtype):
    values = edges(dtype)
    given = getattr(mx, name)(exact_array(values, dtype))
    agree(given, list(itertools.accumulate(values, SCANS[name])), dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_order(dtype):
    values = edges(dtype)
    shuffled = [values[i] for i in np.random.default_rng(0).permutation(len(values))]
    x = exact_array(shuffled, dtype)
    agree(mx.sort(x), values, dtype)
    agree(mx.argsort(x), sorted(range(len(values)), key=shuffled.__getitem__), dtype)
    agree(mx.sort(mx.topk(x, 3)), values[-3:], dtype)
    agree(mx.partition(x, 2)[2], values[2], dtype)
    agree(
        mx.searchsorted(exact_array(values, dtype), x), [values.index(v) for v in shuffled], dtype
    )
    agree(mx.diff(exact_array(values, dtype)), np.diff(np.array(values, object)), dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_moved_and_contracted(dtype):
    values = edges(dtype)
    x = exact_array(values, dtype)
    python = np.array(values, object)
    agree(mx.outer(x, x), np.multiply.outer(python, python), dtype)
    agree(mx.kron(x, x), np.multiply.outer(python, python).reshape(-1), dtype)
    agree(mx.where(x > 0, x, x), python, dtype)
    agree(mx.einsum("i,i->", x, x), sum(v * v for v in values), dtype)
    agree(mx.trace(mx.broadcast_to(x, (len(values),) * 2)), sum(values), dtype)
    agree(
        mx.clip(x, values[1], values[-2]),
        [min(max(v, values[1]), values[-2]) for v in values],
        dtype,
    )
    for move in (
        mx.flip,
        lambda v: mx.roll(v, 0),
        lambda v: mx.concatenate([v]),
        lambda v: mx.take(v, mx.arange(len(values))),
        lambda v: mx.pad(v, 1)[1:-1],
        lambda v: mx.tile(v, 2)[: len(values)],
        lambda v: mx.view(v, v.dtype),
        lambda v: mx.array(v.tolist(), v.dtype),
        lambda v: mx.array(to_numpy(v)),
    ):
        moved = sorted(int(v) for v in as_python(move(x)))
        assert moved == values


@pytest.mark.parametrize("to", [*INTEGERS, "float32", "float64", "float16", "bfloat16", "bool_"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_conversions(dtype, to):
    values = edges(dtype)
    given = exact_array(values, dtype).astype(getattr(mx, to))
    if to in BITS:
        agree(given, values, dtype)
    elif to == "bool_":
        agree(given, [bool(v) for v in values], dtype)
    else:
        assert to_numpy(given).tolist() == [rounded(v, to) for v in values]


TIES = [
    2**24 + 2**16 + 1,
    2**24 + 2**16,
    2**53 + 2**45 + 1,
    2**62 + 2**38 + 1,
    2**62 - 1,
    2**54 + 2**30 + 1,
    -(2**53) - 2**45 - 1,
]


@pytest.mark.parametrize("to", ["float32", "float64", "bfloat16", "float16"])
def test_python_integers_are_rounded_once(to):
    dtype = getattr(mx, to)
    for value in [*EDGES, *TIES]:
        wanted = rounded(value, to)
        assert to_numpy(mx.array(value, dtype)).item() == wanted, value
        if abs(value) < 2**64:
            assert to_numpy(mx.full((1,), value, dtype)).item() == wanted, value
            assert to_numpy(mx.array([value], dtype)).item() == wanted, value
    for value in TIES:
        assert to_numpy(mx.array(value, mx.int64).astype(dtype)).item() == rounded(value, to), value


@pytest.mark.parametrize("dtype", INTEGERS)
def test_isclose_is_exact(dtype):
    values = edges(dtype)
    a, b = zip(*itertools.product(values, values), strict=True)
    x, y = exact_array(a, dtype), exact_array(b, dtype)
    agree(mx.isclose(x, y, rtol=0, atol=0), [p == q for p, q in zip(a, b, strict=True)], dtype)
    agree(
        mx.isclose(x, y, rtol=0, atol=1),
        [abs(p - q) <= 1 for p, q in zip(a, b, strict=True)],
        dtype,
    )
    assert mx.allclose(x, x, rtol=0, atol=0).item()


def test_isclose_of_signed_and_unsigned():
    values, large = edges("int64"), edges("uint64")
    a, b = zip(*itertools.product(values, large), strict=True)
    x, y = exact_array(a, "int64"), exact_array(b, "uint64")
    for given in (mx.isclose(x, y, rtol=0, atol=0), mx.isclose(y, x, rtol=0, atol=0)):
        agree(given, [p == q for p, q in zip(a, b, strict=True)], "int64")


# ------------------------------------------------------------------------------------------------
# Counts, sizes, shifts, axes: every integer argument of every sample


def integer_places(tree, path=()):
    if isinstance(tree, bool):
        return
    if isinstance(tree, int):
        yield path
    elif isinstance(tree, (tuple, list)):
        for i, part in enumerate(tree):
            yield from integer_places(part, (*path, i))
    elif isinstance(tree, dict):
        for key, part in tree.items():
            yield from integer_places(part, (*path, key))


def replaced(tree, path, value):
    if not path:
        return value
    if isinstance(tree, dict):
        return {k: replaced(v, path[1:], value) if k == path[0] else v for k, v in tree.items()}
    return type(tree)(
        replaced(v, path[1:], value) if i == path[0] else v for i, v in enumerate(tree)
    )


PLACES = {
    (sample.function, str(path)): (sample, path)
    for sample in SAMPLES
    if sample.call is None
    for path in integer_places((sample.args, sample.kwargs))
}
# Counts that take time or memory when they are made, not when they are read.
SLOW = ("quantize", "diff", "unstack")


@pytest.mark.parametrize("function, path", PLACES, ids=lambda v: v)
def test_every_integer_argument(function, path):
    """An integer of any size gives what NumPy gives, something of a sane shape, or one line."""
    sample, place = PLACES[function, path]
    dtype = sample.dtypes[0]
    drawn = sample.draw(dtype)
    for value in EDGES:
        if abs(value) < 2**15 or (function in SLOW and 0 < value < 2**31):
            continue
        args, kwargs = replaced((sample.args, sample.kwargs), place, value)
        changed = type(sample)(sample.function, args, kwargs, sample.dtypes)
        try:
            result = changed.function_of(mx)(*sample.engine_arrays(mx, drawn))
        except (MemoryError, *REFUSALS) as error:
            if not isinstance(error, MemoryError):
                one_line(error)
            continue
        leaves = result if isinstance(result, (tuple, list)) else [result]
        for leaf in leaves:
            if isinstance(leaf, mx.array):
                assert all(0 <= d < 2**31 for d in leaf.shape), leaf.shape
                assert math.prod(leaf.shape) < 2**63


@pytest.mark.parametrize("value", [v for v in EDGES if abs(v) >= 2**15])
def test_positions_beyond_the_array(value):
    x, python = mx.arange(5), list(range(5))
    for part in (slice(value), slice(value, None), slice(None, None, value), slice(-2, value)):
        assert x[part].tolist() == python[part]
    for read in (
        lambda: x[value],
        lambda: mx.take(x, value),
        lambda: assigned_at(mx.arange(5), value),
        lambda: x.at[value].add(1),
    ):
        with pytest.raises(REFUSALS) as caught:
            read()
        one_line(caught.value)
    if -(2**63) <= value < 2**63:
        assert mx.roll(x, value).tolist() == np.roll(python, value % 5).tolist()


def assigned_at(x, index):
    x[index] = 1
    return x


@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint32"])
def test_index_arrays_are_clamped_whatever_their_size(dtype):
    """Reads by index beyond the axis stop at its ends; no index wraps around on the way."""
    x = mx.arange(5)
    values = [v for v in edges(dtype) if v >= 5 or v < -5]
    wanted = [4 if v > 0 else 0 for v in values]
    index = exact_array(values, dtype)
    assert mx.take(x, index).tolist() == wanted
    assert x[index].tolist() == wanted
    assert mx.take_along_axis(x, index, 0).tolist() == wanted


SIZES = {
    "repeat": lambda: mx.repeat(mx.zeros(3 * 2**29), 2),
    "tile": lambda: mx.tile(mx.zeros(3), 2**30),
    "concatenate": lambda: mx.concatenate([mx.zeros(2**30)] * 2),
    "flatten": lambda: mx.flatten(mx.zeros((2**16, 2**16))),
    "kron": lambda: mx.kron(mx.zeros(2**16), mx.zeros(2**16)),
    "pad": lambda: mx.pad(mx.zeros(2), 2**30),
    "diag": lambda: mx.diag(mx.zeros(2), 2**31 - 1),
    "view": lambda: mx.view(mx.zeros(2**30), mx.uint8),
    "ones": lambda: mx.ones(2**33),
    "reshape": lambda: mx.reshape(mx.zeros((2, 2)), (2**33,)),
    "broadcast_to": lambda: mx.broadcast_to(mx.zeros(1), (2**33,)),
    "conv": lambda: mx.conv_general(mx.zeros((1, 2, 1)), mx.zeros((1, 1, 1)), padding=2**31 - 1),
    "conv_transpose": lambda: mx.conv_transpose1d(
        mx.zeros((1, 2**20, 1)), mx.zeros((1, 1, 1)), stride=2**12
    ),
    "irfft": lambda: mx.fft.irfft(mx.zeros(2**31 - 1)),
    "dequantize": lambda: mx.dequantize(
        mx.zeros((1, 2**28), mx.uint32), mx.zeros((1, 2**25)), mx.zeros((1, 2**25)), 64, 4
    ),
    "gather": lambda: mx.take(mx.zeros((2**16, 2**16)), mx.array([0]), None),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_are_computed(name):
    given, error = outcome(SIZES[name])
    assert isinstance(error, OverflowError), (given, error)
    assert re.search(r"\d{10}", str(error)), error  # names the size
    one_line(error)


def test_counts_that_no_axis_has():
    with pytest.raises(OverflowError, match="2147483648"):
        mx.random.permutation(2**31)
    with pytest.raises(OverflowError, match="8589934592"):
        mx.ones((2, 2**33))
    with pytest.raises(ValueError, match="2147483648"):
        mx.arange(2**31)
