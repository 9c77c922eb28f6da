"""Sorting and searching."""

from engines import FLOATS, REALS

from .spec import Arr, sample

BOOL = ("bool_",)
SHAPE = (4, 9)
AXES = {"last": {}, "first": {"axis": 0}, "flat": {"axis": None}}


def partitioned(name):
    """Which elements stand left and right of the k-th is fixed, their order is not: sort both."""

    def call(mx, x, k, **keywords):
        axis = keywords.get("axis", -1)
        found = getattr(mx, name)(x, k, **keywords)
        if name == "argpartition":
            found = mx.take_along_axis(x, found, axis=axis)
        low, middle, high = mx.split(found, [k, k + 1], axis=axis)
        return mx.sort(low, axis=axis), middle, mx.sort(high, axis=axis)

    return call


def table():
    for name in ("sort", "argsort"):
        for label, keywords in AXES.items():
            yield sample(
                name,
                Arr(SHAPE, distinct=True),
                kw=keywords,
                label=label,
                exact=True,
                dtypes=REALS,
                grad=name == "sort",
            )
        for view in ("strided", "transposed"):
            yield sample(
                name,
                Arr(SHAPE, distinct=True, view=view),
                label=view,
                exact=True,
                dtypes=("float32",),
                grad=name == "sort",
            )
        yield sample(
            name,
            Arr((3, 1500), distinct=True),
            label="long",
            exact=True,
            dtypes=("float32", "int32", "float16"),
            grad=False,
        )
        yield sample(name, Arr((0, 3)), label="empty", exact=True, grad=False)
        yield sample(name, Arr((1,)), label="one", exact=True, grad=False)
    for name, truth in {"sort": None, "argsort": None}.items():
        # Equal keys keep their order, as in MLX.
        yield sample(
            name,
            Arr((3, 40), low=0, high=3),
            label="ties",
            exact=True,
            truth=truth,
            dtypes=("int32", "uint8"),
            grad=False,
        )
    yield sample(
        "sort", Arr(SHAPE, special=True), label="nan", exact=True, dtypes=FLOATS, grad=False
    )
    yield sample("sort", Arr(SHAPE), label="bool", dtypes=BOOL, exact=True, grad=False)
    for name in ("partition", "argpartition"):
        for label, keywords in {"last": {}, "first": {"axis": 0}}.items():
            yield sample(
                name,
                Arr((6, 7), distinct=True),
                3,
                kw=keywords,
                label=label,
                call=partitioned(name),
                dtypes=("float32", "int32", "bfloat16"),
                exact=True,
                grad=name == "partition",
            )
    topk = lambda mx, x, k, **keywords: mx.sort(mx.topk(x, k, **keywords), **keywords)  # noqa: E731
    for label, keywords in {"last": {}, "first": {"axis": 0}}.items():
        yield sample(
            "topk",
            Arr((6, 7), distinct=True),
            3,
            kw=keywords,
            label=label,
            call=topk,
            dtypes=REALS,
            exact=True,
        )
    for side in ("left", "right"):
        yield sample(
            "searchsorted",
            Arr((7,), values=(-1, 0, 0, 1, 2, 2, 2)),
            Arr((3, 4), low=-2, high=3),
            kw={"side": side},
            label=side,
            dtypes=("float32", "int32"),
            exact=True,
            grad=False,
        )


SAMPLES = list(table())
