"""Reductions: over all, one, several and no axes, kept or dropped, of every layout."""

import numpy as np
from scipy import special

from engines import COMPLEX, DTYPES, FLOATS, INTEGERS, NUMBERS, REALS

from .spec import Arr, sample

BOOL = ("bool_",)
AXES = {
    "all": {},
    "first": {"axis": 0},
    "last": {"axis": -1, "keepdims": True},
    "middle": {"axis": 1},
    "pair": {"axis": (0, 2)},
    "keep_all": {"keepdims": True},
}
CUBE = (3, 4, 5)
SIZE = 60


def softmax(x, axis=None, precise=False):
    return special.softmax(x, axis=axis)


def median(x, axis=None, keepdims=False):
    return np.median(x, axis=axis, keepdims=keepdims)


# name -> (dtypes of the plain case, truth for floats, differentiable, low, high)
REDUCTIONS = {
    "sum": (DTYPES, "numpy", True, -2, 2),
    "nansum": (DTYPES, "numpy", True, -2, 2),
    "prod": (DTYPES, "numpy", True, 0.7, 1.3),
    "mean": (DTYPES, "numpy", True, -2, 2),
    "var": (REALS, "numpy", True, -2, 2),
    "std": (REALS, "numpy", True, -2, 2),
    "max": (REALS + BOOL, None, True, -9, 9),
    "min": (REALS + BOOL, None, True, -9, 9),
    "all": (DTYPES, None, False, 0, 3),
    "any": (DTYPES, None, False, 0, 3),
    "logsumexp": (FLOATS, special.logsumexp, True, -4, 4),
    "median": (FLOATS, median, True, -4, 4),
}
ARG = ("argmax", "argmin")
EMPTY = ("sum", "nansum", "prod", "mean", "var", "std", "all", "any")


def table():
    for name, (dtypes, truth, differentiable, low, high) in REDUCTIONS.items():
        distinct = name in ("max", "min", "median")
        common = {"truth": truth, "grad": differentiable, "length": SIZE}
        for label, keywords in AXES.items():
            shown = dtypes if label in ("all", "last") else ("float32",)
            array = Arr(CUBE, low=low, high=high, distinct=distinct)
            # truth is float64 arithmetic; other dtypes are compared with MLX, which is exact there.
            floats = tuple(d for d in shown if d in FLOATS)
            others = tuple(d for d in shown if d not in FLOATS)
            yield sample(name, array, kw=keywords, label=label, dtypes=floats, **common)
            if others:
                yield sample(
                    name,
                    array,
                    kw=keywords,
                    label=f"{label}-other",
                    dtypes=others,
                    grad=False,
                    length=SIZE,
                )
        for view in ("strided", "transposed", "broadcast"):
            array = Arr(CUBE, low=low, high=high, view=view, distinct=distinct)
            yield sample(
                name, array, kw={"axis": 1}, label=view, **common, dtypes=("float32", "bfloat16")
            )
        single = common | {"grad": differentiable and name != "std"}  # 0/0 at a variance of 0
        yield sample(name, Arr((), low=low, high=high), label="0-d", **single)
        yield sample(
            name,
            Arr((2, 1031), low=0.99 if name == "prod" else low, high=1.01, distinct=distinct),
            kw={"axis": -1},
            label="long",
            grad=differentiable,
            truth=truth,
            length=1031,
            dtypes=("float32",),
        )
        if name in EMPTY:
            yield sample(
                name,
                Arr((0, 3)),
                kw={"axis": 0},
                label="empty",
                grad=False,
                check="truth",
                truth=getattr(np, name),
            )
        if name not in ("median",):
            special_values = Arr(CUBE, special=True)
            yield sample(
                name, special_values, kw={"axis": -1}, label="special", grad=False, truth=truth
            )
    for name in ("var", "std"):
        yield sample(name, Arr(CUBE), kw={"axis": 1, "ddof": 1}, label="ddof", truth="numpy")
    yield sample("sum", Arr(CUBE), kw={"axis": ()}, label="no-axes", truth="numpy")
    for name in ARG:
        for label, keywords in {
            "all": {},
            "first": {"axis": 0},
            "keep": {"axis": -1, "keepdims": True},
        }.items():
            yield sample(
                name,
                Arr(CUBE, low=-9, high=9),
                kw=keywords,
                label=label,
                exact=True,
                dtypes=REALS + BOOL,
                grad=False,
            )
        yield sample(
            name, Arr(CUBE, view="transposed"), kw={"axis": 1}, label="view", exact=True, grad=False
        )
        yield sample(
            name, Arr(CUBE, special=True), kw={"axis": -1}, label="nan", exact=True, grad=False
        )
    yield from softmax_table()
    for label, keywords in {"all": {}, "last": {"axis": -1}}.items():
        yield sample(
            "minmax", Arr(CUBE, distinct=True), kw=keywords, label=label, exact=True, dtypes=REALS
        )
        yield sample(
            "count_nonzero",
            Arr(CUBE, low=-1, high=1),
            kw=keywords,
            label=label,
            dtypes=INTEGERS + BOOL,
            exact=True,
            grad=False,
        )
    for label, offset in {"": 0, "offset": 1, "below": -1}.items():
        yield sample(
            "trace", Arr((4, 5)), kw={"offset": offset}, label=label, dtypes=NUMBERS, length=4
        )
    yield sample("trace", Arr(CUBE), kw={"axis1": 0, "axis2": 2}, label="axes", length=3)
    for label, keywords in {"": {}, "twice": {"n": 2}, "first": {"axis": 0}}.items():
        yield sample("diff", Arr((4, 6)), kw=keywords, label=label, dtypes=NUMBERS)
    yield from unique_table()


def softmax_table():
    for label, keywords in {
        "last": {"axis": -1},
        "first": {"axis": 0},
        "all": {},
        "pair": {"axis": (1, 2)},
        "precise": {"axis": -1, "precise": True},
    }.items():
        # Rounding inside: MLX and heddle keep float32 in between, the result is the dtype's.
        yield sample("softmax", Arr(CUBE, low=-6, high=6), kw=keywords, label=label, truth=softmax)
    yield sample("softmax", Arr((3, 1031)), kw={"axis": -1}, label="long", truth=softmax)
    for view in ("strided", "transposed", "broadcast"):
        yield sample("softmax", Arr(CUBE, view=view), kw={"axis": -1}, label=view, truth=softmax)
    yield sample(
        "softmax", Arr(CUBE), kw={"axis": -1}, label="integers", dtypes=("int32",), grad=False
    )
    yield sample("softmax", Arr((0, 4)), kw={"axis": -1}, label="empty", grad=False)
    yield sample(
        "logsumexp",
        Arr(CUBE),
        kw={"axis": -1},
        label="complex",
        dtypes=COMPLEX,
        grad=False,
        vmap=False,
        check="shape",
    )


def unique_table():
    repeated = Arr((8,), values=(3, 1, 3, 2, 1, 5, 5, 0))
    for label, keywords in {
        "": {"size": 5},
        "padded": {"size": 7, "fill_value": 9},
        "everything": {
            "size": 5,
            "return_index": True,
            "return_inverse": True,
            "return_counts": True,
        },
    }.items():
        yield sample(
            "unique",
            repeated,
            kw=keywords,
            label=label,
            dtypes=REALS,
            exact=True,
            grad=False,
            vmap=False,
        )


SAMPLES = list(table())
