"""Functions of one float: where they are tried, who knows their values, and their exact form."""

import mpmath
import numpy as np
from mpmath import inf
from scipy import special

from engines import COMPLEX, FLOATS

from .exact import (
    Exact,
    above_minus_one,
    circular,
    div,
    erfinv,
    from_below,
    in_unit,
    logistic,
    root,
    sech,
)

INEXACT = FLOATS + COMPLEX
# MLX's complex inverse functions lose digits to cancellation near the branch points.
COMPLEX_INVERSE = {"complex64": 2e-5}
# sinh, tan and log1p of complex numbers are composed of float32 parts.
COMPLEX_COMPOSED = {"complex64": 5e-6}

# name -> (low, high, dtypes, truth, tolerance, exact form)
TRANSCENDENTAL = {
    "exp": (-4, 4, INEXACT, np.exp, {}, Exact(mpmath.exp, (mpmath.exp,))),
    "exp2": (
        -6,
        6,
        FLOATS,
        np.exp2,
        {},
        Exact(lambda x: mpmath.power(2, x), (lambda x: mpmath.log(2) * mpmath.power(2, x),)),
    ),
    "expm1": (-2, 2, INEXACT, np.expm1, COMPLEX_COMPOSED, Exact(mpmath.expm1, (mpmath.exp,))),
    "log": (0.1, 9, INEXACT, np.log, {}, Exact(root(mpmath.log), (root(lambda x: div(1, x)),))),
    "log2": (
        0.1,
        9,
        INEXACT,
        np.log2,
        {},
        Exact(
            root(lambda x: mpmath.log(x) / mpmath.log(2)),
            (root(lambda x: div(1 / mpmath.log(2), x)),),
        ),
    ),
    "log10": (
        0.1,
        9,
        INEXACT,
        np.log10,
        {},
        Exact(
            root(lambda x: mpmath.log(x) / mpmath.log(10)),
            (root(lambda x: div(1 / mpmath.log(10), x)),),
        ),
    ),
    "log1p": (
        -0.5,
        9,
        INEXACT,
        np.log1p,
        COMPLEX_COMPOSED,
        Exact(
            above_minus_one(lambda x: mpmath.log1p(x) if x > -1 else -inf),
            (above_minus_one(lambda x: div(1, 1 + x)),),
        ),
    ),
    "sin": (
        -6,
        6,
        INEXACT,
        np.sin,
        COMPLEX_COMPOSED,
        Exact(circular(mpmath.sin), (circular(mpmath.cos),)),
    ),
    "cos": (
        -6,
        6,
        INEXACT,
        np.cos,
        COMPLEX_COMPOSED,
        Exact(circular(mpmath.cos), (circular(lambda x: -mpmath.sin(x)),)),
    ),
    "tan": (
        -1.3,
        1.3,
        INEXACT,
        np.tan,
        COMPLEX_COMPOSED,
        Exact(circular(mpmath.tan), (circular(lambda x: mpmath.sec(x) ** 2),), 1e-6),
    ),
    "arcsin": (
        -0.95,
        0.95,
        INEXACT,
        np.arcsin,
        COMPLEX_INVERSE,
        Exact(in_unit(mpmath.asin), (in_unit(lambda x: div(1, mpmath.sqrt((1 - x) * (1 + x)))),)),
    ),
    "arccos": (
        -0.95,
        0.95,
        INEXACT,
        np.arccos,
        COMPLEX_INVERSE,
        Exact(in_unit(mpmath.acos), (in_unit(lambda x: div(-1, mpmath.sqrt((1 - x) * (1 + x)))),)),
    ),
    "arctan": (
        -5,
        5,
        INEXACT,
        np.arctan,
        COMPLEX_INVERSE,
        Exact(mpmath.atan, (lambda x: 1 / (1 + x * x),)),
    ),
    "sinh": (-3, 3, INEXACT, np.sinh, COMPLEX_COMPOSED, Exact(mpmath.sinh, (mpmath.cosh,))),
    "cosh": (-3, 3, INEXACT, np.cosh, COMPLEX_COMPOSED, Exact(mpmath.cosh, (mpmath.sinh,))),
    "tanh": (
        -3,
        3,
        INEXACT,
        np.tanh,
        COMPLEX_COMPOSED,
        Exact(mpmath.tanh, (lambda x: sech(x) ** 2,)),
    ),
    "arcsinh": (
        -5,
        5,
        INEXACT,
        np.arcsinh,
        COMPLEX_INVERSE,
        Exact(mpmath.asinh, (lambda x: 1 / mpmath.sqrt(1 + x * x),)),
    ),
    "arccosh": (
        1.1,
        9,
        INEXACT,
        np.arccosh,
        COMPLEX_INVERSE,
        Exact(
            from_below(1)(mpmath.acosh),
            (from_below(1)(lambda x: div(1, mpmath.sqrt(x - 1) * mpmath.sqrt(x + 1))),),
        ),
    ),
    "arctanh": (
        -0.9,
        0.9,
        INEXACT,
        np.arctanh,
        COMPLEX_INVERSE,
        Exact(
            in_unit(lambda x: inf * x if abs(x) == 1 else mpmath.atanh(x)),
            (in_unit(lambda x: div(1, (1 - x) * (1 + x))),),
        ),
    ),
    "erf": (
        -3,
        3,
        FLOATS,
        special.erf,
        {},
        Exact(mpmath.erf, (lambda x: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x),), 1e-5),
    ),
    # erfinv is steep: half a unit in its argument near 0.9 is several in the result.
    "erfinv": (
        -0.9,
        0.9,
        FLOATS,
        special.erfinv,
        {"float32": 5e-6},
        Exact(
            erfinv,
            (in_unit(lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(erfinv(x) ** 2)),),
            1e-5,
        ),
    ),
    "sigmoid": (
        -6,
        6,
        INEXACT,
        lambda x: 1 / (1 + np.exp(-x)),
        COMPLEX_COMPOSED,
        Exact(logistic, (lambda x: logistic(x) * logistic(-x),)),
    ),
    "sqrt": (
        0.1,
        9,
        INEXACT,
        np.sqrt,
        {},
        Exact(root(mpmath.sqrt), (root(lambda x: div(0.5, mpmath.sqrt(x))),)),
    ),
    "rsqrt": (
        0.1,
        9,
        INEXACT,
        lambda x: 1 / np.sqrt(x),
        {},
        Exact(
            root(lambda x: div(1, mpmath.sqrt(x))),
            (root(lambda x: div(-0.5, x * mpmath.sqrt(x))),),
        ),
    ),
    "reciprocal": (
        0.5,
        4,
        INEXACT,
        lambda x: 1 / x,
        {},
        Exact(lambda x: div(1, x), (lambda x: div(-1, x * x),)),
    ),
    "degrees": (
        -2,
        2,
        FLOATS,
        np.degrees,
        {},
        Exact(lambda x: x * 180 / mpmath.pi, (lambda x: 180 / mpmath.pi,)),
    ),
    "radians": (
        -90,
        90,
        FLOATS,
        np.radians,
        {},
        Exact(lambda x: x * mpmath.pi / 180, (lambda x: mpmath.pi / 180,)),
    ),
}
