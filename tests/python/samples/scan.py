"""Running sums, products, extremes: along each axis, both directions, with and without self."""

import itertools

import numpy as np

from engines import COMPLEX, DTYPES, FLOATS, INTEGERS, NUMBERS, REALS

from .spec import Arr, Name, sample

# name -> (dtypes, low, high, jvp exists in MLX is not asked here)
SCANS = {
    "cumsum": (DTYPES, -2, 2),
    "cumprod": (NUMBERS, 0.6, 1.5),
    "cummax": (REALS, -9, 9),
    "cummin": (REALS, -9, 9),
    "logcumsumexp": (FLOATS, -3, 3),
}
SHAPE = (4, 6)
# MLX evaluates logcumsumexp of float64 by float32 functions.
TOLERANCE = {"logcumsumexp": {"float64": 2e-6}}


def table():
    for name, (dtypes, low, high) in SCANS.items():
        distinct = name in ("cummax", "cummin")
        array = Arr(SHAPE, low=low, high=high, distinct=distinct)
        for axis, reverse, inclusive in itertools.product((0, 1), (False, True), (True, False)):
            label = f"axis{axis}{'-reverse' * reverse}{'-exclusive' * (not inclusive)}"
            shown = dtypes if (axis, reverse) == (1, False) and inclusive else ("float32", "int32")
            shown = tuple(d for d in shown if d in dtypes)
            keywords = {"axis": axis, "reverse": reverse, "inclusive": inclusive}
            yield sample(
                name,
                array,
                kw=keywords,
                label=label,
                dtypes=shown,
                length=6,
                tolerance=TOLERANCE.get(name, {}),
            )
        yield sample(name, array, label="flat", length=24, tolerance=TOLERANCE.get(name, {}))
        for view in ("strided", "transposed", "broadcast"):
            yield sample(
                name,
                Arr(SHAPE, low=low, high=high, view=view, distinct=distinct),
                kw={"axis": 1},
                label=view,
                dtypes=("float32",),
                length=6,
                grad=not (distinct and view == "broadcast"),
            )
        yield sample(
            name,
            Arr((3, 515), low=0.999 if name == "cumprod" else low, high=1.001),
            kw={"axis": 1},
            label="long",
            dtypes=("float32",),
            length=515,
            grad=not distinct,
        )
        yield sample(name, Arr((0, 3)), kw={"axis": 1}, label="empty", grad=False)
        yield sample(
            name,
            Arr(SHAPE, special=True),
            kw={"axis": 1},
            label="special",
            grad=False,
            dtypes=("float32",),
        )
    for alias, name in {"cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod}.items():
        yield sample(alias, Arr(SHAPE, low=0.7, high=1.3), kw={"axis": 1}, truth=name, length=6)
    for name in ("cumsum", "cumprod"):
        yield sample(
            name,
            Arr(SHAPE, low=0, high=3),
            kw={"axis": 0, "dtype": Name("float32")},
            label="dtype",
            dtypes=INTEGERS,
            grad=False,
        )
    yield sample("cumsum", Arr(SHAPE), kw={"axis": 0}, label="complex", dtypes=COMPLEX, length=4)


SAMPLES = list(table())
