"""Arrays from nothing but numbers."""

from pathlib import Path

import numpy as np

from engines import DTYPES, FLOATS, NUMBERS, REALS

from .spec import Arr, Name, sample

ONLY = {"dtypes": ("float32",), "grad": False, "vmap": False, "exact": True}
FILES = Path(__file__).parent.parent / "data"
WINDOWS = ("bartlett", "hanning", "hamming", "blackman")


def table():
    for name in ("zeros", "ones", "empty"):
        yield sample(name, (2, 3), **ONLY)
        yield sample(name, 4, label="number", **ONLY)
        yield sample(name, (), label="0-d", **ONLY)
        yield sample(name, (2, 0), label="empty", **ONLY)
        for dtype in DTYPES:
            yield sample(name, (2, 3), Name(dtype), label=dtype, **ONLY)
    for name in ("zeros_like", "ones_like", "empty_like"):
        yield sample(name, Arr(), dtypes=DTYPES, exact=True, grad=False)
        yield sample(name, Arr(view="strided"), label="view", exact=True, grad=False)
    yield sample("full", (2, 3), 7, **ONLY)
    yield sample("full", (2, 3), 2.5, label="float", **ONLY)
    yield sample("full", (2, 3), Arr((3,)), label="array", dtypes=DTYPES, exact=True)
    for dtype in DTYPES:
        yield sample("full", (2, 3), 1, label=dtype, kw={"dtype": Name(dtype)}, **ONLY)
    yield sample("full_like", Arr(), 3, dtypes=DTYPES, exact=True, grad=False, vmap=False)
    for label, args, keywords in (
        ("square", (3,), {}),
        ("wide", (3, 5), {"k": 1}),
        ("below", (4, 3), {"k": -1}),
        ("dtype", (3,), {"dtype": Name("int32")}),
    ):
        yield sample("eye", *args, kw=keywords, label=label, **ONLY)
        yield sample("tri", *args, kw=keywords, label=label, **ONLY)
    yield sample("identity", 3, **ONLY)
    yield sample("identity", 3, kw={"dtype": Name("bfloat16")}, label="dtype", **ONLY)
    yield sample("load", str(FILES / "big-endian.npy"), **ONLY)  # converted when first needed
    yield from arange_table()
    for args, keywords in (
        ((0, 1), {}),
        ((-2.5, 4, 7), {}),
        ((3, 3, 4), {}),
        ((0, 5, 1), {}),
        ((0, 5, 0), {}),
        ((0, 5, 4), {"endpoint": False}),
        ((0, 9, 4), {"dtype": Name("int32")}),
        ((0, 9, 5), {"dtype": Name("float16")}),
    ):
        label = "_".join([*map(str, args), *keywords])
        # The middle values are a product and a sum in float32: one rounding may differ.
        close = ONLY | {"exact": False}
        yield sample("linspace", *args, kw=keywords, label=label, **close)
    for name in WINDOWS:
        for size in (0, 1, 9, 64):
            # Cosines near their zeros: the error is absolute, of the order of one rounding of 1.
            yield sample(
                name, size, label=str(size), truth=getattr(np, name), **(ONLY | {"exact": False})
            )
    yield from constructor_table()


def arange_table():
    for args in ((5,), (2, 9), (2, 9, 3), (9, 2, -2), (5, 5), (0, 1, 0.25), (1.5,), (-3, 4.5, 1.5)):
        yield sample("arange", *args, label="_".join(map(str, args)), **ONLY)
    for dtype in REALS:
        yield sample("arange", 7, kw={"dtype": Name(dtype)}, label=dtype, **ONLY)
        yield sample("arange", 1, 9, 2, kw={"dtype": Name(dtype)}, label=f"step-{dtype}", **ONLY)


def constructor_table():
    values = {
        "int": 3,
        "float": 2.5,
        "complex": 1 + 2j,
        "bool": True,
        "list": [1, 2, 3],
        "floats": [1.5, 2],
        "nested": [[1, 2], [3, 4]],
        "tuple": (1, 2.5),
        "empty": [],
        "wide": [1, 2**40],
        "bools": [True, False],
        "mixed": [True, 2, 3.5],
        "complexes": [1, 2j],
        "bytes": b"abc",
    }
    for label, value in values.items():
        for function in ("array", "asarray"):
            if label == "bytes" and function == "asarray":
                continue
            yield sample(
                function,
                label=f"of-{label}",
                **ONLY,
                call=lambda mx, v=value, f=function: getattr(mx, f)(v),
            )
    for dtype in NUMBERS:
        yield sample(
            "array",
            label=f"as-{dtype}",
            **ONLY,
            call=lambda mx, d=dtype: mx.array([1, 2, 3], getattr(mx, d)),
        )
    stacked = lambda mx, x, y: mx.array([x, y])  # noqa: E731
    yield sample(
        "array",
        Arr((3,)),
        Arr((3,)),
        label="of-arrays",
        call=stacked,
        dtypes=FLOATS[:2],
        exact=True,
        grad=False,
        vmap=False,
    )
    yield sample(
        "from_dlpack",
        Arr(),
        dtypes=("float32", "int8"),
        exact=True,
        grad=False,
        vmap=False,
        compiled=False,
    )


SAMPLES = list(table())
