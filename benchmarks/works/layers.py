"""Attention, convolution and a whole encoder (the architecture of all-MiniLM-L6-v2)."""

import math

import numpy as np
from harness.work import Target, Work, normal

from .pointwise import gelu as gelu_by_erf

TORCH = Target(1.0, "torch")
HEADS, HEAD_SIZE = 12, 64
CHANNELS, SIDE = 64, 56

LAYERS, WIDTH, INNER, VOCABULARY, BATCH, TOKENS = 6, 384, 1536, 30522, 16, 64
PARAMETERS_PER_LAYER = 12


def attention_jax(jnp, q, k, v):
    import jax

    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * (1.0 / math.sqrt(HEAD_SIZE))
    return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores, axis=-1), v)


def attention(length: int) -> Work:
    shape = (1, HEADS, length, HEAD_SIZE)
    return Work(
        name=f"attention_{length}",
        title=f"attention f32, {HEADS} heads, S {length}, D {HEAD_SIZE}",
        target=TORCH,
        inputs=normal(shape, shape, shape),
        functions={
            "mlx": lambda mx, q, k, v: mx.fast.scaled_dot_product_attention(
                q, k, v, scale=1.0 / math.sqrt(HEAD_SIZE)
            ),
            "torch": lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
            "jax": attention_jax,
        },
        flops=4.0 * HEADS * length * length * HEAD_SIZE,
    )


def conv_inputs(rng):
    image = rng.standard_normal((1, SIDE, SIDE, CHANNELS), dtype=np.float32)
    kernel = rng.standard_normal((CHANNELS, 3, 3, CHANNELS), dtype=np.float32)
    return [image, kernel / math.sqrt(9 * CHANNELS)]


def conv_torch(torch, image, kernel):
    """The same channels-last memory, seen as torch's NCHW."""
    out = torch.nn.functional.conv2d(
        image.permute(0, 3, 1, 2), kernel.permute(0, 3, 1, 2), padding=1
    )
    return out.permute(0, 2, 3, 1)


def conv_jax(jnp, image, kernel):
    import jax

    return jax.lax.conv_general_dilated(
        image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "OHWI", "NHWC")
    )


def encoder_inputs(rng):
    """Token ids, the embedding table and the parameters of each layer, in one flat list."""

    def weight(*shape):
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(0.05)

    def norm():
        return [1.0 + weight(WIDTH), weight(WIDTH)]

    inputs = [
        rng.integers(0, VOCABULARY, (BATCH, TOKENS)).astype(np.int32),
        weight(VOCABULARY, WIDTH),
        weight(TOKENS, WIDTH),
        *norm(),
    ]
    for _ in range(LAYERS):
        inputs += [weight(WIDTH, 3 * WIDTH), weight(3 * WIDTH), weight(WIDTH, WIDTH)]
        inputs += [weight(WIDTH), *norm(), weight(WIDTH, INNER), weight(INNER)]
        inputs += [weight(INNER, WIDTH), weight(WIDTH), *norm()]
    return inputs


def encoder(layer_norm, attend, gelu, linear):
    """BERT's encoder and mean pooling, over the few functions in which the dialects differ."""

    def split_heads(x):
        batch, tokens = x.shape[0], x.shape[1]
        return x.reshape(batch, tokens, HEADS, WIDTH // HEADS).swapaxes(1, 2)

    def forward(lib, ids, table, positions, scale, shift, *rest):
        x = layer_norm(lib, table[ids] + positions, scale, shift)
        for start in range(0, len(rest), PARAMETERS_PER_LAYER):
            wqkv, bqkv, wo, bo, s1, b1, w1, c1, w2, c2, s2, b2 = rest[
                start : start + PARAMETERS_PER_LAYER
            ]
            qkv = linear(lib, x, wqkv, bqkv)
            q, k, v = (split_heads(qkv[..., i * WIDTH : (i + 1) * WIDTH]) for i in range(3))
            mixed = attend(lib, q, k, v).swapaxes(1, 2).reshape(x.shape)
            x = layer_norm(lib, x + linear(lib, mixed, wo, bo), s1, b1)
            inner = gelu(lib, linear(lib, x, w1, c1))
            x = layer_norm(lib, x + linear(lib, inner, w2, c2), s2, b2)
        return x.mean(1)

    return forward


def encoder_attend_jax(jnp, q, k, v):
    import jax

    scores = (q @ k.swapaxes(-1, -2)) * (1.0 / math.sqrt(WIDTH // HEADS))
    return jax.nn.softmax(scores, axis=-1) @ v


def encoder_norm_jax(jnp, x, scale, shift):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) * (variance + 1e-12) ** -0.5 * scale + shift


def torch_linear(torch, x, weight, bias):
    return torch.nn.functional.linear(x, weight.T, bias)


ENCODERS = {
    "mlx": encoder(
        lambda mx, x, s, b: mx.fast.layer_norm(x, s, b, 1e-12),
        lambda mx, q, k, v: mx.fast.scaled_dot_product_attention(
            q, k, v, scale=1.0 / math.sqrt(WIDTH // HEADS)
        ),
        gelu_by_erf,
        lambda mx, x, w, b: mx.addmm(b, x, w),
    ),
    "torch": encoder(
        lambda t, x, s, b: t.nn.functional.layer_norm(x, (WIDTH,), s, b, 1e-12),
        lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
        lambda t, x: t.nn.functional.gelu(x),
        torch_linear,
    ),
    "jax": encoder(
        encoder_norm_jax, encoder_attend_jax, gelu_by_erf, lambda jnp, x, w, b: x @ w + b
    ),
}

ENCODER_FLOPS = (
    BATCH * LAYERS * TOKENS * (2.0 * WIDTH * (4 * WIDTH + 2 * INNER) + 4.0 * TOKENS * WIDTH)
)

WORKS = [
    attention(128),
    attention(1024),
    Work(
        name="conv",
        title=f"conv 3x3 {CHANNELS}->{CHANNELS} on {SIDE}²",
        target=TORCH,
        inputs=conv_inputs,
        functions={
            "mlx": lambda mx, image, kernel: mx.conv2d(image, kernel, padding=1),
            "torch": conv_torch,
            "jax": conv_jax,
        },
        flops=2.0 * SIDE * SIDE * CHANNELS * CHANNELS * 9,
    ),
    Work(
        name="minilm",
        title=f"MiniLM encoder, {BATCH} x {TOKENS} tokens, f32",
        target=Target(1.2, "torch"),
        inputs=encoder_inputs,
        functions=ENCODERS,
        flops=ENCODER_FLOPS,
        tolerance=1e-4,
    ),
]
