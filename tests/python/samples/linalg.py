"""Linear algebra.

Factors that are known up to a sign or a phase are compared by what does not depend on it, and
matrices that must be symmetric, definite or far from singular are made so inside the call.
"""

import numpy as np

from engines import COMPLEX, FLOATS, REALS

from .spec import Arr, sample

REAL = ("float32", "float64", "float16")  # halves are refused
INEXACT = FLOATS + COMPLEX
ROUNDED = {"float32": 2e-5, "float64": 1e-11, "complex64": 4e-5}  # a factorization's many steps
SINGLE = ("float32",)
DOUBLE = ("float64",)
SQUARE = {"": (4, 4), "batch": (2, 3, 3, 3), "one": (1, 1)}
STACKS = {
    "square": (4, 4),
    "tall": (5, 3),
    "wide": (3, 5),
    "batch": (2, 3, 4, 3),
    "one": (1, 1),
}
EMPTY = {"empty": (0, 3), "empty-columns": (3, 0), "empty-batch": (0, 2, 2)}
VIEWS = ("transposed", "strided")
KEY = Arr((2,), dtype="uint32", values=(0, 42))


def adjoint(mx, x):
    return mx.conj(mx.swapaxes(x, -1, -2))


def squares(mx, x):
    return mx.real(x * mx.conj(x))


def identity_like(mx, x):
    return mx.eye(x.shape[-1]).astype(x.dtype)


def regular(mx, x):
    """Far from singular."""
    return x + 6 * identity_like(mx, x)


def symmetric(mx, x):
    return x + adjoint(mx, x)


def definite(mx, x):
    return x @ mx.swapaxes(x, -1, -2) + identity_like(mx, x)


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


def symmetric_parts(mx, x, **keywords):
    w, v = mx.linalg.eigh(symmetric(mx, x), **keywords)
    return [w, squares(mx, v), (v * w[..., None, :]) @ adjoint(mx, v)]


def general_parts(mx, x):
    """What depends neither on the order of the eigenvalues nor on the vectors' phases."""
    w, v = mx.linalg.eig(x)
    weighted = (squares(mx, v) * w[..., None, :]).sum(-1)
    return [w.sum(-1), (w * w).sum(-1), weighted]


def general_values(mx, x):
    w = mx.linalg.eigvals(x)
    return [w.sum(-1), (w * w).sum(-1), (w * w * w).sum(-1)]


def positive_diagonal(mx, x):
    """QR with the signs that make the diagonal of R positive."""
    q, r = mx.linalg.qr(x)
    signs = mx.sign(mx.diagonal(r, 0, -2, -1))
    return [q * signs[..., None, :], r * signs[..., :, None]]


def prepared(name, prepare, truth=None):
    """The call, and what NumPy's function of this or another name says."""

    def call(mx, x, *rest, **keywords):
        return getattr(mx.linalg, name)(prepare(mx, x), *rest, **keywords)

    def expected(x, *_, **__):
        return (truth or getattr(np.linalg, name))(prepare(np, x))

    return {"call": call, "truth": expected, "tolerance": ROUNDED}


def through(call):
    return {"call": call, "truth": lambda x: call(np, x), "tolerance": ROUNDED}


def as_it_is(mx, x):
    return x


def inverse_of(triangle):
    return lambda x: np.linalg.inv(triangle(x))


def upper_factor(x):
    return np.linalg.cholesky(x).swapaxes(-1, -2)


def inverses():
    for label, shape in SQUARE.items():
        yield sample("linalg.inv", Arr(shape), label=label, dtypes=REAL, **prepared("inv", regular))
        for name, triangle, upper in (("lower", np.tril, False), ("upper", np.triu, True)):
            yield sample(
                "linalg.tri_inv",
                Arr(shape),
                kw={"upper": upper},
                label=f"{name}-{label}",
                dtypes=REAL,
                **prepared("tri_inv", regular, inverse_of(triangle)),
            )
            yield sample(
                "linalg.cholesky_inv",
                Arr(shape),
                kw={"upper": upper},
                label=f"{name}-{label}",
                dtypes=REAL,
                **prepared(
                    "cholesky_inv",
                    regular,
                    lambda x, t=triangle, u=upper: np.linalg.inv(
                        t(x).swapaxes(-1, -2) @ t(x) if u else t(x) @ t(x).swapaxes(-1, -2)
                    ),
                ),
            )
    for label, shape in STACKS.items():
        yield sample(
            "linalg.pinv", Arr(shape), label=label, dtypes=REAL, **prepared("pinv", as_it_is)
        )
    yield sample(
        "linalg.pinv",
        Arr((5, 2)),
        label="rank",
        dtypes=REAL,
        **prepared("pinv", lambda mx, x: x @ mx.swapaxes(x, -1, -2))
        | {"tolerance": {"float32": 1e-3, "float64": 1e-9}},  # the square of the condition
    )
    for view in VIEWS:
        yield sample(
            "linalg.inv", Arr((4, 4), view=view), label=view, dtypes=DOUBLE, tolerance=ROUNDED
        )
    for name in ("inv", "tri_inv", "pinv"):
        yield sample(f"linalg.{name}", Arr((0, 2, 2)), label="empty", dtypes=SINGLE, grad=False)


def systems():
    shapes = {
        "vector": ((4, 4), (4,)),
        "columns": ((4, 4), (4, 2)),
        "batch": ((2, 3, 3), (2, 3, 2)),
        "none": ((3, 3), (3, 0)),
    }
    for label, (a, b) in shapes.items():
        yield sample(
            "linalg.solve",
            Arr(a),
            Arr(b),
            label=label,
            call=lambda mx, x, y: mx.linalg.solve(regular(mx, x), y),
            truth=lambda x, y: np.linalg.solve(regular(np, x), y),
            dtypes=("float32", "float64"),
            tolerance=ROUNDED,
        )
        for name, triangle, upper in (("lower", np.tril, False), ("upper", np.triu, True)):
            yield sample(
                "linalg.solve_triangular",
                Arr(a),
                Arr(b),
                label=f"{name}-{label}",
                call=lambda mx, x, y, u=upper: mx.linalg.solve_triangular(
                    regular(mx, x), y, upper=u
                ),
                truth=lambda x, y, t=triangle: np.linalg.solve(t(regular(np, x)), y),
                dtypes=("float32", "float64"),
                tolerance=ROUNDED,
            )


def factorizations():
    for label, shape in SQUARE.items():
        yield sample(
            "linalg.cholesky",
            Arr(shape),
            label=label,
            dtypes=REAL,
            **prepared("cholesky", definite),
        )
        yield sample(
            "linalg.cholesky",
            Arr(shape),
            kw={"upper": True},
            label=f"upper-{label}",
            dtypes=REAL,
            **prepared("cholesky", definite, upper_factor),
        )
    for label, shape in STACKS.items():
        yield sample(
            "linalg.qr", Arr(shape), label=label, dtypes=REAL, **through(positive_diagonal)
        )
        for name in ("lu", "lu_factor"):
            yield sample(f"linalg.{name}", Arr(shape), label=label, dtypes=REAL, tolerance=ROUNDED)
    yield sample("linalg.qr", Arr((3, 0)), label="empty", dtypes=SINGLE, grad=False)
    yield sample("linalg.cholesky", Arr((0, 2, 2)), label="empty", dtypes=SINGLE, grad=False)
    for label, shape in SQUARE.items():
        yield sample(
            "linalg.det", Arr(shape), label=label, dtypes=REALS, **prepared("det", as_it_is)
        )
        yield sample(
            "linalg.slogdet",
            Arr(shape, low=-1, high=1),
            label=label,
            dtypes=REALS,
            **prepared("slogdet", regular, lambda x: tuple(np.linalg.slogdet(x))),
        )
    for name in ("det", "slogdet"):
        yield sample(f"linalg.{name}", Arr((2, 0, 0)), label="empty", dtypes=SINGLE, grad=False)


def spectral():
    for label, shape in STACKS.items():
        yield sample(
            "linalg.svd", Arr(shape), label=label, dtypes=INEXACT, **through(singular_parts)
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
    for view in VIEWS:
        yield sample(
            "linalg.svd",
            Arr((4, 3), view=view),
            label=view,
            call=singular_parts,
            dtypes=DOUBLE,
            tolerance=ROUNDED,
        )
    for label, shape in SQUARE.items():
        for triangle in ("L", "U"):
            yield sample(
                "linalg.eigh",
                Arr(shape),
                label=f"{triangle}-{label}",
                call=lambda mx, x, t=triangle: symmetric_parts(mx, x, UPLO=t),
                truth=lambda x: symmetric_parts(np, x),
                dtypes=INEXACT,
                tolerance=ROUNDED,
            )
            yield sample(
                "linalg.eigvalsh",
                Arr(shape),
                kw={"UPLO": triangle},
                label=f"{triangle}-{label}",
                dtypes=INEXACT,
                **prepared("eigvalsh", symmetric),
            )
        # The results are complex64 whatever the dtype.
        yield sample(
            "linalg.eig", Arr(shape), label=label, dtypes=INEXACT, **through(general_parts)
        )
        yield sample(
            "linalg.eigvals", Arr(shape), label=label, dtypes=INEXACT, **through(general_values)
        )
    for name in ("eigh", "eig"):
        yield sample(f"linalg.{name}", Arr((0, 0)), label="empty", dtypes=SINGLE, grad=False)


def norms():
    inf = float("inf")
    for ord in (None, 0, 1, 2, 3, -1, -2, 2.5, inf, -inf):
        yield sample(
            "linalg.norm",
            Arr((5,), low=0.5),
            ord,
            label=f"vector-{ord}",
            dtypes=(*FLOATS, "int32", "uint8", *COMPLEX),
            length=5,
            tolerance={"float16": 8e-3, "bfloat16": 6e-2},  # MLX sums powers in halves
        )
        yield sample(
            "linalg.norm",
            Arr((2, 3, 4)),
            ord,
            kw={"axis": 1, "keepdims": True},
            label=f"axis-{ord}",
            dtypes=("float32", "float64"),
            length=3,
            tolerance={"float64": 1e-6},  # MLX evaluates powers in float32
        )
    for ord in (None, "fro", "nuc", 1, -1, 2, -2, inf, -inf):
        for label, shape, keywords in (
            ("matrix", (3, 4), {}),
            ("axes", (2, 3, 4), {"axis": (-1, 0), "keepdims": True}),
            ("stack", (3, 2, 4), {"axis": [0, 2]}),
        ):
            yield sample(
                "linalg.norm",
                Arr(shape),
                ord,
                kw=keywords,
                label=f"{label}-{ord}",
                dtypes=("float32", "float64", "complex64"),
                tolerance=ROUNDED,
            )
    yield sample("linalg.norm", Arr((2, 3, 4)), label="whole", dtypes=FLOATS, length=24)
    yield sample("linalg.norm", Arr(()), label="scalar", dtypes=SINGLE)
    yield sample("matrix_norm", Arr((3, 4)), dtypes=SINGLE, length=12)


def products():
    dtypes = (*FLOATS, "int32", "uint8", "complex64")
    for label, (a, b, keywords) in {
        "": ((3,), (3,), {}),
        "two": ((2,), (2,), {}),
        "two-three": ((2,), (3,), {}),
        "batch": ((4, 1, 3), (5, 3), {}),
        "axis": ((3, 4), (3, 4), {"axis": 0}),
    }.items():
        yield sample(
            "linalg.cross",
            Arr(a),
            Arr(b),
            kw=keywords,
            label=label,
            dtypes=dtypes if label == "" else SINGLE,
            length=4,  # differences of products
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
                m, definite(mx, c), shape, key=key
            ),
            dtypes=SINGLE,
            vmap=False,  # of the key: every row has its own
            **options,
        )


SAMPLES = [
    *inverses(),
    *systems(),
    *factorizations(),
    *spectral(),
    *norms(),
    *products(),
    *draws(),
]
