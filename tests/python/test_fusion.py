"""Fused equals unfused, bit for bit: step by step, lazily built and compiled give the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import bits_difference
from engines import FLOATS, IS_HEDDLE, REALS, mx, to_engine

SHAPE = (37, 53)


def inputs(dtype):
    rng = np.random.default_rng(3)
    values = [rng.uniform(0.5, 3, shape) for shape in (SHAPE, SHAPE[1:], (SHAPE[0], 1), ())]
    if dtype not in FLOATS:
        values = [np.floor(value * 20) for value in values]
    return [
        to_engine(mx, np.asarray(value), "float64").astype(getattr(mx, dtype)) for value in values
    ]


# Each chain is a list of steps; a step takes the value so far and the inputs.
CHAINS = {
    "arithmetic": [
        lambda v, x, r, c, s: v + r,
        lambda v, x, r, c, s: v * c,
        lambda v, x, r, c, s: v - s,
        lambda v, x, r, c, s: v * v + x,
        lambda v, x, r, c, s: mx.maximum(v, r),
        lambda v, x, r, c, s: mx.abs(v) + 1,
    ],
    "select": [
        lambda v, x, r, c, s: mx.where(v > r, v, c),
        lambda v, x, r, c, s: mx.clip(v, 1, 40),
        lambda v, x, r, c, s: mx.where(mx.logical_or(v == s, v <= c), v + v, r),
        lambda v, x, r, c, s: mx.minimum(v, x) * 3,
    ],
    "casts": [
        lambda v, x, r, c, s: v.astype(mx.float16) * 1.25,
        lambda v, x, r, c, s: v + r,
        lambda v, x, r, c, s: v.astype(mx.bfloat16) * c.astype(mx.bfloat16),
        lambda v, x, r, c, s: (v * 3).astype(mx.int32) + 7,
        lambda v, x, r, c, s: v.astype(mx.uint8).astype(mx.float32) / 3,
    ],
}
INEXACT = {
    "functions": [
        lambda v, x, r, c, s: mx.exp(-v * r),
        lambda v, x, r, c, s: mx.sin(v) + mx.cos(c),
        lambda v, x, r, c, s: mx.tanh(v * s) / (1 + mx.abs(v)),
        lambda v, x, r, c, s: mx.sqrt(mx.abs(v)) + mx.erf(x),
        lambda v, x, r, c, s: mx.log1p(mx.square(v)) * mx.sigmoid(v),
        lambda v, x, r, c, s: mx.power(mx.abs(v) + 0.5, r),
    ],
    "softmax-like": [
        lambda v, x, r, c, s: v - mx.max(v, axis=-1, keepdims=True),
        lambda v, x, r, c, s: mx.exp(v) * r,
        lambda v, x, r, c, s: v / mx.sum(v, axis=-1, keepdims=True),
        lambda v, x, r, c, s: (v * c).sum(axis=0),
    ],
    "products": [
        lambda v, x, r, c, s: v * 0.1 + r,
        lambda v, x, r, c, s: v @ x.T,
        lambda v, x, r, c, s: mx.maximum(v + c, 0),
        lambda v, x, r, c, s: mx.transpose(v) * s,
        lambda v, x, r, c, s: v[::2, 1:] + 1,
    ],
}


def run(steps, arrays, each_step):
    value = arrays[0]
    for step in steps:
        value = step(value, *arrays)
        if each_step:
            mx.eval(value)
    return value


CASES = [(label, dtype) for label in CHAINS for dtype in REALS]
CASES += [(label, dtype) for label in INEXACT for dtype in FLOATS]


@pytest.mark.parametrize(("label", "dtype"), CASES)
def test_fused_equals_unfused(label, dtype):
    steps = (CHAINS | INEXACT)[label]
    arrays = inputs(dtype)
    stepwise = run(steps, arrays, each_step=True)
    lazy = run(steps, arrays, each_step=False)
    compiled = mx.compile(lambda *a: run(steps, a, each_step=False))(*arrays)
    assert lazy.dtype == stepwise.dtype == compiled.dtype
    assert not bits_difference(lazy, stepwise)
    assert not bits_difference(compiled, stepwise)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_gradients_too(dtype):
    steps, arrays = INEXACT["functions"], inputs(dtype)

    def function(each_step):
        return mx.grad(lambda x: run(steps, [x, *arrays[1:]], each_step).sum())(arrays[0])

    assert not bits_difference(function(False), function(True))


UNARY = ("exp", "tanh", "abs", "negative", "square", "sigmoid", "floor", "sin", "erf")
BINARY = ("add", "multiply", "maximum", "subtract", "minimum")


@settings(max_examples=60 if IS_HEDDLE else 10, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(FLOATS),
)
def test_random_graphs(nodes, dtype):
    """Random graphs of shared values: every node is an output of the compiled function."""

    def build(values, each_step):
        values = list(values)
        for name, first, second in nodes:
            a, b = values[-1 - first % len(values)], values[second % len(values)]
            value = getattr(mx, name)(a) if name in UNARY else getattr(mx, name)(a, b)
            if each_step:
                mx.eval(value)
            values.append(value)
        return values

    arrays = inputs(dtype)
    stepwise = build(arrays, each_step=True)
    lazy = build(arrays, each_step=False)
    mx.eval(lazy[-1])
    compiled = mx.compile(lambda *a: build(a, each_step=False))(*arrays)
    for one, two, three in zip(stepwise, lazy, compiled, strict=True):
        assert not bits_difference(two, one)
        assert not bits_difference(three, one)
