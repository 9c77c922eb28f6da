"""The functions of heddle/nn/functional.h in forms that no layer of MLX has, beside torch."""

import itertools
import re

import heddle.core as mx
import mlx.nn
import numpy as np
import pytest
import torch
from heddle.core import _nn

import heddle.nn as nn
from engines import IS_HEDDLE
from heddle.utils import tree_flatten
from layer_cases import CASES, class_of

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own functions")

F = torch.nn.functional
DIMS = (1, 2, 3)
SIZES = {1: (9,), 2: (7, 6), 3: (5, 4, 6)}


def image(dims, seed=0, size=None):
    """(2, spatial..., 3), with neighbours that are equal."""
    random = np.random.default_rng(seed)
    return random.integers(-4, 5, (2, *(size or SIZES[dims]), 3)).astype(np.float32)


def channels_first(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def channels_last(y):
    return np.moveaxis(y.numpy(), 1, -1)


def same(given, wanted, rtol=0.0, atol=0.0):
    given = np.array(given)
    assert given.shape == wanted.shape
    np.testing.assert_allclose(given, wanted, rtol=rtol, atol=atol)


# Every form of a window that torch has: kernel, stride, padding, dilation, ceil_mode.
FORMS = [
    form
    for form in itertools.product((1, 2, 3), (1, 2, 3, None), (0, 1), (1, 2), (False, True))
    if form[2] <= form[0] // 2 and form[3] * (form[0] - 1) < 4
]


@pytest.mark.parametrize("dims", DIMS)
def test_max_pool_in_every_form(dims):
    x = image(dims)
    reference = getattr(F, f"max_pool{dims}d")
    for kernel, stride, padding, dilation, ceil in FORMS:
        wanted, places = reference(
            channels_first(x), kernel, stride, padding, dilation, ceil, return_indices=True
        )
        form = [kernel] * dims, [stride or kernel] * dims, [(padding, padding)] * dims
        form = *form, [dilation] * dims, ceil
        same(_nn.max_pool(mx.array(x), *form), channels_last(wanted))
        values, indices = _nn.max_pool_with_indices(mx.array(x), *form)
        assert indices.dtype == mx.uint32
        same(values, channels_last(wanted))
        same(indices, channels_last(places))


@pytest.mark.parametrize("dims", DIMS)
def test_average_pool_in_every_form(dims):
    x = image(dims)
    reference = getattr(F, f"avg_pool{dims}d")
    for kernel, stride, padding, dilation, ceil in FORMS:
        if dilation != 1:
            continue
        for include, divisor in itertools.product((True, False), (None, 3)):
            if dims == 1 and divisor:
                continue
            more = (divisor,) if dims > 1 else ()
            wanted = reference(channels_first(x), kernel, stride, padding, ceil, include, *more)
            form = [kernel] * dims, [stride or kernel] * dims, [(padding, padding)] * dims
            given = _nn.average_pool(mx.array(x), *form, [1] * dims, ceil, include, divisor)
            same(given, channels_last(wanted), 1e-6, 1e-6)


@pytest.mark.parametrize("dims", DIMS)
def test_gradients_of_average_pools(dims):
    x = image(dims)
    reference = getattr(F, f"avg_pool{dims}d")
    for kernel, stride, ceil, include in [
        (2, 2, True, True),
        (3, 2, True, False),
        (3, 1, False, 0),
    ]:
        t = channels_first(x).requires_grad_()
        y = reference(t, kernel, stride, 1, ceil, bool(include))
        (y * torch.cos(torch.arange(y.numel()).reshape(y.shape).float())).sum().backward()
        weights = mx.array(
            np.moveaxis(np.cos(np.arange(y.numel(), dtype=np.float32)).reshape(y.shape), 1, -1)
        )
        form = [kernel] * dims, [stride] * dims, [(1, 1)] * dims, [1] * dims, ceil, bool(include)
        given = mx.grad(lambda x, form=form, w=weights: (_nn.average_pool(x, *form) * w).sum())
        same(given(mx.array(x)), channels_last(t.grad), 1e-5, 1e-5)


@pytest.mark.parametrize("dims", DIMS)
def test_adaptive_pools_of_any_size(dims):
    x = image(dims, 1)
    sizes = itertools.product((1, 2, 3, 5, 8, None), repeat=dims)
    for size in list(sizes)[:: 1 + 5 * (dims - 1)]:
        given = [-1 if n is None else n for n in size]
        t = channels_first(x)
        wanted = getattr(F, f"adaptive_avg_pool{dims}d")(t, size if dims > 1 else size[0] or 9)
        same(_nn.adaptive_average_pool(mx.array(x), given), channels_last(wanted), 1e-6, 1e-6)
        wanted, places = getattr(F, f"adaptive_max_pool{dims}d")(
            t, size if dims > 1 else size[0] or 9, return_indices=True
        )
        same(_nn.adaptive_max_pool(mx.array(x), given), channels_last(wanted))
        values, indices = _nn.adaptive_max_pool_with_indices(mx.array(x), given)
        same(values, channels_last(wanted))
        same(indices, channels_last(places))


def test_padding_of_pools_need_not_be_even():
    x = mx.array(image(2))
    padded = mx.pad(x, [(0, 0), (0, 2), (1, 0), (0, 0)], constant_values=-np.inf)
    given = _nn.max_pool(x, [3, 2], [2, 2], [(0, 2), (1, 0)])
    same(given, np.array(_nn.max_pool(padded, [3, 2], [2, 2])))


@pytest.mark.parametrize("dtype", ["bool_", "uint8", "int32", "float16", "bfloat16", "complex64"])
def test_padding_is_lower_than_everything(dtype):
    x = mx.array(np.array([[[0], [0], [0]]])).astype(getattr(mx, dtype))
    if dtype in ("int32", "float16", "bfloat16", "complex64"):
        x = x - mx.array(100, dtype=x.dtype)
    y = _nn.max_pool(x, [2], [1], [(1, 1)])
    assert y.dtype == x.dtype and mx.array_equal(y, mx.concatenate([x[:, :1], x], 1))
    if dtype != "complex64":
        values, indices = _nn.max_pool_with_indices(x, [2], [1], [(1, 1)])
        assert indices.flatten().tolist() == [0, 0, 1, 2]


def test_places_of_infinities_and_nan():
    x = mx.array([-np.inf, -np.inf, np.nan, 1.0]).reshape(1, 4, 1)
    values, indices = _nn.max_pool_with_indices(x, [2], [1], [(1, 1)])
    assert str(values.flatten().tolist()) == "[-inf, -inf, nan, nan, 1.0]"
    assert indices.flatten().tolist() == [0, 0, 2, 2, 3]


def test_nothing_reaches_other_windows():
    """What is put into a window to fill it up is not multiplied but left out."""
    x = np.zeros((1, 7, 1), np.float32)
    x[0, 6] = np.inf
    y = _nn.adaptive_average_pool(mx.array(x), [3])
    assert y.flatten().tolist() == [0, 0, np.inf]


def test_pools_of_halves_round_once():
    x = np.random.default_rng(0).normal(0, 100, (1, 9, 9, 4)).astype(np.float16)
    for call in (
        lambda x: _nn.average_pool(x, [3, 3], [2, 2], [(1, 1)] * 2, [1, 1], False, False),
        lambda x: _nn.average_pool(x, [2, 2], [2, 2], [], [], True),
        lambda x: _nn.adaptive_average_pool(x, [4, 2]),
    ):
        given, wide = call(mx.array(x)), call(mx.array(x.astype(np.float32)))
        assert given.dtype == mx.float16
        assert mx.array_equal(given, wide.astype(mx.float16))


REFUSED = [
    ("max_pool(x, [2, 2])", "The input should have 2 spatial dimensions"),
    ("max_pool(x, [])", "1 to 3 spatial dimensions"),
    ("max_pool(x, [0])", "The kernel takes 1 positive number but is \\(0,\\)"),
    ("max_pool(x, [2], [1, 1])", "The stride takes 1 positive number but is \\(1, 1\\)"),
    ("max_pool(x, [2], [1], [(1, 1), (1, 1)])", "The padding takes 1 pair"),
    ("max_pool(x, [2], [1], [(-1, 1)])", "The padding must not be negative"),
    ("max_pool(x, [2], [1], [(1 << 40, 1)])", "is too large"),
    ("max_pool(x, [2], [1], [], [1 << 40])", "does not fit into an input of shape \\(1, 9, 3\\)"),
    ("max_pool(x, [12])", "A window of size \\(12,\\) does not fit"),
    ("max_pool_with_indices(x, [2], [2], [(2, 0)])", "A window holds padding alone"),
    ("average_pool(x, [2], [2], [(2, 0)], [], False, False)", "A window holds padding alone"),
    ("average_pool(x, [2], [2], [], [], False, True, 0)", "The divisor must not be zero"),
    ("adaptive_max_pool(x, [0])", "takes positive sizes"),
    ("adaptive_average_pool(x[:, :0], [2])", "at least one element"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED)
def test_what_does_not_fit_is_refused(call, text):
    name = call.partition("(")[0]
    with pytest.raises(ValueError, match=rf"^\[{name}\] .*{text}"):
        eval(f"_nn.{call}", {"_nn": _nn, "x": mx.array(image(1))[:1]})


PAD_MODES = {
    "constant": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}
PAD_WIDTHS = [
    [(0, 0), (1, 2), (0, 0)],
    [(3, 0), (0, 4), (1, 1)],
    [(0, 0), (9, 11), (5, 2)],
    [(-1, 2), (3, -2), (0, -1)],
    [(-1, 0), (-2, -1), (0, 0)],
    [(2, 1)],
]


@pytest.mark.parametrize("mode", PAD_MODES)
def test_padding_in_every_mode(mode):
    x = np.random.default_rng(0).standard_normal((3, 6, 2)).astype(np.float32)
    for widths in PAD_WIDTHS:
        every = widths * 3 if len(widths) == 1 else widths
        part = tuple(
            slice(max(-a, 0), n + min(b, 0)) for (a, b), n in zip(every, x.shape, strict=True)
        )
        more = [(max(a, 0), max(b, 0)) for a, b in every]
        options = {"constant_values": 1.5} if mode == "constant" else {}
        wanted = np.pad(x[part], more, PAD_MODES[mode], **options)
        call = lambda x, w=widths: _nn.pad(x, w, mode, 1.5)  # noqa: E731
        same(call(mx.array(x)), wanted)
        # The gradient puts every element of the result back where it came from.
        weights = np.cos(np.arange(wanted.size)).reshape(wanted.shape).astype(np.float32)
        places = np.pad(
            np.arange(x.size).reshape(x.shape)[part],
            more,
            PAD_MODES[mode],
            **({"constant_values": x.size} if mode == "constant" else {}),
        )
        back = np.bincount(places.ravel(), weights.ravel(), x.size + 1)[: x.size]
        given = mx.grad(lambda x, call=call, w=weights: (call(x) * mx.array(w)).sum())(mx.array(x))
        same(given, back.reshape(x.shape), 1e-5, 1e-5)


def test_padding_is_torchs():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    for mode, widths in itertools.product(
        ("constant", "reflect", "replicate", "circular"), [(1, 2, 3, 1), (0, 4, 2, 0)]
    ):
        wanted = channels_last(F.pad(channels_first(x), widths, mode))
        left, right, top, bottom = widths
        given = _nn.pad(mx.array(x), [(0, 0), (top, bottom), (left, right), (0, 0)], mode)
        same(given, wanted)


def torch_norm(kind, x, parameters, eps):
    t = channels_first(x)
    weight, bias = (None if p is None else torch.from_numpy(p) for p in parameters)
    if kind == "instance":
        return F.instance_norm(t, None, None, weight, bias, eps=eps)
    return F.group_norm(t, 2, weight, bias, eps)


@pytest.mark.parametrize("kind", ["instance", "group"])
@pytest.mark.parametrize("dims", DIMS)
def test_instance_and_group_norms_beside_torch(kind, dims):
    random = np.random.default_rng(1)
    x = random.standard_normal((2, *SIZES[dims], 4)).astype(np.float32)
    weight, bias = random.standard_normal((2, 4)).astype(np.float32)
    for parameters in [(None, None), (weight, bias), (weight, None), (None, bias)]:
        given = [None if p is None else mx.array(p) for p in parameters]
        if kind == "instance":
            y = _nn.instance_norm(mx.array(x), *given, 1e-3)
        else:
            y = _nn.group_norm(mx.array(x), 2, *given, 1e-3)
        same(y, channels_last(torch_norm(kind, x, parameters, 1e-3)), 1e-5, 1e-5)


def test_strided_groups_are_runs_of_other_channels():
    random = np.random.default_rng(1)
    x = random.standard_normal((2, 5, 6)).astype(np.float32)
    order = [0, 3, 1, 4, 2, 5]
    strided = _nn.group_norm(mx.array(x), 3, None, None, 1e-5, False)
    runs = _nn.group_norm(mx.array(x)[..., mx.array(order)], 3, None, None, 1e-5, True)
    same(strided[..., mx.array(order)], np.array(runs), 1e-5, 1e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dims", [0, 1, 2, 3])
def test_batch_norm_beside_torch(dims, training):
    random = np.random.default_rng(1)
    x = random.standard_normal((3, *SIZES.get(dims, ()), 4)).astype(np.float32)
    mean, weight, bias = random.standard_normal((3, 4)).astype(np.float32)
    variance = np.abs(mean) + 0.5
    states = torch.from_numpy(mean.copy()), torch.from_numpy(variance.copy())
    wanted = F.batch_norm(
        channels_first(x) if dims else torch.from_numpy(x),
        *states,
        torch.from_numpy(weight),
        torch.from_numpy(bias),
        training,
        0.3,
        1e-3,
    )
    given = map(mx.array, (x, mean, variance, weight, bias))
    y, new_mean, new_variance = _nn.batch_norm(*given, training, 0.3, 1e-3)
    same(y, channels_last(wanted) if dims else wanted.numpy(), 1e-5, 1e-5)
    same(new_mean, states[0].numpy(), 1e-5, 1e-6)
    same(new_variance, states[1].numpy(), 1e-5, 1e-6)


def test_batch_norm_without_state():
    x = mx.random.normal((3, 4))
    y, *state = _nn.batch_norm(x)
    assert state == [None, None]
    same(y, F.batch_norm(torch.from_numpy(np.array(x)), None, None, training=True), 1e-5, 1e-5)


def test_dropout_with_a_key_and_without():
    x, key = mx.ones((4, 5, 6)), mx.random.key(3)
    y = _nn.dropout(x, 0.25, 0, key)
    assert mx.array_equal(y, _nn.dropout(x, 0.25, 0, key))
    assert set(np.unique(np.array(y)).tolist()) == {0.0, np.float32(1 / 0.75)}
    whole = np.array(_nn.dropout(x, 0.5, 1, key))
    assert (whole == whole[:, :1]).all() and len(np.unique(whole)) == 2
    before = mx.array(mx.random.state[0])
    assert mx.array_equal(_nn.dropout(x, 0.0), x)
    assert mx.array_equal(_nn.dropout(mx.full((3,), np.inf), 1.0), mx.zeros(3))
    assert mx.array_equal(mx.random.state[0], before)


CELLS = {
    "lstm": (4, torch.nn.LSTM, {}),
    "gru": (3, torch.nn.GRU, {}),
    "tanh": (1, torch.nn.RNN, {}),
    "relu": (1, torch.nn.RNN, {"nonlinearity": "relu"}),
}


def weights_of(layer, gates, name):
    """torch's parameters of one layer and direction as ours."""
    get = lambda kind: getattr(layer, f"{kind}_{name}").detach().numpy()  # noqa: E731
    wx, wh, bx, bh = map(get, ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    if gates != 3:
        return [mx.array(a) for a in (wx, wh, bx + bh)]
    n = len(bx) // 3  # the new gate's recurrent bias is inside of the reset
    bias = bx + np.concatenate([bh[: 2 * n], np.zeros(n, np.float32)])
    return [mx.array(a) for a in (wx, wh, bias, bh[2 * n :])]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_stacks_of_recurrent_layers_beside_torch(cell, layers, both):
    gates, kind, options = CELLS[cell]
    torch.manual_seed(0)
    layer = kind(3, 4, layers, bidirectional=both, batch_first=True, **options)
    directions = ["", "_reverse"][: 1 + both]
    weights = [
        weights_of(layer, gates, f"l{i}{direction}")
        for i in range(layers)
        for direction in directions
    ]
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 6, 3)).astype(np.float32)
    states = random.standard_normal((2, layers * (1 + both), 2, 4)).astype(np.float32)
    initial = states if cell == "lstm" else states[:1]
    given = torch.from_numpy(initial)
    with torch.no_grad():
        wanted, last = layer(torch.from_numpy(x), tuple(given) if cell == "lstm" else given[0])
    name = cell if cell in ("lstm", "gru") else "rnn"
    activation = cell if name == "rnn" else "tanh"
    starts = [mx.array(s) for s in initial] + [None] * (2 - len(initial))
    y, hidden, cells = _nn.recurrent_layers(
        mx.array(x), weights, name, both, activation, 0.0, None, *starts
    )
    same(y, wanted.numpy(), 1e-5, 1e-5)
    same(hidden, (last[0] if cell == "lstm" else last).numpy(), 1e-5, 1e-5)
    if cell == "lstm":
        same(cells, last[1].numpy(), 1e-5, 1e-5)
    else:
        assert cells is None


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_several_lengths_beside_torch(cell, both):
    gates, kind, options = CELLS[cell]
    torch.manual_seed(0)
    layer = kind(3, 4, 2, bidirectional=both, batch_first=True, **options)
    directions = ["", "_reverse"][: 1 + both]
    weights = [weights_of(layer, gates, f"l{i}{d}") for i in range(2) for d in directions]
    x = np.random.default_rng(0).standard_normal((3, 6, 3)).astype(np.float32)
    lengths = [6, 1, 4]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), lengths, batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        wanted, last = layer(packed)
    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(wanted, batch_first=True)
    name = cell if cell in ("lstm", "gru") else "rnn"
    activation = cell if name == "rnn" else "tanh"
    x[1, 1:] = np.nan  # what comes after the end counts for nothing
    y, hidden, cells = _nn.recurrent_layers(
        mx.array(x), weights, name, both, activation, lengths=mx.array(lengths)
    )
    same(y, wanted.numpy(), 1e-5, 1e-5)
    same(hidden, (last[0] if cell == "lstm" else last).numpy(), 1e-5, 1e-5)
    if cell == "lstm":
        same(cells, last[1].numpy(), 1e-5, 1e-5)

    def loss(x, weights):
        call = _nn.recurrent_layers
        return call(x, weights, name, both, activation, lengths=mx.array(lengths))[0].sum()

    gradients = mx.grad(loss, argnums=(0, 1))(mx.array(x), weights)
    assert all(mx.isfinite(g).all().item() for _, g in tree_flatten(gradients))
    assert (np.array(gradients[0])[1, 1:] == 0).all()


@pytest.mark.parametrize("both", [False, True])
def test_projected_states_beside_torch(both):
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 5, 2, bidirectional=both, batch_first=True, proj_size=2)
    names = [f"l{i}{d}" for i in range(2) for d in ["", "_reverse"][: 1 + both]]
    weights = [weights_of(layer, 4, name) for name in names]
    projections = [mx.array(getattr(layer, f"weight_hr_{n}").detach().numpy()) for n in names]
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 6, 3)).astype(np.float32)
    h = random.standard_normal((len(names), 2, 2)).astype(np.float32)
    c = random.standard_normal((len(names), 2, 5)).astype(np.float32)
    for states in ((h, c), None):
        given = None if states is None else tuple(map(torch.from_numpy, states))
        with torch.no_grad():
            wanted, last = layer(torch.from_numpy(x), given)
        starts = [None, None] if states is None else list(map(mx.array, states))
        found = _nn.recurrent_layers(
            mx.array(x), weights, "lstm", both, "tanh", 0.0, None, *starts, None, projections
        )
        for a, b in zip(found, (wanted, *last), strict=True):
            same(a, b.numpy(), 1e-5, 1e-5)


def test_dropout_between_recurrent_layers_is_drawn_from_the_key():
    weights = [[mx.random.normal((8, 4)), mx.random.normal((8, 2))] for _ in range(2)]
    weights[1][0] = mx.random.normal((8, 2))
    x, key = mx.random.normal((1, 5, 4)), mx.random.key(1)
    call = lambda p: _nn.recurrent_layers(x, weights, "lstm", False, "tanh", p, key)[0]  # noqa: E731
    assert mx.array_equal(call(0.5), call(0.5)) and not mx.array_equal(call(0.5), call(0.0))


def test_any_function_is_a_nonlinearity():
    wx, wh = mx.random.normal((4, 3)), mx.random.normal((4, 4))
    x = mx.random.normal((2, 5, 3))
    same(_nn.rnn(x, wx, wh, None, None, mx.tanh), np.array(mx.fast.rnn(x, wx, wh)), 1e-5, 1e-5)

    def fails(x):
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        _nn.rnn(x, wx, wh, None, None, fails)


def test_attention_between_heads_beside_torch():
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(8, 2, bias=True, batch_first=True)
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 7, 8)
    with torch.no_grad():
        wanted, _ = layer(x, memory, memory)
    weight = layer.in_proj_weight.detach().numpy().reshape(3, 8, 8)
    bias = layer.in_proj_bias.detach().numpy().reshape(3, 8)
    parts = [
        _nn.linear(mx.array(a.numpy()), mx.array(w), mx.array(b))
        for a, w, b in zip((x, memory, memory), weight, bias, strict=True)
    ]
    out = layer.out_proj.weight.detach().numpy(), layer.out_proj.bias.detach().numpy()
    y = _nn.linear(_nn.multi_head_attention(*parts, 2), *map(mx.array, out))
    same(y, wanted.numpy(), 1e-5, 1e-5)


MORE_REFUSED = [
    ("linear(x, mx.ones((4, 2)))", "does not fit the last axis of x"),
    ("bilinear(x, x, mx.ones((4, 3, 2)))", "does not fit the last axes"),
    ("bilinear(x, x[:, :2], mx.ones((4, 3, 3)))", "x1 and x2 have one shape"),
    ("dropout(x, 1.5)", "takes a number in \\[0, 1\\] but is 1.5"),
    ("dropout(x, 0.5, 3)", "has no 3 spatial axes"),
    ("instance_norm(x, mx.ones(1))", "does not fit the channels"),
    ("instance_norm(x[0])", "at least 3 axes"),
    ("instance_norm(x, None, None, 0.0)", "'eps' must be positive"),
    ("group_norm(x, 2)", "do not make 2 groups"),
    ("group_norm(x, 0)", "do not make 0 groups"),
    ("batch_norm(x, mx.ones(1), mx.ones(1))", "The mean of shape \\(1,\\) does not fit"),
    ("batch_norm(x[:, :1], None, None, None, None, True)", "more than one value"),
    ("pad(x, [(0, 0)] * 2, 'reflect')", "takes 3 pairs"),
    ("pad(x, [(0, 0), (-9, -1), (0, 0)], 'constant')", "take more than the 9 elements of axis 1"),
    ("pad(x[:, :0], [(0, 0), (1, 1), (0, 0)], 'circular')", "has no element to go on with"),
    ("pad(x, [(0, 0)], 'around')", "not 'around'"),
    ("sinusoidal_frequencies(3, 0.1, 1.0, False)", "positive and even but got 3"),
    ("alibi_slopes(0, mx.float32)", "at least one head, not 0"),
    ("alibi(x[0], 0)", "not the shape \\(9, 3\\)"),
    ("multi_head_attention(x, x, x, 2)", "which make 2 heads"),
    ("rnn(x[:, :0], mx.ones((4, 3)), mx.ones((4, 4)), None, None, mx.tanh)", "at least one step"),
    ("recurrent_layers(x, [], 'lstm')", "weights for each layer and direction"),
    ("recurrent_layers(x, [[x, x]], 'gru', hidden=x[:, :, 0], cells=x)", "Only an LSTM has cells"),
    ("recurrent_layers(x, [[x, x]], 'gru', hidden=mx.ones((2, 1, 4)))", "The initial states of 1"),
    ("recurrent_layers(x, [[x, x]], 'gru', lengths=mx.array([1, 2]))", "int32 of shape \\(2,\\)"),
    ("recurrent_layers(x, [[x, x]], 'gru', lengths=mx.array([1.0]))", "not float32 of shape"),
    ("recurrent_layers(x, [[x, x]], 'gru', projections=[x])", "Only an LSTM has a projection"),
    ("recurrent_layers(x, [[x, x, x, x]], 'lstm')", "Only a GRU has a second bias"),
    ("recurrent_layers(x[:, :0], [[x, x]], 'gru')", "at least one step"),
]


@pytest.mark.parametrize(("call", "text"), MORE_REFUSED)
def test_what_functions_do_not_take_is_refused(call, text):
    name = call.partition("(")[0].removesuffix("_slopes")
    with pytest.raises(ValueError, match=rf"^\[{name}\] .*{text}"):
        eval(f"_nn.{call}", {"_nn": _nn, "mx": mx, "x": mx.array(image(1))[:1]})


def leaves(y):
    return list(y) if isinstance(y, tuple) else [y]


def grown(shapes, way):
    """The arrays of a call, the sizes of some axes but the last larger."""
    made = []
    for shape in shapes:
        sizes = None if shape is None else list(shape)
        for axis in range(len(sizes or ()) - 1):
            sizes[axis] += 2 * (way == "all" or axis == way)
        made.append(None if sizes is None else mx.random.normal(sizes))
    return made


def test_layers_compiled_for_any_size_have_the_values_of_others():
    """What a function computes from sizes is not kept from the size of the trace."""
    for expression, shapes in CASES:
        if "ropout" in expression or expression == "BatchNorm(4)" or "Embedding" in expression:
            continue  # draws, changes its state, takes integers
        layer = eval(f"nn.{expression}", {"nn": nn, "mx": mx})
        compiled = mx.compile(lambda *a, layer=layer: layer(*a), shapeless=True)
        for way in (None, 0, 1, "all"):
            arrays = grown(shapes, way)
            try:
                wanted = layer(*arrays)
            except ValueError as error:
                with pytest.raises(ValueError, match=re.escape(str(error)[:40])):
                    compiled(*arrays)
                continue
            for a, b in zip(leaves(compiled(*arrays)), leaves(wanted), strict=True):
                same(a, np.array(b), 1e-5, 1e-5)


def test_layers_that_mlx_lacks_are_torchs():
    """By the names and arguments that torch gives them, whose channels come second."""
    for expression, shapes in CASES:
        if hasattr(mlx.nn, class_of(expression)):
            continue
        layer = eval(f"nn.{expression}", {"nn": nn})
        assert not layer.parameters(), "weights have to be given to torch's layer as well"
        x = np.random.default_rng(3).standard_normal(shapes[0]).astype(np.float32)
        wanted = eval(f"nn.{expression}", {"nn": torch.nn})(channels_first(x))
        same(layer(mx.array(x)), channels_last(wanted), 1e-6, 1e-6)
