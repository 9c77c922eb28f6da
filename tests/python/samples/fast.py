"""The fused functions: norms, rotary positions, attention, cross entropy."""

import numpy as np
from scipy import special

from .spec import Arr, sample

WIDTH = 64
TOKENS = (2, 5, WIDTH)
EPSILON = 1e-5
HALVES_TOO = ("float32", "float16", "bfloat16")


def rms_norm(x, weight, eps):
    y = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return y if weight is None else y * weight


def layer_norm(x, weight, bias, eps):
    centred = x - x.mean(axis=-1, keepdims=True)
    y = centred / np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def attention(q, k, v, *, scale, mask=None, sinks=None):
    """Softmax over all keys in float64; "causal" aligns the last query with the last key."""
    groups = q.shape[1] // k.shape[1]
    k, v = (np.repeat(part, groups, axis=1) for part in (k, v))
    scores = scale * (q @ np.swapaxes(k, -1, -2))
    queries, keys = scores.shape[-2:]
    if isinstance(mask, str):
        mask = np.arange(keys) <= np.arange(queries)[:, None] + (keys - queries)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if sinks is not None:
        column = np.broadcast_to(sinks[None, :, None, None], (*scores.shape[:-1], 1))
        scores = np.concatenate([column, scores], axis=-1)
    weights = special.softmax(scores, axis=-1)
    return weights[..., -keys:] @ v


def norm_table():
    weight, bias = Arr((WIDTH,), low=0.5), Arr((WIDTH,))
    # float16 and bfloat16 results may sit one rounding apart where MLX rounds in between.
    for label, view in {"": "", "strided": "strided", "transposed": "transposed"}.items():
        x = Arr(TOKENS, view=view)
        yield sample("fast.rms_norm", x, weight, EPSILON, label=label, truth=rms_norm, length=WIDTH)
        yield sample(
            "fast.layer_norm", x, weight, bias, EPSILON, label=label, truth=layer_norm, length=WIDTH
        )
    x = Arr(TOKENS)
    yield sample("fast.rms_norm", x, None, EPSILON, label="plain", truth=rms_norm, length=WIDTH)
    for label, affine in {
        "plain": (None, None),
        "weight": (weight, None),
        "bias": (None, bias),
    }.items():
        yield sample(
            "fast.layer_norm", x, *affine, EPSILON, label=label, truth=layer_norm, length=WIDTH
        )
    odd = Arr((3, 37))
    yield sample("fast.rms_norm", odd, Arr((37,)), EPSILON, label="odd", truth=rms_norm, length=37)
    yield sample(
        "fast.layer_norm",
        odd,
        Arr((37,)),
        Arr((37,)),
        EPSILON,
        label="odd",
        truth=layer_norm,
        length=37,
    )
    far = Arr((2, WIDTH), low=99, high=101)
    # Values near 100 with variance 0.3: the mean takes two of float32's digits.
    yield sample(
        "fast.layer_norm",
        far,
        None,
        None,
        EPSILON,
        label="far",
        truth=layer_norm,
        dtypes=("float32",),
        tolerance={"float32": 1e-4},
        grad=False,
    )


def rope(x, dims, *, traditional, base, scale, offset, freqs=None):
    """Pairs of the first `dims` values turned by angles that grow with the position."""
    length = x.shape[-2]
    speeds = scale / (base ** (np.arange(0, dims, 2) / dims) if freqs is None else freqs)
    offset = np.reshape(offset, (-1, 1, 1, 1))
    angles = (offset + np.arange(length)[:, None]) * speeds
    turned = x.copy()
    pairs = (slice(0, dims, 2), slice(1, dims, 2))
    if not traditional:
        pairs = (slice(0, dims // 2), slice(dims // 2, dims))
    a, b = (x[..., part] for part in pairs)
    turned[..., pairs[0]] = a * np.cos(angles) - b * np.sin(angles)
    turned[..., pairs[1]] = a * np.sin(angles) + b * np.cos(angles)
    return turned


def rope_table():
    # Angles up to 40 radians: float32 keeps them to 2e-6, so sines and cosines to as much. MLX is
    # no judge of halves: it rounds the angles to them.
    loose = {"float32": 1e-5}
    x = Arr((2, 3, 7, 16))
    for label, keywords in {
        "": {},
        "traditional": {"traditional": True},
        "offset": {"offset": 11},
        "scale": {"scale": 0.25, "base": 500.0},
    }.items():
        options = {"traditional": False, "base": 10000.0, "scale": 1.0, "offset": 0} | keywords
        yield sample(
            "fast.rope", x, 16, kw=options, label=label, tolerance=loose, truth=rope, length=2
        )
        yield sample(
            "fast.rope",
            x,
            8,
            kw=options,
            label=f"partial{label}",
            tolerance=loose,
            truth=rope,
            dtypes=("float32",),
        )
    options = {"traditional": False, "scale": 1.0, "base": None}
    freqs = Arr((8,), low=1, high=100, dtype="float32", diff=False)
    yield sample(
        "fast.rope",
        x,
        16,
        kw=options | {"offset": 3, "freqs": freqs},
        label="freqs",
        tolerance=loose,
        truth=rope,
        vmap=False,
        dtypes=("float32", "float16"),
    )
    offsets = Arr((2,), values=(0, 5), dtype="int32")
    yield sample(
        "fast.rope",
        x,
        16,
        kw=options | {"base": 10000.0, "offset": offsets},
        label="offsets",
        tolerance=loose,
        truth=rope,
        vmap=False,
    )


def attention_table():
    def arrays(queries=5, keys=7, heads=4, groups=1, size=16):
        return (
            Arr((2, heads, queries, size)),
            Arr((2, heads // groups, keys, size)),
            Arr((2, heads // groups, keys, size)),
        )

    boolean = Arr((5, 7), values=tuple((i * 5 + 1) % 3 != 0 for i in range(35)), dtype="bool_")
    additive = Arr((2, 1, 5, 7), low=-3, high=1)
    cases = {
        "": (arrays(), {}),
        "causal": (arrays(), {"mask": "causal"}),
        "causal-square": (arrays(6, 6), {"mask": "causal"}),
        "bool": (arrays(), {"mask": boolean}),
        "additive": (arrays(), {"mask": additive}),
        "grouped": (arrays(groups=2), {"mask": "causal"}),
        "multi-query": (arrays(groups=4), {}),
        "sinks": (arrays(), {"sinks": Arr((4,))}),
        "decode": (arrays(1, 33), {}),
        "long": (arrays(70, 130), {"mask": "causal"}),
        "wide": (arrays(size=80), {}),
    }
    for label, (parts, keywords) in cases.items():
        size = parts[0].shape[-1]
        # Halves: the scores are products of halves, exact in float32; the output rounds once.
        yield sample(
            "fast.scaled_dot_product_attention",
            *parts,
            kw={"scale": size**-0.5} | keywords,
            label=label,
            truth=attention,
            length=size,
            vmap=not keywords,
            dtypes=HALVES_TOO,
        )
    views = tuple(Arr((2, 4, 6, 16), view=view) for view in ("strided", "transposed", "broadcast"))
    yield sample(
        "fast.scaled_dot_product_attention",
        *views,
        kw={"scale": 0.25},
        label="views",
        truth=attention,
        length=16,
        dtypes=("float32",),
    )


def cross_entropy(logits, targets):
    picked = np.take_along_axis(logits, targets[..., None].astype(np.int64), axis=-1)[..., 0]
    return special.logsumexp(logits, axis=-1) - picked


def loss_table():
    targets = Arr((2, 3), values=(0, 4, 6, 1, 2, 3), dtype="int32")
    yield sample(
        "fast.cross_entropy", Arr((2, 3, 7), low=-4, high=4), targets, truth=cross_entropy, length=7
    )
    wide = Arr((2, 515), low=-4, high=4), Arr((2,), values=(3, 514), dtype="int32")
    yield sample("fast.cross_entropy", *wide, label="wide", truth=cross_entropy, length=515)


SAMPLES = [*norm_table(), *rope_table(), *attention_table(), *loss_table()]
