"""Small stacks: OpenMP's, those of a program's own threads, the main thread's."""

import pytest
from program import run

# Something of every kernel, for several threads, from a thread with so many KiB of stack.
WORK = """
import sys, threading
import numpy as np
import heddle.core as mx
import heddle.nn as nn
import heddle.optimizers as optim

def work():
    big, half = mx.random.normal((700, 700)), mx.random.normal((300, 301)).astype(mx.bfloat16)
    wide = mx.random.normal((70, 70)).astype(mx.float64)
    image, kernel = mx.random.normal((2, 40, 40, 16)), mx.random.normal((16, 3, 3, 16))
    q = mx.random.normal((1, 4, 130, 64))
    w, scales, biases = mx.quantize(big[:, :640])
    layer = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 8))
    step = optim.AdamW(1e-3)
    loss, gradients = nn.value_and_grad(layer, lambda x: layer(x).square().mean())(q[0, 0])
    step.update(layer, gradients)
    f = mx.fast
    mx.eval(
        loss, layer.parameters(), step.state,
        big @ big, big @ big[0], half @ half.T, wide @ wide, wide @ wide[0],
        wide[:4, :4] @ wide[:4],
        mx.addmm(big, big, big), mx.conv2d(image, kernel, padding=1),
        mx.grad(lambda k: mx.conv2d(image, k).sum())(kernel),
        mx.tanh(mx.exp(-big * big) + 0.5) / (1 + mx.abs(big)), big.T + 1, big[::2, ::3] * 2,
        big.sum(0), big.sum(1), big.var(), big.reshape(70, 7, 1000).max(1),
        big.astype(mx.int8).sum(0), mx.cumsum(big, axis=0), mx.cumsum(big, axis=1),
        mx.cumprod(wide, axis=0), mx.logcumsumexp(big), mx.sort(big, axis=0), mx.sort(big, axis=1),
        mx.argsort(big[:, :20]), mx.topk(big, 5), mx.argmax(big, axis=0), mx.softmax(big),
        mx.logsumexp(big, axis=0), mx.fft.fft2(big), mx.fft.irfft(mx.fft.rfft(big)),
        mx.hadamard_transform(big[:, :28 * 8]), mx.random.randint(0, 99, (300_000,)),
        mx.random.categorical(big), mx.random.permutation(1000), big[mx.arange(0, 700, 3)],
        mx.take_along_axis(big, mx.argsort(big), 1),
        mx.zeros((9, 700)).at[mx.arange(700) % 9].add(big),
        f.scaled_dot_product_attention(q, q, q, scale=0.1, mask="causal"),
        f.rms_norm(big, None, 1e-5), f.layer_norm(big, None, None, 1e-5),
        f.rope(q, 64, traditional=False, base=1e4, scale=1, offset=0),
        mx.quantized_matmul(big[:, :640], w, scales, biases), mx.dequantize(w, scales, biases),
        mx.block_masked_mm(big[:640, :640], big[:640, :640], 64, mx.ones((10, 10)) > 0),
        nn.LSTM(32, 32)(mx.zeros((4, 20, 32))), nn.GRU(32, 32)(mx.zeros((4, 20, 32))),
        *mx.linalg.svd(big[:200, :200]), mx.linalg.inv(big), *mx.linalg.qr(big[:, :300]),
        *mx.linalg.eigh(big[:200, :200] + big[:200, :200].T), *mx.linalg.lu(big),
        *mx.linalg.eig(big[:90, :90]), mx.linalg.solve(big, big[0]),
        mx.linalg.cholesky(big @ big.T + 1000 * mx.eye(700)), mx.linalg.pinv(big[:100, :50]),
    )
    assert np.isfinite(np.array(big @ big)).all()
    done.append(True)

done = []
if int(sys.argv[1]):
    threading.stack_size(int(sys.argv[1]) << 10)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
print(done)
"""


@pytest.mark.parametrize("openmp", ["64K", "128K", "1M"])
def test_openmp_threads_with_small_stacks(openmp):
    assert run(WORK, 0, environment={"OMP_STACKSIZE": openmp}) == "[True]\n"


@pytest.mark.parametrize("kilobytes", [128, 256, 512])
def test_a_program_s_own_threads_with_small_stacks(kilobytes):
    assert run(WORK, kilobytes) == "[True]\n"
