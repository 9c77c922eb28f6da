"""Activations and losses where exponents end: values and gradients at zero, tiny and huge numbers,
infinity and NaN, in every floating dtype, against exact arithmetic rounded once.

Functions are found by walking the modules: a new one fails the suite until it is in exact_layers.
"""

import inspect
import itertools
from types import FunctionType

import heddle.core as mx
import ml_dtypes
import numpy as np
import pytest
from mpmath import mpf

import exact_layers as exactly
import heddle.nn as nn
from engines import FLOATS, NUMPY, to_engine, to_numpy

INF = float("inf")
MAGNITUDES = (1e-45, 1e-30, 6e-8, 1e-4, 0.3, 0.5, 1.0, 3.0, 20.0, 90.0, 300.0, 1e4, 1e25, INF)
EXTREMES = (0.0, *MAGNITUDES, *(-m for m in MAGNITUDES))

# What one rounding may change, and what float32 or float64 lose on the way: relative to the result,
# and to numbers of the size of 1, from whose differences derivatives are made.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
ON_THE_WAY = {"float16": 1e-6, "bfloat16": 1e-6, "float32": 1e-6, "float64": 3e-14}


def rounded(dtype, values):
    """Numbers as the dtype has them."""
    with np.errstate(over="ignore"):
        return np.array(values).astype(NUMPY[dtype])


def problem(given, low, high, dtype, floor):
    """What is wrong with a number that should be between two exact ones, after one rounding.

    `floor` is the size of the numbers from whose difference it was made, 0 if there was none.
    """
    given = float(given)
    if given != given:
        return f"NaN, wanted {float(low)!r}"
    info = ml_dtypes.finfo(NUMPY[dtype])
    relative = ROUNDING[dtype] + ON_THE_WAY[dtype]
    slack = mpf(float(info.smallest_subnormal)) + ON_THE_WAY[dtype] * mpf(float(floor))
    # Numbers below the normal ones may be taken for zero on the way.
    slack += mpf(float(np.finfo(np.float64 if dtype == "float64" else np.float32).tiny))
    low, high = low - slack - abs(low) * relative, high + slack + abs(high) * relative
    limit = mpf(float(info.max)) * (1 + mpf(ROUNDING[dtype]))
    if given in (INF, -INF):
        right = (
            high > limit * (1 - 4 * relative) if given > 0 else low < -limit * (1 - 4 * relative)
        )
    else:
        right = low <= given <= high
    return None if right else f"{given!r}, wanted {float(low)!r} to {float(high)!r}"


def public_functions(module):
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (isinstance(value, FunctionType) or hasattr(value, "__wrapped__"))
        and inspect.unwrap(value).__module__ == module.__name__
    }


def test_every_activation_and_loss_is_judged():
    activations = public_functions(nn.layers.activations)
    judged = {*exactly.ACTIVATIONS, *exactly.ALONG_AXIS, "prelu"}
    assert activations == judged
    judged = {name.partition(" ")[0] for name in {**exactly.LOSSES, **exactly.VECTOR_LOSSES}}
    assert public_functions(nn.losses) == judged


# Far below zero these keep the digits of 1, not those of their tails.
DIGITS_OF_ONE = {"gelu", "gelu_approx", "gelu_fast_approx"}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", exactly.ACTIVATIONS)
def test_activations(name, dtype):
    function, truth = getattr(nn, name), exactly.ACTIVATIONS[name]
    x = rounded(dtype, EXTREMES)
    given = function(to_engine(mx, x, dtype))
    slopes = mx.grad(lambda x: function(x).astype(mx.float64).sum())(to_engine(mx, x, dtype))
    assert slopes.dtype == getattr(mx, dtype)
    problems = []
    for at, y, slope in zip(x.astype(float), to_numpy(given), to_numpy(slopes), strict=True):
        where = exactly.exact(at)
        want = truth(where)
        floor = name in DIGITS_OF_ONE
        problems.append((at, "value", problem(y, want, want, dtype, floor)))
        if name == "step":
            continue
        sides = sorted(exactly.slopes(truth, where))
        problems.append((at, "slope", problem(slope, *sides, dtype, floor=True)))
    assert [p for p in problems if p[2]] == []


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*exactly.ACTIVATIONS, *exactly.ALONG_AXIS])
def test_nan_stays_nan(name, dtype):
    if name == "step":
        return  # its results are integers
    y = getattr(nn, name)(mx.array([float("nan"), 1.0]).astype(getattr(mx, dtype)))
    assert mx.isnan(y[0]).item()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("slope", [0.0, 0.25, 1.0, 3.0, -1.0])
def test_slopes_below_zero(slope, dtype):
    """leaky_relu is the larger of x and slope x, prelu switches at zero; both by x and by slope."""
    x = rounded(dtype, EXTREMES)
    if slope == 0:
        x = x[np.isfinite(x.astype(float))]  # prelu multiplies: 0 times infinity is NaN
    a = to_engine(mx, x, dtype)
    alpha = mx.array([slope]).astype(a.dtype)

    def numbers(array):
        return [float(v) for v in to_numpy(array)]

    leaky, prelu = numbers(nn.leaky_relu(a, slope)), numbers(nn.prelu(a, alpha))
    by_x = numbers(mx.grad(lambda x: nn.leaky_relu(x, slope).astype(mx.float64).sum())(a))
    by_alpha = mx.grad(lambda s: nn.prelu(a, s).astype(mx.float64).sum())(
        mx.full(x.shape, slope, dtype=a.dtype)
    )
    for at, y, p, d, s in zip(x, leaky, prelu, by_x, numbers(by_alpha), strict=True):
        at = exactly.exact(float(at))
        assert problem(y, max(at, slope * at), max(at, slope * at), dtype, False) is None, at
        below = at if at > 0 else slope * at
        assert problem(p, below, below, dtype, False) is None, at
        sides = sorted(exactly.slopes(lambda x: max(x, slope * x), at))
        assert problem(d, *sides, dtype, True) is None, at
        assert problem(s, min(at, 0), min(at, 0), dtype, False) is None, at


@pytest.mark.parametrize("alpha", [1e-20, 0.3, 5.0])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_scales_of_exponential_units(alpha, dtype):
    x = rounded(dtype, EXTREMES)
    a = to_engine(mx, x, dtype)
    elu, celu = to_numpy(nn.elu(a, alpha)), to_numpy(nn.celu(a, alpha))
    wanted = [max(v, 0) + mpf(alpha) * exactly.mpmath.expm1(min(v, 0)) for v in map(exact, x)]
    for at, y, want in zip(x, elu, wanted, strict=True):
        assert problem(y, want, want, dtype, False) is None, at
    wanted = [max(v, 0) + alpha * exactly.mpmath.expm1(min(v, 0) / alpha) for v in map(exact, x)]
    for at, y, want in zip(x, celu, wanted, strict=True):
        assert problem(y, want, want, dtype, False) is None, at
    slopes = mx.grad(lambda x: nn.celu(x, alpha).astype(mx.float64).sum())(a)
    assert mx.all((slopes >= 0) & (slopes <= 1)).item()


def exact(value):
    return exactly.exact(float(value))


ROWS = [
    (20.0, 19.5, 3.0),
    (5e6, 5e6, 4.9e6),
    (-5e6, -5e6 + 1, -6e6),
    (0.0, 1e-30, -1e-30),
    (90.0, -90.0, 0.0),
    (1e25, 1e25, -1e25),
    (-INF, 0.0, 1.0),
    (INF, 0.0, 1.0),
    (1e4, 1e4 - 8, -INF),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_along_an_axis(name, axis, dtype):
    function, truth = getattr(nn, name), exactly.ALONG_AXIS[name]
    for row in ROWS:
        # softmax itself is among the ops.
        x = rounded(dtype, row)
        infinite = int(np.isinf(x.astype(float)).sum())
        if infinite > (name == "log_softmax"):
            continue
        a = to_engine(mx, x, dtype)
        given = to_numpy(function(a[:, None] if axis == 0 else a, axis)).reshape(-1)
        wanted = truth([exact(v) for v in x])
        found = [problem(y, w, w, dtype, True) for y, w in zip(given, wanted, strict=True)]
        assert not any(found), (row, found)
        if np.isposinf(x.astype(float)).any():
            continue
        for k in range(3):
            if abs(wanted[k]) >= exactly.BEYOND:
                continue
            slopes = mx.grad(lambda x: function(x, 0)[k].astype(mx.float64))(a)  # noqa: B023
            for i in range(3):
                at = [exact(v) for v in x]
                sides = sorted(exactly.partials(lambda *v: truth(v)[k], at, i))  # noqa: B023
                found = problem(to_numpy(slopes)[i], *sides, dtype, True)
                assert found is None, (row, k, i, found)


def calls(name):
    """What a loss is called as, and operands for it: x extreme and y of ordinary size, or both."""
    function = getattr(nn.losses, name.partition(" ")[0])
    ordinary = (0.0, 1.0, -0.3, 2.0)
    if name.endswith("probabilities"):
        values = (0.0, 1e-45, 1e-30, 1e-4, 0.25, 0.5, 0.999, 1.0)
        pairs = itertools.product(values, (0.0, 0.3, 1.0))
        return lambda x, y, **k: function(x, y, with_logits=False, **k), list(pairs)
    if name == "binary_cross_entropy":
        return function, list(itertools.product(EXTREMES, (0.0, 0.1, 0.5, 1.0)))
    if name == "gaussian_nll_loss":
        triples = itertools.product(EXTREMES, (0.0, 2.0), (0.0, 1e-30, 1e-3, 1.0, 1e4, 1e12))
        return function, list(triples)
    if name == "margin_ranking_loss":
        return function, list(itertools.product(EXTREMES, ordinary, (1.0, -1.0)))
    if name == "hinge_loss":
        return function, list(itertools.product(EXTREMES, (1.0, -1.0)))
    near = [(x, x * (1 + 2.0**-6)) for x in (1e-30, 1e-4, 1.0, 300.0, 1e4)]
    return function, [*itertools.product(EXTREMES, ordinary), *near]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", exactly.LOSSES)
def test_losses(name, dtype):
    function, points = calls(name)
    truth = exactly.LOSSES[name]
    columns = [rounded(dtype, column) for column in zip(*points, strict=True)]
    arrays = [to_engine(mx, column, dtype) for column in columns]
    given = to_numpy(function(*arrays, reduction="none"))
    slopes = mx.grad(
        lambda *a: function(*a, reduction="none").astype(mx.float64).sum(),
        list(range(len(arrays))),
    )(*arrays)
    problems = []
    for i, point in enumerate(zip(*columns, strict=True)):
        at = [exact(v) for v in point]
        want = truth(*at)
        if name == "gaussian_nll_loss" and np.isinf(point[2]):
            continue  # the logarithm of an infinite variance
        problems.append((point, "value", problem(given[i], want, want, dtype, True)))
        for k in range(len(at)):
            if name.endswith("probabilities") and k == 0 and point[0] in (0, 1):
                sides = [mpf(-INF), mpf(INF)]  # cut off on one side, steep on the other
            elif name == "binary_cross_entropy" and k == 1 and abs(at[0]) >= exactly.BEYOND:
                continue  # infinite, or 0 where the term that has it counts nothing
            else:
                sides = sorted(exactly.partials(truth, at, k))
            slope = to_numpy(slopes[k])[i]
            problems.append((point, f"by {k}", problem(slope, *sides, dtype, True)))
    assert [p for p in problems if p[2]] == []


def vector_points(name):
    """Rows of operands for the losses of vectors: what is trained on first."""
    wide = [(x, 0.5, -1.0) for x in (*EXTREMES, *(1e18, -1e18))]
    if name == "nll_loss":
        return [(row, 1) for row in ROWS]
    if name == "cross_entropy":
        targets = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.25, 0.5, 0.25)]
        return [(row, t) for row in [*ROWS, *wide] for t in targets]
    if name == "kl_div_loss":
        rows = [(-1.0, -2.0, -0.5), (-1e4, -0.1, -3.0), (-INF, -0.7, -0.7), (-1e25, 0.0, -90.0)]
        return list(itertools.product(rows, rows))
    near = [(x, x * 1.03125, -x) for x in (1e-30, 1e-4, 300.0, 1e4, 1e25)]
    return [(row, other) for row in [*wide[1:], *near] for other in [(0.25, -3.0, 1.0), *near]]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", exactly.VECTOR_LOSSES)
def test_losses_of_vectors(name, dtype):
    function, truth = getattr(nn.losses, name), exactly.VECTOR_LOSSES[name]
    problems = []
    for row, other in vector_points(name):
        x = rounded(dtype, row)
        y = other if name == "nll_loss" else rounded(dtype, other)
        vectors = np.array([x] if name == "nll_loss" else [x, y], float)
        allowed = {"nll_loss": 3, "kl_div_loss": 2, "cross_entropy": 1}.get(name, 0)
        if np.isinf(vectors).sum() > allowed:
            continue  # differences and ratios of infinities
        a = to_engine(mx, x, dtype)[None]
        b = mx.array([y]) if name == "nll_loss" else to_engine(mx, y, dtype)[None]
        third = to_engine(mx, rounded(dtype, (0.5, 0.25, -2.0)), dtype)[None]
        operands = (a, b, third) if name == "triplet_loss" else (a, b)
        at = [exact(v) for v in x]
        rest = [y if name == "nll_loss" else [exact(v) for v in y]]
        if name == "triplet_loss":
            rest.append([mpf("0.5"), mpf("0.25"), mpf(-2)])
        want = truth(at, *rest)
        size = 1.0
        if name == "triplet_loss":
            size = max(
                1.0, float(np.abs(x.astype(float)).max()), float(np.abs(y.astype(float)).max())
            )
        given = to_numpy(function(*operands, reduction="none")).reshape(-1)[0]
        problems.append((row, other, "value", problem(given, want, want, dtype, size)))
        if name == "cosine_similarity_loss":
            size = 1 / max(float(np.linalg.norm(x.astype(float))), 1e-300)
        else:
            size = 1.0
        if np.isposinf(x.astype(float)).any():
            continue
        slopes = mx.grad(lambda a: function(a, *operands[1:], reduction="sum"))(a)  # noqa: B023
        for i in range(3):
            sides = sorted(exactly.partials(lambda *v: truth(list(v), *rest), at, i))  # noqa: B023
            slope = to_numpy(slopes)[0, i]
            problems.append((row, other, f"by {i}", problem(slope, *sides, dtype, size)))
    assert [p for p in problems if p[3]] == []


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_and_probabilities_are_one(smoothing, dtype):
    """Class numbers and the probabilities that single them out, masked classes, smoothing."""
    rows = rounded(dtype, ROWS)
    rows = rows[np.isinf(rows.astype(float)).sum(1) <= (smoothing == 0)]
    rows = rows[~np.isposinf(rows.astype(float)).any(1)]
    logits = to_engine(mx, rows, dtype)
    for k in range(3):
        one_hot = mx.zeros((len(rows), 3), logits.dtype) + (mx.arange(3) == k)
        by_class = nn.losses.cross_entropy(
            logits, mx.full((len(rows),), k, dtype=mx.int32), label_smoothing=smoothing
        )
        by_probability = nn.losses.cross_entropy(logits, one_hot, label_smoothing=smoothing)
        assert mx.array_equal(by_class, by_probability).item()


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_has_no_weight_does_not_count(dtype):
    """An infinite loss of weight 0, as of padding, leaves value and gradient alone."""
    dtype = getattr(mx, dtype)
    logits = mx.array([[0.0, -INF], [1.0, 2.0]], dtype=mx.float32).astype(dtype)
    targets, weights = mx.array([1, 0]), mx.array([0.0, 1.0]).astype(dtype)
    assert nn.losses.cross_entropy(logits, targets).tolist()[0] == INF

    def loss(x, reduction="sum"):
        return nn.losses.cross_entropy(x, targets, weights, reduction=reduction)

    assert loss(logits, "none").tolist()[0] == 0
    assert mx.isfinite(loss(logits)).item()
    assert mx.all(mx.isfinite(mx.grad(loss)(logits))).item()

    x = mx.array([INF, 1.0]).astype(dtype)
    y, w = mx.array([0.0, 1.0]).astype(dtype), mx.array([0.0, 1.0]).astype(dtype)
    assert nn.losses.binary_cross_entropy(x, y, w, reduction="none").tolist()[0] == 0
    slope = mx.grad(lambda x: nn.losses.binary_cross_entropy(x, y, w, reduction="sum"))(x)
    assert slope.tolist()[0] == 0


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"])
def test_reductions_of_halves(name, reduction):
    """The sum overflows a half, or loses what is small beside it; the mean does not."""
    loss = getattr(nn.losses, name)
    x = mx.array([200.0] * 40 + [0.001] * 4000)
    y = mx.zeros_like(x)
    for dtype in (mx.float16, mx.bfloat16):
        given = loss(x.astype(dtype), y.astype(dtype), reduction=reduction)
        right = loss(x.astype(dtype).astype(mx.float32), y, reduction=reduction).astype(dtype)
        assert given.dtype == dtype
        assert mx.array_equal(given, right).item()


@pytest.mark.parametrize("dtype", FLOATS)
def test_label_smoothing(dtype):
    for row in ROWS:
        x = rounded(dtype, row)
        if np.isinf(x.astype(float)).any():
            continue
        target = [mpf(t) for t in (0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3)]
        want = exactly.VECTOR_LOSSES["cross_entropy"]([exact(v) for v in x], target)
        logits = to_engine(mx, x, dtype)[None]
        given = nn.losses.cross_entropy(logits, mx.array([1]), label_smoothing=0.1)
        size = max(1.0, float(np.ptp(x.astype(float))))
        assert problem(to_numpy(given)[0], want, want, dtype, size) is None, row


@pytest.mark.parametrize("dtype", FLOATS)
def test_gated_linear_unit(dtype):
    """Both halves at every extreme, but infinity beside a gate that is closed."""
    values = rounded(dtype, EXTREMES)
    pairs = [(a, b) for a in values for b in values if not (np.isinf(a) and b < -80)]
    halves = to_engine(mx, np.array(pairs, values.dtype), dtype)
    given = to_numpy(nn.glu(halves)).reshape(-1)
    slopes = to_numpy(mx.grad(lambda x: nn.glu(x).astype(mx.float64).sum())(halves))
    for (a, b), y, slope in zip(pairs, given, slopes, strict=True):
        gate, a = exactly.sigmoid(exact(b)), exact(a)
        size = abs(a) if abs(a) < exactly.BEYOND else 0.0
        assert problem(y, a * gate, a * gate, dtype, 0.0) is None, (a, b)
        assert problem(slope[0], gate, gate, dtype, 1.0) is None, (a, b)
        if size:
            by_gate = a * gate * (1 - gate)
            assert problem(slope[1], by_gate, by_gate, dtype, min(size, 1e30)) is None, (a, b)
