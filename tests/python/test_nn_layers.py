"""Layers, activations, losses and initializers beside mlx.nn.

With equal seeds models start with equal parameters; with these, equal inputs give equal outputs.
"""

import inspect

import heddle.core as mx
import mlx.nn
import numpy as np
import pytest

import heddle.nn as nn
from side_by_side import HEDDLE, MLX, assert_same, draws, without_addresses

TOLERANCE = 2e-5
HALF_TOLERANCE = 1e-2

LAYERS = """
ALiBi()
AvgPool1d((2,))
AvgPool2d((2, 3), (1, 2), (0, 1))
AvgPool3d(2)
BatchNorm(4)
BatchNorm(4, affine=False, track_running_stats=False)
Bilinear(2, 3, 4)
Bilinear(2, 3, 4, False)
CELU(alpha=2.0)
Conv1d(2, 3, 4)
Conv1d(2, 4, 4, 2, 1, 2, 2, False)
Conv2d(2, 3, 4)
Conv2d(2, 4, (2, 3), (1, 2), 1, (2, 1), 2, False)
Conv3d(2, 3, (1, 2, 3), 2, 1, 2, False)
ConvTranspose1d(2, 3, 4, 2, 1, 1, 1, False)
ConvTranspose2d(2, 3, (2, 3), 2, (1, 0), 1, 1)
ConvTranspose3d(2, 3, 4)
Dropout(0.1)
Dropout2d()
Dropout3d()
Embedding(3, 4)
GELU('tanh')
GLU()
GRU(2, 3)
GRU(2, 3, False)
GroupNorm(2, 4)
GroupNorm(2, 4, affine=False, pytorch_compatible=True)
Identity(3, a=3)
InstanceNorm(3)
InstanceNorm(3, affine=True)
LSTM(2, 3)
LSTM(2, 3, False)
LayerNorm(3, affine=False)
LayerNorm(3, bias=False)
LeakyReLU()
Linear(2, 3)
Linear(2, 3, bias=False)
MaxPool1d(2)
MaxPool2d((2, 3), padding=(1, 1))
MaxPool3d(2)
MultiHeadAttention(4, 2)
MultiHeadAttention(4, 2, 3, 5, 6, 8, 10, True)
PReLU(3, 0.1)
RMSNorm(3)
RNN(2, 3)
RNN(2, 3, False, abs)
RoPE(4, True, 100, 2.0)
Sequential()
SinusoidalPositionalEncoding(8, scale=2.0, cos_first=True, full_turns=True)
Softshrink()
Step(0.5)
AllToShardedLinear(4, 6)
AllToShardedLinear(4, 6, False)
ShardedToAllLinear(4, 6)
ShardedToAllLinear(4, 6, bias=False)
FullyShardedModule(nn.Linear(2, 3))
FullyShardedModule(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), compute_dtype=mx.float16)
Transformer(4, 2, 1, 1)
Transformer(4, 2, 1, 2, 8, 0.1, norm_first=False, checkpoint=True)
TransformerDecoder(1, 4, 2)
TransformerDecoderLayer(4, 2)
TransformerEncoder(1, 4, 2, checkpoint=True)
TransformerEncoderLayer(4, 2)
Upsample(2)
Upsample((2, 3), 'linear', True)
Upsample(0.5, 'cubic', antialias=True)
""".strip().splitlines()


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_look_and_begin_as_in_mlx(layer):
    # The inverse error function differs in its last bits.
    assert_same(f"nn.{layer}", lambda side: {"abs": abs})
    assert_same(f"(m := nn.{layer}).parameters(), sorted(m._no_grad)", tolerance=1e-6)
    if "Pool" not in layer:
        assert_same(f"sorted([*(m := nn.{layer}), *m.__dict__])", lambda side: {"abs": abs})


def home(value):
    """The module that an object of MLX is from, or that it is."""
    return value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) or ""


PACKAGES = {"nn": "mlx.nn", "optim": "mlx.optimizers", "utils": "mlx.utils"}
PUBLIC = [
    (module, name)
    for module in ("nn", "nn.layers", "nn.losses", "nn.init", "optim", "optim.schedulers", "utils")
    for name, value in sorted(vars(eval(module, MLX.names())).items())
    if not name.startswith("_") and home(value).startswith(PACKAGES[module.partition(".")[0]])
]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_every_public_name_is_there_with_its_parameters(module, name):
    theirs = getattr(eval(module, MLX.names()), name)
    ours = getattr(eval(module, HEDDLE.names()), name)
    if inspect.ismodule(theirs):
        assert inspect.ismodule(ours)
        return

    def parameters(value):
        return [
            (p.name, p.kind, without_addresses(str(p.default)).replace("heddle", "mlx"))
            for p in inspect.signature(value).parameters.values()
        ]

    assert parameters(ours) == parameters(theirs)
    if inspect.isclass(theirs):
        for method, function in vars(theirs).items():
            if callable(function) and (method == "__call__" or not method.startswith("_")):
                if "args" in inspect.signature(function).parameters:
                    continue
                own = parameters(getattr(ours, method))
                # The name of self is nobody's business.
                assert own[1:] == parameters(function)[1:], method


ACTIVATIONS = [
    *("celu", "elu", "gelu", "gelu_approx", "gelu_fast_approx", "glu", "hard_shrink"),
    *("hard_tanh", "hardswish", "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu"),
    *("relu2", "relu6", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus"),
    *("softshrink", "softsign", "step", "tanh"),
]


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_activations(function):
    def names(side):
        return {"x": side.mx.array(3 * draws((4, 6))[0])}

    assert_same(f"nn.{function}(x)", names, TOLERANCE)
    assert_same(f"nn.{function}(x.astype(mx.float16))", names, HALF_TOLERANCE)
    assert_same(f"nn.{function}(x.astype(mx.int32))", names, TOLERANCE)
    if function != "step":
        assert_same(f"mx.grad(lambda x: nn.{function}(x).square().sum())(x)", names, 1e-4)


# A layer, and the shapes of its inputs or other arguments.
OUTPUTS = [
    ("BatchNorm(4)", [(3, 5, 4)]),
    ("BatchNorm(4, track_running_stats=False).eval()", [(3, 5, 4)]),
    ("BatchNorm(4).eval()", [(3, 4)]),
    ("Bilinear(3, 4, 5)", [(2, 6, 3), (2, 6, 4)]),
    ("Bilinear(3, 4, 5, False)", [(3,), (4,)]),
    ("CELU(0.3)", [(4, 4)]),
    ("Conv1d(3, 4, 3, 2, 1)", [(2, 9, 3)]),
    ("Conv1d(4, 6, 3, 1, 2, 2, 2)", [(2, 9, 4)]),
    ("Conv2d(3, 4, (3, 2), (2, 1), 1, bias=False)", [(2, 9, 8, 3)]),
    ("Conv3d(2, 3, 2, 1, 1)", [(1, 4, 5, 4, 2)]),
    ("ConvTranspose1d(3, 4, 3, 2, 1, 1, 1)", [(2, 5, 3)]),
    ("ConvTranspose2d(3, 4, 3, 2, 1)", [(2, 5, 4, 3)]),
    ("ConvTranspose3d(2, 3, 2, 2)", [(1, 3, 4, 3, 2)]),
    ("Dropout(0.3)", [(5, 6)]),
    ("Dropout(0.3).eval()", [(5, 6)]),
    ("Dropout2d(0.3)", [(2, 3, 4, 5)]),
    ("Dropout3d(0.3)", [(2, 2, 3, 4, 5)]),
    ("ELU(0.3)", [(4, 4)]),
    ("GELU('precise')", [(4, 4)]),
    ("GELU('fast')", [(4, 4)]),
    ("GELU()", [(4, 4)]),
    ("GLU(0)", [(4, 4)]),
    ("GRU(3, 4)", [(2, 5, 3)]),
    ("GRU(3, 4)", [(5, 3), (4,)]),
    ("GRU(3, 4, False)", [(2, 5, 3), (2, 4)]),
    ("GroupNorm(2, 4)", [(3, 5, 4)]),
    ("GroupNorm(2, 4, pytorch_compatible=True)", [(3, 5, 5, 4)]),
    ("InstanceNorm(4, affine=True)", [(3, 5, 4)]),
    ("LSTM(3, 4)", [(2, 5, 3)]),
    ("LSTM(3, 4)", [(5, 3), (4,), (4,)]),
    ("LSTM(3, 4, False)", [(2, 5, 3), (2, 4)]),
    ("LayerNorm(6)", [(3, 6)]),
    ("LayerNorm(6, affine=False)", [(3, 6)]),
    ("LayerNorm(6, bias=False)", [(3, 6)]),
    ("Linear(3, 4)", [(2, 3)]),
    ("Linear(3, 4, False)", [(2, 5, 3)]),
    ("MultiHeadAttention(8, 2, bias=True)", [(2, 5, 8), (2, 6, 8), (2, 6, 8)]),
    ("MultiHeadAttention(8, 2)", [(2, 5, 8), (2, 5, 8), (2, 5, 8), (5, 5)]),
    ("PReLU(6)", [(4, 6)]),
    ("RMSNorm(6)", [(3, 6)]),
    ("RNN(3, 4)", [(2, 5, 3)]),
    ("RNN(3, 4, False)", [(5, 3), (4,)]),
    ("RoPE(4)", [(2, 3, 6)]),
    ("RoPE(6, traditional=True, base=100, scale=0.5)", [(1, 2, 3, 6)]),
    ("RNN(3, 4, nonlinearity=nn.relu)", [(2, 5, 3), (2, 4)]),
    ("RNN(3, 4, nonlinearity=nn.sigmoid)", [(2, 5, 3)]),
    ("LSTM(3, 4)", [(5, 3), (2, 4), (2, 4)]),
    ("LSTM(3, 4)", [(2, 5, 3), None, (2, 4)]),
    ("LSTM(5, 70)", [(3, 9, 5)]),
    ("GRU(5, 70)", [(2, 3, 9, 5)]),
    ("RNN(5, 70)", [(18, 9, 5)]),
    ("AllToShardedLinear(3, 4)", [(2, 3)]),
    ("AllToShardedLinear(3, 4, False)", [(2, 3)]),
    ("ShardedToAllLinear(3, 4)", [(2, 3)]),
    ("ShardedToAllLinear(3, 4, False)", [(2, 3)]),
    ("FullyShardedModule(nn.Linear(3, 4))", [(2, 3)]),
    ("ALiBi()", [(1, 6, 4, 4)]),
    ("SinusoidalPositionalEncoding(8)", [(5,)]),
    ("SinusoidalPositionalEncoding(8, scale=2.0, cos_first=True, full_turns=True)", [(5,)]),
    ("TransformerEncoder(2, 8, 2, norm_first=False)", [(2, 5, 8), None]),
    ("TransformerEncoder(1, 8, 2, dropout=0.3, checkpoint=True)", [(2, 5, 8), None]),
    ("TransformerDecoder(1, 8, 2)", [(2, 5, 8), (2, 4, 8), None, None]),
    ("TransformerDecoder(1, 8, 2, norm_first=False)", [(2, 5, 8), (2, 4, 8), None, None]),
    ("Transformer(8, 2, 1, 1)", [(2, 5, 8), (2, 4, 8), None, (4, 4), None]),
    ("Sequential(nn.Linear(3, 4), mx.tanh, nn.ReLU())", [(2, 3)]),
    *(
        (f"{kind}Pool2d({size})", [(2, 9, 8, 3)])
        for kind in ("Max", "Avg")
        for size in ("2", "3, 2", "3, 2, 1", "(2, 3), (1, 2), (1, 0)", "2, 2, 1", "3, 5")
    ),
    ("MaxPool1d(3, 1)", [(2, 9, 3)]),
    ("MaxPool2d(3, 2, 1)", [(2, 11, 10, 35)]),
    ("AvgPool2d(3, 1, 1)", [(2, 11, 10, 64)]),
    ("AvgPool3d(2, 1, 1)", [(1, 4, 5, 4, 2)]),
    *(
        (f"Upsample({scale}, {mode!r}, {corners})", [(2, 7, 9, 3)])
        for mode in ("nearest", "linear", "cubic")
        for scale in ("2", "1.5", "0.7", "(2, 0.6)")
        for corners in (False, True)
    ),
    *(
        (f"Upsample({scale}, {mode!r}, antialias=True)", [(2, 7, 9, 3)])
        for mode in ("linear", "cubic")
        for scale in ("2", "0.5", "0.7", "(3.3, 0.6)")
    ),
]


def inputs(shapes):
    def names(side):
        arrays = iter(draws(*(shape for shape in shapes if shape is not None)))
        values = [None if shape is None else side.mx.array(next(arrays)) for shape in shapes]
        return {"inputs": values, "total": lambda y: (y[0] if isinstance(y, tuple) else y).sum()}

    return names


@pytest.mark.parametrize(("layer", "shapes"), OUTPUTS)
def test_outputs(layer, shapes):
    layer = layer if layer.startswith("Sequential") else layer
    assert_same(f"nn.{layer}(*inputs)", inputs(shapes), TOLERANCE)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (layer, shapes)
        for layer, shapes in OUTPUTS
        if "Upsample" not in layer and "Dropout" not in layer and "dropout" not in layer
    ],
)
def test_gradients(layer, shapes):
    assert_same(
        f"nn.value_and_grad(m := nn.{layer}, lambda *a: total(m(*a)))(*inputs)"
        if has_parameters(layer)
        else f"mx.grad(lambda x, *a: (nn.{layer}(x, *a) ** 2).sum())(*inputs)",
        inputs(shapes),
        tolerance=2e-4,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("pool", ["2", "3, 2, 1", "3, 1"])
def test_equal_maxima_share_the_gradient(pool, dtype):
    # After an activation most windows hold several zeros.
    def names(side):
        x = np.maximum(np.random.default_rng(2).integers(-6, 3, (2, 9, 8, 20)), 0)
        return {"x": side.mx.array(x.astype(np.float32)).astype(getattr(side.mx, dtype))}

    assert_same(
        f"mx.grad(lambda x: (nn.MaxPool2d({pool})(x) * 12).sum())(x)", names, HALF_TOLERANCE
    )


def has_parameters(layer):
    return bool(eval(f"nn.{layer}", HEDDLE.names()).trainable_parameters())


def test_batch_norm_follows_the_batches():
    assert_same(
        "(m := nn.BatchNorm(4), [m(x) for x in inputs], m.parameters(), m.eval()(inputs[0]))[1:]",
        inputs([(3, 5, 4), (6, 4), (2, 2, 2, 4)]),
        TOLERANCE,
    )


@pytest.mark.parametrize("layer", ["Linear(6, 4)", "LayerNorm(6)", "Dropout(0.5)", "GRU(6, 3)"])
def test_half_precision_stays(layer):
    expression = f"(m := nn.{layer}, m.set_dtype(mx.float16), m(inputs[0].astype(mx.float16)))[2]"
    assert_same(expression, inputs([(2, 6)]), HALF_TOLERANCE)


STATIC = """
nn.ALiBi.create_alibi_matrix(4, 3, 2, offset=2)
nn.ALiBi.create_alibi_slope(12)
nn.ALiBi()(mx.zeros((1, 2, 2, 4)), offset=2)
nn.ALiBi()(mx.zeros((1, 2, 2, 4)), mask=mx.ones((2, 4)))
nn.MultiHeadAttention.create_additive_causal_mask(3)
nn.MultiHeadAttention.create_additive_causal_mask(3, mx.float16)
nn.Embedding(3, 4)(mx.array([[0, 2]]))
nn.Embedding(3, 4).as_linear(mx.ones((2, 4)))
nn.RoPE(4)(mx.ones((1, 3, 4)), offset=5)
nn.Upsample(2)(mx.arange(6).reshape(1, 6, 1))
nn.Upsample(2, 'linear')(mx.arange(6).reshape(1, 6, 1))
nn.Step()(mx.zeros(2))
nn.Identity()(3)
nn.leaky_relu(mx.array([-1.0, 2.0]), negative_slope=0.2)
nn.prelu(mx.array([-1.0, 2.0]), mx.array([0.5]))
nn.prelu(mx.array([-1.0, 2.0], dtype=mx.float16), 0.5)
nn.prelu(-1.0, mx.array(0.5))
nn.prelu(-3, 0.5)
nn.SinusoidalPositionalEncoding(2)(mx.array([1.0, 2.0]))
nn.softmax(mx.array([[1.0, 2.0], [3.0, 5.0]]), axis=0)
nn.relu.__name__
""".strip().splitlines()

ERRORS = """
nn.relu(mx.zeros(2), 3)
nn.Dropout(1.0)
nn.Dropout(-1)
nn.Dropout2d(0.5)(mx.zeros(3))
nn.Dropout3d(0.5)(mx.zeros(3))
nn.GELU('foo')
nn.Conv1d(3, 4, 2, groups=2)
nn.Conv2d(3, 4, 2, groups=2)
nn.MultiHeadAttention(5, 2)
nn.BatchNorm(3)(mx.zeros(3))
nn.BatchNorm(3)(mx.zeros((1, 3)))
nn.GroupNorm(3, 4)
nn.GroupNorm(0, 4)
nn.GroupNorm(-1, 4)
nn.GroupNorm(3, 0)
nn.GroupNorm(0, 0)
nn.SinusoidalPositionalEncoding(0)
nn.SinusoidalPositionalEncoding(-2)
nn.SinusoidalPositionalEncoding(5)
nn.InstanceNorm(3)(mx.zeros((2, 3)))
nn.Upsample(2, 'foo')
nn.Upsample(2, antialias=True)
nn.Upsample(2, 'linear', True, True)
nn.Upsample(2)(mx.zeros((2, 3)))
nn.Upsample((2, 3))(mx.zeros((1, 2, 2, 2, 1)))
nn.MaxPool1d('a')
nn.MaxPool2d((1, 2, 3))
nn.MaxPool2d(2, stride='s')
nn.MaxPool2d(2, padding=(1, 2, 3))
nn.MaxPool1d(0)
nn.MaxPool2d((2, 0))
nn.AvgPool2d(2, stride=(1, -1))
nn.AvgPool3d(1, padding=-2)
nn.MaxPool1d(0, padding=-1)
nn.RNN(2, 3, nonlinearity=3)
nn.init.identity()(mx.zeros((2, 3)))
nn.init.glorot_normal()(mx.zeros(3))
nn.init.he_normal()(mx.zeros((3, 3)), mode='x')
nn.init.sparse(0.5)(mx.zeros(3))
nn.init.orthogonal()(mx.zeros(3))
nn.losses.cross_entropy(mx.zeros((2, 3)), mx.array([0, 1]), reduction='foo')
nn.losses.cross_entropy(mx.zeros((2, 3)), mx.zeros((3, 3)))
nn.losses.cross_entropy(mx.zeros((2, 3)), mx.array([0, 1, 2]))
nn.losses.cross_entropy(mx.zeros((2, 3)), mx.array([0, 1]), label_smoothing=1.0)
nn.losses.cross_entropy(mx.zeros((2, 3)), mx.array([0, 1]), weights=mx.zeros(3))
nn.losses.binary_cross_entropy(mx.zeros((2, 3)), mx.zeros(3))
nn.losses.binary_cross_entropy(mx.zeros(3), mx.zeros(3), weights=mx.zeros(1))
nn.losses.l1_loss(mx.zeros(2), mx.zeros(3))
nn.losses.mse_loss(mx.zeros(2), mx.zeros(2), 'x')
nn.losses.gaussian_nll_loss(mx.zeros(2), mx.zeros(2), mx.zeros(3))
nn.losses.smooth_l1_loss(mx.zeros(2), mx.zeros(3))
nn.losses.margin_ranking_loss(mx.zeros(2), mx.zeros(3), mx.zeros(3))
""".strip().splitlines()

# The engine words these.
ENGINE_ERRORS = """
nn.Linear(2, 3)(mx.zeros((3, 3)))
nn.Conv2d(4, 4, 2)(mx.zeros((1, 5, 5, 3)))
nn.Conv2d(4, 4, 2)(mx.zeros((1, 5, 5, 4), dtype=mx.int32))
nn.BatchNorm(3)(mx.zeros((2, 4)))
nn.LayerNorm(3)(mx.zeros((2, 4)))
nn.GroupNorm(2, 4)(mx.zeros((2, 5)))
nn.RNN(2, 3)(mx.zeros((0, 2)))
nn.glu(mx.zeros(3))
nn.MaxPool2d(2)(mx.zeros((3, 4)))
nn.losses.huber_loss(mx.zeros(2), mx.zeros(3))
nn.losses.nll_loss(mx.zeros((2, 2)), mx.zeros((2, 2)))
""".strip().splitlines()


@pytest.mark.parametrize("expression", STATIC + ERRORS)
def test_functions_and_errors(expression):
    assert_same(expression, tolerance=TOLERANCE)


@pytest.mark.parametrize("expression", ENGINE_ERRORS)
def test_errors_of_the_engine(expression):
    assert_same(expression, error_text=False)


@pytest.mark.parametrize(
    "expression",
    [
        "nn.Conv2d(2, 3, (2,))",
        "nn.Conv3d(2, 3, 2, stride='x')",
        "nn.ConvTranspose2d(2, 3, (2, 2, 2))",
    ],
)
def test_another_number_of_sizes_than_dimensions_is_an_error(expression):
    with pytest.raises(ValueError, match=r"Expected an integer or \d integers"):
        eval(expression)


def test_a_window_larger_than_the_input_is_an_error():
    with pytest.raises(ValueError, match=r"\[MaxPool1d\] A window of size \(5,\) does not fit"):
        nn.MaxPool1d(5, 2)(mx.zeros((1, 4, 1)))


LOSSES = """
cross_entropy(logits, classes)
cross_entropy(logits, classes, label_smoothing=0.2)
cross_entropy(logits, classes, weights=weights)
cross_entropy(logits.T, classes, axis=0)
cross_entropy(logits, probabilities)
cross_entropy(logits, 2 * probabilities, label_smoothing=0.2)
cross_entropy(logits.astype(mx.bfloat16), classes)
binary_cross_entropy(logits, binary)
binary_cross_entropy(logits, binary, weights=logits)
binary_cross_entropy(probabilities, binary, with_logits=False)
binary_cross_entropy(mx.array([0.0, 1.0]), mx.array([1.0, 1.0]), with_logits=False)
l1_loss(logits, probabilities)
mse_loss(logits, probabilities)
nll_loss(logits, classes)
gaussian_nll_loss(logits, binary, probabilities)
gaussian_nll_loss(logits, binary, logits, full=True)
kl_div_loss(logits, probabilities)
smooth_l1_loss(logits, binary)
smooth_l1_loss(logits, binary, beta=0.3)
smooth_l1_loss(logits, binary, beta=0)
triplet_loss(logits, binary, probabilities)
triplet_loss(logits, binary, probabilities, p=3, margin=0.3)
triplet_loss(logits, binary, probabilities, p=1, axis=0)
hinge_loss(logits, binary)
huber_loss(logits, binary)
huber_loss(logits, binary, delta=0.3)
log_cosh_loss(logits, binary)
cosine_similarity_loss(logits, probabilities)
margin_ranking_loss(logits, binary, mx.sign(logits), margin=0.2)
""".strip().splitlines()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss):
    def names(side):
        logits, weights = map(side.mx.array, draws((3, 4), (3,)))
        return {
            "logits": logits,
            "weights": weights,
            "classes": side.mx.array([0, 3, 1]),
            "probabilities": side.mx.softmax(logits * logits, axis=-1),
            "binary": (logits > 0).astype(side.mx.float32),
        }

    tolerance = HALF_TOLERANCE if "bfloat16" in loss else TOLERANCE
    assert_same(f"nn.losses.{loss}", names, tolerance)
    for reduction in ("none", "mean", "sum"):
        assert_same(f"nn.losses.{loss[:-1]}, reduction='{reduction}')", names, tolerance)


INITIALIZERS = """
constant(2)(mx.zeros((2, 3)))
constant(2, mx.int32)(mx.zeros(2))
normal(1.0, 2.0)(mx.zeros((5, 7)))
normal(dtype=mx.float16)(mx.zeros((5, 7)))
uniform(-1.0, 2.0)(mx.zeros((5, 7)))
identity(mx.float16)(mx.zeros((5, 5)))
glorot_normal()(mx.zeros((5, 7)), gain=2.0)
glorot_normal()(mx.zeros((5, 3, 7)))
glorot_uniform()(mx.zeros((5, 2, 3, 7)))
he_normal()(mx.zeros((5, 7)))
he_normal()(mx.zeros((5, 3, 7)), mode='fan_out', gain=2.0)
he_uniform()(mx.zeros((5, 3, 7)))
sparse(0.3)(mx.zeros((5, 7)))
sparse(1.5)(mx.zeros((2, 2)))
""".strip().splitlines()


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initializers(initializer):
    tolerance = 2e-3 if "float16" in initializer else 1e-6
    assert_same(f"nn.init.{initializer}", tolerance=tolerance)


def test_orthogonal_initializer():
    assert_same("nn.init.orthogonal(2.0)(mx.zeros((5, 7)))", tolerance=1e-5)


def test_names_of_modules():
    for name in ("base", "containers", "linear", "transformer", "upsample", "convolution"):
        ours = getattr(nn.layers, name)
        assert ours.__name__ == f"heddle.nn.layers.{name}" and getattr(nn, name) is ours
        assert hasattr(mlx.nn, name)
