"""Every layer with one extreme number in one place of an input or a parameter: values, gradients
and forward derivatives are those of the same layer in float64, rounded once; what the place does
not reach stays as it is beside inf and NaN, and NaN is not lost.

Layers are found as in test_half_layers.py: a new one has to have a case there.
"""

import heddle.core as mx
import numpy as np
import pytest

import heddle.nn as nn
import places
from engines import FLOATS
from heddle.utils import tree_flatten, tree_unflatten
from test_half_layers import CASES

# Beginnings of expressions: what is not asked, as "kind" or "kind of part", and why. Each is
# needed: test_exceptions_are_needed.
STEPS = "a state goes through the products of all steps; zeros times infinity in the first"
HUGE_WEIGHT = "a weight of 1e25 times what keeps squares of numbers of 1e25 in range"
EXCEPTIONS = {
    "MultiHeadAttention": (
        "finite, untouched of gradient",
        "products of products end with float32; derivatives of halves round the weights between",
    ),
    "BatchNorm": ("finite of gradient", HUGE_WEIGHT),
    "GroupNorm": ("finite of gradient", HUGE_WEIGHT),
    "InstanceNorm": ("finite of gradient", HUGE_WEIGHT),
    "RNN": ("finite, untouched", STEPS),
    "GRU": ("finite, untouched", STEPS),
    "LSTM": ("finite, untouched", STEPS),
    "RoPE": ("untouched", "zeros times infinity: the sine of no turn"),
    "SinusoidalPositionalEncoding": ("finite", "angles are float32, as in MLX"),
    "Upsample": ("untouched", "zeros times infinity: weights of far neighbours"),
    "MaxPool": ("untouched", "the largest is shared with the padding, and not found beside NaN"),
    "Conv": ("untouched", "in float64, padding is zeros times infinity"),
    "Sequential": ("untouched of gradient", "a derivative of 0 times an infinite operand"),
}
# Layers of these, many products in a row.
ELSEWHERE = "Transformer"
ASKED = [(e, s) for e, s in CASES if not e.startswith(ELSEWHERE)]


class Layer:
    """A layer with the numbers of one in `dtype`, as a function of its inputs and parameters."""

    def __init__(self, expression, inputs, dtype, computed):
        mx.random.seed(5)
        self.module = eval(f"nn.{expression}", {"nn": nn, "mx": mx})
        self.module.set_dtype(getattr(mx, dtype))
        self.module.set_dtype(getattr(mx, computed))
        self.absent = [x is None for x in inputs]
        given = [mx.array(x).astype(getattr(mx, dtype)) for x in inputs if x is not None]
        parameters = tree_flatten(self.module.trainable_parameters())
        self.names = [name for name, _ in parameters]
        self.primals = [x.astype(getattr(mx, computed)) for x in given]
        self.primals += [value for _, value in parameters]

    def __call__(self, *arrays):
        supply = iter(arrays)
        inputs = [None if absent else next(supply) for absent in self.absent]
        self.module.update(tree_unflatten(list(zip(self.names, supply, strict=True))))
        y = self.module(*inputs)
        return [v for v in (y if isinstance(y, tuple) else (y,)) if isinstance(v, mx.array)]


def findings(expression, shapes):
    rng = np.random.default_rng(3)
    drawn = [None if s is None else rng.standard_normal(s).astype(np.float32) for s in shapes]
    for dtype in FLOATS:
        layers = [Layer(expression, drawn, dtype, computed) for computed in (dtype, "float64")]
        answers = [places.Answers(layer, layer.primals) for layer in layers]
        question = places.Question(*answers, dtype, limits=False, floor=0.01)
        yield from ((dtype, f) for f in question.findings())
        if sum(x.size for x in layers[0].primals) > 5000:
            break


def excused(expression, finding):
    kinds = {finding.kind, f"{finding.kind} of {finding.part}"}
    return any(
        expression.startswith(name) and kinds & set(what.split(", "))
        for name, (what, _) in EXCEPTIONS.items()
    )


@pytest.mark.parametrize(("expression", "shapes"), ASKED, ids=[e for e, _ in ASKED])
def test_one_extreme_number(expression, shapes):
    wrong = [(d, f) for d, f in findings(expression, shapes) if not excused(expression, f)]
    assert not wrong, "\n".join(f"{d} {f.kind} {f.part}: {f.where}: {f.text}" for d, f in wrong)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_needed(name):
    missing = set(EXCEPTIONS[name][0].split(", "))
    for expression, shapes in ASKED:
        if missing and expression.startswith(name):
            for _, f in findings(expression, shapes):
                missing -= {f.kind, f"{f.kind} of {f.part}"}
    assert not missing, f"{name} needs no exception from {', '.join(sorted(missing))}"
