"""What a mask hides from attention is as if absent, whatever it holds (an unfilled cache, say)."""

import numpy as np
import pytest

from engines import IS_HEDDLE, mx, to_engine, to_numpy

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")

# (queries, keys): one row, a few, a block of lanes, enough for the products in bfloat16, keys that
# are shared out in pieces.
SIZES = {"one": (1, 33), "few": (3, 40), "lanes": (21, 37), "many": (70, 90), "pieces": (2, 2500)}
DTYPES = ("float32", "float16", "bfloat16", "float64")
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}
DEPTH = 16


def hidden_keys(form, queries, keys):
    """Which keys each query may not see; the last five are hidden from all, as in a cache."""
    hidden = np.zeros((queries, keys), bool)
    if form == "causal":
        return np.arange(keys) > np.arange(queries)[:, None] + (keys - queries)
    hidden[:, -5:] = True
    hidden[::2, 3:7] = True
    return hidden


def mask_of(form, hidden, dtype):
    if form == "causal":
        return "causal"
    if form == "bool":
        return mx.array(~hidden)
    lowest = -np.inf if form == "infinite" else -6e4
    return to_engine(mx, np.where(hidden, lowest, 0.0)).astype(getattr(mx, dtype))


def drawn(queries, keys, dtype):
    rng = np.random.default_rng(queries)
    shapes = (1, 4, queries, DEPTH), (1, 2, keys, DEPTH), (1, 2, keys, DEPTH)
    return [to_engine(mx, rng.normal(size=shape)).astype(getattr(mx, dtype)) for shape in shapes]


def spoiled(x, hidden, value):
    """`x` with `value` in the keys that no query sees, and the same with zeros."""
    everywhere = mx.array(hidden.all(axis=0))[:, None]
    return mx.where(everywhere, mx.array(value, x.dtype), x), mx.where(everywhere, 0, x)


def close(given, wanted, dtype):
    given, wanted = (to_numpy(x.astype(mx.float64)) for x in (given, wanted))
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(given, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def attention(form, hidden, dtype, **options):
    mask = mask_of(form, hidden, dtype)

    def run(q, k, v):
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=0.25, mask=mask, **options)

    return run


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", ["bool", "infinite", "low"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_hidden_from_all(form, size, dtype, value):
    hidden = hidden_keys(form, *SIZES[size])
    q, k, v = drawn(*SIZES[size], dtype)
    run = attention(form, hidden, dtype)
    strange, clean = spoiled(v, hidden, value)
    close(run(q, k, strange), run(q, k, clean), dtype)
    if form != "low":  # a number added to NaN is none
        strange_key, clean_key = spoiled(k, hidden, value)
        close(run(q, strange_key, strange), run(q, clean_key, clean), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", ["few", "lanes", "many", "pieces"])
@pytest.mark.parametrize("form", ["bool", "infinite", "causal"])
def test_visible_to_some(form, size, dtype):
    """Rows that see a NaN are NaN, the others as without it."""
    queries, keys = SIZES[size]
    hidden = hidden_keys(form, queries, keys)
    at = keys - 1 if form == "causal" else 4
    q, k, v = drawn(queries, keys, dtype)
    chosen = mx.arange(keys)[:, None] == at
    run = attention(form, hidden, dtype)
    given = run(q, k, mx.where(chosen, mx.array(np.nan, v.dtype), v))
    wanted = run(q, k, mx.where(chosen, 0, v))
    rows = np.flatnonzero(hidden[:, at])
    assert 0 < len(rows) < queries
    close(given[..., mx.array(rows), :], wanted[..., mx.array(rows), :], dtype)
    seen = np.flatnonzero(~hidden[:, at])
    assert np.isnan(to_numpy(given.astype(mx.float64))[..., seen, :]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["bool", "infinite"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients(form, dtype, value):
    hidden = hidden_keys(form, *SIZES["lanes"])
    q, k, v = drawn(*SIZES["lanes"], dtype)
    run = attention(form, hidden, dtype)
    cotangent = mx.sin(mx.arange(q.size)).reshape(q.shape).astype(q.dtype)
    results = []
    for keys, values in zip(spoiled(k, hidden, value), spoiled(v, hidden, value), strict=True):
        gradients = mx.vjp(run, [q, keys, values], [cotangent])[1]
        tangents = mx.jvp(run, [q, keys, values], [q, mx.sin(k), mx.cos(v)])[1]
        results.append([*gradients, *tangents])
    for given, wanted in zip(*results, strict=True):
        close(given, wanted, dtype)


def test_sinks_and_batches():
    hidden = hidden_keys("bool", *SIZES["few"])
    q, k, v = drawn(*SIZES["few"], "float32")
    run = attention("bool", hidden, "float32", sinks=mx.array([0.1, 0.2, 0.3, 0.4]))
    strange, clean = spoiled(v, hidden, np.nan)
    close(run(q, k, strange), run(q, k, clean), "float32")
    batched = mx.vmap(attention("bool", hidden, "float32"))
    close(
        batched(q[None], k[None], strange[None]), batched(q[None], k[None], clean[None]), "float32"
    )
