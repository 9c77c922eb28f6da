"""Quantized matrices and products with them."""

import numpy as np

from engines import reference, to_engine

from .spec import Arr, sample

DTYPES = ("float32", "float16", "bfloat16")
BITS = (1, 2, 3, 4, 5, 6, 8)
MODES = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}
SPECIAL = {
    "constant": (1.7,) * 32 + (-0.25,) * 32,
    "zero": (0.0,) * 64,
    "one-sided": tuple(range(1, 65)),
    "tiny": tuple(1e-9 * k for k in range(64)),
    "outlier": (1000.0,) + tuple(np.sin(np.arange(63.0))),
}


def packed(rows, columns, bits, *batch):
    """The arguments of a packed matrix in groups of 32: any words are one."""
    groups = (*batch, rows, columns // 32)
    return (
        Arr((*batch, rows, columns * bits // 32), 0, 2**32 - 1, dtype="uint32"),
        Arr(groups, 0.1, 1.0),
        Arr(groups),
    )


def restored(words, scales, biases, bits):
    stream = np.unpackbits(words.astype("<u4").view(np.uint8), axis=-1, bitorder="little")
    codes = stream.reshape(*words.shape[:-1], -1, bits) @ (1 << np.arange(bits))
    groups = codes.reshape(*scales.shape, -1)
    return (groups * scales[..., None] + biases[..., None]).reshape(codes.shape)


def product(transpose, bits):
    def truth(x, words, scales, biases, **_):
        w = restored(words, scales, biases, bits)
        return x @ (np.swapaxes(w, -1, -2) if transpose else w)

    return truth


def gathered_product(bits):
    def truth(x, words, scales, biases, left=None, right=None, **_):
        w = np.swapaxes(restored(words, scales, biases, bits), -1, -2)
        left = np.arange(len(x)) if left is None else left.astype(int)
        right = np.arange(len(w)) if right is None else right.astype(int)
        return x[left] @ w[right]

    return truth


def rounded(x, mode):
    """What quantizing leaves of an array."""
    x = to_engine(reference, x.astype(np.float32))
    parts = reference.quantize(x, mode=mode)
    return np.array(reference.dequantize(*parts, mode=mode, dtype=reference.float32), np.float64)


def rounded_product(mode):
    def truth(x, w, **_):
        return rounded(x, mode) @ np.swapaxes(rounded(w, mode), -1, -2)

    return truth


def of_quantized(function):
    """The call with its second argument quantized first."""

    def call(module, x, w, mode, **keywords):
        parts = module.quantize(w, mode=mode)
        return getattr(module, function)(x, *parts, mode=mode, **keywords)

    return call


def gathered_truth(mode):
    def truth(x, w, right, **_):
        return x @ np.swapaxes(rounded(w, mode), -1, -2)[right.astype(int)]

    return truth


def table():
    for bits in BITS:
        for group in (32, 64, 128):
            yield sample(
                "quantize",
                Arr((3, 256)),
                kw={"group_size": group, "bits": bits},
                label=f"{bits}-{group}",
                exact=True,
                grad=False,
                dtypes=DTYPES,
            )
            yield sample(
                "dequantize",
                Arr((3, 8 * bits), 0, 2**32 - 1, dtype="uint32"),
                Arr((3, 256 // group), 0.1, 1.0),
                Arr((3, 256 // group)),
                kw={"group_size": group, "bits": bits},
                label=f"{bits}-{group}",
                exact=True,
                dtypes=DTYPES,
            )
    for label, values in SPECIAL.items():
        yield sample(
            "quantize",
            Arr((1, 64), values=values),
            32,
            label=label,
            exact=True,
            grad=False,
            vmap=False,
            dtypes=DTYPES,
        )
    yield sample(
        "quantize", Arr((2, 3, 64)), label="defaults", exact=True, grad=False, dtypes=DTYPES
    )
    # Away from ties of the extremes, scales and biases have derivatives.
    yield sample("quantize", Arr((2, 64)), label="gradient", dtypes=("float32",))
    yield sample(
        "quantize",
        Arr((64, 3), view="transposed"),
        label="view",
        exact=True,
        grad=False,
        dtypes=DTYPES,
    )
    for mode in MODES:
        yield sample(
            "quantize",
            Arr((4, 64)),
            kw={"mode": mode},
            label=mode,
            exact=True,
            grad=False,
            dtypes=DTYPES,
        )
        yield sample(
            "dequantize",
            Arr((4, 64), diff=False),
            kw={"mode": mode},
            call=lambda m, w, mode: m.dequantize(*m.quantize(w, mode=mode), mode=mode),
            label=mode,
            exact=True,
            grad=False,
            dtypes=DTYPES,
        )
    yield sample(
        "quantize",
        Arr((4, 64)),
        call=lambda m, w: m.quantize(w, mode="nvfp4", global_scale=m.array(2.0)),
        label="global-scale",
        exact=True,
        grad=False,
        dtypes=DTYPES,
    )
    yield sample(
        "dequantize",
        Arr((4, 64), diff=False),
        Arr((), 1.0, 2.0, dtype="float32"),
        call=lambda m, w, g: m.dequantize(
            *m.quantize(w, mode="nvfp4"), mode="nvfp4", global_scale=g
        ),
        label="global-scale",
        dtypes=("float32",),
        vmap=False,
    )
    for bits in BITS:
        for rows in (1, 5, 40):
            for transpose in (True, False):
                yield sample(
                    "quantized_matmul",
                    Arr((rows, 64 if transpose else 24)),
                    *packed(24, 64, bits),
                    kw={"group_size": 32, "bits": bits, "transpose": transpose},
                    label=f"{bits}-{rows}-{'t' if transpose else 'n'}",
                    dtypes=DTYPES if rows == 5 else ("float32",),
                    truth=product(transpose, bits),
                    length=64,
                )
    for label, x, batch in (
        ("vector", (64,), ()),
        ("rows", (2, 3, 64), ()),
        ("batch", (2, 3, 64), (2,)),
        ("batch-broadcast", (4, 1, 3, 64), (2,)),
    ):
        yield sample(
            "quantized_matmul",
            Arr(x),
            *packed(24, 64, 4, *batch),
            kw={"group_size": 32},
            label=label,
            dtypes=("float32", "bfloat16"),
            truth=product(True, 4),
            length=64,
        )
    yield sample(
        "quantized_matmul",
        Arr((3, 64), view="strided"),
        *packed(24, 64, 4),
        kw={"group_size": 32},
        label="view",
        dtypes=("float32",),
        truth=product(True, 4),
        length=64,
    )
    for mode in MODES:
        for rows in (1, 5):
            yield sample(
                "quantized_matmul",
                Arr((rows, 64)),
                Arr((24, 64), diff=False),
                kw={"mode": mode},
                call=of_quantized("quantized_matmul"),
                truth=lambda x, w, mode: x @ rounded(w, mode).T,
                label=f"{mode}-{rows}",
                dtypes=("float32",),
                length=64,
            )
    for bits in (3, 4):
        for label, indices in {
            "both": ((0, 2, 1, 0), (1, 1, 0, 2)),
            "grid": (((0,), (2,)), ((1, 0, 2),)),
        }.items():
            left, right = (np.array(i) for i in indices)
            yield sample(
                "gather_qmm",
                Arr((3, 2, 64)),
                *packed(24, 64, bits, 3),
                Arr(left.shape, values=tuple(left.flat), dtype="uint32"),
                Arr(right.shape, values=tuple(right.flat), dtype="uint32"),
                kw={"group_size": 32, "bits": bits},
                label=f"{label}-{bits}",
                dtypes=DTYPES,
                truth=gathered_product(bits),
                length=64,
            )
    yield sample(
        "gather_qmm",
        Arr((3, 2, 64)),
        *packed(24, 64, 4, 3),
        kw={"group_size": 32},
        label="none",
        dtypes=("float32",),
        truth=gathered_product(4),
        length=64,
    )
    yield sample(
        "gather_qmm",
        Arr((4, 1, 64)),
        Arr((3, 24, 64), diff=False),
        Arr((4,), values=(0, 0, 1, 2), dtype="uint32"),
        call=lambda m, x, w, right: m.gather_qmm(
            x, *m.quantize(w, mode="nvfp4"), rhs_indices=right, mode="nvfp4", sorted_indices=True
        ),
        truth=gathered_truth("nvfp4"),
        label="nvfp4",
        dtypes=("float32",),
        length=64,
    )
    for mode in ("nvfp4", "mxfp8"):
        for rows in (1, 5):
            yield sample(
                "qqmm",
                Arr((rows, 64), diff=False),
                Arr((24, 64), diff=False),
                kw={"mode": mode},
                truth=rounded_product(mode),
                label=f"dense-{mode}-{rows}",
                dtypes=("float32",),
                grad=False,
                length=64,
            )
            yield sample(
                "qqmm",
                Arr((rows, 64), diff=False),
                Arr((24, 64), diff=False),
                kw={"mode": mode},
                call=of_quantized("qqmm"),
                truth=rounded_product(mode),
                label=f"packed-{mode}-{rows}",
                dtypes=("float32",),
                grad=False,
                length=64,
            )
        for call in (None, of_quantized("gather_qqmm")):
            yield sample(
                "gather_qqmm",
                Arr((3, 2, 64), diff=False),
                Arr((3, 24, 64), diff=False),
                kw={"mode": mode},
                call=call,
                truth=rounded_product(mode),
                label=f"{'packed' if call else 'dense'}-{mode}",
                dtypes=("float32",),
                grad=False,
                length=64,
            )


SAMPLES = list(table())
