"""A row is the same, bit for bit, with however many rows it is computed.

Kernels are chosen by the number of rows; all that may serve a row add up in one order. So a prompt
in chunks gives what the whole prompt gives. docs/guide/numerics.md says where this holds.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest

from engines import IS_HEDDLE, MODULE, mx, to_numpy

nn = importlib.import_module(MODULE.replace(".core", ".nn"))

ROWS = 200  # of the result that all others are compared with
COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 23, 32, 33, 48, 63, 64, 70)


def processor_has(flag):
    """Whether the processor's flags, where the system shows them, name this one."""
    path = Path("/proc/cpuinfo")
    return path.exists() and flag in path.read_text().split()


def random(seed, *shape, dtype="float32"):
    value = mx.array(np.random.default_rng(seed).standard_normal(shape, np.float32))
    return value.astype(getattr(mx, dtype))


def differing_counts(rows_of, counts=COUNTS):
    """How many rows give other bits than ROWS of them, of a function from a count to these rows."""

    def bits(count):
        value = to_numpy(rows_of(count).astype(mx.float32))
        assert len(value) == count
        return value.view(np.uint32)

    whole = bits(ROWS)
    return [count for count in counts if not np.array_equal(bits(count), whole[:count])]


def counts_for(K, N, dtype):
    """Those in which all machines keep the order, or all where oneDNN keeps it, too."""
    if not IS_HEDDLE or dtype == "float64" or processor_has("avx512bw"):
        return COUNTS
    return [count for count in COUNTS if count * K * N <= 1 << 17]


SIZES = [(16, 32), (32, 64), (64, 8), (100, 50), (17, 33), (128, 128), (700, 20), (1500, 10)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("K", "N"), SIZES)
def test_products(K, N, dtype):
    if dtype == "float64" and not IS_HEDDLE:
        pytest.skip("MLX multiplies no float64 matrices of all layouts")
    if dtype == "float16" and processor_has("avx512_fp16"):
        pytest.skip("oneDNN multiplies float16 in an order of its own there")
    x, w = random(0, ROWS, K, dtype=dtype), random(1, N, K, dtype=dtype)
    by_rows = mx.contiguous(w.T)
    bias = random(2, N, dtype=dtype)
    layer = nn.Linear(K, N)
    layer.weight, layer.bias = w, bias
    stack = mx.stack([w.T, 2 * w.T, w.T - 1])
    indices = mx.array(np.arange(ROWS) % 3, mx.uint32)
    kinds = {
        "stored by columns": lambda m: x[:m] @ w.T,
        "stored by rows": lambda m: x[:m] @ by_rows,
        "with an addend": lambda m: mx.addmm(bias, x[:m], w.T),
        "layer": lambda m: layer(x[:m]),
        "in a batch": lambda m: (mx.stack([x[:m], x[:m] + 1]) @ stack[:2]).transpose(1, 0, 2),
    }
    if dtype == "float32":
        kinds["gathered"] = lambda m: mx.gather_mm(x[:m, None], stack, rhs_indices=indices[:m])
    if dtype == "float64":
        kinds.pop("layer")
    counts = counts_for(K, N, dtype)
    assert not {kind: wrong for kind, f in kinds.items() if (wrong := differing_counts(f, counts))}


ATTENTION = [(1, 1, 200, 64), (4, 2, 200, 16), (4, 1, 333, 20), (2, 2, 2500, 32)]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("heads", "key_heads", "keys", "depth"), ATTENTION)
def test_attention(heads, key_heads, keys, depth, dtype):
    q = random(0, 1, heads, ROWS, depth, dtype=dtype)
    k = random(1, 1, key_heads, keys, depth, dtype=dtype)
    v = random(2, 1, key_heads, keys, depth, dtype=dtype)
    before = keys - ROWS
    allowed = np.tril(np.ones((ROWS, keys), bool), before)
    hidden = mx.array(np.where(np.random.default_rng(3).random((ROWS, keys)) < 0.3, -1e4, 0.5))
    boolean, additive = mx.array(allowed), hidden.astype(getattr(mx, dtype))

    def attention(m, mask=None, visible=keys):
        result = mx.fast.scaled_dot_product_attention(
            q[:, :, :m], k[:, :, :visible], v[:, :, :visible], scale=depth**-0.5, mask=mask
        )
        return result[0].transpose(1, 0, 2)

    kinds = {
        "plain": attention,
        "boolean mask": lambda m: attention(m, boolean[:m]),
        "additive mask": lambda m: attention(m, additive[:m]),
        # What later rows see is not even there yet.
        "causal": lambda m: attention(m, "causal", before + m),
    }
    assert not {kind: wrong for kind, f in kinds.items() if (wrong := differing_counts(f))}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("length", [64, 1000])
def test_functions_of_rows(length, dtype):
    x, weight = random(0, ROWS, length, dtype=dtype), random(1, length, dtype=dtype)
    kinds = {
        "rms_norm": lambda x: mx.fast.rms_norm(x, weight, 1e-5),
        "layer_norm": lambda x: mx.fast.layer_norm(x, weight, weight, 1e-5),
        "rope": lambda x: mx.fast.rope(
            x[None, None], 64, traditional=False, base=1e4, scale=1.0, offset=3
        )[0, 0],
        "softmax": lambda x: mx.softmax(x, axis=-1),
        "logsumexp": lambda x: mx.logsumexp(x, axis=-1),
        "sum": lambda x: x.sum(-1),
        "var": lambda x: mx.var(x, axis=-1),
        "prod": lambda x: x.prod(-1),
        "cumsum": lambda x: mx.cumsum(x, axis=-1),
        "logcumsumexp": lambda x: mx.logcumsumexp(x, axis=-1),
        "gelu": nn.gelu,
        "sort": lambda x: mx.sort(x, axis=-1),
        "hadamard": lambda x: mx.hadamard_transform(x[:, :64]),
        "fft": lambda x: mx.abs(mx.fft.rfft(x.astype(mx.float32), axis=-1)),
    }
    assert not {
        kind: wrong
        for kind, f in kinds.items()
        if (wrong := differing_counts(lambda m, f=f: f(x[:m])))
    }


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_few_rows_times_packed_matrices(bits, dtype):
    """Up to four; from some more on, matrices are restored in the dtype and multiplied densely."""
    x, w = random(0, ROWS, 256, dtype=dtype), random(1, 64, 256, dtype=dtype)
    packed = mx.quantize(w, group_size=64, bits=bits)

    def product(m):
        return mx.quantized_matmul(x[:m], *packed, transpose=True, group_size=64, bits=bits)

    four = to_numpy(product(4).astype(mx.float32))
    for count in (1, 2, 3):
        np.testing.assert_array_equal(to_numpy(product(count).astype(mx.float32)), four[:count])


class Block(nn.Module):
    """One layer of a transformer that keeps its keys and values."""

    def __init__(self, width, heads, key_heads):
        super().__init__()
        self.heads, self.key_heads, self.depth = heads, key_heads, width // heads
        self.norms = [nn.RMSNorm(width), nn.LayerNorm(width)]
        self.rope = nn.RoPE(self.depth)
        self.project = nn.Linear(width, (heads + 2 * key_heads) * self.depth, bias=False)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def __call__(self, x, kept):
        length = x.shape[1]
        heads = self.project(self.norms[0](x)).reshape(1, length, -1, self.depth)
        q, k, v = mx.split(
            heads.transpose(0, 2, 1, 3), [self.heads, self.heads + self.key_heads], axis=1
        )
        before = kept[0].shape[2] if kept else 0
        q, k = self.rope(q, offset=before), self.rope(k, offset=before)
        if kept:
            k, v = mx.concatenate([kept[0], k], axis=2), mx.concatenate([kept[1], v], axis=2)
        kept[:] = [k, v]
        attended = mx.fast.scaled_dot_product_attention(
            q, k, v, scale=self.depth**-0.5, mask="causal"
        )
        x = x + self.out(attended.transpose(0, 2, 1, 3).reshape(1, length, -1))
        return x + self.down(nn.gelu(self.up(self.norms[1](x))))


@pytest.mark.parametrize("chunks", [[2, 2, 20], [1] * 24, [23, 1], [5, 16, 3]])
def test_a_prompt_in_chunks(chunks):
    if IS_HEDDLE and not processor_has("avx512bw"):
        pytest.skip("oneDNN multiplies float32 in an order of its own there")
    mx.random.seed(1)
    blocks = [Block(64, 4, 2) for _ in range(2)]
    prompt = random(0, 1, 24, 64)

    def run(chunks):
        kept = [[] for _ in blocks]
        results, start = [], 0
        for length in chunks:
            x = prompt[:, start : start + length]
            start += length
            for block, state in zip(blocks, kept, strict=True):
                x = block(x, state)
            results.append(x)
        return to_numpy(mx.concatenate(results, axis=1))

    np.testing.assert_array_equal(run(chunks), run([24]))
