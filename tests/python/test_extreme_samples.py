"""The samples of every function with values so large that their squares overflow, or so small that
they vanish: values and gradients are those of float64, rounded once. Halves too, so that nothing
in between is squared or summed in them."""

import ml_dtypes
import numpy as np
import pytest

import checks
from engines import FLOATS, IS_HEDDLE, NUMPY, mx
from samples import SAMPLES
from subjects import Smooth, differentiable, smooth_dtypes

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")

SCALES = {
    "large": {"float32": 2.0**83, "bfloat16": 2.0**83, "float16": 2.0**9},
    "small": {"float32": 2.0**-120, "bfloat16": 2.0**-120, "float16": 2.0**-18},
}
ALLOWED = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3}
# Beginnings of names. A sum of products of two operands is a result; where it goes on inside of one
# function, that cannot be right once it has overflowed.
OVERFLOWING_PRODUCTS = (
    "fast.scaled_dot_product_attention",
    "fast.rnn",
    "fast.gru",
    "fast.lstm",
    "linalg.cholesky",  # of a product of the sample itself
)
# Factorizations have no few digits in common with those of float64 where values lie close together.
AT_ONE_SCALE = ("linalg.svd", "linalg.eigh", "linalg.pinv", "fast.rnn-relu")
# MLX rounds affine elements after each step, and heddle like it; the derivative of softmax is made
# of its result, which is a half.
ROUNDED_BETWEEN = ("dequantize-8", "softmax-long")


def asked(sample, pattern):
    name = sample.name()
    left_out = AT_ONE_SCALE + ROUNDED_BETWEEN
    left_out += OVERFLOWING_PRODUCTS if pattern == "large" else ()
    # Views repeat an operand by an op of its own, whose gradient is a result, too.
    return (
        differentiable(sample)
        and not name.startswith((*left_out, "random."))
        and not any(spec.special or spec.view for spec in sample.arrays())
    )


def scaled(sample, dtype, factor):
    drawn = []
    for spec, value in zip(sample.arrays(), sample.draw(dtype), strict=True):
        if (spec.dtype or dtype) in FLOATS and spec.diff:
            value = (value.astype(np.float64) * factor).astype(value.dtype)
        drawn.append(value)
    return drawn


def outcome(sample, dtype, drawn):
    """Values and gradients, or None where the function does not take these."""
    try:
        function = Smooth(sample, mx, dtype, drawn)
        values = function(*function.primals)
        gradients = function.vjp([mx.ones_like(y) for y in values])
        mx.eval(values, gradients)
    except (ValueError, RuntimeError):
        return None
    return function.primals, values, gradients


def problem(given, right, dtype, scale):
    """The first element of one array that is not the right one in its dtype."""
    name = checks.dtype_name(given.dtype)
    narrow = NUMPY.get(name, np.float64)
    mine, wide = checks.wide(given), checks.wide(right)
    with np.errstate(all="ignore"):
        wanted = wide.astype(narrow).astype(wide.dtype)
        finite = np.isfinite(wanted)
        scale = max(scale, float(np.abs(wanted[finite]).max(initial=0.0)))
        allowed = ALLOWED[dtype] * (np.abs(wanted) + scale)
        allowed += 4 * float(ml_dtypes.finfo(NUMPY[dtype]).smallest_subnormal)
        fine = np.where(finite, np.abs(mine - wanted) <= allowed, ~np.isfinite(mine))
    if fine.all():
        return None
    at = tuple(np.argwhere(~fine)[0])
    return f"{mine[at]!r}, wanted {wanted[at]!r} ({int((~fine).sum())} of {fine.size})"


def largest(arrays):
    values = [np.abs(checks.wide(a)) for a in arrays]
    return max((float(v[np.isfinite(v)].max(initial=0.0)) for v in values), default=0.0)


def check(sample, dtype, factor):
    drawn = scaled(sample, dtype, factor)
    given = outcome(sample, dtype, drawn)
    wide = [
        value if spec.dtype else value.astype(np.float64)
        for spec, value in zip(sample.arrays(), drawn, strict=True)
    ]
    right = outcome(sample, "float64", wide)
    if given is None or right is None:
        return None  # the function has no float64, or refuses: test_registry.py asks for both
    # What a gradient is made of: terms of the size of values over operands, or of cotangents.
    terms = min(1.0, largest(right[1]) / max(largest(right[0]), 1e-300))
    for what, scale, mine, exact in (
        ("value", 0.0, given[1], right[1]),
        ("gradient", terms, given[2], right[2]),
    ):
        for a, b in zip(mine, exact, strict=True):
            found = problem(a, b, dtype, scale)
            if found:
                return f"{what}: {found}"
    return None


@pytest.mark.parametrize("pattern", SCALES)
@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if asked(s, "small")], ids=lambda sample: sample.name()
)
def test_scaled_sample(sample, pattern):
    if not asked(sample, pattern):
        pytest.skip("sums of products overflow on the way")
    dtypes = [dtype for dtype in smooth_dtypes(sample) if dtype in ALLOWED]
    found = [(dtype, check(sample, dtype, SCALES[pattern][dtype])) for dtype in dtypes]
    wrong = [f"{dtype}: {text}" for dtype, text in found if text]
    assert not wrong, "\n".join(wrong)
