"""Element-wise work on 16 M floats: bound by memory once exp costs nothing."""

import math

from harness.work import Target, Work, normal

ELEMENTS = 1 << 24
VECTOR = (ELEMENTS,)
TARGET = Target(2.0, share=0.5)


def erf(lib, x):
    """erf lives elsewhere in jax and torch."""
    if hasattr(lib, "erf"):
        return lib.erf(x)
    from jax.scipy.special import erf as jax_erf

    return jax_erf(x)


def gelu(lib, x):
    return x * (0.5 * (1.0 + erf(lib, x * (1.0 / math.sqrt(2.0)))))


def torch_gelu(torch, x):
    return torch.nn.functional.gelu(x)


def chain(lib, x, y):
    """Ten operations on two arrays."""
    z = x * 0.5 + y
    z = lib.exp(-z * z)
    z = z * x + 0.25
    z = z / (1.0 + lib.abs(y))
    return lib.tanh(z)


def choose(lib, x, y):
    return lib.where(x > y, x, y)


def work(name, title, functions, arrays=1, **more) -> Work:
    return Work(
        name=name,
        title=title,
        target=TARGET,
        inputs=normal(*[VECTOR] * arrays),
        functions=functions,
        bytes=4.0 * ELEMENTS * (arrays + 1),
        **more,
    )


WORKS = [
    work("exp", "exp 16 M f32", lambda lib, x: lib.exp(x), tolerance=1e-6),
    work(
        "gelu",
        "gelu by erf 16 M f32",
        {"mlx": gelu, "jax": gelu, "torch": torch_gelu},
        compiled=True,
        tolerance=1e-6,
    ),
    work("chain_compiled", "10-op chain, compiled, 16 M f32", chain, 2, compiled=True),
    work("chain_lazy", "10-op chain, lazily built, 16 M f32", chain, 2),
    work("where", "where and compare 16 M f32", choose, 2, tolerance=0.0),
]
