"""Values and derivatives where exponents end: 0, the least and largest numbers, infinities, NaN."""

import mpmath
import numpy as np
import pytest

import checks
from engines import FLOATS, IS_HEDDLE, mx, to_engine, to_numpy
from extremes import extremes, has_room, is_right
from samples import pointwise
from samples.functions import TRANSCENDENTAL
from samples.pointwise import FUNCTIONS

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")


def operands_of(name, dtype):
    """The extreme values, or all pairs of them."""
    values = extremes(dtype)
    if len(FUNCTIONS[name].partials) == 2:
        return [np.repeat(values, len(values)), np.tile(values, len(values))]
    return [values]


def exact_numbers(row):
    return [mpmath.mpf(float(x)) for x in row]


def wrong_places(given, operands, exact, dtype, error, asked):
    """Where `given` is not exact(*operands) rounded once."""
    found = []
    for i, row in enumerate(zip(*operands, strict=True)):
        numbers = exact_numbers(row)
        if not asked(numbers):
            continue
        right = exact(*numbers)
        if not is_right(float(given[i]), right, dtype, error):
            at = ", ".join(f"{float(x):g}" for x in row)
            found.append(f"({at}): {float(given[i]):g}, wanted {mpmath.nstr(right, 6)}")
    return found


def has_nan(numbers):
    return any(mpmath.isnan(x) for x in numbers)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value(name, dtype):
    exact = FUNCTIONS[name]
    operands = operands_of(name, dtype)
    result = getattr(mx, name)(*(to_engine(mx, x) for x in operands))
    given = to_numpy(result.astype(mx.float64))
    found = wrong_places(given, operands, exact.value, dtype, exact.error, lambda x: not has_nan(x))
    assert not found, f"{len(found)} of {len(given)}: " + "; ".join(found[:8])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_is_not_lost(name, dtype):
    count = len(FUNCTIONS[name].partials)
    for k in range(count):
        operands = [[np.nan if i == k else 0.5] * 40 for i in range(count)]
        given = getattr(mx, name)(*(array(x, dtype) for x in operands))
        assert mx.all(mx.isnan(given)).item()


@pytest.mark.parametrize("scale", [1.0, 2.0**20, 2.0**-20])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivative(name, dtype, scale):
    """Backwards and forwards, with a plain, a large and a small (co)tangent."""
    if dtype == "float16" and scale != 1:
        pytest.skip("float16 has no room for other scales")
    exact = FUNCTIONS[name]
    operands = operands_of(name, dtype)
    function = getattr(mx, name)
    primals = [to_engine(mx, x) for x in operands]
    slope = mx.full(primals[0].shape, scale, dtype=primals[0].dtype)
    _, backwards = mx.vjp(function, primals, [slope])
    problems = []
    for k, partial in enumerate(exact.partials):
        before, after = primals[:k], primals[k + 1 :]
        along = lambda x, before=before, after=after: function(*before, x, *after)  # noqa: E731
        _, forwards = mx.jvp(along, [primals[k]], [slope])

        def asked(numbers, partial=partial):
            if has_nan(numbers) or not exact.asked(*numbers):
                return False
            value = exact.value(*numbers)
            # Another scale is asked for where the factors have room, at least.
            room = all(x == 0 or has_room(x, dtype) for x in (value, partial(*numbers)))
            return not mpmath.isnan(value) and (scale == 1 or room)

        scaled = lambda *numbers, partial=partial: scale * partial(*numbers)  # noqa: E731
        for way, given in (("vjp", backwards[k]), ("jvp", forwards[0])):
            given = to_numpy(given.astype(mx.float64))
            found = wrong_places(given, operands, scaled, dtype, exact.error, asked)
            if found:
                problems.append(f"{way} by operand {k}: {len(found)}: " + "; ".join(found[:6]))
    assert not problems, "\n".join(problems)


# What choosing and converting is made of: no numbers are computed.
CHOICES = {
    *("AsType", "Broadcast", "Select", "Real", "StopGradient", "Matmul", "Transpose", "Slice"),
    *("Equal", "Less", "LessEqual", "Greater", "GreaterEqual", "IsNaN", "IsInf"),
    *("LogicalAnd", "LogicalOr", "LogicalNot", "NaNEqual"),
}


def test_every_elementwise_op_is_asked():
    """An op that a differentiable sample of the family reaches has its entry."""
    stated = set(CHOICES)
    for name, exact in FUNCTIONS.items():
        stated.update(mx._graph_ops(getattr(mx, name)(*[mx.ones(3)] * len(exact.partials))))
    reached = set()
    for sample in pointwise.SAMPLES:
        if sample.grad and "float32" in sample.dtypes:
            arrays = sample.engine_arrays(mx, sample.draw("float32"))
            results = checks.flatten(sample.function_of(mx)(*arrays))
            reached.update(mx._graph_ops(*results))
    missing = sorted(reached - stated)
    assert reached and not missing, f"no exact form in samples/pointwise.py: {', '.join(missing)}"


# Of functions of analysis the table says whether they take complex numbers.
REAL_ALONE = [
    *(name for name, row in TRANSCENDENTAL.items() if "complex64" not in row[2]),
    "sign",
    "floor",
    "ceil",
    "trunc",
    "round",
    "sigmoid",
    "floor_divide",
    "remainder",
    "maximum",
    "minimum",
    "arctan2",
    "abs",
]


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in REAL_ALONE])
def test_complex_derivative_on_the_real_axis(name):
    """That of the real function, wherever this and its value are numbers."""
    exact = FUNCTIONS[name]
    operands = [x[np.isfinite(x)] for x in operands_of(name, "float32")[:1]]
    if len(exact.partials) == 2:
        values = np.unique(operands[0])
        operands = [np.repeat(values, len(values)), np.tile(values, len(values))]
    primals = [to_engine(mx, x).astype(mx.complex64) for x in operands]
    slope = mx.ones(primals[0].shape, dtype=mx.complex64)
    _, gradients = mx.vjp(getattr(mx, name), primals, [slope])
    for gradient, partial in zip(gradients, exact.partials, strict=True):

        def asked(numbers, partial=partial):
            results = exact.value(*numbers), partial(*numbers)
            room = all(x == 0 or (x == x and has_room(x, "float32")) for x in results)
            return exact.asked(*numbers) and room

        given = to_numpy(gradient).real
        error = max(exact.error, 4e-6)
        found = wrong_places(given, operands, partial, "float32", error, asked)
        assert not found, f"{len(found)}: " + "; ".join(found[:6])


# ---------------------------------------------------------------------------------------------
# Functions of many elements.

WIDTH = {"float64": 1e-9, "float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3}


def array(values, dtype):
    return mx.array(values, dtype=mx.float64).astype(getattr(mx, dtype))


def near(given, wanted, dtype):
    given = to_numpy(given.astype(mx.float64))
    np.testing.assert_allclose(given, wanted, rtol=WIDTH[dtype], atol=1e-300)


def sum_gradient(function):
    return mx.grad(lambda x: function(x).sum())


@pytest.mark.parametrize("dtype", FLOATS)
def test_logcumsumexp_gradient(dtype):
    """Softmaxes of the beginnings, added up."""
    gradient = sum_gradient(mx.logcumsumexp)
    for values in ([-100, 0], [-1000, 0, 1000], [0, 1, 2], [1e4, 1e4, 1e4], [-1e4, 3, -1e4, 2]):
        x = np.array(array(values, dtype).astype(mx.float64))
        shares = [np.exp(x[: n + 1] - x[: n + 1].max()) for n in range(len(x))]
        wanted = sum(np.pad(s / s.sum(), (0, len(x) - len(s))) for s in shares)
        near(gradient(array(values, dtype)), wanted, dtype)
    near(gradient(array([0, np.inf, 1, np.inf], dtype)), [1, 2.5, 0, 0.5], dtype)
    near(gradient(array([-np.inf, 0, -np.inf], dtype)), [0, 2, 0], dtype)
    near(gradient(array([1e25 if dtype != "float16" else 6e4] * 2, dtype)), [1.5, 0.5], dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_logsumexp_gradient(dtype):
    gradient = sum_gradient(mx.logsumexp)
    near(gradient(array([np.inf, 0, np.inf], dtype)), [0.5, 0, 0.5], dtype)
    near(gradient(array([-np.inf, 0], dtype)), [0, 1], dtype)
    near(gradient(array([1e4, 1e4], dtype)), [0.5, 0.5], dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_products_of_others(dtype):
    """Gradients of products at zeros, infinities, and where one half overflows and one vanishes."""
    large, small = (1e4, 1e-4) if dtype == "float16" else (1e25, 1e-25)
    large, small = (float(array(v, dtype).astype(mx.float64)) for v in (large, small))
    rows = [[large, large, small, small], [2, 0, 3], [0, 2, 0], [2, np.inf, 4], [0.5, 3, 0.25]]
    for row in rows:
        x = array(row, dtype)
        others = [np.prod(row[:i] + row[i + 1 :]) for i in range(len(row))]
        near(sum_gradient(mx.prod)(x), others, dtype)
        wanted = [
            sum(np.prod(row[:i] + row[i + 1 : k + 1]) for k in range(i, len(row)))
            for i in range(len(row))
        ]
        limit = float(mx.finfo(getattr(mx, dtype)).max)
        with np.errstate(over="ignore"):
            wanted = np.where(np.abs(wanted) > limit, np.inf, wanted)
        near(sum_gradient(mx.cumprod)(x), wanted, dtype)
        at = mx.array([1] * len(row))
        product = lambda u, at=at: mx.ones(2, u.dtype).at[at].multiply(u)[1]  # noqa: E731
        near(mx.grad(product)(x), others, dtype)


@pytest.mark.parametrize("places", [0, slice(0, 1), [0], [0, 0], [0, 0, 0]], ids=str)
@pytest.mark.parametrize("factor", [0.0, 2.0, 0.5 - 1.5j, 0j])
def test_products_by_index_are_products(places, factor):
    """The gradient of at[].multiply is that of the product written out, also of complex numbers,
    at zeros and where several factors meet at one place."""
    count = len(places) if isinstance(places, list) else 1
    at = mx.array(places) if isinstance(places, list) else places
    kind = mx.complex64 if isinstance(factor, complex) else mx.float32
    turn = mx.array(1 - 3j if kind == mx.complex64 else 1.5)
    x = mx.array([2, 3, 4]).astype(kind) * turn
    for others in (0, 1, 3):  # what the factors after the first are
        factors = mx.array([factor] + [others * factor + others / 2] * (count - 1)).astype(kind)

        def by_index(x, u):
            u = u.reshape(()) if isinstance(places, int) else u
            return (mx.abs(x.at[at].multiply(u) * turn + 1) ** 2).sum()

        def written(x, u):
            first = x[0]
            for k in range(count):
                first = first * u[k]
            return (mx.abs(mx.concatenate([first[None], x[1:]]) * turn + 1) ** 2).sum()

        mine, wanted = (mx.grad(f, argnums=(0, 1))(x, factors) for f in (by_index, written))
        for given, right in zip(mine, wanted, strict=True):
            np.testing.assert_allclose(np.array(given), np.array(right), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "scale", [1.0, 1e25, 2.0**61, 2.0**51, 300.0, 1e-6, 2.0**-51, 2.0**-70, 1e-25]
)
def test_norms_and_deviations(dtype, scale):
    """Squares of what these give would be out of range."""
    row = np.array([3.0, -4.0, 12.0, 0.0])
    x = array(row * scale, dtype)
    exact = np.array(x.astype(mx.float64))
    if not np.isfinite(exact).all() or (dtype == "float16" and scale < 1e-3):
        pytest.skip("out of the dtype's own range")
    exact = exact / scale
    length = np.sqrt(np.sum(exact**2))
    near(mx.linalg.norm(x), length * scale, dtype)
    near(mx.linalg.norm(x.reshape(2, 2)), length * scale, dtype)
    near(mx.linalg.norm(x, ord=3), np.sum(np.abs(exact) ** 3) ** (1 / 3) * scale, dtype)
    near(mx.grad(mx.linalg.norm)(x), exact / length, dtype)
    near(mx.std(x), exact.std() * scale, dtype)
    near(mx.grad(mx.std)(x), (exact - exact.mean()) / (4 * exact.std()), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_norms_of_nothing(dtype):
    """No direction is better than another: 0, as that of abs."""
    x = array([0, 0, 0], dtype)
    near(mx.linalg.norm(x), 0, dtype)
    near(mx.grad(mx.linalg.norm)(x), [0, 0, 0], dtype)
    near(mx.grad(lambda x: mx.linalg.norm(x, ord=3))(x), [0, 0, 0], dtype)
    near(mx.grad(mx.std)(x + 2), [0, 0, 0], dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_by_index_of_many_halves(dtype):
    """A gradient that adds thousands of terms does not stop growing."""
    x, rows = array([[1.0, 2.0]], dtype), mx.zeros(5000, dtype=mx.int32)
    near(sum_gradient(lambda x: x[rows])(x), [[5000, 5000]], dtype)
    along = mx.zeros((5000, 2), dtype=mx.int32)
    near(sum_gradient(lambda x: mx.take_along_axis(x, along, axis=0))(x), [[5000, 5000]], dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_updates_by_index_of_many_halves(dtype):
    """Several updates of one element are rounded once, wherever and whichever way they come."""
    x, rows = array([[1.0, 2.0], [0.5, 0.25]], dtype), mx.array([0] * 5000 + [1], mx.int32)
    ones = mx.ones((5001, 2), dtype=x.dtype)
    near(x.at[rows].add(ones), [[5001, 5002], [1.5, 1.25]], dtype)
    near(x.at[rows].subtract(ones), [[-4999, -4998], [-0.5, -0.75]], dtype)
    near(x.at[rows, 1].add(ones[:, 0]), [[1, 5002], [0.5, 1.25]], dtype)
    many = array([[1.0] * 512], dtype)
    near(
        many.at[mx.zeros(5000, mx.int32)].add(mx.ones((5000, 512), x.dtype)), [[5001] * 512], dtype
    )
    large = array([[300.0], [1e-4]], dtype)
    factors = array([[300.0], [1e-2], [1e-2], [1e-2], [1e-2], [1e4]], dtype)
    exact = float(np.prod(to_numpy(factors.astype(mx.float64))) * 300)
    near(large.at[mx.zeros(6, mx.int32)].multiply(factors)[0], [exact], dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_meet_no_intermediate(dtype):
    """Compositions whose steps in halves would overflow, or lose what is asked for."""
    x = array([200, 300, 400], dtype)
    near(mx.linalg.cross(x, x), [0, 0, 0], dtype)
    small = array([1e-3], dtype)
    exact = float(small.astype(mx.float64).item())
    near(mx.einsum("i,j->j", array([300] * 400, dtype), small), [120000 * exact], dtype)
    near(mx.einsum("i,i,j->j", x, x, small), [290000 * exact], dtype)
    steps = array([-3e4, 3e4, -3e4], dtype)
    if dtype == "float16":
        assert mx.diff(steps, n=2).tolist() == [-float("inf")]
    near(mx.diff(array([1, 1.5, 2], dtype) * 256, n=2), [0], dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_close_by_the_given_tolerance(dtype):
    x, y = array([0.001, 60000, 1.0], dtype), array([0.001, -60000, 1.0078125], dtype)
    assert mx.isclose(x, y).tolist() == [True, False, False]
    assert mx.isclose(x, y, rtol=0.0, atol=1e-2).tolist() == [True, False, True]
    assert mx.isclose(x, y, rtol=1.5).tolist() == [True, False, True]


def test_categorical_takes_what_is_infinite():
    """With one sample and with many, as the wheel; NaN counts as largest."""
    key, inf = mx.random.key(3), float("inf")
    for row, chosen in (
        ([1, -2, inf, 4, 3], {2}),
        ([inf, 1, inf], {0, 2}),
        ([1, float("nan"), 3], {1}),
        ([-inf, 2, -inf], {1}),
    ):
        logits = mx.array(row)
        assert set(mx.random.categorical(logits, num_samples=40, key=key).tolist()) == chosen
        assert mx.random.categorical(logits, key=key).item() in chosen
        both = mx.random.categorical(mx.stack([logits, logits]), num_samples=40, key=key)
        assert set(both.flatten().tolist()) <= chosen
