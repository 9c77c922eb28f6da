"""The integers at which widths and floats end, and how results are compared with Python's own."""

import math

import numpy as np

from engines import INTEGERS, dtype_name, mx, to_engine, to_numpy

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
