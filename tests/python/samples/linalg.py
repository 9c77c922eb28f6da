"""Linear algebra.

Factors that are known up to a sign or a phase are compared by what does not depend on it.
"""

import numpy as np

from engines import COMPLEX, FLOATS

from .spec import Arr, sample

INEXACT = FLOATS + COMPLEX  # halves are refused
ROUNDED = {"float32": 2e-5, "float64": 1e-11, "complex64": 4e-5}  # a factorization's many steps
SINGLE = ("float32",)
STACKS = {
    "square": (4, 4),
    "tall": (5, 3),
    "wide": (3, 5),
    "batch": (2, 3, 4, 3),
    "one": (1, 1),
}
EMPTY = {"empty": (0, 3), "empty-columns": (3, 0), "empty-batch": (0, 2, 2)}
KEY = Arr((2,), dtype="uint32", values=(0, 42))


def adjoint(mx, x):
    return mx.conj(mx.swapaxes(x, -1, -2))


def squares(mx, x):
    return mx.real(x * mx.conj(x))


def singular_parts(mx, x):
    """Squared vectors, the projectors on their complements, values and the product."""
    u, s, vt = mx.linalg.svd(x)
    k = s.shape[-1]
    parts = [squares(mx, u[..., :k]), s, squares(mx, vt[..., :k, :])]
    parts.append((u[..., :k] * s[..., None, :]) @ vt[..., :k, :])
    if u.shape[-1] > k:
        parts.append(u[..., k:] @ adjoint(mx, u[..., k:]))
    if vt.shape[-1] > k:
        parts.append(adjoint(mx, vt[..., k:, :]) @ vt[..., k:, :])
    return parts


def covariance(x):
    return x @ x.swapaxes(-1, -2)


def decompositions():
    for label, shape in STACKS.items():
        yield sample(
            "linalg.svd",
            Arr(shape),
            label=label,
            call=singular_parts,
            truth=lambda x: singular_parts(np, x),
            dtypes=INEXACT,
            tolerance=ROUNDED,
        )
    for label, shape in (STACKS | EMPTY).items():
        yield sample(
            "linalg.svd",
            Arr(shape),
            kw={"compute_uv": False},
            label=f"values-{label}",
            truth=lambda x, compute_uv: np.linalg.svd(x, compute_uv=compute_uv),
            dtypes=("float32", "float64"),
            tolerance=ROUNDED,
        )
    for label, shape in EMPTY.items():
        yield sample("linalg.svd", Arr(shape), label=label, dtypes=SINGLE, exact=True, grad=False)
    for view in ("transposed", "strided"):
        yield sample(
            "linalg.svd",
            Arr((4, 3), view=view),
            label=view,
            call=singular_parts,
            dtypes=("float64",),
            tolerance=ROUNDED,
        )


def draws():
    options = {"grad": False, "shapeless": False, "tolerance": {"float32": 2e-5}}
    means = {"": ((4,), ()), "batch": ((3, 4), (2, 3)), "many": ((4,), (7,))}
    for label, (mean, shape) in means.items():
        yield sample(
            "random.multivariate_normal",
            Arr(mean),
            Arr((4, 4)),
            KEY,
            label=label,
            call=lambda mx, m, c, key, shape=shape: mx.random.multivariate_normal(
                m, covariance(c), shape, key=key
            ),
            dtypes=SINGLE,
            vmap=False,  # of the key: every row has its own
            **options,
        )


SAMPLES = [*decompositions(), *draws()]
