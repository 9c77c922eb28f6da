"""Short prompts of ever new lengths: what a program of a language model meets, and what an engine
that prepares kernels by shape is slow at. Each run takes a width that no run had before, so that
nothing prepared earlier serves it.
"""

import itertools
import math

import numpy as np
from harness.work import Step, Target, Work

HEADS, LAYERS, INNER = 4, 2, 2
WIDTH, STEP = 256, 16
LENGTHS = range(17, 49)


def inputs(rng: np.random.Generator) -> list[np.ndarray]:
    """Weights of the widest model, cut down for others, and the longest prompt."""
    widest = 4 * WIDTH
    shapes = [(widest, widest)] * 4 + [(INNER * widest, widest), (widest, INNER * widest)]
    weights = [rng.standard_normal(s, dtype=np.float32) / 16 for s in shapes * LAYERS]
    return [*weights, rng.standard_normal((max(LENGTHS), widest), dtype=np.float32)]


def cut(widths, inputs):
    """The weights of a model of the next width, as float32, and its longest prompt."""
    width = next(widths)

    def part(value):
        rows, columns = (width * n // (4 * WIDTH) for n in value.shape)
        return np.ascontiguousarray(value[:rows, :columns])

    *weights, prompt = inputs
    return [part(w) for w in weights], np.ascontiguousarray(prompt[:, :width])


def model(lib, attend, norm, weights, x):
    length, width = x.shape
    for layer in range(LAYERS):
        wq, wk, wv, wo, up, down = weights[6 * layer : 6 * layer + 6]
        normed = norm(x)
        q, k, v = (
            (normed @ w.T).reshape(1, length, HEADS, width // HEADS).swapaxes(1, 2)
            for w in (wq, wk, wv)
        )
        x = x + attend(q, k, v).swapaxes(1, 2).reshape(length, width) @ wo.T
        x = x + lib.tanh(norm(x) @ up.T) @ down.T
    return norm(x)


def widths():
    return itertools.chain(range(WIDTH, 4 * WIDTH, STEP), itertools.cycle([4 * WIDTH]))


def prepare_mlx(dialect, values):
    mx, sequence = dialect.core, widths()

    def attend(q, k, v):
        scale = 1 / math.sqrt(q.shape[-1])
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask="causal")

    def run():
        weights, prompt = cut(sequence, values)
        weights = [mx.array(w).astype(mx.bfloat16) for w in weights]
        prompt = mx.array(prompt).astype(mx.bfloat16)
        for length in LENGTHS:
            x = model(
                mx, attend, lambda x: mx.fast.rms_norm(x, None, 1e-5), weights, prompt[:length]
            )
            mx.eval(x)
        return x

    return Step(run, lambda x: [np.array(x.astype(mx.float32))])


def prepare_torch(dialect, values):
    torch, sequence = dialect.library, widths()
    functional = torch.nn.functional

    def attend(q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def run():
        with torch.inference_mode():
            weights, prompt = cut(sequence, values)
            weights = [torch.from_numpy(w).bfloat16() for w in weights]
            prompt = torch.from_numpy(prompt).bfloat16()
            for length in LENGTHS:
                x = model(
                    torch,
                    attend,
                    lambda x: functional.rms_norm(x, x.shape[-1:], eps=1e-5),
                    weights,
                    prompt[:length],
                )
            return x

    return Step(run, lambda x: [x.float().numpy()])


WORKS = [
    Work(
        name="new_prompts",
        title=f"{len(LENGTHS)} prompts of new lengths, bf16, a model of new width",
        target=Target(1.0),
        inputs=inputs,
        prepare={"mlx": prepare_mlx, "torch": prepare_torch},
        dtype="bfloat16",
        # Sums in bfloat16 through two layers.
        tolerance=5e-2,
        needs_cpu=("amx_bf16", "avx512_bf16"),
    ),
]
