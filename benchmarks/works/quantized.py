"""Products with 4-bit matrices, beside dense bfloat16 ones of the same shape."""

import numpy as np
from harness.work import Step, Target, Work

SIZE, GROUP, BITS = 4096, 64, 4
ITEM = {"float32": 4, "bfloat16": 2}


def inputs(rows: int):
    """A matrix that 4 bits hold exactly, so that every engine multiplies the same numbers."""

    def draw(rng: np.random.Generator) -> list[np.ndarray]:
        x = rng.standard_normal((rows, SIZE), dtype=np.float32)
        codes = rng.integers(-8, 8, (SIZE, SIZE)).astype(np.float32)
        codes[:, ::GROUP], codes[:, 1::GROUP] = -8, 7
        return [x, codes / SIZE**0.5 / 4]

    return draw


def quantized(dtype: str):
    def prepare(dialect, arrays):
        mx = dialect.core
        x, w = (mx.array(value).astype(getattr(mx, dtype)) for value in arrays)
        packed = mx.quantize(w, GROUP, BITS)
        mx.eval(x, *packed)

        def run():
            result = mx.quantized_matmul(x, *packed, group_size=GROUP, bits=BITS)
            mx.eval(result)
            return result

        return Step(run, lambda result: [np.array(result.astype(mx.float32))])

    return prepare


def dense(dialect, arrays):
    import torch

    x, w = (torch.from_numpy(value).bfloat16() for value in arrays)
    return Step(lambda: torch.nn.functional.linear(x, w), lambda result: [result.float().numpy()])


def work(rows: int, dtype: str, target: Target, title: str, **more) -> Work:
    scales = 2 * SIZE * SIZE / GROUP * ITEM[dtype]
    return Work(
        name=f"quantized_matmul_{rows}",
        title=title,
        target=target,
        inputs=inputs(rows),
        dtype=dtype,
        flops=2.0 * rows * SIZE * SIZE,
        bytes=SIZE * SIZE * BITS / 8 + scales + 2.0 * rows * SIZE * ITEM[dtype],
        **more,
    )


WORKS = [
    work(
        1,
        "float32",
        Target(1.0, share=0.6),
        f"4-bit matrix-vector {SIZE}²",
        prepare={"mlx": quantized("float32")},
    ),
    # MLX sums these in bfloat16, and is 7 % off.
    work(
        128,
        "bfloat16",
        Target(1.0, "torch"),
        f"4-bit matmul, 128 rows, {SIZE}² (torch: dense bf16)",
        prepare={"mlx": quantized("bfloat16"), "torch": dense},
        tolerance=1.6e-2,
        needs_cpu=("amx_bf16", "avx512_bf16"),
    ),
]
