"""Linear algebra of matrices whose elements are all huge or tiny, and of such with an inf or NaN.

A matrix times a power of two has the results and derivatives of the matrix itself times another:
that is asked of every function of `linalg`, so a new one fails the suite until it is in DEGREES.
"""

import inspect

import numpy as np
import pytest

import checks
from engines import IS_HEDDLE, mx, to_engine

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="asked of heddle")

RNG = np.random.default_rng(5)
GENERAL = RNG.uniform(-1, 1, (2, 4, 4)) + 3 * np.eye(4)
SYMMETRIC = GENERAL + GENERAL.swapaxes(-1, -2)
DEFINITE = GENERAL @ GENERAL.swapaxes(-1, -2)
SIDE = RNG.uniform(-1, 1, (2, 4, 3))
# name -> the matrix, with which power of its scale each result goes (None: integers)
DEGREES = {
    "inv": (GENERAL, [-1]),
    "tri_inv": (np.tril(GENERAL), [-1]),
    "cholesky": (DEFINITE, [0.5]),
    "cholesky_inv": (np.linalg.cholesky(DEFINITE), [-2]),
    "pinv": (GENERAL[..., :3], [-1]),
    "solve": (GENERAL, [-1]),
    "solve_triangular": (np.triu(GENERAL), [-1]),
    "qr": (GENERAL, [0, 1]),
    "lu": (GENERAL, [None, 0, 1]),
    "svd": (GENERAL[..., :3], [0, 1, 0]),
    "eigh": (SYMMETRIC, [1, 0]),
    "eigvalsh": (SYMMETRIC, [1]),
    "eig": (GENERAL, [1, 0]),
    "eigvals": (GENERAL, [1]),
    "norm": (GENERAL, [1]),
    "det": (GENERAL[..., :2, :2], [2]),
}
ELSEWHERE = {
    "slogdet": "its logarithm is no power of the scale: test_slogdet",
    "lu_factor": "the factors of lu in one matrix",
    "cross": "a product, judged by one extreme number and by scaled samples",
}
# Halves are refused, or would not hold the results.
SCALES = {"float32": (2.0**60, 2.0**-60), "float64": (2.0**480, 2.0**-480)}
# Results that the dtype holds: squares of 2^-60 and so on do not count here.
FEWER = {"cholesky_inv": 0.5, "det": 0.5}


def test_every_function_is_asked():
    functions = {n for n in dir(mx.linalg) if not n.startswith("_")}
    functions = {n for n in functions if not inspect.ismodule(getattr(mx.linalg, n))}
    assert functions == {*DEGREES, *ELSEWHERE}


def called(name, x, dtype):
    """The function of one matrix, with the other operand that it may need."""
    function = getattr(mx.linalg, name)
    if name.startswith("solve"):
        return function(x, to_engine(mx, SIDE).astype(getattr(mx, dtype)), **UPPER.get(name, {}))
    return function(x)


# What they give at infinity may be finite: 0, say, where a pivot is infinite.
LIMITS = ("solve", "solve_triangular", "tri_inv", "cholesky", "cholesky_inv", "det")
UPPER = {"solve_triangular": {"upper": True}}


def answers(name, x, dtype):
    """Results, and the derivatives of each floating one."""
    x = to_engine(mx, x).astype(getattr(mx, dtype))
    results = checks.flatten(called(name, x, dtype))
    found = []
    for i, y in enumerate(results):
        if mx.issubdtype(y.dtype, mx.integer):
            found.append((y, None, None))
            continue

        def one(x, i=i):
            y = checks.flatten(called(name, x, dtype))[i]
            return mx.abs(y) if y.dtype == mx.complex64 else y

        weights = mx.cos(mx.arange(y.size)).reshape(y.shape).astype(one(x).dtype)
        gradient = mx.vjp(one, [x], [weights])[1][0]
        tangent = mx.jvp(one, [x], [mx.sin(mx.arange(x.size)).reshape(x.shape).astype(x.dtype)])
        found.append((mx.abs(y) if y.dtype == mx.complex64 else y, gradient, tangent[1][0]))
    return found


def near(given, wanted, factor, what):
    given, wanted = checks.wide(given), checks.wide(wanted) * factor
    allowed = (
        2e-4 * np.abs(wanted).max()
        if "float32" in what or what.endswith("32")
        else 1e-10 * np.abs(wanted).max()
    )
    assert np.abs(given - wanted).max() <= allowed, (what, given, wanted)


@pytest.mark.parametrize("dtype", SCALES)
@pytest.mark.parametrize("name", DEGREES)
def test_scaled_matrices(name, dtype):
    matrix, degrees = DEGREES[name]
    if name in ("eig", "eigvals") and dtype == "float64":
        return  # complex64 holds no such numbers
    plain = answers(name, matrix, dtype)
    for scale in SCALES[dtype]:
        scale = scale ** FEWER.get(name, 1)
        scaled = answers(name, matrix * scale, dtype)
        for degree, mine, right in zip(degrees, scaled, plain, strict=True):
            if degree is None:
                assert mx.array_equal(mine[0], right[0]).item()
                continue
            what = f"{name} {dtype} times {scale}"
            near(mine[0], right[0], scale**degree, what)
            near(mine[1], right[1], scale ** (degree - 1), f"gradient of {what}")
            near(mine[2], right[2], scale ** (degree - 1), f"tangent of {what}")


@pytest.mark.parametrize("dtype", SCALES)
def test_slogdet(dtype):
    for scale in SCALES[dtype]:
        x = to_engine(mx, GENERAL * scale).astype(getattr(mx, dtype))
        sign, logarithm = mx.linalg.slogdet(x)
        right = np.linalg.slogdet(GENERAL)
        assert sign.tolist() == right[0].tolist()
        np.testing.assert_allclose(checks.wide(logarithm), right[1] + 4 * np.log(scale), rtol=1e-5)
        gradient = mx.grad(lambda x: mx.linalg.slogdet(x)[1].sum())(x)
        wanted = np.linalg.inv(GENERAL).swapaxes(-1, -2)
        near(gradient, to_engine(mx, wanted), 1 / scale, f"slogdet {dtype} 32")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", [n for n in DEGREES if n != "norm"])
def test_what_is_not_finite(name, value):
    """An error by name, or NaN in that matrix and no change in the other: never a number that was
    made without it."""
    matrix, degrees = DEGREES[name]
    for place in (0, matrix[0].size // 2, matrix[0].size - 1):
        spoiled = matrix.copy()
        spoiled[0].reshape(-1)[place] = value
        if matrix[0].reshape(-1)[place] == 0:
            continue  # the other triangle is not read
        try:
            given = checks.flatten(
                called(name, to_engine(mx, spoiled.astype(np.float32)), "float32")
            )
            mx.eval(given)
        except RuntimeError as error:
            assert str(error).startswith(f"[{name}] ")
            continue
        plain = checks.flatten(called(name, to_engine(mx, matrix.astype(np.float32)), "float32"))
        for degree, y, right in zip(degrees, given, plain, strict=True):
            assert mx.array_equal(y[1], right[1]).item()
            if degree is not None and not (np.isinf(value) and name in LIMITS):
                assert np.isnan(checks.wide(y[0])).any(), name
