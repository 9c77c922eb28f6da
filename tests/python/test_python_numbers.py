"""Numbers given from Python, of any class: as arrays, operands, bounds of ranges and of random
integers they are exact, rounded once, or refused.
"""

import decimal
import fractions
import itertools
import math

import numpy as np
import pytest

from checks import outcome
from engines import INTEGERS, IS_HEDDLE, dtype_name, mx, reference, to_numpy
from integers import EDGES, fits, limits, one_line, rounded

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX rounds, wraps around or crashes there")

# ------------------------------------------------------------------------------------------------
# Numbers given from Python


@pytest.mark.parametrize("dtype", INTEGERS)
def test_arrays_of_python_numbers(dtype):
    t = getattr(mx, dtype)
    for value in EDGES:
        for make in (
            lambda v: mx.array(v, t),
            lambda v: mx.array([v], t),
            lambda v: mx.array([[0], [v]], t)[1],
            lambda v: mx.full((1,), v, t),
            lambda v: mx.full_like(mx.zeros((1,), t), v),
            lambda v: mx.zeros((1,), t) + v,
            lambda v: mx.where(mx.array([True]), v, mx.zeros((1,), t)),
            lambda v: mx.zeros((1,), t) | v,
            lambda v: assigned(mx.zeros((1,), t), v),
            lambda v: mx.zeros((1,), t).at[0].add(v),
            lambda v: mx.maximum(mx.full((1,), limits(dtype)[0], t), v),
        ):
            given, error = outcome(make, value)
            if fits(value, dtype):
                assert error is None, (value, error)
                assert int(given.item()) == value and dtype_name(given.dtype) == dtype
            else:
                assert error is not None, f"{value} in {dtype} gave {given}"
                one_line(error)


def assigned(x, value):
    x[0] = value
    return x


def test_ints_choose_the_dtype_that_holds_them():
    for value in EDGES:
        for make in (mx.array, lambda v: mx.array([v])[0], lambda v: mx.full((), v)):
            given, error = outcome(make, value)
            if -(2**63) <= value < 2**64:
                assert error is None and given.item() == value, (value, given, error)
            else:
                one_line(error)
    with pytest.raises(OverflowError, match="both"):
        mx.array([2**63, -1])
    assert mx.array([2**63, 0.5]).dtype == mx.float32
    assert mx.array([2**70, 0.5]).tolist() == [2.0**70, 0.5]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_in_integer_arrays(dtype):
    t = getattr(mx, dtype)
    low, high = limits(dtype)
    for make in (lambda v: mx.array(v, t), lambda v: mx.array([0, v], t)[1]):
        assert make(3.75).item() == 3
        assert make(float(high // 2 + 1)).item() == high // 2 + 1
        for value in (
            1e20,
            -1e20,
            math.inf,
            -math.inf,
            math.nan,
            float(high) * 2.0 + 2,
            low - 2048.0,
        ):
            if value == low - 2048.0 and dtype == "int64":
                value *= 2
            given, error = outcome(make, value)
            assert error is not None, f"{value} gave {given}"
            one_line(error)


class Index:
    def __index__(self):
        return 3


class Float:
    def __float__(self):
        return 2.5


class Complex:
    def __complex__(self):
        return 1 + 2j


OTHERS = [
    (fractions.Fraction(1, 2), 0.5),
    (decimal.Decimal("0.25"), 0.25),
    (Index(), 3),
    (Float(), 2.5),
    (Complex(), 1 + 2j),
    (np.float32(0.5), 0.5),
    (np.float64(0.5), 0.5),
    (np.int64(7), 7),
    (np.uint8(7), 7),
    (np.bool_(True), True),
    (np.complex64(1 + 2j), 1 + 2j),
]
POSITIONS = {
    "add": lambda x, v: x + v,
    "radd": lambda x, v: v + x,
    "subtract": lambda x, v: mx.subtract(v, x),
    "power": lambda x, v: x**v,
    "iadd": lambda x, v: added(x, v),
    "maximum": lambda x, v: mx.maximum(x, v),
    "where": lambda x, v: mx.where(x > 0, v, x),
    "full": lambda x, v: mx.full((2,), v),
    "array": lambda x, v: mx.array(v),
    "list": lambda x, v: mx.array([v, v]),
    "clip": lambda x, v: mx.clip(x, v, None),
    "equal": lambda x, v: x == v,
    "less": lambda x, v: mx.less(x, v),
    "isclose": lambda x, v: mx.isclose(x, v),
    "logical": lambda x, v: mx.logical_and(x, v),
    "pad": lambda x, v: mx.pad(x, 1, constant_values=v),
    "set": assigned,
    "at": lambda x, v: x.at[0].add(v),
    "exp": lambda x, v: mx.exp(v),
    "scale": lambda x, v: mx.random.normal((2,), scale=v, key=mx.random.key(0)),
}


def added(x, value):
    x += value
    return x


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_numbers_of_other_classes(dtype, position):
    """They count as the Python number that they are."""
    for value, python in OTHERS:
        if isinstance(value, np.generic) and position in ("radd", "full", "array"):
            continue  # NumPy's own operator; and alone they keep their dtype, as in MLX
        x = [mx.array([1, 2], getattr(mx, dtype)) for _ in range(2)]
        given, error = outcome(POSITIONS[position], x[0], value)
        wanted, refusal = outcome(POSITIONS[position], x[1], python)
        assert (error is None) == (refusal is None), (value, error, refusal)
        if error is None:
            assert given.dtype == wanted.dtype, (value, given.dtype, wanted.dtype)
            assert given.tolist() == wanted.tolist(), value


def test_numpy_operands_lose_nothing():
    x = mx.array([1], mx.uint8)
    with pytest.raises(ValueError, match="300 to uint8"):
        x + np.array([300])
    with pytest.raises(ValueError, match="-1 to uint8"):
        x + np.int64(-1)
    assert (x + np.array([5])).dtype == mx.uint8
    assert (mx.array([1]) + np.array([0.5])).tolist() == [1.5]
    assert (mx.array([1.0], mx.float16) + np.array([0.5])).dtype == mx.float16
    assert (mx.array([1.0]) + np.array([1j])).dtype == mx.complex64
    assert (mx.array([True]) + np.array([3])).tolist() == [4]


# ------------------------------------------------------------------------------------------------
# Ranges


@pytest.mark.parametrize("dtype", INTEGERS)
def test_ranges(dtype):
    t = getattr(mx, dtype)
    for start, (count, step) in itertools.product(
        EDGES, ((3, 1), (3, -1), (2, 2**32), (2, 2**62 + 1))
    ):
        stop = start + count * step
        wanted = list(range(start, stop, step))
        given, error = outcome(mx.arange, start, stop, step, t)
        if all(fits(v, dtype) for v in wanted) and all(
            -(2**63) <= v < 2**64 for v in (start, stop)
        ):
            assert error is None, (start, step, error)
            assert given.tolist() == wanted and given.dtype == t
        elif error is None:
            raise AssertionError(f"arange({start}, {stop}, {step}) gave {given}")
        else:
            one_line(error)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_floating_ranges_are_rounded_once(dtype):
    for start in (2**24, 2**24 - 1, -(2**24) - 2, 2**53 - 1, 2**7, 2**8):
        if rounded(start, dtype) != start:
            continue
        given = mx.arange(start, start + 4, dtype=getattr(mx, dtype))
        assert to_numpy(given).tolist() == [rounded(v, dtype) for v in range(start, start + 4)]


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_linspace(dtype, endpoint):
    t = getattr(mx, dtype)
    for start, stop in itertools.product(EDGES[::2] + [0, 1, 10], EDGES[1::2] + [7]):
        for num in (1, 2, 4, 7):
            given, error = outcome(mx.linspace, start, stop, num, endpoint, t)
            if fits(start, dtype) and (num == 1 or fits(stop, dtype)) and -(2**63) <= stop < 2**64:
                assert error is None, (start, stop, error)
                parts = max(num - 1 if endpoint else num, 1)
                wanted = [
                    int(start + fractions.Fraction((stop - start) * i, parts)) for i in range(num)
                ]
                assert given.tolist() == wanted, (start, stop, num)
            else:
                assert error is not None, (start, stop, given)
                one_line(error)


# ------------------------------------------------------------------------------------------------
# Random integers


@pytest.mark.parametrize(
    "low, high, dtype",
    [
        (2**40, 2**40 + 1024, "int64"),
        (-(2**40), -(2**40) + 1000, "int64"),
        (2**24, 2**24 + 6, "int32"),
        (2**23, 2**23 + 2, "int32"),
        (2**31 - 10, 2**31, "int64"),
        (2**63 - 8, 2**63, "int64"),
        (-(2**63), -(2**63) + 8, "int64"),
        (2**64 - 9, 2**64 - 1, "uint64"),
        (0, 2**53, "int64"),
        (-(2**63), 2**63, "int64"),
        (0, 2**63, "uint64"),
        (0, 3 * 2**62, "uint64"),
        (0, 2**26, "int32"),
    ],
)
def test_random_integers_are_even(low, high, dtype):
    n, t = 65536, getattr(mx, dtype)
    drawn = mx.random.randint(low, high, (n,), t, mx.random.key(3))
    bounds = [mx.broadcast_to(mx.array(v), (n,)) for v in (low, high)]
    again = mx.random.randint(*bounds, (n,), t, mx.random.key(3))
    assert mx.array_equal(drawn, again).item()  # known or not, the bounds give the same
    values = [int(v) for v in drawn.tolist()]
    assert low <= min(values) and max(values) < high
    buckets = high - low if high - low <= 1024 else 8
    counts = np.bincount([(v - low) * buckets // (high - low) for v in values], minlength=buckets)
    expected = n / buckets
    assert np.abs(counts - expected).max() < 6 * math.sqrt(expected), counts
    if high - low > 2**20:
        assert len({v % 16 for v in values}) == 16  # the low bits are drawn, too


@pytest.mark.parametrize(
    "low, high", [(0, 10), (-5, 5), (0, 2**24), (-(2**23), 2**23), (3, 3), (5, 2)]
)
def test_small_ranges_give_the_numbers_of_mlx(low, high):
    given = mx.random.randint(low, high, (1000,), mx.int32, mx.random.key(5))
    wanted = reference.random.randint(low, high, (1000,), reference.int32, reference.random.key(5))
    assert given.tolist() == wanted.tolist()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_bounds_of_random_integers_that_do_not_fit(dtype):
    t, (low, high) = getattr(mx, dtype), limits(dtype)
    for bounds in ((low - 1, 3), (0, high + 2), (high + 1, high + 9)):
        given, error = outcome(mx.random.randint, *bounds, (3,), t)
        assert error is not None, given
        one_line(error)
