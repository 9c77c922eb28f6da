"""Activations and losses in mpmath, whose exponents do not end: what heddle.nn's are judged by.

Derivatives are differences on either side, so that a kink has two; infinity is a number beyond all
dtypes, so that what stands there is the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
from mpmath import mp, mpf

mp.dps = 100  # of the whole process: samples/exact.py asks for the same
BEYOND = mpf("1e400")


def relu(x):
    return max(x, mpf(0))


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x)) if x > 0 else mpmath.exp(x) / (1 + mpmath.exp(x))


def softplus(x):
    return relu(x) + mpmath.log1p(mpmath.exp(-abs(x)))


def elu(x, alpha=1):
    return x if x > 0 else mpf(alpha) * mpmath.expm1(x)


def below(x, gate):
    """x times a gate, whose limit is taken where it has closed."""
    return mpf(0) if x < -(10**5) else x * gate(x)


def tanh(x):
    return mpmath.sign(x) if abs(x) > 10**5 else mpmath.tanh(x)


def normal(x):
    return mpmath.ncdf(x) if abs(x) < 10**4 else mpf(x > 0)


ACTIVATIONS: dict[str, Callable] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "relu2": lambda x: relu(x) ** 2,
    "relu6": lambda x: min(relu(x), mpf(6)),
    "leaky_relu": lambda x: max(x, x * mpf(0.01)),
    "elu": elu,
    "celu": elu,
    "selu": lambda x: mpf("1.0507") * elu(x, "1.67326"),
    "silu": lambda x: below(x, sigmoid),
    "gelu": lambda x: below(x, normal),
    "gelu_approx": lambda x: below(
        x, lambda x: sigmoid(mpmath.sqrt(8 / mpmath.pi) * (x + mpf("0.044715") * x**3))
    ),
    "gelu_fast_approx": lambda x: below(x, lambda x: sigmoid(mpf("1.702") * x)),
    "mish": lambda x: below(x, lambda x: tanh(softplus(x))),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "softshrink": lambda x: x - mpmath.sign(x) / 2 if abs(x) > 0.5 else mpf(0),
    "hard_shrink": lambda x: x if abs(x) > 0.5 else mpf(0),
    "hard_tanh": lambda x: min(max(x, mpf(-1)), mpf(1)),
    "hardswish": lambda x: x * min(max(x + 3, mpf(0)), mpf(6)) / 6,
    "step": lambda x: mpf(x >= 0),
    "log_sigmoid": lambda x: -softplus(-x),
}


def softmax(x):
    e = [mpmath.exp(v - max(x)) for v in x]
    return [v / sum(e) for v in e]


def log_softmax(x):
    top = max(x)
    total = mpmath.log(mpmath.fsum(mpmath.exp(v - top) for v in x))
    return [v - top - total for v in x]


ALONG_AXIS: dict[str, Callable] = {
    "softmax": softmax,
    "softmin": lambda x: softmax([-v for v in x]),
    "log_softmax": log_softmax,
    "glu": lambda x: [a * sigmoid(b) for a, b in zip(x[: len(x) // 2], x[len(x) // 2 :])],  # noqa: B905
}


def xlogy(x, y):
    return mpf(0) if x == 0 else x * mpmath.log(y)


def bounded_log(p):
    return max(mpmath.log(p), mpf(-100)) if p > 0 else mpf(-100)


def huber(x, y, delta):
    d = abs(x - y)
    return d * d / 2 if d <= delta else delta * (d - delta / 2)


def norm(x, y, eps):
    return mpmath.sqrt(mpmath.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)) + eps)


def cosine(x, y):
    length = mpmath.sqrt(mpmath.fsum(a * a for a in x) * mpmath.fsum(b * b for b in y))
    return mpmath.fsum(a * b for a, b in zip(x, y, strict=True)) / max(length, mpf("1e-8"))


# Losses of single numbers, and of vectors.
LOSSES: dict[str, Callable] = {
    "l1_loss": lambda x, y: abs(x - y),
    "mse_loss": lambda x, y: (x - y) ** 2,
    "hinge_loss": lambda x, y: relu(1 - x * y),
    "huber_loss": lambda x, y: huber(x, y, mpf(1)),
    "smooth_l1_loss": lambda x, y: huber(x, y, mpf(1)),
    "log_cosh_loss": lambda x, y: (
        abs(x - y) + mpmath.log1p(mpmath.exp(-2 * abs(x - y))) - mpmath.log(2)
    ),
    "gaussian_nll_loss": lambda x, y, v: (
        (mpmath.log(max(v, mpf("1e-6"))) + (x - y) ** 2 / max(v, mpf("1e-6"))) / 2
    ),
    "margin_ranking_loss": lambda x, y, t: relu(-t * (x - y)),
    "binary_cross_entropy": lambda x, y: (1 - y) * softplus(x) + y * softplus(-x),
    "binary_cross_entropy of probabilities": lambda x, y: (
        -y * bounded_log(x) - (1 - y) * bounded_log(1 - x)
    ),
}
VECTOR_LOSSES: dict[str, Callable] = {
    "cross_entropy": lambda x, y: (
        -mpmath.fsum(t * v for t, v in zip(y, log_softmax(x), strict=True) if t != 0)
    ),
    "nll_loss": lambda x, y: -x[y],
    "kl_div_loss": lambda x, y: mpmath.fsum(
        mpmath.exp(t) * (t - v) if t > -BEYOND else mpf(0) for v, t in zip(x, y, strict=True)
    ),
    "triplet_loss": lambda a, b, c: relu(norm(a, b, mpf("1e-6")) - norm(a, c, mpf("1e-6")) + 1),
    "cosine_similarity_loss": cosine,
}


def exact(value: float):
    """A float's value, infinity as a number beyond all dtypes."""
    if value in (float("inf"), float("-inf")):
        return BEYOND if value > 0 else -BEYOND
    return mpf(value)


def slopes(function: Callable, x, digits: int = 100) -> tuple:
    """The derivatives of a function of one number from below and from above."""
    h = min(abs(x), mpf(1)) * mpf("1e-20") if x else mpf("1e-60")
    with mp.workdps(520 if abs(x) >= BEYOND else digits):
        here = function(x)
        return (here - function(x - h)) / h, (function(x + h) - here) / h


def partials(function: Callable, at: Sequence, operand: int) -> tuple:
    """The derivatives of a function of several numbers by one of them, from both sides."""

    def along(value):
        return function(*at[:operand], value, *at[operand + 1 :])

    infinite = any(not isinstance(v, list) and abs(v) >= BEYOND for v in at)
    return slopes(along, at[operand], 520 if infinite else 100)
