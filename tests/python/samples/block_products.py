"""Products of gathered matrices, of blocks and of segments; the Hadamard transform."""

import numpy as np

from engines import FLOATS, reference

from .spec import Arr, sample

SEGMENTS = (0, 3, 3, 10, 5, 5, 2, 9)


def indices(*values):
    array = np.array(values)
    return Arr(array.shape, values=tuple(array.flat), dtype="uint32")


def gathered(a, b, left=None, right=None, lhs_indices=None, rhs_indices=None, **_):
    left, right = (lhs_indices if left is None else left), (rhs_indices if right is None else right)
    left = np.arange(len(a)) if left is None else left.astype(int)
    right = np.arange(len(b)) if right is None else right.astype(int)
    return a[left] @ b[right]


def blocks(mask, shape, size):
    wide = np.repeat(np.repeat(mask, size, -1), size, -2)[..., : shape[-2], : shape[-1]]
    return wide.astype(np.float64)


def block_masked(a, b, block_size=64, mask_out=None, mask_lhs=None, mask_rhs=None):
    if mask_lhs is not None:
        a = a * blocks(mask_lhs, a.shape, block_size)
    if mask_rhs is not None:
        b = b * blocks(mask_rhs, b.shape, block_size)
    out = a @ b
    return out if mask_out is None else out * blocks(mask_out, out.shape, block_size)


def segmented(a, b, segments):
    pairs = segments.astype(int).reshape(-1, 2)
    out = np.stack([a[:, i:j] @ b[i:j] for i, j in pairs])
    return out.reshape(*segments.shape[:-1], *out.shape[1:])


def hadamard(x, scale=None):
    n = x.shape[-1]
    matrix = np.round(np.array(reference.hadamard_transform(reference.eye(n), scale=1.0)))
    return x @ matrix.astype(np.float64) * (n**-0.5 if scale is None else scale)


def table():
    for label, (a, b, left, right) in {
        "both": ((3, 2, 6), (4, 6, 5), (0, 2, 1, 0), (3, 0, 0, 1)),
        "grid": ((3, 2, 6), (4, 6, 5), ((0,), (2,)), ((1, 3, 0),)),
        "repeated": ((2, 40, 6), (2, 6, 50), (1, 0, 1), (1, 1, 0)),
    }.items():
        yield sample(
            "gather_mm",
            Arr(a),
            Arr(b),
            indices(*left),
            indices(*right),
            label=label,
            dtypes=FLOATS,
            truth=gathered,
            length=6,
        )
    yield sample(
        "gather_mm", Arr((3, 2, 6)), Arr((3, 6, 5)), label="none", truth=gathered, length=6
    )
    yield sample(
        "gather_mm",
        Arr((4, 1, 6)),
        Arr((3, 6, 5), view="strided"),
        kw={"rhs_indices": indices(0, 0, 1, 2), "sorted_indices": True},
        label="sorted-view",
        dtypes=("float32",),
        truth=gathered,
        length=6,
    )
    masks = {
        "none": {},
        "out": {"mask_out": Arr((3, 2), dtype="bool_")},
        "operands": {
            "mask_lhs": Arr((3, 2), dtype="bool_"),
            "mask_rhs": Arr((2, 2), dtype="bool_"),
        },
        "scaled": {"mask_out": Arr((3, 2)), "mask_lhs": Arr((3, 2)), "mask_rhs": Arr((2, 2))},
    }
    for label, keywords in masks.items():
        yield sample(
            "block_masked_mm",
            Arr((70, 40)),
            Arr((40, 50)),
            32,
            kw=keywords,
            label=label,
            dtypes=FLOATS,
            truth=block_masked,
            length=40,
            tolerance={"float32": 1e-4} if label == "scaled" else {},
        )
    yield sample(
        "block_masked_mm",
        Arr((2, 70, 40)),
        Arr((40, 90)),
        64,
        Arr((2, 2), dtype="bool_"),
        label="batch",
        dtypes=("float32",),
        truth=block_masked,
        length=40,
    )
    yield sample(
        "segmented_mm",
        Arr((3, 10)),
        Arr((10, 4)),
        Arr((4, 2), values=SEGMENTS, dtype="uint32"),
        truth=segmented,
        length=10,
    )
    yield sample(
        "segmented_mm",
        Arr((3, 10)),
        Arr((10, 4)),
        Arr((2, 2, 2), values=SEGMENTS, dtype="int32"),
        label="grid",
        truth=segmented,
        length=10,
    )
    for n in (1, 2, 8, 64, 12, 24, 20, 40, 28, 112):
        yield sample("hadamard_transform", Arr((3, n)), label=str(n), truth=hadamard, length=n)
    yield sample("hadamard_transform", Arr((2, 16)), 0.5, label="scale", truth=hadamard, length=16)
    yield sample("hadamard_transform", Arr((2, 3, 8)), label="rank3", truth=hadamard, length=8)


SAMPLES = list(table())
