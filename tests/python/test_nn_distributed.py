"""Layers for several processes, in a group of one, beside mlx.nn."""

import heddle.core as mx
import pytest

import heddle.nn as nn
from side_by_side import assert_same, draws


def names(side):
    x, w = map(side.mx.array, draws((2, 4), (6, 4)))
    linear = side.nn.Linear(4, 6)
    linear.weight = w
    return {
        "x": x,
        "linear": linear,
        "d": side.nn.layers.distributed,
        "group": side.mx.distributed.init(),
        "gradients": {"a": x, "b": [w, x.astype(side.mx.float16)]},
        "floats": {"a": x, "b": [w, 2 * x]},
        "then": lambda module, *results: module,
    }


EXPRESSIONS = """
nn.AllToShardedLinear.from_linear(linear)(x)
nn.AllToShardedLinear.from_linear(linear, segments=3)(x)
nn.ShardedToAllLinear.from_linear(linear, segments=[0.5])(x)
d.shard_linear(linear, 'all-to-sharded', segments=[2, 3])(x)
d.shard_linear(linear, 'sharded-to-all', group=group)(x)
d.shard_linear(linear, 'all-to-sharded').parameters()
d.shard_linear(linear, 'foo')
then(linear, d.shard_inplace(linear, 'all-to-sharded')).parameters()
then(linear, d.shard_inplace(linear, lambda path, w: (0, 2) if path == 'weight' else None))(x)
d.shard_inplace(linear, 'foo')
d.sum_gradients(group)(x)
mx.grad(lambda x: (d.sum_gradients(group)(x) ** 2).sum())(x)
nn.fully_shard(linear) is linear
nn.fully_shard(linear, group=group, compute_dtype=mx.float16) is linear
nn.FullyShardedModule(linear)
nn.FullyShardedModule(linear)(x)
nn.FullyShardedModule(linear, compute_dtype=mx.float16)(x.astype(mx.float16)).dtype
nn.FullyShardedModule(nn.Embedding(3, 4)).as_linear(x)
nn.value_and_grad(m := nn.FullyShardedModule(linear), lambda x: m(x).sum())(x)
nn.FullyShardedModule(nn.FullyShardedModule(linear))(x)
nn.FullyShardedModule(then(m := nn.Module(), setattr(m, 'a', mx.array(1.0))))
nn.average_gradients(gradients)
nn.average_gradients(gradients, group, 0)
nn.average_gradients(gradients) is gradients
nn.utils.clip_grad_norm_sharded(floats, 1.0)
nn.utils.clip_grad_norm_sharded(floats, 100.0, group)
nn.utils.clip_grad_norm_sharded({}, 1.0)
mx.distributed.send(x, 0)
mx.distributed.recv((2, 3), mx.float32, 0)
mx.distributed.recv([2, 3], mx.float32, 0, group=group)
mx.distributed.recv_like(x, 0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_mlx(expression):
    tolerance = 2e-3 if "gradients" in expression else 1e-5
    assert_same(expression, names, tolerance)


def test_parameters_come_back_after_an_error():
    class Failing(nn.Linear):
        def __call__(self, x):
            raise RuntimeError("no")

    module = nn.FullyShardedModule(Failing(2, 3), compute_dtype=mx.float16)
    with pytest.raises(RuntimeError, match="no"):
        module(mx.ones((1, 2)))
    assert module.module.weight.dtype == mx.float32
