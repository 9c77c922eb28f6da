"""Unary, binary and ternary functions of the elements."""

import mpmath
import numpy as np
from mpmath import mpf

from engines import COMPLEX, DTYPES, FLOATS, INTEGERS, NUMBERS, REALS, SIGNED

from .exact import (
    Exact,
    arctan2,
    div,
    floored,
    logaddexp,
    over_squares,
    power,
    power_by_base,
    power_by_exponent,
    remainder,
    share,
    zero,
)
from .functions import TRANSCENDENTAL
from .spec import Arr, Name, sample

BOOL = ("bool_",)
# The views a unary function is tried on: dense, strided, transposed, 0-d, empty, long, broadcast.
LAYOUTS = {
    "": {},
    "strided": {"view": "strided"},
    "transposed": {"view": "transposed"},
    "broadcast": {"view": "broadcast"},
    "scalar": {"shape": ()},
    "empty": {"shape": (0, 3)},
    "long": {"shape": (1031,)},
}
ALIASES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
}
# Functions without rounding: equal to MLX bit for bit. name -> (dtypes, differentiable, exact form)
EXACT = {
    "abs": (REALS, True, Exact(abs, (mpmath.sign,))),
    "sign": (REALS, False, Exact(mpmath.sign, zero)),
    "positive": (NUMBERS, True, Exact(lambda x: x, (lambda x: mpf(1),))),
    "negative": (NUMBERS, True, Exact(lambda x: -x, (lambda x: mpf(-1),))),
    "square": (NUMBERS, True, Exact(lambda x: x * x, (lambda x: 2 * x,))),
    "floor": (REALS, False, Exact(lambda x: x if mpmath.isinf(x) else mpmath.floor(x), zero)),
    "ceil": (REALS + BOOL, False, Exact(lambda x: x if mpmath.isinf(x) else mpmath.ceil(x), zero)),
    "trunc": (
        REALS,
        False,
        Exact(lambda x: x if mpmath.isinf(x) else mpmath.sign(x) * mpmath.floor(abs(x)), zero),
    ),
    "round": (REALS, False, Exact(lambda x: x if mpmath.isinf(x) else mpmath.nint(x), zero)),
    "isnan": (DTYPES, False, None),
    "isinf": (DTYPES, False, None),
    "isfinite": (DTYPES, False, None),
    "isposinf": (REALS, False, None),
    "isneginf": (REALS, False, None),
    "logical_not": (DTYPES, False, None),
    "bitwise_invert": (INTEGERS + BOOL, False, None),
    "real": (NUMBERS, True, None),
    "imag": (COMPLEX, True, None),
    "conj": (NUMBERS, True, None),
    "conjugate": (COMPLEX, True, None),
    "stop_gradient": (DTYPES, False, None),
}

# name -> (low, high of the right operand, dtypes, differentiable, exact form)
ARITHMETIC = {
    "add": (
        -2,
        2,
        DTYPES,
        True,
        Exact(lambda a, b: a + b, (lambda a, b: mpf(1), lambda a, b: mpf(1))),
    ),
    "subtract": (
        -2,
        2,
        DTYPES,
        True,
        Exact(lambda a, b: a - b, (lambda a, b: mpf(1), lambda a, b: mpf(-1))),
    ),
    "multiply": (-2, 2, DTYPES, True, Exact(lambda a, b: a * b, (lambda a, b: b, lambda a, b: a))),
    "divide": (
        1,
        3,
        NUMBERS,
        True,
        Exact(div, (lambda a, b: div(1, b), lambda a, b: -div(div(a, b), b))),
    ),
    "floor_divide": (
        1,
        3,
        REALS,
        False,
        Exact(floored, (lambda a, b: mpf(0), lambda a, b: mpf(0))),
    ),
    "remainder": (
        1,
        3,
        REALS,
        True,
        Exact(remainder, (lambda a, b: mpf(1), lambda a, b: -floored(a, b))),
    ),
    "divmod": (1, 3, REALS, True, None),
    "maximum": (
        -2,
        2,
        REALS,
        True,
        Exact(max, (lambda a, b: mpf(a > b), lambda a, b: mpf(a <= b))),
    ),
    "minimum": (
        -2,
        2,
        REALS,
        True,
        Exact(min, (lambda a, b: mpf(a < b), lambda a, b: mpf(a >= b))),
    ),
}
# Exact forms of those whose samples do not come from a table.
OTHERS = {
    # Of exponents so large that all of them are even, the sign says nothing.
    "power": Exact(
        power,
        (power_by_base, power_by_exponent),
        1e-6,
        lambda x, y: x >= 0 or abs(y) < 2**24,
    ),
    "logaddexp": Exact(logaddexp, (share, lambda a, b: share(b, a))),
    "arctan2": Exact(
        arctan2, (lambda y, x: over_squares(x, x, y), lambda y, x: -over_squares(y, x, y))
    ),
}
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
LOGICAL = ("logical_and", "logical_or", "logical_xor")
BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor")
SHIFTS = ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")
# Pairs of layouts for the two operands of a binary function.
PAIRS = {
    "": ({}, {}),
    "row": ({}, {"shape": (4,)}),
    "column": ({"shape": (3, 1)}, {"shape": (1, 4)}),
    "scalar": ({"shape": ()}, {}),
    "views": ({"view": "transposed"}, {"view": "strided"}),
    "empty": ({"shape": (0, 4)}, {"shape": (4,)}),
    "long": ({"shape": (1031,)}, {"shape": (1031,)}),
}


def unary_table():
    for name, (low, high, dtypes, truth, tolerance, _) in TRANSCENDENTAL.items():
        for label, layout in LAYOUTS.items():
            shown = dtypes if not label else ("float32",)
            yield sample(
                name,
                Arr(low=low, high=high, **layout),
                label=label,
                dtypes=shown,
                truth=truth,
                tolerance=tolerance,
            )
        small = Arr(low=max(low, 1), high=max(high, 1)) if low > 0 else Arr(low=0, high=0)
        yield sample(name, small, label="integers", dtypes=("int32", "uint8"), grad=False)
        yield sample(
            name, Arr(special=True), label="special", dtypes=FLOATS, grad=False, truth=truth
        )
    for alias, name in ALIASES.items():
        low, high, dtypes, truth, tolerance, _ = TRANSCENDENTAL[name]
        yield sample(alias, Arr(low=low, high=high), truth=truth, tolerance=tolerance)
    for name, (dtypes, differentiable, _) in EXACT.items():
        for label, layout in LAYOUTS.items():
            shown = dtypes if not label else dtypes[:1]
            yield sample(
                name,
                Arr(**layout),
                label=label,
                dtypes=shown,
                exact="complex64" not in shown,
                grad=differentiable,
            )
        if "float32" in dtypes:
            truth = np.sign if name == "sign" else None  # MLX's of NaN is 0
            yield sample(
                name, Arr(special=True), label="special", exact=True, grad=False, truth=truth
            )
    yield sample("abs", Arr(), label="complex", dtypes=COMPLEX, truth=np.abs)
    yield sample("sign", Arr(), label="complex", dtypes=COMPLEX, grad=False)
    for decimals in (2, -1):
        # MLX rounds float64 to decimals by a float32 power of ten.
        yield sample(
            "round",
            Arr(high=50),
            decimals,
            label=f"decimals{decimals}",
            dtypes=FLOATS[:3],
            grad=False,
        )
    for label, keywords in {
        "": {},
        "given": {"nan": 7.0, "posinf": 8.0, "neginf": -8.0},
    }.items():
        yield sample(
            "nan_to_num",
            Arr(special=True),
            kw=keywords,
            label=label,
            dtypes=FLOATS[:3],
            exact=True,
            grad=False,
        )
    yield sample("nan_to_num", Arr(), label="finite", dtypes=FLOATS, truth=np.nan_to_num)
    yield sample("nan_to_num", Arr(), label="integers", dtypes=INTEGERS, exact=True, grad=False)
    yield sample("to_fp8", Arr(low=-400, high=400), dtypes=FLOATS[:3], exact=True, grad=False)
    every_byte = Arr((256,), values=tuple(range(256)), dtype="uint8")
    for dtype in ("bfloat16", "float32"):
        yield sample(
            "from_fp8",
            every_byte,
            kw={"dtype": Name(dtype)},
            label=dtype,
            dtypes=("uint8",),
            exact=True,
            grad=False,
        )


def binary_table():
    for name, (low, high, dtypes, differentiable, _) in ARITHMETIC.items():
        for label, (left, right) in PAIRS.items():
            shown = dtypes if label in ("", "row") else ("float32", "int32")
            yield sample(
                name,
                Arr(low=-6, high=6, **left),
                Arr(low=low, high=high, **right),
                label=label,
                dtypes=shown,
                grad=differentiable,
            )
        yield sample(name, Arr(), 2, label="weak_int", dtypes=REALS, grad=differentiable)
        yield sample(name, Arr(), 1.5, label="weak_float", dtypes=REALS, grad=differentiable)
        yield sample(name, 3, Arr(low=1, high=4), label="reflected", grad=differentiable)
        yield sample(
            name, Arr(special=True), Arr((4,), low=1), label="special", dtypes=FLOATS, grad=False
        )
    for name in COMPARISONS:
        for label, (left, right) in PAIRS.items():
            shown = DTYPES if not label else ("float32",)
            arrays = Arr(low=-1, high=1, **left), Arr(low=-1, high=1, **right)
            yield sample(name, *arrays, label=label, dtypes=shown, exact=True, grad=False)
        yield sample(
            name, Arr(special=True), Arr(special=True), label="special", exact=True, grad=False
        )
    for names, dtypes, high in (
        (LOGICAL, DTYPES, 1),
        (BITWISE, INTEGERS + BOOL, 100),
        (SHIFTS, INTEGERS, 6),
    ):
        for name in names:
            for label, (left, right) in PAIRS.items():
                shown = dtypes if not label else ("int32",)
                arrays = Arr(low=0, high=high, **left), Arr(low=0, high=high, **right)
                yield sample(name, *arrays, label=label, dtypes=shown, exact=True, grad=False)
    yield from power_table()
    yield sample("logaddexp", Arr(), Arr(), truth=np.logaddexp)
    yield sample("logaddexp", Arr((3, 1)), Arr((4,)), label="broadcast", truth=np.logaddexp)
    yield sample(
        "logaddexp", Arr(special=True), Arr((4,)), label="special", grad=False, truth=np.logaddexp
    )
    for name in ("arctan2", "atan2"):
        yield sample(name, Arr(low=0.5), Arr(low=0.5), truth=np.arctan2)
        yield sample(name, Arr(low=0.5), Arr((4,)), label="broadcast", truth=np.arctan2)


def power_table():
    for name in ("power", "pow"):
        yield sample(name, Arr(low=0.3, high=3), Arr(low=-2, high=2), truth=np.power, dtypes=FLOATS)
    base, exponent = Arr(low=0.3, high=2), Arr((4,), low=-1, high=1)
    yield sample("power", base, exponent, label="broadcast", truth=np.power)
    # Complex powers are exp(y log x) in float32: an error of log |x| is multiplied by y.
    yield sample(
        "power",
        base,
        exponent,
        label="complex",
        dtypes=COMPLEX,
        truth=np.power,
        tolerance={"complex64": 1e-5},
    )
    integers = Arr(low=-3, high=3), Arr(low=0, high=4)
    yield sample("power", *integers, label="integers", dtypes=INTEGERS, grad=False)
    for exponent in (0.5, 2, 3, -1):
        yield sample("power", Arr(low=0.3, high=3), exponent, label=f"weak{exponent}")
    negative = Arr(low=2, high=3), Arr(low=-3, high=-1)
    yield sample("power", *negative, label="negative", dtypes=SIGNED, grad=False)


def ternary_table():
    mask = {"dtype": "bool_"}
    yield sample("where", Arr(**mask), Arr(), Arr(), dtypes=DTYPES, exact=True)
    yield sample("where", Arr((3, 1), **mask), Arr((4,)), Arr(()), label="broadcast", exact=True)
    yield sample("where", Arr(**mask), Arr(), 0.0, label="scalar", exact=True)
    yield sample(
        "where", Arr(), Arr(), Arr(), label="number_mask", exact=True, dtypes=("int32",), grad=False
    )
    mixed = Arr(dtype="float32"), Arr(dtype="int32")
    yield sample("where", Arr(**mask), *mixed, label="promote", dtypes=("float32",), exact=True)
    for label, bounds in {"both": (-1, 1), "low": (0, None), "high": (None, 1)}.items():
        yield sample("clip", Arr(), *bounds, label=label, dtypes=FLOATS + SIGNED, exact=True)
    yield sample("clip", Arr(), Arr((4,), high=-1), Arr((3, 1), low=1), label="arrays", exact=True)
    yield sample("clip", Arr(special=True), -1.0, 1.0, label="special", exact=True, grad=False)
    close = Arr((2, 3), values=(1, 2, 3, 1, 2, 3)), Arr((2, 3), values=(1, 2, 4, 1, 2.00001, 3))
    for name in ("isclose", "allclose", "array_equal"):
        yield sample(name, *close, grad=False, exact=True, dtypes=FLOATS + INTEGERS)
    for name in ("isclose", "allclose"):
        yield sample(name, *close, label="loose", kw={"rtol": 0.5, "atol": 0.1}, grad=False)
    special = Arr((4,), special=True)
    for equal_nan in (False, True):
        for name in ("isclose", "allclose", "array_equal"):
            yield sample(
                name,
                special,
                special,
                label=f"equal_nan={equal_nan}",
                exact=True,
                kw={"equal_nan": equal_nan},
                grad=False,
            )
    yield sample("array_equal", Arr(), Arr((2, 2)), label="shapes", grad=False, vmap=False)


def operator_table():
    """The operators of the array class, on arrays and on Python numbers either side."""
    pairs = {
        "+": lambda mx, x, y: (x + y, x + 2, 2 + x),
        "-": lambda mx, x, y: (x - y, x - 1, 1 - x),
        "*": lambda mx, x, y: (x * y, x * 3, 3 * x),
        "/": lambda mx, x, y: (x / y, x / 3, 3 / x),
        "**": lambda mx, x, y: (x**y, x**2, 2**x),
        "unary": lambda mx, x, y: (-x, abs(x), +x),
        "matmul": lambda mx, x, y: (x @ y.T,),
    }
    for label, call in pairs.items():
        yield sample(
            "array", Arr(low=0.5), Arr(low=0.5), label=f"operator{label}", call=call, length=4
        )
    whole = {
        "//": lambda mx, x, y: (x // y, x // 2, 7 // x),
        "%": lambda mx, x, y: (x % y, x % 2, 7 % x),
        "compare": lambda mx, x, y: (x < y, x <= y, x > y, x >= y, x == y, x != y, x < 1, x > 1),
    }
    for label, call in whole.items():
        yield sample(
            "array",
            Arr(low=1, high=5),
            Arr(low=1, high=5),
            label=f"operator{label}",
            call=call,
            dtypes=REALS,
            grad=False,
        )
    bits = lambda mx, x, y: (x & y, x | y, x ^ y, ~x, x << 1, x >> 1, x & 1)  # noqa: E731
    yield sample(
        "array",
        Arr(low=0, high=50),
        Arr(low=0, high=50),
        label="operator_bits",
        call=bits,
        dtypes=INTEGERS,
        grad=False,
        exact=True,
    )


SAMPLES = [*unary_table(), *binary_table(), *ternary_table(), *operator_table()]

# The exact form of each function of floats (exact.py).
FUNCTIONS = {
    name: row[-1]
    for table in (TRANSCENDENTAL, EXACT, ARITHMETIC)
    for name, row in table.items()
    if row[-1]
} | OTHERS
