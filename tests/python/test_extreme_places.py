"""Every function of the registry with one extreme number in one place: in each floating dtype its
value, gradient and forward derivative are those of float64, rounded once; what the place does not
reach stays as it is beside inf and NaN; NaN is not lost; at infinity derivatives are limits.

Elementwise functions are judged by mpmath, in test_extreme_values.py.
"""

import numpy as np
import pytest

import places
from engines import FLOATS, IS_HEDDLE, mx
from samples import SAMPLES, pointwise
from subjects import Smooth, accepted, differentiable

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")

# Beginnings of names: what is not asked, as "kind" or "kind of part", and why. Each is needed:
# test_exceptions_are_needed.
CHOOSES = "looks for an extreme, and does not find NaN"
LAST = "NaN is put last"
ZEROS = "zeros times infinity"
SATURATED = "a derivative of 0 times an infinite operand, as in any product"
ROOT = "infinity over infinity; to look for it would cost norms of other numbers a third"
OTHER_AXES = "composed, but over the last axis; another composition takes four times as long"
EXCEPTIONS = {
    "nan_to_num": ("nan, limit, untouched", "replaces what is not finite"),
    "nansum": ("nan, untouched", "leaves NaN out"),
    "divmod": ("limit, finite of gradient", "its parts are judged by mpmath"),
    "var-0-d": ("untouched", "one number less itself"),
    "std-0-d": ("untouched", "one number less itself"),
    "max": ("untouched of gradient", CHOOSES),
    "min": ("untouched of gradient", CHOOSES),
    "median": ("untouched of gradient", CHOOSES),
    "unique": ("nan", LAST),
    "sort": ("nan", LAST),
    "partition": ("nan", LAST),
    "argpartition": ("nan", LAST),
    "topk": ("nan", LAST),
    "logsumexp-0-d": ("untouched", "NaN less itself"),
    "logsumexp-all": ("limit of gradient, limit of tangent", OTHER_AXES),
    "logsumexp-middle": ("limit of gradient, limit of tangent", OTHER_AXES),
    "logcumsumexp": ("untouched of gradient", "0 times NaN, of a place that counts nowhere"),
    "block_masked_mm": ("untouched", "masked blocks are zeros, as in MLX"),
    "block_masked_mm-scaled": ("finite", "halves times their masks are halves, as in MLX"),
    "segmented_mm": ("limit of gradient", "infinities of both signs"),
    "quantize": (
        "nan, limit, untouched of gradient",
        "NaN is left out of the range of its group, as in MLX",
    ),
    "dequantize": ("untouched", ZEROS),
    "quantized_matmul": ("untouched, limit", ZEROS + "; sums of infinities of both signs"),
    "gather_qmm": ("untouched, limit", ZEROS + "; sums of infinities of both signs"),
    "fast.rope": ("untouched", ZEROS + ": the sine of no turn"),
    "fast.scaled_dot_product_attention": (
        "finite of gradient, finite of tangent, limit of gradient, limit of tangent, "
        "untouched of gradient",
        "derivatives in halves round scores and weights; those of large scores have few digits; an "
        "infinite key or value has none",
    ),
    "linalg.lu-wide": ("untouched", "all factors are NaN"),
    "linalg.norm": ("limit of gradient, limit of tangent", ROOT),
    "matrix_norm": ("limit of gradient, limit of tangent", ROOT),
    "linalg.norm-vector--2": (
        "finite of gradient, finite of tangent",
        "an ordinary number over a subnormal one is beyond float32",
    ),
    "linalg.cross": ("untouched", ZEROS),
    "fft.irfft": ("untouched", ZEROS),
    "fft.stft": ("untouched", ZEROS + ", at the ends of a window"),
    "fast.rnn": (
        "untouched, limit of gradient, limit of tangent",
        SATURATED + "; a first state of zeros",
    ),
    "fast.rnn-relu": ("finite", "grows beyond float32 with opposite signs"),
    "fast.gru": ("untouched, limit of gradient, limit of tangent, finite", SATURATED),
    "fast.lstm": ("untouched, limit, finite", SATURATED),
    "fast.gated_delta_update": ("untouched", SATURATED),
}


# Their derivatives are sums of products of a size that the results do not show.
MANY_STEPS = (
    "fast.scaled_dot",
    "fast.rnn",
    "fast.gru",
    "fast.lstm",
    "fast.gated",
    "fast.rms_norm",
    "fast.layer_norm",
)


def chosen():
    """Samples of each function: of six shapes, and four from all over those that it has."""
    by_name = {}
    for sample in SAMPLES:
        if sample.function in pointwise.FUNCTIONS or sample.name().startswith("random."):
            continue
        if set(sample.dtypes) & set(FLOATS) and sample.arrays() and "refused" not in sample.label:
            by_name.setdefault(sample.function, []).append(sample)
    picked = []
    for some in by_name.values():
        shapes = {str([spec.shape for spec in s.arrays()]): s for s in reversed(some)}
        kept = [*list(shapes.values())[-6:], *some[:: max(1, len(some) // 4)][:4]]
        picked += [s for s in some if any(s is k for k in kept)]
    return picked


# Functions of matrices: an element reaches the whole of its matrix, and float32 has fewer digits
# than the ratio of elements that are far apart takes.
def of_matrices(sample):
    return sample.function.startswith("linalg.") and sample.function not in (
        "linalg.norm",
        "linalg.cross",
    )


def whole_matrices(primals):
    def reach(which, touched):
        stack = primals[which].ndim - 2

        def spread(mask):
            if primals[which].shape[-2:] == (1, 1):
                return np.ones_like(mask)
            axes = tuple(range(max(stack, 0), mask.ndim))
            return np.broadcast_to(mask.any(axis=axes, keepdims=True), mask.shape).copy()

        return [[spread(mask) for mask in part] for part in touched]

    return reach


def question(sample, dtype):
    drawn = sample.draw(dtype)
    wide = [
        value if spec.dtype else value.astype(np.float64)
        for spec, value in zip(sample.arrays(), drawn, strict=True)
    ]
    judge = "float64" if accepted(sample, "float64") else "float32"
    wide = [v.astype(judge) if v.dtype == np.float64 else v for v in wide]
    narrow, other = Smooth(sample, mx, dtype, drawn), Smooth(sample, mx, judge, wide)
    smooth = bool(differentiable(sample))

    def truth(which, place, value):
        if sample.truth is None:
            return None
        given = [v.copy() for v in drawn]
        given[narrow.chosen[which]].reshape(-1)[place] = value
        try:
            found = sample.expected(given)
        except (np.linalg.LinAlgError, ValueError):
            return None
        return found if isinstance(found, (np.ndarray, np.floating)) else None

    options = {"limits": judge == "float64", "floor": 0.01 * sample.name().startswith(MANY_STEPS)}
    if of_matrices(sample):
        options |= {
            "allowed": 20.0,
            "values": (0.0, 1.0, -1.0, 90.0, -90.0),
            "limits": False,
            "reach": whole_matrices(narrow.primals),
        }
    return places.Question(
        places.Answers(narrow, narrow.primals, smooth),
        places.Answers(other, other.primals, smooth),
        dtype,
        truth=truth,
        **options,
    )


def findings(sample):
    for dtype in sample.dtypes:
        if dtype in FLOATS and accepted(sample, dtype):
            yield from ((dtype, f) for f in question(sample, dtype).findings())


def excused(sample, finding):
    kinds = {finding.kind, f"{finding.kind} of {finding.part}"}
    return any(
        sample.name().startswith(name) and kinds & set(what.split(", "))
        for name, (what, _) in EXCEPTIONS.items()
    )


@pytest.mark.parametrize("sample", chosen(), ids=lambda sample: sample.name())
def test_one_extreme_number(sample):
    wrong = [(d, f) for d, f in findings(sample) if not excused(sample, f)]
    assert not wrong, "\n".join(f"{d} {f.kind} {f.part}: {f.where}: {f.text}" for d, f in wrong)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_needed(name):
    """Each kind that a name is excused from is found with one of its samples."""
    what, _ = EXCEPTIONS[name]
    missing = set(what.split(", "))
    for sample in chosen():
        if not missing or not sample.name().startswith(name):
            continue
        for _, f in findings(sample):
            missing -= {f.kind, f"{f.kind} of {f.part}"}
    assert not missing, f"{name} needs no exception from {', '.join(sorted(missing))}"
