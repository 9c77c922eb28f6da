"""The elementwise functions and their partial derivatives in mpmath, whose exponents do not end.

This is what float results are judged by where NumPy's own arithmetic would overflow, vanish or
cancel. At an infinite operand a derivative is its limit. Where there is none (kinks, poles, both
operands infinite) the entry states the convention:

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

FUNCTIONS = {
    "abs": Exact(abs, (mpmath.sign,)),
    "negative": Exact(lambda x: -x, (lambda x: mpf(-1),)),
    "positive": Exact(lambda x: x, (lambda x: mpf(1),)),
    "sign": Exact(mpmath.sign, zero),
    "square": Exact(lambda x: x * x, (lambda x: 2 * x,)),
    "sqrt": Exact(root(mpmath.sqrt), (root(lambda x: div(0.5, mpmath.sqrt(x))),)),
    "rsqrt": Exact(
        root(lambda x: div(1, mpmath.sqrt(x))),
        (root(lambda x: div(-0.5, x * mpmath.sqrt(x))),),
    ),
    "reciprocal": Exact(lambda x: div(1, x), (lambda x: div(-1, x * x),)),
    "exp": Exact(mpmath.exp, (mpmath.exp,)),
    "expm1": Exact(mpmath.expm1, (mpmath.exp,)),
    "log": Exact(root(mpmath.log), (root(lambda x: div(1, x)),)),
    "log2": Exact(
        root(lambda x: mpmath.log(x) / mpmath.log(2)),
        (root(lambda x: div(1 / mpmath.log(2), x)),),
    ),
    "log10": Exact(
        root(lambda x: mpmath.log(x) / mpmath.log(10)),
        (root(lambda x: div(1 / mpmath.log(10), x)),),
    ),
    "log1p": Exact(
        above_minus_one(lambda x: mpmath.log1p(x) if x > -1 else -inf),
        (above_minus_one(lambda x: div(1, 1 + x)),),
    ),
    "sin": Exact(circular(mpmath.sin), (circular(mpmath.cos),)),
    "cos": Exact(circular(mpmath.cos), (circular(lambda x: -mpmath.sin(x)),)),
    "tan": Exact(circular(mpmath.tan), (circular(lambda x: mpmath.sec(x) ** 2),), 1e-6),
    "arcsin": Exact(
        in_unit(mpmath.asin), (in_unit(lambda x: div(1, mpmath.sqrt((1 - x) * (1 + x)))),)
    ),
    "arccos": Exact(
        in_unit(mpmath.acos), (in_unit(lambda x: div(-1, mpmath.sqrt((1 - x) * (1 + x)))),)
    ),
    "arctan": Exact(mpmath.atan, (lambda x: 1 / (1 + x * x),)),
    "sinh": Exact(mpmath.sinh, (mpmath.cosh,)),
    "cosh": Exact(mpmath.cosh, (mpmath.sinh,)),
    "tanh": Exact(mpmath.tanh, (lambda x: sech(x) ** 2,)),
    "arcsinh": Exact(mpmath.asinh, (lambda x: 1 / mpmath.sqrt(1 + x * x),)),
    "arccosh": Exact(
        from_below(1)(mpmath.acosh),
        (from_below(1)(lambda x: div(1, mpmath.sqrt(x - 1) * mpmath.sqrt(x + 1))),),
    ),
    "arctanh": Exact(
        in_unit(lambda x: inf * x if abs(x) == 1 else mpmath.atanh(x)),
        (in_unit(lambda x: div(1, (1 - x) * (1 + x))),),
    ),
    "erf": Exact(mpmath.erf, (lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),), 1e-5),
    "erfinv": Exact(
        erfinv,
        (in_unit(lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(erfinv(x) ** 2)),),
        1e-5,
    ),
    "sigmoid": Exact(logistic, (lambda x: logistic(x) * logistic(-x),)),
    "floor": Exact(lambda x: x if mpmath.isinf(x) else mpmath.floor(x), zero),
    "ceil": Exact(lambda x: x if mpmath.isinf(x) else mpmath.ceil(x), zero),
    "trunc": Exact(lambda x: x if mpmath.isinf(x) else mpmath.sign(x) * mpmath.floor(abs(x)), zero),
    "round": Exact(lambda x: x if mpmath.isinf(x) else mpmath.nint(x), zero),
    "degrees": Exact(lambda x: x * 180 / mpmath.pi, (lambda x: 180 / mpmath.pi,)),
    "radians": Exact(lambda x: x * mpmath.pi / 180, (lambda x: mpmath.pi / 180,)),
    "add": Exact(lambda a, b: a + b, (lambda a, b: mpf(1), lambda a, b: mpf(1))),
    "subtract": Exact(lambda a, b: a - b, (lambda a, b: mpf(1), lambda a, b: mpf(-1))),
    "multiply": Exact(lambda a, b: a * b, (lambda a, b: b, lambda a, b: a)),
    "divide": Exact(div, (lambda a, b: div(1, b), lambda a, b: -div(div(a, b), b))),
    "floor_divide": Exact(floored, (lambda a, b: mpf(0), lambda a, b: mpf(0))),
    "remainder": Exact(remainder, (lambda a, b: mpf(1), lambda a, b: -floored(a, b))),
    # Of exponents so large that all of them are even, the sign says nothing.
    "power": Exact(
        power,
        (power_by_base, power_by_exponent),
        1e-6,
        lambda x, y: x >= 0 or abs(y) < 2**24,
    ),
    "maximum": Exact(max, (lambda a, b: mpf(a > b), lambda a, b: mpf(a <= b))),
    "minimum": Exact(min, (lambda a, b: mpf(a < b), lambda a, b: mpf(a >= b))),
    "logaddexp": Exact(logaddexp, (share, lambda a, b: share(b, a))),
    "arctan2": Exact(
        arctan2, (lambda y, x: over_squares(x, x, y), lambda y, x: -over_squares(y, x, y))
    ),
}
