"""Packing bit for bit as MLX packs, in awkward groups; errors; gradients of products."""

import numpy as np
import pytest

from engines import IS_HEDDLE, mx, reference, to_engine, to_numpy

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="compares heddle with MLX")
DTYPES = ("float32", "float16", "bfloat16")
MODES = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}


def awkward_groups(size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    normal = rng.standard_normal((40, size))
    infinite = rng.standard_normal((4, size))
    infinite[0, 3], infinite[1, 3], infinite[2, 3:5] = np.inf, -np.inf, (np.inf, -np.inf)
    infinite[3, 0] = np.nan
    return np.concatenate(
        [
            normal,
            normal[:4] * 1e4,
            normal[:4] * 1e-7,
            normal[:4] * 1e-10,
            normal[:2] * 1e-30,
            np.abs(normal[:4]),
            -np.abs(normal[:4]),
            100 + normal[:4] / 100,
            np.full((1, size), 1.7),
            np.full((1, size), -2.3),
            np.zeros((1, size)),
            np.linspace(-1, 1, size)[None],
            np.round(normal[:2] * 4),
            infinite,
        ]
    )


def both(array: np.ndarray, dtype: str):
    return (
        to_engine(m, array.astype(np.float32)).astype(getattr(m, dtype)) for m in (mx, reference)
    )


def assert_bits(mine, theirs, rows=slice(None)):
    a, b = to_numpy(mine)[rows], to_numpy(theirs)[rows]
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", (1, 2, 3, 4, 5, 6, 8))
@pytest.mark.parametrize("group", (32, 64, 128))
def test_affine_groups_are_packed_and_restored_as_mlx_does(dtype, bits, group):
    mine, theirs = both(awkward_groups(group), dtype)
    packed, wanted = mx.quantize(mine, group, bits), reference.quantize(theirs, group, bits)
    for given, right in zip(packed, wanted, strict=True):
        assert_bits(given, right)
    assert_bits(mx.dequantize(*packed, group, bits), reference.dequantize(*wanted, group, bits))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_floating_modes_are_packed_and_restored_as_mlx_does(dtype, mode):
    # Groups that overflow or fall below the least scale are MLX's to get wrong: it wraps around.
    groups = awkward_groups(64)
    kept = np.isfinite(groups).all(1) & (np.abs(groups).max(1) < 2000)
    kept &= (np.abs(groups).max(1) == 0) | (np.abs(groups).max(1) > 1e-20)
    mine, theirs = both(groups[kept], dtype)
    packed, wanted = mx.quantize(mine, mode=mode), reference.quantize(theirs, mode=mode)
    for given, right in zip(packed, wanted, strict=True):
        assert_bits(given, right)
    for out in (None, "float32", "bfloat16"):
        assert_bits(
            mx.dequantize(*packed, mode=mode, dtype=out and getattr(mx, out)),
            reference.dequantize(*wanted, mode=mode, dtype=out and getattr(reference, out)),
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_global_scale(dtype):
    mine, theirs = both(np.random.default_rng(0).standard_normal((8, 64)), dtype)
    scale = 4.2
    packed = mx.quantize(mine, mode="nvfp4", global_scale=mx.array(scale))
    wanted = reference.quantize(theirs, mode="nvfp4", global_scale=reference.array(scale))
    for given, right in zip(packed, wanted, strict=True):
        assert_bits(given, right)
    assert_bits(
        mx.dequantize(*packed, mode="nvfp4", global_scale=mx.array(scale)),
        reference.dequantize(*wanted, mode="nvfp4", global_scale=reference.array(scale)),
    )


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_finite_stays_so(mode):
    w = np.ones((3, 64), np.float32)
    w[0, 5], w[1, 5], w[2, 5] = np.inf, np.nan, 1e-39
    back = to_numpy(mx.dequantize(*mx.quantize(mx.array(w), mode=mode), mode=mode))
    assert not np.isfinite(back[:2, 5]).any()
    assert np.isfinite(back[2]).all()
    tiny = mx.quantize(mx.full((1, 64), 1e-39), mode=mode)
    assert np.abs(to_numpy(mx.dequantize(*tiny, mode=mode))).max() < 1e-37


def matrix(m, **keywords):
    return m.quantize(m.ones((8, 128)), **keywords)


REFUSED = {
    "rank": lambda m: m.quantize(m.ones((128,))),
    "dtype": lambda m: m.quantize(m.ones((8, 128), m.int32)),
    "divisible": lambda m: m.quantize(m.ones((8, 100))),
    "group": lambda m: m.quantize(m.ones((8, 128)), 16),
    "bits": lambda m: m.quantize(m.ones((8, 128)), 64, 7),
    "mode": lambda m: m.quantize(m.ones((8, 128)), mode="int4"),
    "mode group": lambda m: m.quantize(m.ones((8, 128)), 64, mode="mxfp4"),
    "global scale": lambda m: m.quantize(m.ones((8, 128)), global_scale=m.array(1.0)),
    "global dtype": lambda m: m.quantize(m.ones((8, 64)), mode="nvfp4", global_scale=m.array(1)),
    "no biases": lambda m: m.dequantize(*matrix(m)[:2]),
    "biases": lambda m: m.dequantize(*matrix(m, mode="mxfp4"), m.ones((8, 4)), mode="mxfp4"),
    "packed dtype": lambda m: m.dequantize(m.ones((8, 16)), *matrix(m)[1:]),
    "wrong bits": lambda m: m.dequantize(*matrix(m), bits=8),
    "result dtype": lambda m: m.dequantize(*matrix(m), dtype=m.int32),
    "inner": lambda m: m.quantized_matmul(m.ones((3, 64)), *matrix(m)),
    "inner transposed": lambda m: m.quantized_matmul(m.ones((3, 128)), *matrix(m), transpose=False),
    "scalar": lambda m: m.quantized_matmul(m.array(1.0), *matrix(m)),
    "complex": lambda m: m.quantized_matmul(m.ones((3, 128), m.complex64), *matrix(m)),
    "indices": lambda m: m.gather_qmm(m.ones((1, 3, 128)), *matrix(m), m.ones((1,))),
    "qqmm no scales": lambda m: m.qqmm(m.ones((1, 128)), matrix(m, mode="nvfp4")[0]),
    "qqmm integers": lambda m: m.qqmm(m.ones((1, 128), m.int32), *matrix(m, mode="nvfp4")),
    "gather_mm inner": lambda m: m.gather_mm(m.ones((2, 3, 4)), m.ones((2, 5, 6))),
    "gather_mm indices": lambda m: m.gather_mm(m.ones((2, 3, 4)), m.ones((2, 4, 6)), m.ones((2,))),
    "mask": lambda m: m.block_masked_mm(m.ones((64, 64)), m.ones((64, 64)), 64, m.ones((3, 2))),
    "segments": lambda m: m.segmented_mm(m.ones((3, 4)), m.ones((4, 5)), m.ones((2, 2))),
    "segment pairs": lambda m: m.segmented_mm(m.ones((3, 4)), m.ones((4, 5)), m.array([[0, 1, 2]])),
    "hadamard size": lambda m: m.hadamard_transform(m.ones((2, 6))),
    "hadamard empty": lambda m: m.hadamard_transform(m.ones((0, 8))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_as_mlx_refuses(case):
    with pytest.raises(Exception) as theirs:
        reference.eval(REFUSED[case](reference))
    with pytest.raises(type(theirs.value), match=r"^\["):
        mx.eval(REFUSED[case](mx))


def test_shapes_that_mlx_reads_beyond_are_refused():
    words, scales, biases = matrix(mx)
    with pytest.raises(ValueError, match="incompatible"):
        mx.quantized_matmul(mx.ones((3, 128)), words, scales[:4], biases[:4])
    with pytest.raises(IndexError, match="out of range"):
        mx.eval(mx.gather_mm(mx.ones((2, 3, 4)), mx.ones((2, 4, 5)), mx.array([0]), mx.array([2])))
    with pytest.raises(IndexError, match="out of range"):
        mx.eval(
            mx.gather_qmm(mx.ones((1, 3, 128)), words, scales, biases, mx.array([1]), mx.array([0]))
        )


def test_nothing_times_a_packed_matrix():
    packed = matrix(mx)
    assert mx.quantized_matmul(mx.ones((0, 128)), *packed).shape == (0, 8)
    empty = mx.quantize(mx.ones((0, 128)))
    assert mx.quantized_matmul(mx.ones((3, 128)), *empty).shape == (3, 0)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
@pytest.mark.parametrize("rows", (1, 6, 64))
def test_long_products_of_halves_are_summed_in_float32(dtype, rows):
    rng = np.random.default_rng(rows)
    w = mx.array(rng.standard_normal((64, 4096), dtype=np.float32)).astype(getattr(mx, dtype))
    x = mx.array(rng.standard_normal((rows, 4096), dtype=np.float32)).astype(getattr(mx, dtype))
    packed = mx.quantize(w)
    dense = mx.dequantize(packed[0], *(p.astype(mx.float32) for p in packed[1:]))
    exact = to_numpy(x).astype(np.float64) @ to_numpy(dense).astype(np.float64).T
    given = to_numpy(mx.quantized_matmul(x, *packed)).astype(np.float64)
    error = np.sqrt(np.mean((given - exact) ** 2) / np.mean(exact**2))
    assert error < {"float16": 1e-3, "bfloat16": 6e-3}[dtype]


@pytest.mark.parametrize("rows", (4, 5, 16, 17, 64, 65, 100, 128, 300))
@pytest.mark.parametrize("mode", ("affine", "mxfp4"))
def test_bfloat16_products_of_any_number_of_rows(mode, rows):
    """Heights that end within a panel of the matrix or a block of rows."""
    rng = np.random.default_rng(rows)
    group = MODES.get(mode, 64)
    for height, width in ((1, 64), (100, 256), (300, 2048)):
        w = to_engine(mx, rng.standard_normal((height, width), dtype=np.float32))
        x = to_engine(mx, rng.standard_normal((rows, width), dtype=np.float32))
        w, x = w.astype(mx.bfloat16), x.astype(mx.bfloat16)
        packed = mx.quantize(w, group, 4, mode=mode)
        floats = [p.astype(mx.float32) for p in packed[1:]] if mode == "affine" else packed[1:]
        dense = mx.dequantize(packed[0], *floats, group_size=group, bits=4, mode=mode)
        exact = to_numpy(x).astype(np.float64) @ to_numpy(dense).astype(np.float64).T
        given = mx.quantized_matmul(x, *packed, group_size=group, bits=4, mode=mode)
        again = mx.quantized_matmul(x, *packed, group_size=group, bits=4, mode=mode)
        assert_bits(given, again)
        given = to_numpy(given).astype(np.float64)
        assert np.sqrt(np.mean((given - exact) ** 2) / np.mean(exact**2)) < 6e-3


def test_qqmm_passes_gradients_through_the_rounding():
    rng = np.random.default_rng(1)
    x, w, g = (
        mx.array(rng.standard_normal(shape, dtype=np.float32))
        for shape in ((5, 64), (24, 64), (5, 24))
    )
    rounded = [
        mx.dequantize(*mx.quantize(a, mode="mxfp8"), mode="mxfp8", dtype=mx.float32) for a in (x, w)
    ]
    _, (dx, dw) = mx.vjp(lambda x, w: mx.qqmm(x, w, mode="mxfp8"), [x, w], [g])
    assert mx.allclose(dx, g @ rounded[1], atol=1e-4)
    assert mx.allclose(dw, g.T @ rounded[0], atol=1e-4)


def test_experts_are_grouped_whatever_their_order():
    rng = np.random.default_rng(2)
    w = mx.array(rng.standard_normal((6, 32, 128), dtype=np.float32))
    x = mx.array(rng.standard_normal((50, 1, 128), dtype=np.float32))
    packed = mx.quantize(w)
    dense = mx.dequantize(*packed)
    for experts in (rng.integers(0, 6, 50), np.sort(rng.integers(0, 6, 50))):
        right = mx.array(experts.astype(np.uint32))
        given = mx.gather_qmm(x, *packed, rhs_indices=right, sorted_indices=False)
        assert mx.allclose(given, x @ dense[right].swapaxes(-1, -2), atol=1e-4)
