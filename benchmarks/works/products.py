"""Matrix products."""

from harness.work import Target, Work, normal


def matmul(lib, a, b):
    return lib.matmul(a, b)


def square(size: int, dtype: str, ratio: float, tolerance: float, needs_cpu=()) -> Work:
    label = {"float32": "f32", "bfloat16": "bf16"}[dtype]
    dialects = ("mlx", "torch", "jax", "numpy") if dtype == "float32" else ("mlx", "torch", "jax")
    return Work(
        name=f"matmul_{label}_{size}",
        title=f"matmul {label} {size}³",
        target=Target(ratio),
        inputs=normal((size, size), (size, size)),
        functions=dict.fromkeys(dialects, matmul),
        dtype=dtype,
        flops=2.0 * size**3,
        tolerance=tolerance,
        needs_cpu=needs_cpu,
    )


WORKS = [
    *(square(size, "float32", ratio=1.0, tolerance=1e-5) for size in (256, 1024, 2048)),
    # bf16 keeps 8 bits: results of scale 100 differ by half a unit in the last place and more.
    square(1024, "bfloat16", 1.5, tolerance=1.6e-2, needs_cpu=("amx_bf16", "avx512_bf16")),
]
