"""Integers are exact, or refused: every function that takes them, at the numbers where float32,
float64 and the widths of integers end, against Python's own integers.

The functions and their integer arguments come from the samples of the registry; what takes Python
numbers (creation, random integers, indices) is asked by hand below. Where a function promotes to a
floating dtype, the numbers are rounded once.
"""

import decimal
import fractions
import itertools
import math
import re

import numpy as np
import pytest

from checks import outcome
from engines import INTEGERS, IS_HEDDLE, dtype_name, mx, reference, to_engine, to_numpy
from samples import SAMPLES

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX rounds, wraps around or crashes there")

EDGES = sorted(
    {
        sign * 2**power + near
        for power in (0, 7, 8, 15, 16, 24, 31, 32, 53, 63, 64)
        for sign in (-1, 1)
        for near in (-1, 0, 1)
    }
)
REFUSALS = (ValueError, TypeError, OverflowError, IndexError)
BITS = {name: int(name.strip("uint")) for name in INTEGERS}


def limits(dtype):
    bits = BITS[dtype]
    return (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def fits(value, dtype):
    low, high = limits(dtype)
    return low <= value <= high


def edges(dtype):
    return [v for v in EDGES if fits(v, dtype)]


def wrapped(value, dtype):
    """A Python integer as the dtype's arithmetic has it: modulo 2^bits."""
    low, _ = limits(dtype)
    return (int(value) - low) % 2 ** BITS[dtype] + low


def exact_array(values, dtype):
    """An engine array of Python integers, made through NumPy alone."""
    return to_engine(mx, np.array(values, dtype=dtype))


def as_python(array):
    """The elements of a result as Python's numbers, by NumPy."""
    return to_numpy(array).astype(object)


def one_line(error):
    text = str(error)
    assert isinstance(error, REFUSALS), f"{error!r}"
    assert text and "\n" not in text and "bad_cast" not in text, text


def agree(given, wanted, dtype):
    """A result of an integer or bool dtype is `wanted`, an object array, modulo the dtype."""
    name = dtype_name(given.dtype)
    wanted = np.asarray(wanted, dtype=object)
    if name in BITS:
        wanted = np.vectorize(lambda v: wrapped(v, name), otypes=[object])(wanted)
    found = as_python(given)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    wrong = [
        (i, found[i], wanted[i]) for i in np.ndindex(found.shape) if int(found[i]) != int(wanted[i])
    ]
    assert not wrong, f"{dtype} -> {name}: {len(wrong)} wrong, {wrong[:3]}"


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


def rounded(value, dtype):
    """An integer rounded once to a floating dtype, ties to even."""
    digits, largest = {
        "float64": (53, 2.0**1023 * (2 - 2.0**-52)),
        "float32": (24, 2.0**127 * (2 - 2.0**-23)),
        "bfloat16": (8, 2.0**127 * (2 - 2.0**-7)),
        "float16": (11, 65504.0),
    }[dtype]
    size = abs(value)
    drop = max(size.bit_length() - digits, 0)
    kept, rest = size >> drop, size & ((1 << drop) - 1)
    half = (1 << drop) >> 1
    if drop and (rest > half or (rest == half and kept & 1)):
        kept += 1
    result = math.copysign(float(kept << drop), value)
    return math.copysign(math.inf, value) if abs(result) > largest else result


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
