"""Reductions, softmax and norms."""

from harness.work import Target, Work, normal

TARGET = Target(1.0)
SQUARE = (4096, 4096)
ROWS = (6144, 512)
TOKENS = (4096, 768)
# float32 sums over 16 M elements in different orders: errors grow with the root of the length.
SUM_TOLERANCE = 2e-4


def layer_norm_jax(jnp, x, w, b):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) * (variance + 1e-5) ** -0.5 * w + b


def rms_norm_jax(jnp, x, w):
    return x * ((x * x).mean(axis=-1, keepdims=True) + 1e-5) ** -0.5 * w


def softmax_jax(jnp, x):
    import jax

    return jax.nn.softmax(x, axis=-1)


def logsumexp_jax(jnp, x):
    import jax

    return jax.nn.logsumexp(x, axis=-1)


def by_axis(name: str, title: str, axis) -> Work:
    def total(lib, x):
        return lib.sum(x) if axis is None else lib.sum(x, axis)

    return Work(
        name=f"sum_{name}",
        title=f"sum over {title} of 4096²",
        target=TARGET,
        inputs=normal(SQUARE),
        functions=dict.fromkeys(("mlx", "torch", "jax", "numpy"), total),
        bytes=4.0 * SQUARE[0] * SQUARE[1],
        tolerance=SUM_TOLERANCE,
    )


WORKS = [
    Work(
        name="softmax",
        title="softmax 6144x512",
        target=TARGET,
        inputs=normal(ROWS),
        functions={
            "mlx": lambda mx, x: mx.softmax(x, axis=-1),
            "torch": lambda torch, x: torch.softmax(x, -1),
            "jax": softmax_jax,
        },
        bytes=8.0 * ROWS[0] * ROWS[1],
    ),
    Work(
        name="layer_norm",
        title="layer_norm 4096x768",
        target=TARGET,
        inputs=normal(TOKENS, TOKENS[1:], TOKENS[1:]),
        functions={
            "mlx": lambda mx, x, w, b: mx.fast.layer_norm(x, w, b, 1e-5),
            "torch": lambda t, x, w, b: t.nn.functional.layer_norm(x, x.shape[-1:], w, b, 1e-5),
            "jax": layer_norm_jax,
        },
        bytes=8.0 * TOKENS[0] * TOKENS[1],
    ),
    Work(
        name="rms_norm",
        title="rms_norm 4096x768",
        target=TARGET,
        inputs=normal(TOKENS, TOKENS[1:]),
        functions={
            "mlx": lambda mx, x, w: mx.fast.rms_norm(x, w, 1e-5),
            "torch": lambda t, x, w: t.nn.functional.rms_norm(x, x.shape[-1:], w, 1e-5),
            "jax": rms_norm_jax,
        },
        bytes=8.0 * TOKENS[0] * TOKENS[1],
    ),
    by_axis("all", "all", None),
    by_axis("first", "the first axis", 0),
    by_axis("last", "the last axis", 1),
    Work(
        name="logsumexp",
        title="logsumexp over the last axis of 4096²",
        target=TARGET,
        inputs=normal(SQUARE),
        functions={
            "mlx": lambda mx, x: mx.logsumexp(x, axis=-1),
            "torch": lambda torch, x: torch.logsumexp(x, -1),
            "jax": logsumexp_jax,
        },
        bytes=4.0 * SQUARE[0] * SQUARE[1],
    ),
]
