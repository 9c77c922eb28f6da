"""Reads and writes by index, `at[]`, and the functions that take index arrays."""

import numpy as np

from engines import DTYPES, FLOATS, INTEGERS

from .spec import Arr, sample

CUBE = (4, 5, 6)
FEW = ("float32", "bfloat16", "int32", "bool_", "complex64")
ALL = slice(None)


def index(*values, shape=None):
    """An integer array argument with these values."""
    return Arr(shape or (len(values),), values=values, dtype="int32")


# label -> (index as a function of the index arrays, index arrays)
READS = {
    "integer": (lambda: 1, ()),
    "negative": (lambda: (-1, ALL, -2), ()),
    "slice": (lambda: slice(1, 3), ()),
    "step": (lambda: (slice(None, None, 2), slice(4, 1, -1)), ()),
    "reverse": (lambda: (Ellipsis, slice(None, None, -1)), ()),
    "beyond": (lambda: (slice(2, 99), slice(-99, 2)), ()),
    "nothing": (lambda: slice(3, 1), ()),
    "newaxis": (lambda: (None, 1, Ellipsis, None), ()),
    "ellipsis": (lambda: (Ellipsis, 2), ()),
    "everything": (lambda: Ellipsis, ()),
    "numpy-int": (lambda: np.int64(2), ()),
    "list": (lambda: [0, 3, -1], ()),
    "array": (lambda i: i, (index(0, 3, 1, 1),)),
    "array-negative": (lambda i: i, (index(-1, -4, 2),)),
    "array-2d": (lambda i: i, (index(0, 3, 1, 2, shape=(2, 2)),)),
    "array-0d": (lambda i: i, (index(2, shape=()),)),
    "array-empty": (lambda i: i, (index(shape=(0,)),)),
    "pair": (lambda i, j: (i, j), (index(0, 3, 1), index(4, 0, 2))),
    "pair-broadcast": (lambda i, j: (i, j), (index(0, 3, shape=(2, 1)), index(4, 0, 2))),
    "array-slice": (lambda i: (i, slice(1, 4)), (index(0, 3, 1),)),
    "slice-array": (lambda i: (slice(1, 4), i), (index(0, 3, 1),)),
    "apart": (lambda i, j: (i, ALL, j), (index(0, 3, 1), index(5, 0, 2))),
    "array-integer": (lambda i: (1, i), (index(0, 3, 1),)),
    "array-newaxis": (lambda i: (None, i, ALL, 2), (index(0, 3, 1),)),
    "three": (lambda i, j, k: (i, j, k), (index(0, 3), index(4, 1), index(5, 0))),
}
WRITES = {
    "integer": (lambda: 1, (), (5, 6)),
    "slice": (lambda: slice(1, 3), (), (2, 5, 6)),
    "slice-row": (lambda: (slice(1, 3), ALL, slice(None, None, 2)), (), (3,)),
    "reverse": (lambda: (ALL, slice(None, None, -1)), (), (4, 5, 6)),
    "scalar": (lambda: (0, 1, 2), (), ()),
    "everything": (lambda: Ellipsis, (), (6,)),
    "array": (lambda i: i, (index(0, 3, 1),), (3, 5, 6)),
    "array-row": (lambda i: i, (index(0, 3, 1),), (6,)),
    "pair": (lambda i, j: (i, j), (index(0, 3, 1), index(4, 0, 2)), (3, 6)),
    "slice-array": (lambda i: (slice(1, 4), i), (index(0, 3, 1),), (3, 3, 6)),
    "apart": (lambda i, j: (i, ALL, j), (index(0, 3, 1), index(5, 0, 2)), (3, 5)),
    "empty": (lambda i: i, (index(shape=(0,)),), (0, 5, 6)),
}
AT = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


def read(make):
    return lambda mx, x, *indices: x[make(*indices)]


def write(make):
    def call(mx, x, value, *indices):
        x = mx.array(x)
        x[make(*indices)] = value
        return x

    return call


def at(make, method):
    return lambda mx, x, value, *indices: getattr(x.at[make(*indices)], method)(value)


def table():
    for label, (make, indices) in READS.items():
        dtypes = DTYPES if label in ("array", "step") else FEW
        yield sample(
            "array",
            Arr(CUBE),
            *indices,
            label=f"read-{label}",
            call=read(make),
            dtypes=dtypes,
            exact=True,
        )
    for view in ("transposed", "strided", "broadcast"):
        make, indices = READS["slice-array"]
        yield sample(
            "array",
            Arr(CUBE, view=view),
            *indices,
            label=f"read-{view}",
            call=read(make),
            dtypes=("float32",),
            exact=True,
        )
    for label, (make, indices, shape) in WRITES.items():
        dtypes = DTYPES if label in ("array", "slice") else FEW
        yield sample(
            "array",
            Arr(CUBE),
            Arr(shape),
            *indices,
            label=f"write-{label}",
            call=write(make),
            dtypes=dtypes,
            exact=True,
        )
    yield sample(
        "array",
        Arr(CUBE),
        label="write-python",
        dtypes=FEW,
        exact=True,
        grad=False,
        call=lambda mx, x: write(lambda: (1, slice(2, 4)))(mx, x, 3),
    )
    mask = Arr(CUBE, dtype="bool_")
    yield sample(
        "array",
        Arr(CUBE),
        mask,
        label="write-mask",
        dtypes=FEW,
        exact=True,
        grad=False,
        call=lambda mx, x, m: write(lambda m: m)(mx, x, 0, m),
        vmap=False,
    )
    repeated = (index(0, 3, 0, 0),)
    for method in AT:
        dtypes = ("float32", "int32", "bfloat16") if method != "divide" else ("float32",)
        for label, (make, indices, shape) in {
            "slice": (lambda: (slice(0, 3), slice(None, None, 2)), (), (3, 3, 6)),
            "array": (lambda i: i, (index(0, 3, 1),), (3, 5, 6)),
            "repeated": (lambda i: i, repeated, (4, 5, 6)),
            "pair": (lambda i, j: (i, ALL, j), (index(0, 3), index(5, 0)), (2, 5)),
        }.items():
            # MLX has no derivative of at[].multiply and divide with repeated indices.
            smooth = method in ("add", "subtract")
            yield sample(
                "array",
                Arr(CUBE, low=1, high=9),
                Arr(shape, low=1, high=3),
                *indices,
                label=f"at-{method}-{label}",
                call=at(make, method),
                dtypes=dtypes,
                grad=smooth,
                length=4,
            )
    yield from function_table()


def function_table():
    for label, keywords in {"flat": {}, "first": {"axis": 0}, "last": {"axis": -1}}.items():
        yield sample(
            "take", Arr(CUBE), index(0, 3, 1, -1), kw=keywords, label=label, dtypes=FEW, exact=True
        )
    yield sample("take", Arr(CUBE), 2, kw={"axis": 1}, label="number", dtypes=FEW, exact=True)
    yield sample(
        "take",
        Arr(CUBE),
        index(0, 3, 1, 2, shape=(2, 2)),
        kw={"axis": 1},
        label="2d",
        dtypes=DTYPES,
        exact=True,
    )
    yield sample("take", Arr(CUBE), index(0, 3), kw={"axis": 0}, label="rows", exact=True)
    along = index(0, 3, 1, 2, 2, 0, 1, 3, 0, 0, 1, 1, shape=(4, 3))
    for name, extra in {"take_along_axis": (), "put_along_axis": (Arr((4, 3)),)}.items():
        distinct = index(0, 3, 1, 2, 4, 0, 1, 3, 0, 4, 2, 1, shape=(4, 3)) if extra else along
        yield sample(name, Arr((4, 5)), distinct, *extra, kw={"axis": 1}, dtypes=FEW, exact=True)
        column = index(0, 3, 1, 2, 2, shape=(1, 5))
        value = (Arr((1, 5)),) if extra else ()
        yield sample(
            name, Arr((4, 5)), column, *value, kw={"axis": 0}, label="first", dtypes=FEW, exact=True
        )
    yield sample(
        "take_along_axis",
        Arr((5,)),
        index(1, 0, 4),
        kw={"axis": None},
        label="flat",
        exact=True,
        dtypes=FLOATS + INTEGERS,
    )


SAMPLES = list(table())
