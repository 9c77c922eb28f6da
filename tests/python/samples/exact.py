"""What exact forms of elementwise functions and their partial derivatives are written with: mpmath,
whose exponents do not end.

A form stands beside the samples of its function (functions.py, pointwise.py). Float results are
judged by it where NumPy's own arithmetic would overflow, vanish or cancel. At an infinite operand a
derivative is its limit. Where there is none (kinks, poles, both operands infinite) the form states
the convention:

| function | where | derivative |
|---|---|---|
| abs | 0 | 0 |
| maximum, minimum | equal operands | all of it to the second |
| log, log2, log10, sqrt, rsqrt, reciprocal, divide, power | the pole 0 | infinite |
| log1p, arcsin, arccos, arccosh, arctanh, erfinv | the pole 1 or -1 | infinite |
| power, in the base | exponent 0 | 0, whatever the base |
| power, in the exponent | base 0 | 0 |
| power, in the exponent | base below 0 | NaN |
| logaddexp | equal infinities | 1/2 for each |
| arctan2 | (0, 0) | NaN |
| arctan2 | an infinite operand | 0 |
| remainder, in the divisor | jumps | minus the floored quotient |
| sin, cos, tan | infinities | NaN |
| floor, ceil, round, sign, comparisons | everywhere | 0 |

Outside of a function's domain its value is NaN, and its derivative is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
from mpmath import inf, mp, mpf, nan

mp.dps = 100  # mpmath keeps one number for the process: exact_layers.py asks for the same


def div(a, b):
    """a / b as IEEE arithmetic has it, but for the sign of zero."""
    if b == 0:
        return nan if a == 0 or mpmath.isnan(a) else inf * mpmath.sign(a)
    return mpf(a) / b


def circular(f):
    return lambda x: nan if mpmath.isinf(x) else f(x)


def outside(bound):
    """NaN beyond [-bound, bound]."""
    return lambda f: lambda x: f(x) if abs(x) <= bound else nan


def from_below(low):
    return lambda f: lambda x: f(x) if x >= low else nan


def sech(x):
    return mpf(0) if mpmath.isinf(x) else mpmath.sech(x)


def logistic(x):
    if mpmath.isinf(x):
        return mpf(1) if x > 0 else mpf(0)
    return 1 / (1 + mpmath.exp(-x))


def erfinv(x):
    if abs(x) > 1:
        return nan
    return inf * x if abs(x) == 1 else mpmath.erfinv(x)


def is_odd(y):
    return mpmath.isfinite(y) and y == mpmath.floor(y) and y % 2 == 1


def power(x, y):
    """C's pow."""
    if y == 0 or x == 1:
        return mpf(1)
    if mpmath.isinf(y):
        if abs(x) == 1:
            return mpf(1)
        return inf if (abs(x) > 1) == (y > 0) else mpf(0)
    negative = x < 0
    if negative and mpmath.isfinite(x) and y != mpmath.floor(y):
        return nan
    sign = -1 if negative and is_odd(y) else 1
    a = abs(x)
    if a == 0 or a == inf:
        return sign * (mpf(0) if (a == 0) == (y > 0) else inf)
    return sign * mpmath.exp(y * mpmath.log(a))


def power_by_base(x, y):
    if y == 0:
        return mpf(0)
    if mpmath.isinf(y):
        if abs(x) == 1:
            return y if x == 1 else nan
        return mpf(0) if (abs(x) < 1) == (y > 0) else y * (1 if x >= 0 else nan)
    return y * power(x, y - 1) if power(x, y) == power(x, y) else nan


def power_by_exponent(x, y):
    if x == 0:
        return mpf(0)
    if x < 0:
        return nan
    value = power(x, y)
    return mpf(0) if value == 0 else value * mpmath.log(x)


def logaddexp(a, b):
    high, low = max(a, b), min(a, b)
    if mpmath.isinf(high) or low == -inf:
        return high
    return high + mpmath.log1p(mpmath.exp(low - high))


def share(a, b):
    return mpf("0.5") if a == b else logistic(a - b)


def over_squares(a, b, c):
    """a / (b^2 + c^2)."""
    if mpmath.isinf(b) or mpmath.isinf(c):
        return mpf(0)
    return div(a, b * b + c * c)


def arctan2(y, x):
    if mpmath.isinf(y) and mpmath.isinf(x):
        return mpmath.atan2(mpmath.sign(y), mpmath.sign(x))
    return mpmath.atan2(y, x)


def floored(a, b):
    """The floor of the quotient, which of unlike signs is never above -1."""
    if mpmath.isinf(a) or b == 0:
        return div(a, b) if mpmath.isfinite(b) else nan
    if mpmath.isinf(b):
        return mpf(0) if a == 0 or (a > 0) == (b > 0) else mpf(-1)
    with mp.workdps(700):
        return mpmath.floor(mpf(a) / b)


def remainder(a, b):
    if b == 0 or mpmath.isinf(a):
        return nan
    if mpmath.isinf(b):
        return mpf(a) if a == 0 or (a > 0) == (b > 0) else b
    with mp.workdps(700):
        return a - mpmath.floor(mpf(a) / b) * b


@dataclass(frozen=True)
class Exact:
    """`value` is None where NumPy's float64 is the judge of values (no arithmetic in between)."""

    value: Callable
    partials: tuple[Callable, ...] = ()
    error: float = 0.0  # allowed beyond rounding, relative, in float32; float64 gets its square
    asked: Callable = lambda *_: True  # whether there is an answer at these operands


zero = (lambda *_: mpf(0),)
root = from_below(0)
above_minus_one = from_below(-1)
in_unit = outside(1)
