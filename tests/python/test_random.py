"""Random numbers: MLX's draws, bit for bit, from keys and from seeds."""

import numpy as np
import pytest

from checks import assert_agrees
from engines import mx

GOLDEN = {
    "split": (
        lambda m: m.random.split(m.random.key(0)),
        [[4146024105, 967050713], [2718843009, 1272950319]],
    ),
    "bernoulli": (
        lambda m: m.random.bernoulli(0.5, (5,), m.random.key(1)),
        [False, True, True, False, False],
    ),
    "categorical": (
        lambda m: m.random.categorical(m.zeros((2, 4)), num_samples=3, key=m.random.key(1)),
        [[2, 3, 3], [3, 3, 1]],
    ),
    "permutation": (lambda m: m.random.permutation(5, key=m.random.key(3)), [0, 1, 4, 3, 2]),
    "gumbel": (lambda m: m.random.gumbel((2,), key=m.random.key(0)), [-0.425993, 1.52325]),
    "laplace": (lambda m: m.random.laplace((2,), key=m.random.key(0)), [0.837963, -0.937127]),
    "truncated": (
        lambda m: m.random.truncated_normal(-1, 1, (2,), key=m.random.key(0)),
        [-0.506315, 0.546452],
    ),
}


@pytest.mark.parametrize("label", GOLDEN)
def test_golden_values(label):
    call, wanted = GOLDEN[label]
    np.testing.assert_allclose(np.array(call(mx)), wanted, rtol=1e-5)
    if np.array(wanted).dtype.kind != "f":
        np.testing.assert_array_equal(np.array(call(mx)), wanted)


def test_golden_sequence():
    mx.random.seed(0)
    drawn = mx.random.uniform(shape=(3,)).tolist()
    np.testing.assert_allclose(drawn, [0.872414, 0.111052, 0.277081], rtol=1e-5)
    drawn = mx.random.normal((3,)).tolist()
    np.testing.assert_allclose(drawn, [-0.0660724, 0.166766, 1.178], rtol=1e-5)
    assert mx.random.randint(0, 10, (5,)).tolist() == [8, 6, 6, 5, 7]
    mx.random.seed(0)
    assert mx.random.uniform(shape=(1,)).item() == pytest.approx(0.10536904, rel=1e-7)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 + 5, 2**63, 2**64 - 1])
def test_keys_and_seeds(seed):
    assert_agrees(lambda m: m.random.key(seed))

    def call(m):
        m.random.seed(seed)
        return [m.random.uniform(shape=(3,)), m.random.randint(0, 1000, (4,))]

    assert_agrees(call)


@pytest.mark.parametrize("shape", [(1,), (3,), (1000,), (33, 7), (2, 3, 5)])
def test_uniform_bit_for_bit(shape):
    for dtype in ("float32", "float16", "bfloat16"):
        assert_agrees(
            lambda m, d=dtype: m.random.uniform(
                shape=shape, dtype=getattr(m, d), key=m.random.key(7)
            )
        )
    keys = lambda m: m.random.split(m.random.key(7), 4)  # noqa: E731
    assert_agrees(lambda m: m.vmap(lambda k: m.random.uniform(shape=shape, key=k))(keys(m)))


def test_uniform_stays_below_its_upper_bound():
    drawn = mx.random.uniform(shape=(1 << 20,), key=mx.random.key(0))
    assert drawn.max().item() < 1 and drawn.min().item() >= 0
    assert abs(drawn.mean().item() - 0.5) < 2e-3


def test_normal_is_normal():
    drawn = np.array(mx.random.normal((1 << 18,), key=mx.random.key(1)), np.float64)
    assert abs(drawn.mean()) < 0.01 and abs(drawn.std() - 1) < 0.01
    assert abs((drawn**4).mean() - 3) < 0.1


def test_state():
    assert len(mx.random.state) == 1
    mx.random.seed(9)
    state = mx.random.state[0]
    assert state.dtype == mx.uint32 and state.shape == (2,)
    mx.random.uniform()
    assert mx.random.state[0].tolist() != state.tolist()
    assert_agrees(lambda m: (type(m.random.state).__name__, len(m.random.state)))


def test_permutations_permute():
    for n in (1, 2, 100):
        assert sorted(mx.random.permutation(n).tolist()) == list(range(n))
    rows = mx.random.permutation(mx.arange(12).reshape(4, 3))
    assert sorted(rows[:, 0].tolist()) == [0, 3, 6, 9]
