"""Convolutions: strides, padding, dilation, groups, transposed, in one to three dimensions."""

import numpy as np

from .spec import Arr, sample

SMALL = ("float32", "float16", "bfloat16")
CHANNELS, FILTERS = 4, 6
# Each row: label, keywords common to every rank.
OPTIONS = {
    "": {},
    "stride": {"stride": 2},
    "padding": {"padding": 1},
    "dilation": {"dilation": 2, "padding": 2},
    "all": {"stride": 2, "padding": 2, "dilation": 2},
}
SIZES = {1: (11,), 2: (8, 9), 3: (6, 5, 6)}


def operands(rank, groups=1, kernel=3, transposed=False):
    image = Arr((2, *SIZES[rank], CHANNELS))
    taps = (kernel,) * rank
    return image, Arr((FILTERS, *taps, CHANNELS // groups))


def table():
    for rank in (1, 2, 3):
        length = CHANNELS * 3**rank
        for label, keywords in OPTIONS.items():
            dtypes = SMALL if rank == 2 or not label else ("float32",)
            yield sample(
                f"conv{rank}d",
                *operands(rank),
                kw=keywords,
                label=label,
                length=length,
                dtypes=dtypes,
            )
            yield sample(
                f"conv_transpose{rank}d",
                *operands(rank),
                kw=keywords,
                label=label,
                length=length,
                dtypes=("float32",),
            )
        yield sample(
            f"conv{rank}d",
            *operands(rank, kernel=1),
            label="pointwise",
            length=CHANNELS,
            dtypes=("float32",),
        )
        yield sample(
            f"conv_transpose{rank}d",
            *operands(rank),
            kw={"stride": 2, "padding": 1, "output_padding": 1},
            label="output-padding",
            length=length,
            dtypes=("float32",),
        )
    for rank in (1, 2):
        for groups, label in ((2, "groups"), (CHANNELS, "depthwise")):
            image, _ = operands(rank)
            kernel = Arr((8, *(3,) * rank, CHANNELS // groups))
            yield sample(
                f"conv{rank}d",
                image,
                kernel,
                kw={"groups": groups, "padding": 1},
                label=label,
                length=9 * CHANNELS,
                dtypes=("float32",),
            )
    # bfloat16 is multiplied in pairs.
    for channels, groups, label in ((5, 1, "odd"), (6, 2, "odd-groups"), (3, 3, "odd-depthwise")):
        yield sample(
            "conv2d",
            Arr((2, 8, 9, channels)),
            Arr((6, 3, 3, channels // groups)),
            kw={"groups": groups, "padding": 1},
            label=label,
            length=9 * channels,
            dtypes=SMALL,
        )
    yield sample(
        "conv_transpose2d",
        Arr((2, 6, 5, 1)),
        Arr((4, 3, 3, 1)),
        label="odd",
        length=9,
        dtypes=SMALL,
    )
    yield sample(
        "conv2d",
        Arr((2, 8, 9, CHANNELS), view="transposed"),
        Arr((FILTERS, 3, 3, CHANNELS), view="strided"),
        label="views",
        length=36,
        dtypes=("float32",),
    )
    yield sample(
        "conv2d",
        *operands(2),
        kw={"stride": (2, 1), "padding": (0, 1)},
        label="pairs",
        length=36,
        dtypes=("float32",),
    )
    for label, keywords in {
        "": {},
        "asymmetric": {"padding": ([1, 0], [2, 1])},
        "input-dilation": {"input_dilation": 2, "padding": 1},
        "flip": {"flip": True, "padding": 1},
        "groups": {"groups": 2, "kernel_dilation": 2, "padding": 2},
    }.items():
        groups = keywords.get("groups", 1)
        yield sample(
            "conv_general",
            *operands(2, groups),
            kw=keywords,
            label=label,
            length=36,
            dtypes=("float32",),
        )
    for mode in ("full", "valid", "same"):
        yield sample(
            "convolve",
            Arr((9,)),
            Arr((4,)),
            kw={"mode": mode},
            label=mode,
            length=4,
            truth=lambda a, v, mode: np.convolve(a, v, mode),
            dtypes=SMALL,
        )
    yield sample("convolve", Arr((3,)), Arr((7,)), label="short", length=3, dtypes=("float32",))


SAMPLES = list(table())
