"""Steps of optimizers with one extreme number among the gradients or the parameters: parameters and
state are those of float64, rounded once; other elements do not feel inf and NaN.

Halves are judged by float32 from the same numbers, as in test_half_layers.py, which also makes sure
that no optimizer is left out; float64, the judge, is compared with MLX in test_optimizers.py.
"""

import ml_dtypes
import numpy as np
import pytest

import checks
import heddle.optimizers as optim
from engines import FLOATS, NUMPY, mx, to_engine
from places import INF, finite_values
from test_half_layers import OPTIMIZERS

RNG = np.random.default_rng(3)
PARAMETERS, GRADIENTS = (
    RNG.standard_normal((3, 4)).astype(np.float16).astype(np.float64) for _ in range(2)
)
PLACE = (1, 2)
ALLOWED = {"float32": 2e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
# Rows and columns, or all of a matrix, are scaled together.
TOGETHER = ("Adafactor", "Muon")
# They remember squares, which float32 ends with: beyond, the parameter stays where it is.
SQUARES = ("RMSprop", "Adagrad", "AdaDelta", "Adam(", "AdamW")


def step(expression, dtype, parameters, gradients):
    """The parameters after two steps, the second with ordinary gradients, and the state of each."""
    optimizer = eval(f"optim.{expression}", {"optim": optim})
    w = to_engine(mx, parameters.astype(NUMPY[dtype]))
    found = []
    for g in (gradients, GRADIENTS):
        w = optimizer.apply_gradients({"w": to_engine(mx, g.astype(NUMPY[dtype]))}, {"w": w})["w"]
        state = {k: v for k, v in sorted(optimizer.state["w"].items())}
        mx.eval(w, state)
        found.append([checks.wide(w), *map(checks.wide, state.values())])
    return found


def with_one(values, value):
    changed = values.copy()
    changed[PLACE] = value
    return changed


def cases(value):
    return (
        ("gradient", PARAMETERS, with_one(GRADIENTS, value)),
        ("parameter", with_one(PARAMETERS, value), GRADIENTS),
    )


def rounded(values, dtype):
    with np.errstate(over="ignore"):
        return values.astype(NUMPY[dtype]).astype(np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("expression", OPTIMIZERS)
def test_finite_numbers(expression, dtype):
    judge = "float64" if dtype == "float32" else "float32"
    limit = float(ml_dtypes.finfo(NUMPY[dtype]).max)
    for value in finite_values(dtype):
        if expression.startswith("Lion") and 0 < abs(value) < 1e-37:
            continue  # its sign is asked for, and a tenth of it may be taken for zero
        for where, w, g in cases(value):
            what = f"{expression} {dtype} {where} {value:g}"
            with np.errstate(all="ignore"):
                w, g = rounded(w, dtype), rounded(g, dtype)
                mine, right = step(expression, dtype, w, g), step(expression, judge, w, g)
            beyond = where == "gradient" and abs(value) > 1e19
            if beyond and expression.startswith(SQUARES):
                assert abs(mine[0][0][PLACE] - w[PLACE]) <= 0.02 * abs(w[PLACE]), what  # decay
                continue
            # Beyond its squares Adafactor remembers the largest numbers that it can.
            count = 1 if beyond and expression.startswith("Adafactor") else None
            for k, (y, exact) in enumerate(zip(mine[0][:count], right[0][:count], strict=True)):
                if k and dtype == "float16":
                    exact = np.clip(exact, -limit, limit)  # what is remembered stays finite
                exact = rounded(exact, dtype)
                finite = np.isfinite(exact)
                near = np.abs(y - exact) <= ALLOWED[dtype] * np.abs(exact) + 1e-7
                assert np.where(finite, near, ~np.isfinite(y)).all(), (what, y, exact)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("expression", OPTIMIZERS)
def test_what_is_not_finite(expression, dtype):
    """Other elements take the step that they take beside ordinary numbers, and NaN is not lost."""
    with np.errstate(all="ignore"):
        base = step(expression, dtype, PARAMETERS, GRADIENTS)
        for value in (INF, -INF, np.nan):
            for where, w, g in cases(value):
                mine = step(expression, dtype, w, g)
                what = f"{expression} {dtype} {where} {value}"
                if np.isnan(value):
                    assert np.isnan(mine[1][0][PLACE]), what
                if expression.startswith(TOGETHER):
                    continue
                others = np.ones(PARAMETERS.shape, bool)
                others[PLACE] = False
                for given, plain in zip([*mine[0], *mine[1]], [*base[0], *base[1]], strict=True):
                    np.testing.assert_array_equal(given[others], plain[others], what)
