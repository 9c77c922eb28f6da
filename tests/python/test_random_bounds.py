"""Uniform numbers stay within [low, high) in every dtype, whatever the bounds, and are MLX's bit
for bit wherever MLX's do."""

import numpy as np
import pytest

import heddle.nn as nn
from engines import IS_HEDDLE, mx, reference, to_numpy

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="where MLX is wrong")

BOUNDS = [
    (0.0, 1.0),
    (-1.0, 1.0),
    (-1.0, 0.0),
    (-1e-3, 1e-3),
    (0.0, 3e-7),
    (5.0, 5.01),
    (1000.0, 1001.0),
    (-1001.0, -1000.0),
    (1000.0, 1000.5),
    (-0.7, 300.0),
    (6e4, 6.5e4),
    (-6e4, 6e4),
    (1e20, 1.01e20),
    (-3e38, 3e38),
    (0.0, 3e38),
]
DTYPES = ["float32", "float16", "bfloat16"]


def draws(module, low, high, dtype, shape=(4000,)):
    dtype = getattr(module, dtype)
    return to_numpy(module.random.uniform(low, high, shape, dtype, module.random.key(7)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_within(low, high, dtype):
    bounds = mx.array([low, high]).astype(getattr(mx, dtype))
    lower, upper = to_numpy(bounds).tolist()
    if not np.isfinite([lower, upper]).all():
        return
    given, theirs = draws(mx, low, high, dtype), draws(reference, low, high, dtype)
    if lower == upper:
        assert (given == lower).all()
        return
    assert (given >= lower).all()
    assert (given < upper).all()
    assert given.max() - given.min() > 0.49 * (upper - lower) or len(np.unique(given)) == 1
    right = np.isfinite(theirs) & (theirs >= lower) & (theirs < upper)
    np.testing.assert_array_equal(given[right], theirs[right])
    in_range = mx.isfinite(bounds[1] - bounds[0]).item()
    assert right.mean() > 0.45 or not in_range or len(np.unique(given)) < 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_bounds(dtype):
    low = mx.array([0.0, 1000.0, -1001.0, -6e4, 2.0, 3.0])
    high = mx.array([1.0, 1001.0, -1000.0, 6e4, 2.0, 1.0])
    key = mx.random.key(3)

    def call(low, high):
        return mx.random.uniform(low, high, (500, 6), getattr(mx, dtype), key)

    given = call(low, high)
    for compiled in (mx.compile(call), mx.compile(call, shapeless=True)):
        assert mx.array_equal(given, compiled(low, high)).item()
    given = to_numpy(given)
    lower, upper = (to_numpy(a.astype(getattr(mx, dtype))) for a in (low, high))
    for i in range(4):
        ordered = lower[i] < upper[i]
        assert ((given[:, i] >= lower[i]) & ((given[:, i] < upper[i]) | ~ordered)).all()
    assert (given[:, 4] == 2).all()
    assert ((given[:, 5] <= 3) & (given[:, 5] >= 1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_words(dtype):
    """The largest random words, which round up, as well."""
    for high in (1.0, 3.0, 1000.0, 7e-5, 60000.0):
        for low in (0.0, -high, high / 2, high * (1 - 2.0**-6)):
            given = draws(mx, low, high, dtype, (20000,))
            upper = to_numpy(mx.array(high).astype(getattr(mx, dtype)))
            assert (given < upper).all(), (low, high)


@pytest.mark.parametrize("dtype", DTYPES)
def test_initializers(dtype):
    """What layers start from keeps its bounds and its spread in halves."""
    dtype = getattr(mx, dtype)
    a = mx.zeros((64, 48), dtype=dtype)
    mx.random.seed(2)
    for make, bound in (
        (nn.init.uniform(1000, 1010, dtype), 1010),
        (nn.init.glorot_uniform(dtype), (6 / (64 + 48)) ** 0.5),
        (nn.init.he_uniform(dtype), (3 / 48) ** 0.5),
    ):
        values = make(a)
        assert values.dtype == dtype
        upper = mx.array(bound).astype(dtype)
        assert mx.all(values < upper).item()
        assert mx.all(mx.isfinite(values)).item()
    for make, spread in (
        (nn.init.normal(0, 300, dtype), 300),
        (nn.init.glorot_normal(dtype), (2 / (64 + 48)) ** 0.5),
        (nn.init.he_normal(dtype), 1 / 48**0.5),
        (nn.init.orthogonal(1.0, dtype), 1 / 64**0.5),
    ):
        values = make(a)
        assert values.dtype == dtype
        wide = values.astype(mx.float32)
        assert mx.std(wide).item() == pytest.approx(spread, rel=0.1)
    assert mx.all(nn.init.constant(0.1, dtype)(a) == mx.array(0.1, dtype)).item()
    assert mx.array_equal(nn.init.identity(dtype)(a[:48]), mx.eye(48, dtype=dtype)).item()
    sparse = nn.init.sparse(0.5, 0.0, 300.0, dtype)(a)
    assert mx.sum(sparse == 0).item() == 64 * 24
