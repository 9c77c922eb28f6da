"""Operands that choose (indices, masks, packed weights) take no gradient and carry no tangent, even
where they come from traced values. From the registry."""

import numpy as np
import pytest

import checks
from engines import IS_HEDDLE, mx
from samples import SAMPLES
from subjects import Smooth, differentiable, smooth_dtypes

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")


def choosing(sample):
    """Positions of the sample's arrays that are integers or truth values whatever its dtype."""
    return [i for i, spec in enumerate(sample.arrays()) if spec.dtype and "float" not in spec.dtype]


CHOSEN = [sample for sample in SAMPLES if differentiable(sample) and choosing(sample)]


def constant(x):
    return mx.stop_gradient(mx.sum(x) * 0) if x.size else mx.array(0.0)


def position(x):
    """An integer that comes from x, and does not move with it."""
    return mx.argmax(x.flatten() * 0) if x.size else mx.array(0)


class Traced(Smooth):
    """The sample with its choosing operands computed from its first floating one."""

    def __init__(self, sample, dtype, zero):
        super().__init__(sample, mx, dtype)
        self.zero = zero

    def __call__(self, *primals):
        nothing = self.zero(primals[0])
        kept = list(self.arrays)
        for i in choosing(self.sample):
            if self.arrays[i].dtype == mx.bool_:
                self.arrays[i] = mx.logical_or(kept[i], nothing > 0)
            else:
                self.arrays[i] = kept[i] + nothing.astype(kept[i].dtype)
        try:
            return super().__call__(*primals)
        finally:
            self.arrays = kept


@pytest.mark.parametrize("sample", CHOSEN, ids=lambda sample: sample.name())
def test_traced_choices_are_constants(sample):
    # Of packed weights that are not held back, a derivative is refused.
    packed = any(spec.dtype == "uint32" for spec in sample.arrays())
    for dtype in smooth_dtypes(sample)[:1]:
        plain = Smooth(sample, mx, dtype)
        cotangents = plain.random_like(plain(*plain.primals))
        tangents = plain.random_like(plain.primals)
        wanted = [*plain.vjp(cotangents), *plain.jvp(tangents)]
        for zero in (constant,) if packed else (constant, position):
            traced = Traced(sample, dtype, zero)
            given = [*traced.vjp(cotangents), *traced.jvp(tangents)]
            for mine, right in zip(given, wanted, strict=True):
                assert checks.structure(mine) == checks.structure(right)
                assert not checks.bits_difference(mine, right)


MODES = {"nvfp4": 16, "mxfp4": 32, "mxfp8": 32}


@pytest.mark.parametrize("mode", MODES)
def test_scales_that_are_bytes_have_no_derivative(mode):
    """A ValueError that names the scales and the mode, forwards and backwards."""
    w, scales = mx.quantize(mx.ones((4, 32)), mode=mode)
    calls = [
        lambda s: mx.quantized_matmul(mx.ones((2, 32)), w, s, mode=mode),
        lambda s: mx.gather_qmm(mx.ones((1, 2, 32)), w[None], s[None], mode=mode),
        lambda s: mx.dequantize(w, s, mode=mode),
    ]
    for call in calls:
        value = call(scales)
        with pytest.raises(ValueError, match=f"scales of mode '{mode}'"):
            mx.vjp(call, [scales], [mx.ones_like(value)])
        with pytest.raises(ValueError, match=f"scales of mode '{mode}'"):
            mx.jvp(call, [scales], [scales])
        held = lambda s, call=call: call(mx.stop_gradient(s))  # noqa: E731
        assert not np.array(mx.vjp(held, [scales], [mx.ones_like(value)])[1][0]).any()


COMPARISONS = {
    "less": lambda x: x < 1,
    "less_equal": lambda x: x <= 1,
    "greater": lambda x: x > 1,
    "greater_equal": lambda x: x >= 1,
    "equal": lambda x: x == 1,
    "not_equal": lambda x: x != 1,
    "isnan": mx.isnan,
    "isfinite": mx.isfinite,
    "logical_and": lambda x: mx.logical_and(x, x > 1),
    "all": mx.all,
    "any": lambda x: mx.any(x, axis=0),
    "isclose": lambda x: mx.isclose(x, x),
    "array_equal": lambda x: mx.array_equal(x, x),
    "where": lambda x: mx.where(x > 1, x > 0, x < 0),
    "concatenate": lambda x: mx.concatenate([x > 1, mx.array([True])]),
    "sort": lambda x: mx.sort(x > 1),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", COMPARISONS)
def test_truth_values_do_not_move(name, dtype):
    """Their tangent is zero, in the dtype of the tangent, and stays so in what is made of them."""
    x = mx.array([0.0, 1.0, 2.0]).astype(getattr(mx, dtype))
    call = COMPARISONS[name]
    [value], [tangent] = mx.jvp(call, [x], [mx.ones_like(x)])
    assert (tangent.shape, tangent.dtype) == (value.shape, x.dtype)
    assert not np.array(tangent.astype(mx.float32)).any()
    number = lambda x: call(x).astype(x.dtype) * 3  # noqa: E731
    [value], [tangent] = mx.jvp(number, [x], [mx.ones_like(x)])
    assert not np.array(tangent.astype(mx.float32)).any()
    [gradient] = mx.vjp(number, [x], [mx.ones_like(value)])[1]
    assert gradient.dtype == x.dtype and not np.array(gradient.astype(mx.float32)).any()


def test_constants_beside_moving_integers_do_not_move():
    x = mx.array([1.0, 2.0])
    joined = lambda x: mx.concatenate([x.astype(mx.int32), mx.array([5])])  # noqa: E731
    assert mx.jvp(joined, [x], [x])[1][0].tolist() == [1, 2, 0]


def test_mixture_of_experts():
    """Indices that come from the input, as a router's do, through two products."""
    b, c = mx.arange(12.0).reshape(2, 2, 3), mx.ones((2, 3, 5))
    x = mx.ones((2, 1, 2))

    def chosen(x):
        return mx.stop_gradient(mx.argsort(x.sum((1, 2))))

    def both(x):
        i = chosen(x)
        return mx.gather_mm(mx.gather_mm(x, b, rhs_indices=i), c, rhs_indices=i).sum()

    assert mx.grad(both)(x).tolist() == [[[15, 60]], [[105, 150]]]
    one = lambda x: mx.gather_mm(x, mx.arange(8.0).reshape(2, 2, 2), rhs_indices=chosen(x))  # noqa: E731
    assert mx.jvp(one, [x], [x])[1][0].tolist() == [[[2, 4]], [[10, 12]]]
