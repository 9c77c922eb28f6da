"""Moves of data: nothing is computed, so every result is exact, in every dtype."""

from engines import DTYPES, FLOATS, INTEGERS

from .spec import Arr, Name, sample

CUBE = (2, 3, 4)
# MLX's float64 functions are exact to float32 only; test_value of the functions has the truth.
HALVES_TOO = FLOATS[:3]
FEW = ("float32", "bfloat16", "int8", "bool_", "complex64")

# One row per call: name, label, array arguments and the rest, keywords.
ROWS = [
    ("reshape", "", (Arr(CUBE), (4, 6)), {}),
    ("reshape", "infer", (Arr(CUBE), (2, -1)), {}),
    ("reshape", "transposed", (Arr(CUBE, view="transposed"), (6, 4)), {}),
    ("reshape", "strided", (Arr(CUBE, view="strided"), (24,)), {}),
    ("reshape", "0-d", (Arr((1, 1)), ()), {}),
    ("reshape", "empty", (Arr((0, 3)), (3, 0, 2)), {}),
    ("flatten", "", (Arr(CUBE),), {}),
    ("flatten", "part", (Arr(CUBE),), {"start_axis": 1, "end_axis": 2}),
    ("flatten", "0-d", (Arr(()),), {}),
    ("unflatten", "", (Arr((2, 12)), 1, (3, 4)), {}),
    ("unflatten", "infer", (Arr((12, 2)), 0, (3, -1)), {}),
    ("squeeze", "", (Arr((1, 3, 1)),), {}),
    ("squeeze", "axis", (Arr((1, 3, 1)), -1), {}),
    ("squeeze", "axes", (Arr((1, 3, 1)), (0, 2)), {}),
    ("expand_dims", "", (Arr(CUBE), 1), {}),
    ("expand_dims", "axes", (Arr(CUBE), (0, -1)), {}),
    ("moveaxis", "", (Arr(CUBE), 0, 2), {}),
    ("moveaxis", "negative", (Arr(CUBE), -1, 0), {}),
    ("swapaxes", "", (Arr(CUBE), 0, -1), {}),
    ("transpose", "", (Arr(CUBE),), {}),
    ("transpose", "axes", (Arr(CUBE), (1, 2, 0)), {}),
    ("transpose", "view", (Arr(CUBE, view="strided"), (2, 0, 1)), {}),
    ("permute_dims", "", (Arr(CUBE), (1, 2, 0)), {}),
    ("matrix_transpose", "", (Arr(CUBE),), {}),
    ("broadcast_to", "", (Arr((3, 1)), (2, 3, 4)), {}),
    ("broadcast_to", "0-d", (Arr(()), (2, 2)), {}),
    ("broadcast_to", "empty", (Arr((1, 3)), (0, 3)), {}),
    ("broadcast_arrays", "", (Arr((3, 1)), Arr((4,)), Arr(())), {}),
    ("concatenate", "", ([Arr(CUBE), Arr((1, 3, 4))],), {}),
    ("concatenate", "last", ([Arr((2, 3)), Arr((2, 1)), Arr((2, 0))],), {"axis": -1}),
    ("concatenate", "flat", ([Arr((2, 3)), Arr((2, 1))],), {"axis": None}),
    (
        "concatenate",
        "views",
        ([Arr((2, 3), view="transposed"), Arr((2, 3), view="strided")], 1),
        {},
    ),
    ("concat", "", ([Arr((2, 3)), Arr((2, 3))], 1), {}),
    ("stack", "", ([Arr((2, 3)), Arr((2, 3))],), {}),
    ("stack", "last", ([Arr((2, 3)), Arr((2, 3), view="transposed")],), {"axis": -1}),
    ("unstack", "", (Arr(CUBE),), {"axis": 1}),
    ("split", "count", (Arr((6, 2)), 3), {}),
    ("split", "indices", (Arr((6, 2)), [1, 4]), {"axis": 0}),
    ("split", "last", (Arr((2, 6), view="transposed"), 2), {"axis": -1}),
    ("repeat", "", (Arr((2, 3)), 3), {}),
    ("repeat", "axis", (Arr((2, 3)), 2), {"axis": 1}),
    ("tile", "", (Arr((2, 3)), (2, 1, 2)), {}),
    ("tile", "number", (Arr((2, 3)), 2), {}),
    ("roll", "", (Arr((3, 4)), 2), {}),
    ("roll", "axis", (Arr((3, 4)), -1), {"axis": 1}),
    ("roll", "axes", (Arr((3, 4)), (1, 2)), {"axis": (0, 1)}),
    ("flip", "", (Arr((3, 4)),), {}),
    ("flip", "axis", (Arr((3, 4)),), {"axis": 1}),
    ("pad", "", (Arr((2, 3)), 1), {}),
    ("pad", "value", (Arr((2, 3)), [(1, 0), (0, 2)]), {"constant_values": 1}),
    ("pad", "edge", (Arr((2, 3)), (1, 2)), {"mode": "edge"}),
    ("pad", "reflect", (Arr((3, 4)), 2), {"mode": "reflect"}),
    ("pad", "symmetric", (Arr((3, 4)), 2), {"mode": "symmetric"}),
    ("as_strided", "", (Arr((12,)), (3, 3), (2, 1), 1), {}),
    ("as_strided", "overlap", (Arr((12,)), (5, 3), (1, 1), 0), {}),
    ("atleast_1d", "", (Arr(()),), {}),
    ("atleast_2d", "", (Arr((3,)),), {}),
    ("atleast_3d", "", (Arr((3, 2)),), {}),
    ("atleast_2d", "several", (Arr(()), Arr((3,))), {}),
    ("contiguous", "", (Arr(CUBE, view="transposed"),), {}),
    ("contiguous", "column", (Arr((3, 4), view="transposed"), True), {}),
    ("slice", "", (Arr(CUBE), Arr((1,), dtype="int32", values=(1,)), (1,), (2, 2, 4)), {}),
    (
        "slice_update",
        "",
        (Arr(CUBE), Arr((2, 1, 4)), Arr((1,), dtype="int32", values=(1,)), (1,)),
        {},
    ),
    ("diagonal", "", (Arr((3, 4)),), {}),
    ("diagonal", "axes", (Arr(CUBE),), {"offset": 1, "axis1": 0, "axis2": 2}),
    ("diag", "vector", (Arr((3,)),), {"k": 1}),
    ("diag", "matrix", (Arr((3, 4)),), {"k": -1}),
    ("tril", "", (Arr((3, 4)),), {}),
    ("tril", "offset", (Arr((2, 3, 4)), -1), {}),
    ("triu", "", (Arr((3, 4)), 1), {}),
    ("meshgrid", "", (Arr((3,)), Arr((2,))), {}),
    ("meshgrid", "ij", (Arr((3,)), Arr((2,))), {"indexing": "ij"}),
    ("meshgrid", "sparse", (Arr((3,)), Arr((2,))), {"sparse": True}),
]


def table():
    for name, label, args, keywords in ROWS:
        dtypes = DTYPES if not label else FEW
        if name == "slice_update" or name == "slice":
            dtypes = FEW
        yield sample(
            name,
            *args,
            kw=keywords,
            label=label,
            dtypes=dtypes,
            exact=True,
        )
    for target in DTYPES:
        # Values that every dtype holds, so that no conversion is undefined.
        yield sample(
            "astype",
            Arr((3, 4), low=0, high=3),
            Name(target),
            label=target,
            dtypes=DTYPES,
            exact=True,
            grad=target in FLOATS,
        )
    yield sample(
        "astype",
        Arr((3, 4), low=-9.5, high=9.5),
        Name("int32"),
        label="truncates",
        dtypes=FLOATS,
        exact=True,
        grad=False,
    )
    for narrow in ("float16", "bfloat16"):
        yield sample(
            "astype",
            Arr((257,), low=-1e5, high=1e5),
            Name(narrow),
            label=f"to-{narrow}",
            dtypes=("float32",),
            exact=True,
            grad=False,
        )
    for source, target in (
        ("float32", "int32"),
        ("float16", "uint16"),
        ("int64", "float64"),
        ("float32", "uint8"),
        ("uint8", "int16"),
        ("int32", "int32"),
    ):
        yield sample(
            "view",
            Arr((3, 8)),
            Name(target),
            label=f"{source}-{target}",
            dtypes=(source,),
            exact=True,
            grad=False,
        )
    yield sample("depends", Arr(), Arr((2,)), dtypes=("float32",), exact=True, grad=False)
    yield sample("broadcast_shapes", (3, 1), (1, 4), (2, 1, 1), dtypes=("float32",))
    yield from method_table()


def method_table():
    """The methods of the array class that repeat a function: same result, same containers."""
    moves = {
        "reshape": lambda mx, x: (x.reshape(2, 6), x.reshape((6, 2)), x.reshape(-1)),
        "flatten": lambda mx, x: (x.flatten(), x.flatten(0, 1)),
        "squeeze": lambda mx, x: x[None].squeeze(0),
        "moveaxis": lambda mx, x: x.moveaxis(0, 1),
        "swapaxes": lambda mx, x: x.swapaxes(0, 1),
        "transpose": lambda mx, x: (x.transpose(), x.transpose(1, 0), x.transpose((1, 0)), x.T),
        "mT": lambda mx, x: x.mT,
        "split": lambda mx, x: x.split(2, axis=1),
        "diagonal": lambda mx, x: x.diagonal(),
        "diag": lambda mx, x: x.diag(),
        "conj": lambda mx, x: (x.conj(), x.real, x.imag),
        "astype": lambda mx, x: x.astype(mx.float32),
        "view": lambda mx, x: x.view(x.dtype),
    }
    for name, call in moves.items():
        dtypes = ("float32", "int16", "complex64") if name != "astype" else INTEGERS
        yield sample(
            "array",
            Arr(),
            label=f"method-{name}",
            call=call,
            dtypes=dtypes,
            exact=True,
            grad=False,
            vmap=False,
        )
    for name in (
        "abs",
        "square",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "exp",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "round",
        "all",
        "any",
        "sum",
        "prod",
        "min",
        "max",
        "logsumexp",
        "logcumsumexp",
        "mean",
        "std",
        "var",
        "argmin",
        "argmax",
        "cumsum",
        "cumprod",
        "cummax",
        "cummin",
    ):
        yield sample(
            "array",
            Arr(low=0.5, high=3),
            label=f"method-{name}",
            grad=False,
            length=12,
            dtypes=HALVES_TOO,
            call=lambda mx, x, name=name: getattr(x, name)(),
        )
    for name in ("sum", "mean", "max", "argmax", "var", "std", "logsumexp", "all"):
        yield sample(
            "array",
            Arr(low=0.5, high=3),
            label=f"method-{name}-axis",
            dtypes=HALVES_TOO,
            grad=False,
            call=lambda mx, x, name=name: getattr(x, name)(axis=0, keepdims=True),
            length=3,
        )
    yield sample(
        "array",
        Arr(),
        label="method-correction",
        grad=False,
        call=lambda mx, x: (x.var(correction=1), x.std(axis=0, correction=1)),
    )


SAMPLES = list(table())
