"""The functions of heddle/nn/functional.h in forms that no layer of MLX has, beside torch."""

import itertools

import heddle.core as mx
import numpy as np
import pytest
import torch
from heddle.core import _nn

from engines import IS_HEDDLE

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
