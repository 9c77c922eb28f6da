"""Primitives of a program's own in Python: every transformation, every mistake, every thread."""

import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from engines import IS_HEDDLE

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX has primitives in C++ only")

if IS_HEDDLE:
    import heddle.core as mx

    from heddle.extension import Primitive

    class Axpby(Primitive):
        """alpha x + beta y, with every rule."""

        runs = 0

        def __init__(self, alpha, beta):
            self.alpha, self.beta = alpha, beta

        def __call__(self, x, y):
            x, y = mx.broadcast_arrays(x, y)
            return self.make_array(x.shape, x.dtype, [x, y])

        def eval_cpu(self, inputs, outputs):
            Axpby.runs += 1
            x, y = map(np.asarray, inputs)
            np.add(self.alpha * x, self.beta * y, out=np.asarray(outputs[0]))

        def vjp(self, primals, cotangents, argnums, outputs):
            return [(self.alpha, self.beta)[i] * cotangents[0] for i in argnums]

        def vmap(self, inputs, axes):
            x, y = (
                mx.expand_dims(a, 0) if axis is None else mx.moveaxis(a, axis, 0)
                for a, axis in zip(inputs, axes, strict=True)
            )
            return [self(x, y)], [0]

        def output_shapes(self, inputs):
            return [inputs[0].shape]

        def is_equivalent(self, other):
            return (self.alpha, self.beta) == (other.alpha, other.beta)

    class Runs(Primitive):
        """Runs what a test says."""

        def __init__(self, code):
            self.code = code

        def eval_cpu(self, inputs, outputs):
            self.code(inputs, outputs)

    class SumAndDifference(Primitive):
        """Two results; a forward rule only."""

        def eval_cpu(self, inputs, outputs):
            x, y = inputs
            outputs[:] = [x + y, x - y]

        def jvp(self, primals, tangents, argnums):
            t = dict(zip(argnums, tangents, strict=True))
            x, y = (t.get(i, mx.zeros_like(primals[i])) for i in range(2))
            return [x + y, x - y]


def axpby(x, y):
    return Axpby(2.0, 3.0)(x, y)


def both(x, y):
    return SumAndDifference().make_arrays([x.shape] * 2, [x.dtype] * 2, [x, y])


def runs(code, x=None):
    x = mx.arange(3.0) if x is None else x
    return Runs(code).make_array(x.shape, x.dtype, [x])


def test_it_computes_lazily_and_only_once():
    before = Axpby.runs
    z = axpby(mx.arange(6.0).reshape(2, 3).T, mx.ones((3, 2)))
    assert mx._graph_ops(z).count("Axpby") == 1
    assert Axpby.runs == before
    assert np.array_equal(np.array(z), 2 * np.arange(6.0).reshape(2, 3).T + 3)
    mx.eval(z)
    assert Axpby.runs == before + 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32", "uint8", "complex64"])
def test_dtypes_that_numpy_knows(dtype):
    t = getattr(mx, dtype)
    x = mx.arange(4).astype(t)
    z = Axpby(2, 3)(x, x)
    assert z.dtype == t
    assert mx.array_equal(z, (5 * mx.arange(4)).astype(t))


def test_bfloat16_by_engine_operations():
    def double(inputs, outputs):
        outputs[0] = inputs[0] * 2

    x = mx.arange(3).astype(mx.bfloat16)
    assert mx.array_equal(runs(double, x), x * 2)


def test_pointwise_operations_around_it():
    x = mx.arange(5.0)
    z = mx.exp(axpby(x + 1, x * x) / 10) * 2
    assert mx.allclose(z, mx.exp((2 * (x + 1) + 3 * x * x) / 10) * 2)


def test_derivatives():
    x, y = mx.arange(3.0), mx.arange(3.0) + 1

    def loss(x, y):
        return (axpby(x, y) ** 2).sum()

    z = 2 * x + 3 * y
    gx, gy = mx.grad(loss, argnums=(0, 1))(x, y)
    assert mx.allclose(gx, 4 * z) and mx.allclose(gy, 6 * z)
    assert mx.allclose(mx.grad(mx.checkpoint(loss))(x, y), gx)
    assert mx.allclose(mx.grad(lambda x: mx.grad(loss)(x, y).sum())(x), mx.array(8.0))
    _, [t] = mx.jvp(axpby, [x, y], [mx.ones(3), mx.ones(3)])  # by transposing vjp
    assert mx.array_equal(t, 5 * mx.ones(3))
    _, [s, d] = mx.jvp(both, [x, y], [mx.ones(3), 2 * mx.ones(3)])
    assert mx.array_equal(s, 3 * mx.ones(3)) and mx.array_equal(d, -mx.ones(3))


def test_batching():
    x, y = mx.arange(6.0).reshape(3, 2), mx.arange(2.0)
    assert mx.array_equal(mx.vmap(axpby, in_axes=(0, None))(x, y), axpby(x, y))
    twice = mx.vmap(mx.vmap(axpby), in_axes=(1, 1), out_axes=1)
    assert mx.array_equal(twice(x, x), 5 * x)
    per_example = mx.vmap(mx.grad(lambda x, y: axpby(x, y).sum()))(x, x)
    assert mx.array_equal(per_example, 2 * mx.ones((3, 2)))


@pytest.mark.parametrize("shapeless", [False, True])
def test_compiled(shapeless):
    traces = []

    def f(x):
        traces.append(x.shape)
        return axpby(x, x) + axpby(x, x)  # equal: computed once

    g = mx.compile(f, shapeless=shapeless)
    for n in (3, 4, 3):
        before = Axpby.runs
        assert mx.array_equal(g(mx.arange(float(n))), 10 * mx.arange(float(n)))
        assert Axpby.runs == before + 1
    assert len(traces) == 2  # Axpby reads x.shape in Python, so that a trace serves one size


def test_compiled_without_rules_is_traced_for_each_size():
    traces = []

    def f(x):
        traces.append(x.shape)
        return both(x, x)[0]

    g = mx.compile(f, shapeless=True)
    for n in (3, 4, 3):
        assert g(mx.ones(n)).shape == (n,)
    assert len(traces) == 2


def test_several_results_of_which_some_are_dropped():
    s, d = both(mx.arange(3.0), mx.ones(3))
    del s
    assert mx.array_equal(d, mx.array([-1.0, 0, 1]))


def refuses(error, text, f):
    with pytest.raises(error, match=text):
        f()


def test_missing_rules_are_refused_by_name(tmp_path):
    x = mx.arange(3.0)

    def nothing(inputs, outputs):
        pass

    refuses(ValueError, "Runs", lambda: mx.grad(lambda x: runs(nothing, x).sum())(x))
    refuses(ValueError, "SumAndDifference", lambda: mx.vmap(both)(x, x))
    for name in ("f.mlxfn", "f.heddle"):
        path = str(tmp_path / name)
        refuses(ValueError, "Axpby", lambda p=path: mx.export_function(p, axpby, x, x))
    refuses(
        NotImplementedError, "eval_cpu", lambda: mx.eval(Primitive().make_array([1], x.dtype, []))
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (lambda i, o: o.pop(), "0 outputs where 1"),
        (lambda i, o: o.append(i[0]), "2 outputs where 1"),
        (lambda i, o: o.__setitem__(0, mx.ones(2)), r"shape \(2\) and dtype float32"),
        (lambda i, o: o.__setitem__(0, mx.ones(3, mx.int32)), "dtype int32"),
        (lambda i, o: o.__setitem__(0, "text"), "str|array"),
    ],
)
def test_wrong_results_are_refused(code, text):
    with pytest.raises((ValueError, TypeError), match=text):
        mx.eval(runs(code))


def test_wrong_rules_are_refused():
    class Wrong(Runs):
        def vjp(self, primals, cotangents, argnums, outputs):
            return [mx.ones(7)]

        def vmap(self, inputs, axes):
            return inputs, [0, 0]

        def output_shapes(self, inputs):
            return []

    def wrong(x):
        return Wrong(None).make_array(x.shape, x.dtype, [x])

    x = mx.ones(3)
    refuses(ValueError, r"\[Wrong\] vjp gave .*\(7\)", lambda: mx.grad(lambda x: wrong(x).sum())(x))
    refuses(ValueError, r"\[Wrong\] vmap", lambda: mx.vmap(wrong)(x[None]))
    refuses(ValueError, "make_arrays|Wrong", lambda: Wrong(None).make_arrays([], [], [x]))
    refuses(ValueError, "Wrong", lambda: Wrong(None).make_array([-1], mx.float32, [x]))


class Odd(Exception):
    pass


def test_exceptions_come_out_as_they_are():
    fail = True

    def code(inputs, outputs):
        if fail:
            raise Odd("odd")
        outputs[0] = inputs[0] + 1

    z = runs(code)
    with pytest.raises(Odd, match="odd"):
        mx.eval(z * 2)
    w = runs(code) * 3
    mx.async_eval(w)
    with pytest.raises(Odd, match="odd"):
        mx.synchronize()
    fail = False
    assert mx.array_equal(z, mx.arange(3.0) + 1)  # what failed can be tried again
    assert mx.array_equal(w, 3 * mx.arange(3.0) + 3)


def test_it_may_evaluate_arrays_but_not_its_own_result():
    other = mx.exp(mx.arange(3.0))  # the outer evaluation wants it, too

    def code(inputs, outputs):
        mx.eval(other)
        outputs[0] = mx.array((inputs[0] + 1).tolist())

    z = runs(code)
    assert mx.allclose(z * 2 + other, 2 * mx.arange(3.0) + 2 + mx.exp(mx.arange(3.0)))

    held = []
    held.append(runs(lambda i, o: mx.eval(held[0] + 1)))
    refuses(ValueError, "Runs", lambda: mx.eval(held[0]))
    held[:] = [runs(lambda i, o: mx.grad(lambda x: (x * held[0]).sum())(i[0]))]
    refuses(ValueError, "Runs", lambda: mx.eval(held[0]))


def test_from_several_threads_beside_evaluation_in_the_background():
    failures = []

    def work(seed):
        try:
            for i in range(20):
                x = mx.arange(16.0) + (seed + i)
                y = mx.grad(lambda x: axpby(x, x).sum())(x) + axpby(x, x)
                if i % 2:
                    mx.async_eval(y)
                np.testing.assert_array_equal(np.array(y), 5 + 5 * (np.arange(16.0) + seed + i))
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_everything_goes_on_beside_one_that_takes_its_time():
    reached, go_on = threading.Event(), threading.Event()

    def code(inputs, outputs):
        reached.set()
        assert go_on.wait(60)
        outputs[0] = inputs[0] + 1

    slow = runs(code)
    mx.async_eval(slow * 2)
    assert reached.wait(60)
    x = mx.ones(3)
    assert (x + 1).tolist() == [2, 2, 2]
    assert mx.grad(lambda x: (x * x).sum())(x).tolist() == [2, 2, 2]
    assert mx.compile(lambda x: mx.exp(x) - mx.exp(x))(x).tolist() == [0, 0, 0]
    assert mx.vmap(lambda x: x * 2)(x).tolist() == [2, 2, 2]
    later = mx.exp(slow) + x  # built on it and traced with it: that does not need its value
    gradient = mx.grad(lambda x: (x * slow).sum())(x)
    del later
    found = []
    threads = [threading.Thread(target=lambda: found.append(slow.tolist())) for _ in range(3)]
    for t in threads:
        t.start()
    go_on.set()
    for t in threads:
        t.join(60)
    assert found == [[1, 2, 3]] * 3
    assert gradient.tolist() == [1, 2, 3]


def test_objects_are_let_go():
    p = Axpby(1.0, 2.0)
    gone = weakref.ref(p)
    z = p(mx.ones(3), mx.ones(3))
    del p
    gc.collect()
    assert gone() is not None  # the graph holds it
    mx.eval(z)
    gc.collect()
    assert gone() is None
    never = Axpby(1.0, 2.0)
    gone = weakref.ref(never)
    z = never(mx.ones(3), mx.ones(3))
    del never, z
    gc.collect()
    assert gone() is None


def test_inputs_are_not_overwritten():
    x = mx.arange(3.0)
    y = x + 0  # nobody else holds it
    z = axpby(y, y)
    del y
    mx.eval(z)
    assert mx.array_equal(x, mx.arange(3.0))


PROGRAMS = {
    "graphs that live until Python ends": "z = P().make_array([3], mx.float32, [mx.ones(3)])",
    "work in the background when Python ends": """
z = P().make_array([3], mx.float32, [mx.ones(3)])
mx.async_eval(z * 2)""",
    "evaluation while Python ends": """
import atexit
z = P().make_array([3], mx.float32, [mx.ones(3)])
atexit.register(lambda: print(z.tolist()))""",
    "a signal while it runs": """
import os, signal
class Q(P):
    def eval_cpu(self, inputs, outputs):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**7): pass
try:
    mx.eval(Q().make_array([3], mx.float32, [mx.ones(3)]))
except KeyboardInterrupt:
    print("interrupted")""",
    "a signal while the background runs it": """
import os, signal, threading
reached, go_on = threading.Event(), threading.Event()
class Q(P):
    def eval_cpu(self, inputs, outputs):
        reached.set()
        go_on.wait()
        super().eval_cpu(inputs, outputs)
z = Q().make_array([3], mx.float32, [mx.ones(3)])
try:
    mx.async_eval(z)
    reached.wait()
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    mx.eval(z)
except KeyboardInterrupt:
    print("interrupted")
go_on.set()
assert z.tolist() == [2, 2, 2]""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_processes_end_well(name):
    start = """
import heddle.core as mx
from heddle.extension import Primitive
class P(Primitive):
    def eval_cpu(self, inputs, outputs):
        outputs[0] = inputs[0] + 1
"""
    done = subprocess.run(
        [sys.executable, "-c", start + PROGRAMS[name]], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    if "atexit" in PROGRAMS[name]:
        assert done.stdout == "[2.0, 2.0, 2.0]\n"
    if "SIGINT" in PROGRAMS[name]:
        assert done.stdout == "interrupted\n"


def test_what_only_mlx_builds_is_refused_with_the_reason():
    import heddle.extension

    with pytest.raises(AttributeError, match="CMakeBuild"):
        heddle.extension.CMakeBuild  # noqa: B018
