"""Matrix and tensor products."""

import numpy as np

from engines import COMPLEX, FLOATS

from .spec import Arr, sample

INEXACT = FLOATS + COMPLEX
MATRICES = {
    "": ((4, 6), (6, 5)),
    "square": ((33, 33), (33, 33)),
    "vector-matrix": ((6,), (6, 5)),
    "matrix-vector": ((4, 6), (6,)),
    "vectors": ((6,), (6,)),
    "batch": ((3, 4, 6), (3, 6, 5)),
    "batch-broadcast": ((2, 1, 4, 6), (3, 6, 5)),
    "batch-matrix": ((3, 4, 6), (6, 5)),
    "one-row": ((1, 64), (64, 70)),
    "empty-rows": ((0, 6), (6, 5)),
    "empty-inner": ((4, 0), (0, 5)),
    "tall": ((130, 7), (7, 3)),
}
EINSUMS = {
    "ij,jk->ik": ((3, 4), (4, 5)),
    "ij,kj": ((3, 4), (5, 4)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 5)),
    "i,j->ij": ((3,), (4,)),
    "ij->ji": ((3, 4),),
    "ij->": ((3, 4),),
    "ii->i": ((4, 4),),
    "ij,jk,kl->il": ((3, 4), (4, 5), (5, 2)),
    "...ij,...jk->...ik": ((2, 3, 4), (2, 4, 5)),
    "bhqd,bhkd->bhqk": ((2, 2, 3, 4), (2, 2, 5, 4)),
}


def table():
    for label, (left, right) in MATRICES.items():
        dtypes = INEXACT if label in ("", "square", "batch") else ("float32",)
        inner = left[-1]
        yield sample(
            "matmul",
            Arr(left),
            Arr(right),
            label=label,
            dtypes=dtypes,
            truth=np.matmul,
            length=max(inner, 1),
        )
    for left_view in ("", "transposed", "strided", "broadcast"):
        for right_view in ("transposed", "strided", "broadcast"):
            yield sample(
                "matmul",
                Arr((4, 6), view=left_view),
                Arr((6, 5), view=right_view),
                label=f"views-{left_view}-{right_view}",
                truth=np.matmul,
                length=6,
                dtypes=("float32", "bfloat16"),
            )
    yield sample(
        "matmul",
        Arr((4, 6), dtype="float32"),
        Arr((6, 5), dtype="float16"),
        label="promote",
        dtypes=("float32",),
        length=6,
    )
    for label, keywords in {"": {}, "scaled": {"alpha": 0.5, "beta": 2.0}}.items():
        for kind, bias in {"matrix": (4, 5), "row": (5,), "column": (4, 1)}.items():
            yield sample(
                "addmm",
                Arr(bias),
                Arr((4, 6)),
                Arr((6, 5)),
                kw=keywords,
                length=6,
                label=f"{kind}{label}",
                dtypes=FLOATS,
                vmap=not label,
            )
    yield sample("addmm", Arr((3, 4, 5)), Arr((3, 4, 6)), Arr((3, 6, 5)), label="batch", length=6)
    for name in ("inner", "outer"):
        yield sample(name, Arr((6,)), Arr((6,)), dtypes=INEXACT, truth="numpy", length=6)
    yield sample("inner", Arr((3, 6)), Arr((2, 6)), label="matrices", truth="numpy", length=6)
    yield sample("outer", Arr((3, 2)), Arr((4,)), label="flattens", truth="numpy")
    yield sample("vecdot", Arr((3, 6)), Arr((3, 6)), length=6, dtypes=FLOATS)
    yield sample("vecdot", Arr((3, 6)), Arr((3, 6)), kw={"axis": 0}, label="axis", length=3)
    for axes in (1, 2, [[0, 1], [1, 0]]):
        shapes = {1: ((3, 4), (4, 5)), 2: ((2, 3, 4), (3, 4, 5))}
        left, right = (
            shapes.get(axes, ((3, 4, 2), (4, 3, 5)))
            if isinstance(axes, int)
            else ((3, 4, 2), (4, 3, 5))
        )
        yield sample(
            "tensordot",
            Arr(left),
            Arr(right),
            kw={"axes": axes},
            label=str(axes),
            length=12,
            truth="numpy",
        )
    yield sample("kron", Arr((2, 3)), Arr((3, 2)), dtypes=FLOATS, truth="numpy")
    yield sample("kron", Arr((3,)), Arr((2, 2)), label="ranks", truth="numpy")
    for text, shapes in EINSUMS.items():
        yield sample("einsum", text, *map(Arr, shapes), label=text, truth="numpy", length=20)
    # Numbers that matmul refuses: sums take the type of sum, and MLX contracts none of them.
    whole = ("bool_", "uint8", "int16", "int32")
    for text in ("ij->i", "ij,kl->ik", "ij,jk->ijk", "ij,kl->", "ij,ij->ij"):
        operands = [Arr((3, 3), high=40.0)] * (1 + text.count(","))
        yield sample("einsum", text, *operands, label=f"whole {text}", dtypes=whole, grad=False)
    for text in ("ij,jk->ik", "ij,ij->", "bij,bjk->bik"):
        operands = [Arr((2, 2, 2)[: text.index(",")], high=40.0)] * 2
        yield sample(
            "einsum",
            text,
            *operands,
            label=f"whole {text}",
            dtypes=("int32",),
            grad=False,
            check="truth",
            truth="numpy",
        )
    yield sample("einsum", "c,ad->", Arr((2,)), Arr((3, 3), dtype="bool_"), label="mixed")
    yield sample(
        "einsum_path",
        "ij,jk,kl->il",
        Arr((3, 4)),
        Arr((4, 5)),
        Arr((5, 2)),
        dtypes=("float32",),
        grad=False,
        vmap=False,
        compiled=False,
    )


SAMPLES = list(table())
