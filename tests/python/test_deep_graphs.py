"""Deep graphs: built, dropped, transformed and evaluated without recursion."""

import gc
import time

import pytest

from engines import IS_HEDDLE, mx

DEPTH = 100_000


def chain(x, depth):
    for _ in range(depth):
        x = x + 1.0
    return x


def test_build_and_drop():
    x = chain(mx.array(0.0), DEPTH)
    del x
    gc.collect()


def test_drop_a_million():
    before = mx.get_active_memory()
    x = chain(mx.array(0.0), 1_000_000)
    start = time.perf_counter()
    del x
    # A drop that is quadratic or recursive would take minutes or the stack.
    assert time.perf_counter() - start < 20
    assert mx.get_active_memory() <= before


def test_build_and_eval():
    assert chain(mx.array(0.0), DEPTH).item() == DEPTH


def test_eval_a_chain_of_mixed_ops():
    x = mx.ones((3, 2))
    for _ in range(DEPTH // 4):
        x = mx.transpose(mx.reshape(x * 1.0, (2, 3)))
    assert x.sum().item() == 6


def test_a_wide_graph():
    parts = [mx.array(float(i)) * 2 for i in range(20_000)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    # float32 sums of exact halves of even numbers stay exact up to 2^24 and round after.
    assert total.item() == pytest.approx(20_000 * 19_999, rel=1e-4)


def test_a_diamond_of_doublings():
    """2^60 paths, 60 nodes: a walk over paths instead of nodes never ends."""
    x = mx.array(1.0)
    for _ in range(60):
        x = x + x
    assert x.item() == 2.0**60
    assert mx.grad(lambda x: [x := x + x for _ in range(60)][-1])(mx.array(1.0)).item() == 2.0**60


def test_gradient_of_a_deep_chain():
    depth = 20_000
    assert mx.grad(lambda x: chain(x * 2, depth))(mx.array(0.0)).item() == 2


def test_vmap_and_jvp_of_a_deep_chain():
    depth = 5_000
    assert mx.vmap(lambda x: chain(x, depth))(mx.zeros((3,))).tolist() == [depth] * 3
    one = mx.array(1.0)
    assert mx.jvp(lambda x: chain(x, depth), [one], [one])[1][0].item() == 1


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX's compile starts a C++ compiler")
def test_compile_a_deep_chain():
    depth = 5_000
    function = mx.compile(lambda x: chain(x, depth))
    assert function(mx.array(0.0)).item() == depth
    assert function(mx.array(1.0)).item() == depth + 1


def test_deep_trees_of_python():
    nested = mx.ones((2,))
    for _ in range(200):
        nested = [nested]
    mx.eval(nested)
