"""Layers and optimizers in halves, where squares overflow, vanish, or stand beside a large mean:
they agree with what they compute of the same numbers in float32, rounded.

Layers and optimizers are found by walking the modules: a new one fails the suite until it has an
entry here or in test_nn_layers.
"""

import inspect

import heddle.core as mx
import numpy as np
import pytest

import heddle.nn as nn
import heddle.optimizers as optim
import layer_cases
from heddle.utils import tree_flatten, tree_map
from layer_cases import class_of

HALVES = [mx.float16, mx.bfloat16]
ROUNDING = {mx.float16: 2.0**-11, mx.bfloat16: 2.0**-8}

# What draws, rounds by design, has integers for results or inputs, or is only a base.
LEFT_OUT = {
    "Module": "a base",
    "Step": "integers",
    "Embedding": "looks up",
    "QuantizedEmbedding": "looks up",
    "QuantizedLinear": "its weight is of few bits",
    "QuantizedAllToShardedLinear": "its weight is of few bits",
    "QuantizedShardedToAllLinear": "its weight is of few bits",
    "QQLinear": "rounds its input",
}
DRAWS = ("Dropout", "dropout")
JUDGED = [(e, s) for e, s in layer_cases.CASES if class_of(e) not in LEFT_OUT]
CASES = [(e, s) for e, s in JUDGED if not any(word in e for word in DRAWS)]
DROPPING = [(e, s) for e, s in JUDGED if e.startswith("Dropout")]
# Several layers in a row round in between, and sums of products have as many roundings as terms
# where they are made of halves.
IN_A_ROW = ("Transformer", "MultiHead", "Sequential", "LSTM", "GRU", "RNN(")


def layer_classes():
    return {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }


def test_every_layer_has_a_case():
    judged = {class_of(e) for e, _ in [*CASES, *DROPPING]}
    assert layer_classes() - judged == set(LEFT_OUT)


def inputs(shapes, dtype, kind):
    """Numbers of the dtype whose squares overflow or vanish in float16, or with a large mean."""
    random = np.random.default_rng(3)
    scale, mean = {"large": (300.0, 0.0), "tiny": (1e-4, 0.0), "shifted": (1.0, 100.0)}[kind]
    values = [
        None if shape is None else mean + scale * random.standard_normal(shape) for shape in shapes
    ]
    return [None if v is None else mx.array(v.astype(np.float32)).astype(dtype) for v in values]


def widened(tree):
    if tree is None:
        return None
    return tree.astype(mx.float32) if tree.dtype in HALVES else tree


def near(given, right, dtype, slack, message):
    """Whether halves are the right numbers after rounding, each on the scale of the largest."""
    assert given.dtype == dtype, message
    given, right = np.array(given.astype(mx.float32)), np.array(right)
    limit = float(mx.finfo(dtype).max)
    right = np.where(np.abs(right) > limit, np.sign(right) * np.inf, right)
    np.testing.assert_array_equal(np.isfinite(given), np.isfinite(right), err_msg=message)
    finite = np.isfinite(right)
    scale = np.abs(right[finite]).max(initial=0.0)
    bound = ROUNDING[dtype] * 1.01 * np.abs(right) + slack * scale + 6e-8
    off = np.abs(np.where(finite, given - right, 0))
    assert (off <= np.where(finite, bound, np.inf)).all(), (message, off.max(), scale)


def total(y):
    """A sum in float32 that weighs the elements differently, by numbers of few bits."""
    y = y[0] if isinstance(y, tuple) else y
    weights = mx.round(8 * mx.cos(mx.arange(y.size))).reshape(y.shape)
    return (y.astype(mx.float32) * weights).sum()


def pair(expression, dtype):
    """A layer in the dtype, and one with the same numbers in float32."""
    made = []
    for _ in range(2):
        mx.random.seed(5)
        made.append(eval(f"nn.{expression}", {"nn": nn, "mx": mx}))
        made[-1].set_dtype(dtype)
    return made[0], made[1].apply(widened)


def leaves(y):
    return list(y) if isinstance(y, tuple) else [y]


@pytest.mark.parametrize("kind", ["large", "tiny", "shifted"])
@pytest.mark.parametrize("dtype", HALVES, ids=["float16", "bfloat16"])
def test_values(dtype, kind):
    for expression, shapes in CASES:
        if is_in_a_row(expression) and kind == "shifted":
            continue  # what is normalized at the end is what a half has left beside the mean
        layer, wide = pair(expression, dtype)
        arrays = inputs(shapes, dtype, kind)
        slack = 8 * ROUNDING[dtype] if is_in_a_row(expression) else 1e-6
        results = leaves(layer(*arrays)), leaves(wide(*map(widened, arrays)))
        for given, right in zip(*results, strict=True):
            if given.dtype == mx.float32:  # of positions, whose frequencies are float32
                assert mx.allclose(given, right, 1e-5, 1e-5).item(), expression
            else:
                near(given, right, dtype, slack, f"{expression} {kind}")


@pytest.mark.parametrize("kind", ["large", "tiny", "shifted"])
@pytest.mark.parametrize("dtype", HALVES, ids=["float16", "bfloat16"])
def test_gradients(dtype, kind):
    for expression, shapes in CASES:
        if is_in_a_row(expression) or "Upsample" in expression:
            continue  # differences of roundings in between
        layer, wide = pair(expression, dtype)
        arrays = inputs(shapes, dtype, kind)

        def loss(parameters, x, module, rest):
            module.update(parameters)
            return total(module(x, *rest))

        both = mx.grad(loss, (0, 1))
        mine = both(layer.trainable_parameters(), arrays[0], layer, arrays[1:])
        right = both(
            wide.trainable_parameters(), widened(arrays[0]), wide, list(map(widened, arrays[1:]))
        )
        others = dict(tree_flatten(right))
        for path, gradient in tree_flatten(mine):
            # Windows that overlap add up what each has rounded; the derivative of a softmax is
            # made of its result.
            rounds = "Pool" in expression or "Softmax" in expression
            slack = 4 * ROUNDING[dtype] if rounds else 1e-6
            near(gradient, others[path], dtype, slack, f"{expression} {kind} {path}")


def is_in_a_row(expression):
    return any(word in expression for word in IN_A_ROW)


@pytest.mark.parametrize("dtype", HALVES, ids=["float16", "bfloat16"])
@pytest.mark.parametrize("expression", ["InstanceNorm(1)", "BatchNorm(1)", "GroupNorm(1, 1)"])
def test_statistics(expression, dtype):
    x = mx.array([300.0, -300.0, 300.0, -300.0]).reshape(1, 4, 1).astype(dtype)
    layer = eval(f"nn.{expression}", {"nn": nn})
    layer.set_dtype(dtype)
    y = layer(x)
    assert y.dtype == dtype
    assert y.reshape(-1).tolist() == [1, -1, 1, -1]
    if expression == "BatchNorm(1)":
        assert layer.running_mean.dtype == dtype
        layer = nn.BatchNorm(1)
        assert layer(x).dtype == mx.float32  # that of its parameters
        assert layer.running_var.dtype == mx.float32
        assert layer.running_var.item() == pytest.approx(0.9 + 0.1 * 120000)


def test_dropout_rounds_once():
    for expression, shapes in DROPPING:
        for dtype in HALVES:
            layer, wide = pair(expression, dtype)
            (x,) = inputs(shapes, dtype, "shifted")
            mx.random.seed(1)
            given = layer(x)
            mx.random.seed(1)
            near(given, wide(widened(x)), dtype, 1e-6, expression)


@pytest.mark.parametrize("dtype", HALVES, ids=["float16", "bfloat16"])
def test_biases_of_far_positions(dtype):
    bias = nn.ALiBi.create_alibi_matrix(1, 70000, 8, dtype=dtype)
    right = nn.ALiBi.create_alibi_matrix(1, 70000, 8)
    assert mx.array_equal(bias, right.astype(dtype)).item()


@pytest.mark.parametrize("layer", ["LayerNorm", "RMSNorm", "InstanceNorm", "BatchNorm"])
@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan")])
def test_eps_is_positive(layer, eps):
    for make in (getattr(nn, layer), lambda dims, eps: nn.GroupNorm(1, dims, eps=eps)):
        with pytest.raises(ValueError, match=r"\[\w+Norm\] 'eps' must be positive but got"):
            make(4, eps=eps)


# --- optimizers

OPTIMIZERS = [
    "SGD(0.1)",
    "SGD(0.1, 0.9, 0.05, nesterov=True)",
    "RMSprop(0.1)",
    "Adagrad(0.1)",
    "AdaDelta(0.1)",
    "Adam(0.1)",
    "Adam(0.1, bias_correction=True)",
    "AdamW(0.1, weight_decay=0.1)",
    "Adamax(0.1)",
    "Lion(0.1, weight_decay=0.1)",
    "Adafactor()",
    "Adafactor(0.1, beta_1=0.9, relative_step=False, weight_decay=0.1)",
    "Muon(0.1)",
]


def test_every_optimizer_has_a_case():
    classes = {
        name
        for name, value in vars(optim).items()
        if inspect.isclass(value) and issubclass(value, optim.Optimizer)
    }
    judged = {e.partition("(")[0] for e in OPTIMIZERS}
    assert classes - judged == {"Optimizer", "MultiOptimizer"}


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("dtype", HALVES, ids=["float16", "bfloat16"])
@pytest.mark.parametrize("expression", OPTIMIZERS)
def test_steps(expression, dtype, compiled):
    """A step in halves is that of float32 from the same numbers, rounded once: state, parameter."""
    for scale in (300.0, 1.0, 1e-5):
        random = np.random.default_rng(4)

        def draw(size, random=random):
            return mx.array(size * random.standard_normal((3, 4))).astype(dtype)

        weights = {"w": draw(1.0), "b": draw(1.0)[0]}
        optimizer = eval(f"optim.{expression}", {"optim": optim})
        for _ in range(3):
            gradients = {"w": draw(scale), "b": draw(scale)[0]}
            wide = eval(f"optim.{expression}", {"optim": optim})
            wide.init(tree_map(widened, weights))
            if optimizer.step.item():
                wide.state = tree_map(widened, optimizer.state)
                wide._initialized = True
            right = wide.apply_gradients(tree_map(widened, gradients), tree_map(widened, weights))
            if compiled:
                state = optimizer.state
                optimizer.init(weights)
                update = mx.compile(optimizer.apply_gradients, inputs=state, outputs=state)
                weights = update(gradients, weights)
            else:
                weights = optimizer.apply_gradients(gradients, weights)
            for name in weights:
                assert weights[name].dtype == dtype
                assert mx.array_equal(weights[name], right[name].astype(dtype)).item(), scale
                assert mx.all(mx.isfinite(weights[name])).item()
                for key, value in optimizer.state[name].items():
                    assert value.dtype == dtype
                    exact = wide.state[name][key]
                    if dtype == mx.float16:
                        exact = mx.clip(exact, -65504, 65504)  # what is remembered stays finite
                    assert mx.array_equal(value, exact.astype(dtype)).item(), (scale, key)


@pytest.mark.parametrize("dtype", [*HALVES, mx.float32])
def test_steps_with_gradients_of_another_dtype(dtype):
    """State and parameter have the dtypes that MLX gives them."""
    w = {"w": mx.ones((2, 2), dtype=mx.float16)}
    adam = optim.Adam(0.1)
    out = adam.apply_gradients({"w": mx.ones((2, 2), dtype=dtype)}, w)["w"]
    assert out.dtype == mx.result_type(mx.float16, dtype)
    assert adam.state["w"]["m"].dtype == dtype


CLIPPED = [optim.clip_grad_norm, nn.utils.clip_grad_norm_sharded]


@pytest.mark.parametrize("clip", CLIPPED)
@pytest.mark.parametrize("dtype", [*HALVES, mx.float32, mx.float64])
def test_clipping_keeps_dtypes(clip, dtype):
    gradients = {"a": mx.array([300.0, 400.0]).astype(dtype), "b": [mx.zeros(2, dtype=dtype)]}
    for limit, wanted in ((1.0, [0.6, 0.8]), (1e4, [300.0, 400.0])):
        clipped, norm = clip(gradients, limit)
        assert norm.item() == 500
        assert norm.dtype == (mx.float64 if dtype == mx.float64 else mx.float32)
        assert clipped["a"].dtype == dtype
        assert clipped["b"][0].dtype == dtype
        assert clipped["a"].tolist() == pytest.approx(wanted, rel=1e-2)


@pytest.mark.parametrize("clip", CLIPPED)
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e18, 1e25, 3e38])
def test_clipping_what_has_squares_beyond_float32(clip, size):
    clipped, norm = clip([mx.array([size, -size / 2])], size / 4)
    right = np.hypot(np.float64(np.float32(size)), np.float64(np.float32(size / 2)))
    assert norm.item() == pytest.approx(min(right, 3.4028235e38), rel=1e-6)
    if size > 1e-6:  # beside the 1e-6 that is added to the norm
        scale = size / 4 / right
        assert clipped[0].tolist() == pytest.approx([size * scale, -size / 2 * scale], rel=1e-5)
