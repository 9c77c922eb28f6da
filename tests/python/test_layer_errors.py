"""What layers say of inputs that do not fit: their name, what was given, what was wanted."""

import re

import heddle.core as mx
import pytest

import heddle.nn as nn
from layer_cases import CASES, class_of

FEATURES = r"The layer takes {} features in the last axis of its input, which has the shape {}\."
CHANNELS = (
    r"The layer takes 3 features in the last axis of its input, \(batch, {}, channels\), "
    r"which has the shape {}\."
)
SPATIAL = {1: "length", 2: "height, width", 3: "depth, height, width"}

x, image = mx.ones((2, 5)), mx.ones((1, 6, 6, 5))
WRONG = {
    "Linear(3, 4)": x,
    "Linear(3, 4, bias=False)": x,
    "Bilinear(5, 3, 4)": (x, x),
    "QuantizedLinear(64, 4)": x,
    "LayerNorm(3)": x,
    "RMSNorm(3)": x,
    "BatchNorm(3)": x,
    "BatchNorm(3, affine=False)": x,
    "InstanceNorm(3, affine=True)": image,
    "GroupNorm(1, 3)": image,
    "GroupNorm(3, 3)": image,
    "GroupNorm(3, 3, pytorch_compatible=True)": image,
    "RNN(3, 4)": x,
    "RNN(3, 4, nonlinearity=mx.sigmoid)": x,
    "GRU(3, 4)": x,
    "LSTM(3, 4)": x,
    "PReLU(3)": x,
    "AllToShardedLinear(3, 4)": x,
    "ShardedToAllLinear(3, 4)": x,
    "ShardedToAllLinear(3, 4, bias=False)": x,
    "QuantizedAllToShardedLinear(64, 4)": x,
    "QuantizedShardedToAllLinear(64, 4)": x,
    "QQLinear(64, 32)": x,
}


def message(name, wanted):
    return rf"^\[{name}\] {wanted}$"


@pytest.mark.parametrize("layer", WRONG)
@pytest.mark.parametrize("transform", ["plain", "grad", "compiled"])
def test_features(layer, transform):
    module = eval(f"nn.{layer}", {"nn": nn, "mx": mx})
    given = WRONG[layer] if isinstance(WRONG[layer], tuple) else (WRONG[layer],)
    wanted = 64 if "(64" in layer else 3
    shape = re.escape(str(tuple(given[0].shape)))
    call = module
    if transform == "grad":
        call = mx.grad(lambda *a: module(*a).sum())
    elif transform == "compiled":
        call = mx.compile(lambda *a: module(*a))
    name = layer.partition("(")[0]
    with pytest.raises(ValueError, match=message(name, FEATURES.format(wanted, shape))):
        call(*given)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_channels(dims, transposed):
    name = f"Conv{'Transpose' * transposed}{dims}d"
    layer = getattr(nn, name)(3, 4, 2)
    for shape in [(1, *(4,) * dims, 5), (4,) * dims + (3,)]:
        wanted = CHANNELS.format(SPATIAL[dims], re.escape(str(shape)))
        with pytest.raises(ValueError, match=message(name, wanted)):
            layer(mx.ones(shape))


def test_channels_of_groups():
    with pytest.raises(ValueError, match="takes 6 features"):
        nn.Conv1d(6, 4, 2, groups=2)(mx.ones((1, 4, 3)))


@pytest.mark.parametrize("layer", ["Embedding(3, 4)", "QuantizedEmbedding(64, 64)"])
def test_indices(layer):
    module = eval(f"nn.{layer}", {"nn": nn})
    name = layer.partition("(")[0]
    wanted = "The layer takes integers, the numbers of rows, but its input is float32."
    with pytest.raises(ValueError, match=message(name, re.escape(wanted))):
        module(x)
    with pytest.raises(ValueError, match=rf"^\[{name}\] The layer takes \d+ features"):
        module.as_linear(x)


def test_a_single_channel_is_not_broadcast():
    for layer in (nn.BatchNorm(3), nn.InstanceNorm(3, affine=True), nn.GroupNorm(1, 3)):
        with pytest.raises(ValueError, match=r"takes 3 features .* the shape \(2, 4, 1\)"):
            layer(mx.ones((2, 4, 1)))


def cases_with_a_weight():
    """Of each class one layer that has parameters of its own, and the shapes of its inputs."""
    found = {}
    for expression, shapes in CASES:
        layer = eval(f"nn.{expression}", {"nn": nn, "mx": mx})
        own = [v for k, v in layer.items() if isinstance(v, mx.array) and k[0] != "_"]
        if own:
            found.setdefault(class_of(expression), (layer, shapes))
    return found


def test_every_layer_with_a_weight_names_itself():
    """One more feature than it takes, in its first input."""
    tried = cases_with_a_weight()
    assert len(tried) > 20
    for name, (layer, shapes) in tried.items():
        if "Embedding" in name:  # test_indices
            continue
        sizes = [*shapes[0][:-1], shapes[0][-1] + 1], *shapes[1:]
        arrays = [None if s is None else mx.ones(s) for s in sizes]
        with pytest.raises(
            ValueError, match=rf"^\[{name}\] The layer takes \d+ features in the last"
        ):
            layer(*arrays)
