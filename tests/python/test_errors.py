"""Bad input gives one clear error of MLX's exception type, and leaves everything as it was."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import heddle
from checks import assert_agrees
from engines import IS_HEDDLE, MODULE, mx

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="MLX leaves it open")


def z(m, *shape, dtype="float32"):
    return m.zeros(shape, getattr(m, dtype))


# label -> (call, a text that the message says)
BAD = {
    "broadcast": (lambda m: z(m, 2) + z(m, 3), "[broadcast_shapes]"),
    "broadcast-to": (lambda m: m.broadcast_to(z(m, 2), (3,)), ""),
    "matmul-shape": (lambda m: z(m, 2, 3) @ z(m, 2, 3), "[matmul]"),
    "matmul-0d": (lambda m: m.matmul(z(m), z(m, 2)), "[matmul]"),
    "matmul-int": (lambda m: z(m, 2, 2, dtype="int32") @ z(m, 2, 2, dtype="int32"), "[matmul]"),
    "matmul-batch": (lambda m: z(m, 2, 3, 4) @ z(m, 3, 4, 5), ""),
    "addmm-shape": (lambda m: m.addmm(z(m, 7), z(m, 2, 3), z(m, 3, 2)), ""),
    "reshape": (lambda m: m.reshape(z(m, 6), (4,)), "[reshape]"),
    "reshape-two-unknown": (lambda m: m.reshape(z(m, 6), (-1, -1)), "[reshape]"),
    "reshape-unknown-empty": (lambda m: m.reshape(z(m, 0), (-1, 0)), ""),
    "zeros-negative": (lambda m: m.zeros((-1,)), ""),
    "squeeze-not-one": (lambda m: m.squeeze(z(m, 2, 1), 0), "[squeeze]"),
    "squeeze-twice": (lambda m: m.squeeze(z(m, 1, 1), (0, 0)), ""),
    "split-uneven": (lambda m: m.split(z(m, 5), 2), ""),
    "concatenate-shape": (lambda m: m.concatenate([z(m, 2, 2), z(m, 3, 3)]), "[concatenate]"),
    "concatenate-none": (lambda m: m.concatenate([]), "[concatenate]"),
    "stack-shape": (lambda m: m.stack([z(m, 2), z(m, 3)]), ""),
    "transpose-count": (lambda m: m.transpose(z(m, 2, 2), (0,)), "[transpose]"),
    "transpose-repeat": (lambda m: m.transpose(z(m, 2, 2), (0, 0)), "[transpose]"),
    "pad-count": (lambda m: m.pad(z(m, 2, 2), [(1, 1)] * 3), ""),
    "pad-mode": (lambda m: m.pad(z(m, 2), 1, mode="nonsense"), ""),
    "pad-negative": (lambda m: m.pad(z(m, 2), -1), ""),
    "tile-negative": (lambda m: m.repeat(z(m, 2), -1), ""),
    "einsum-text": (lambda m: m.einsum("ij,jk", z(m, 2, 2)), ""),
    "einsum-size": (lambda m: m.einsum("ij,jk->ik", z(m, 2, 3), z(m, 2, 3)), ""),
    "einsum-output": (lambda m: m.einsum("ij->k", z(m, 2, 2)), ""),
    "tensordot-axes": (lambda m: m.tensordot(z(m, 2, 3), z(m, 4, 5), axes=1), ""),
    "conv-rank": (lambda m: m.conv2d(z(m, 2, 2), z(m, 2, 2)), ""),
    "conv-channels": (lambda m: m.conv2d(z(m, 1, 4, 4, 3), z(m, 2, 3, 3, 4)), ""),
    "conv-groups": (lambda m: m.conv2d(z(m, 1, 4, 4, 3), z(m, 4, 3, 3, 3), groups=2), ""),
    "conv-kernel-large": (lambda m: m.conv1d(z(m, 1, 2, 1), z(m, 1, 5, 1)), ""),
    "topk-k": (lambda m: m.topk(z(m, 3), 5), "[topk]"),
    "partition-k": (lambda m: m.partition(z(m, 3), 5), "[partition]"),
    "arange-zero": (lambda m: m.arange(0, float("nan"), 1), ""),
    "arange-infinite": (lambda m: m.arange(0, float("inf"), 1), ""),
    "linspace-negative": (lambda m: m.linspace(0, 1, -1), ""),
    "eye-negative": (lambda m: m.eye(-1), ""),
    "max-empty": (lambda m: m.max(z(m, 0)), "[max]"),
    "min-empty-axis": (lambda m: m.min(z(m, 0, 2), axis=0), ""),
    "argmax-empty": (lambda m: m.argmax(z(m, 0)), ""),
    "reduce-repeat": (lambda m: m.sum(z(m, 2, 2), axis=(0, 0)), ""),
    "trace-1d": (lambda m: m.trace(z(m, 3)), ""),
    "diag-3d": (lambda m: m.diag(z(m, 2, 2, 2)), ""),
    "negative-bool": (lambda m: -m.array([True]), ""),
    "shift-float": (lambda m: z(m, 2) << 1, ""),
    "and-float": (lambda m: z(m, 2) & 1, ""),
    "in-place-divide-int": (lambda m: z(m, 2, dtype="int32").__itruediv__(2), ""),
    "softmax-axis": (lambda m: m.softmax(z(m, 2), axis=3), ""),
    "rms-norm-weight": (lambda m: m.fast.rms_norm(z(m, 2, 4), z(m, 3), 1e-5), "[rms_norm]"),
    "layer-norm-weight": (lambda m: m.fast.layer_norm(z(m, 2, 4), z(m, 3), None, 1e-5), ""),
    "attention-rank": (
        lambda m: m.fast.scaled_dot_product_attention(z(m, 2, 2), z(m, 2, 2), z(m, 2, 2), scale=1),
        "[scaled_dot_product_attention]",
    ),
    "attention-heads": (
        lambda m: m.fast.scaled_dot_product_attention(
            z(m, 1, 3, 2, 4), z(m, 1, 2, 2, 4), z(m, 1, 2, 2, 4), scale=1
        ),
        "[scaled_dot_product_attention]",
    ),
    "attention-mask": (
        lambda m: m.fast.scaled_dot_product_attention(
            *[z(m, 1, 2, 2, 4)] * 3, scale=1, mask="nonsense"
        ),
        "[scaled_dot_product_attention]",
    ),
    "attention-fused": (
        lambda m: m.fast.scaled_dot_product_attention(
            *[z(m, 1, 2, 2, 4)] * 3, scale=1, force_fused=True
        ),
        "force_fused=True",
    ),
    "rope-both": (
        lambda m: m.fast.rope(z(m, 1, 2, 4), 4, traditional=False, base=None, scale=1.0, offset=0),
        "[rope]",
    ),
    "randint-float": (lambda m: m.random.randint(0, 3, (2,), m.float32), ""),
    "uniform-int": (lambda m: m.random.uniform(dtype=m.int32), ""),
    "key-shape": (lambda m: m.random.uniform(key=m.array([1, 2, 3], m.uint32)), ""),
    "split-sections": (lambda m: m.split(z(m, 4), 0), ""),
    "unflatten": (lambda m: m.unflatten(z(m, 6), 0, (4, 2)), ""),
    "as-type": (lambda m: z(m, 2).astype("float32"), ""),
    "no-argument": (lambda m: m.add(z(m, 2)), ""),
    "unknown-keyword": (lambda m: m.sum(z(m, 2), dim=0), ""),
    "list-argument": (lambda m: m.exp([1.0]), ""),
    "string-argument": (lambda m: m.add("a", "b"), ""),
    "item-many": (lambda m: z(m, 2).item(), "[convert]"),
    "bool-many": (lambda m: bool(z(m, 2)), ""),
    "take-float": (lambda m: m.take(z(m, 3), z(m, 2)), ""),
    "take-empty": (lambda m: m.take(z(m, 0), m.array([0])), ""),
    "take-along-rank": (lambda m: m.take_along_axis(z(m, 2, 2), m.array([0]), axis=0), ""),
    "view-odd": (lambda m: z(m, 3, dtype="uint8").view(m.uint16), ""),
    "where-shape": (lambda m: m.where(z(m, 2, dtype="bool_"), z(m, 3), z(m, 3)), ""),
    "load-format": (lambda m: m.load("x.foo"), ""),
}


@pytest.mark.parametrize("label", BAD)
def test_bad_input(label):
    call, text = BAD[label]
    assert_agrees(call, text)


AXIS = {
    "squeeze": lambda m, x, a: m.squeeze(x, a),
    "expand_dims": lambda m, x, a: m.expand_dims(x, a + (a > 0) * 2),
    "sort": lambda m, x, a: m.sort(x, axis=a),
    "argsort": lambda m, x, a: m.argsort(x, axis=a),
    "cumsum": lambda m, x, a: m.cumsum(x, axis=a),
    "logcumsumexp": lambda m, x, a: m.logcumsumexp(x, axis=a),
    "stack": lambda m, x, a: m.stack([x, x], axis=a + (a > 0) * 2),
    "concatenate": lambda m, x, a: m.concatenate([x, x], axis=a),
    "split": lambda m, x, a: m.split(x, 1, axis=a),
    "take": lambda m, x, a: m.take(x, m.array([0]), axis=a),
    "flip": lambda m, x, a: m.flip(x, axis=a),
    "repeat": lambda m, x, a: m.repeat(x, 2, axis=a),
    "roll": lambda m, x, a: m.roll(x, 1, axis=a),
    "unflatten": lambda m, x, a: m.unflatten(x, a, (1, 2)),
    "topk": lambda m, x, a: m.topk(x, 1, axis=a),
    "mean": lambda m, x, a: m.mean(x, axis=a),
    "median": lambda m, x, a: m.median(x, axis=a),
    "sum": lambda m, x, a: m.sum(x, axis=a),
    "softmax": lambda m, x, a: m.softmax(x, axis=a),
    "argmax": lambda m, x, a: m.argmax(x, axis=a),
    "swapaxes": lambda m, x, a: m.swapaxes(x, 0, a),
    "moveaxis": lambda m, x, a: m.moveaxis(x, 0, a),
    "transpose": lambda m, x, a: m.transpose(x, (0, a)),
    "take_along_axis": lambda m, x, a: m.take_along_axis(x, m.zeros((2, 2), m.int32), axis=a),
    "diff": lambda m, x, a: m.diff(x, axis=a),
}


@pytest.mark.parametrize("label", AXIS)
def test_axis_out_of_range(label):
    for axis in (2, -3, 100):
        assert_agrees(lambda m, a=axis: AXIS[label](m, m.zeros((2, 2)), a))
    if IS_HEDDLE:
        import heddle

        assert issubclass(heddle.AxisError, ValueError) and issubclass(heddle.AxisError, IndexError)
        with pytest.raises(heddle.AxisError):
            AXIS[label](mx, mx.zeros((2, 2)), 2)


@heddle_only
def test_negative_dimensions():
    for call in (lambda: mx.reshape(mx.zeros((6,)), (-2, -3)), lambda: mx.ones((2, -1))):
        with pytest.raises(ValueError):
            call()


HUGE = {
    "zeros": lambda m: m.zeros((2**31,)),
    "reshape": lambda m: m.reshape(z(m, 2), (2**31, 0)),
    "broadcast": lambda m: m.broadcast_to(z(m, 1), (2**31,)),
    "full": lambda m: m.full((2**40,), 1),
    "tile": lambda m: m.broadcast_to(z(m), (2**63,)),
}


@pytest.mark.parametrize("label", HUGE)
def test_dimensions_beyond_int32(label):
    with pytest.raises((OverflowError, ValueError, TypeError)):
        HUGE[label](mx)
    if label in ("zeros", "full"):
        with pytest.raises(OverflowError):
            HUGE[label](mx)


@heddle_only
def test_element_counts_beyond_memory_are_refused():
    for shape in ((2**31 - 1,) * 2, (2**31 - 1,) * 3):
        with pytest.raises((OverflowError, ValueError, RuntimeError, MemoryError)):
            mx.eval(mx.zeros(shape) + 1)


def test_errors_leave_the_operands_usable():
    x, y = mx.ones((2,)), mx.ones((3,))
    for _ in range(3):
        with pytest.raises(ValueError):
            x + y
        with pytest.raises(ValueError):
            x.reshape(5)
    x += 1
    assert x.tolist() == [2, 2] and y.tolist() == [1, 1, 1]


class TestDlpack:
    @heddle_only
    def test_a_capsule_used_twice(self):
        capsule = np.ones((3,), np.float32).__dlpack__()

        class Once:
            def __dlpack__(self, **keywords):
                return capsule

            def __dlpack_device__(self):
                return (1, 0)

        assert mx.from_dlpack(Once()).tolist() == [1, 1, 1]
        with pytest.raises((ValueError, TypeError, RuntimeError, BufferError)):
            mx.from_dlpack(Once())

    def test_negative_strides(self):
        assert mx.from_dlpack(np.arange(4.0)[::-1]).tolist() == [3, 2, 1, 0]

    def test_read_only(self):
        source = np.arange(4, dtype=np.float32)
        source.flags.writeable = False
        made = mx.array(source)
        made[0] = 9.0
        mx.eval(made)
        assert source[0] == 0 and made[0].item() == 9

    @heddle_only
    def test_misaligned_is_not_shared(self):
        """Without a copy it is refused; with one it is right."""
        source = np.frombuffer(bytearray(17), np.uint8)[1:].view(np.float32)
        with pytest.raises((ValueError, BufferError)):
            mx.asarray(source, copy=False)
        assert mx.asarray(source, copy=True).tolist() == source.tolist()

    @heddle_only
    def test_read_only_stays_read_only(self):
        """Shared, never written to, and read-only for whoever gets it next."""
        source = np.arange(4, dtype=np.float32)
        source.flags.writeable = False
        shared = mx.asarray(source, copy=False)
        assert memoryview(shared).readonly
        again = np.from_dlpack(shared)
        assert again.ctypes.data == source.ctypes.data and not again.flags.writeable
        with pytest.raises(BufferError):
            shared.__dlpack__(copy=False)
        shared += 1
        assert shared.tolist() == [1, 2, 3, 4] and source.tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("value", [None, 3, "capsule", object()])
    def test_no_capsule(self, value):
        assert_agrees(lambda m: m.from_dlpack(value))

    def test_unknown_dtype(self):
        with pytest.raises((ValueError, TypeError, RuntimeError, BufferError)):
            mx.from_dlpack(np.ones((2,), np.longdouble))


def script(text, seconds=60):
    """Run a script with the module under test as `mx` in a fresh process."""
    head = f"import importlib, os, sys\nmx = importlib.import_module({MODULE!r})\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=os.environ,
    )


def test_interrupt_during_eval_leaves_the_state_intact():
    done = script("""
        import signal, threading, time
        x = mx.ones((700, 700)) * 1e-3
        mx.eval(x)
        y = x
        for _ in range(60):
            y = y @ x
        main = threading.get_ident()
        threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        try:
            mx.eval(y)
            time.sleep(0.5)
        except KeyboardInterrupt:
            pass
        assert (x[0, 0] * 1000).item() == 1
        assert mx.isfinite(y).all().item()
        assert (mx.ones((3,)) + 1).tolist() == [2, 2, 2]
        print("intact")
    """)
    assert "intact" in done.stdout, done.stderr


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX traces once")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("target", ["a.heddle", "a.mlxfn", "exporter", "callback", "program"])
def test_an_interrupt_ends_a_function_that_is_traced_again(error, target, tmp_path):
    """What reads sizes is traced at others, where an Exception means no more than that it does not
    run there (below); an interrupt is no Exception."""
    traces = []

    def function(x):
        traces.append(x.shape)
        if len(traces) > 1:
            raise error("again")
        return x / x.shape[0]

    x, path = mx.ones((3,)), str(tmp_path / target)
    with pytest.raises(error, match="again"):
        if target == "callback":
            mx.export_function(lambda record: None, function, x, shapeless=True)
        elif target == "program":
            heddle.convert(function, (x,), dynamic_shapes=({0: "n"},))
        elif target == "exporter":
            with mx.exporter(path + ".mlxfn", function, shapeless=True) as write:
                write(x)
        else:
            mx.export_function(path, function, x, shapeless=True)
    assert len(traces) == 2
    assert not (tmp_path / target).exists()
    assert (mx.ones((3,)) + 1).tolist() == [2, 2, 2]


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX traces once")
@pytest.mark.parametrize("error", [ValueError, MemoryError, RecursionError, StopIteration])
def test_a_function_that_runs_at_one_size_alone_is_stored(error, tmp_path):
    def function(x):
        if x.shape[0] != 3:
            raise error("at three alone")
        return x * 2

    path = str(tmp_path / "a.heddle")
    mx.export_function(path, function, mx.ones((3,)), shapeless=True)
    assert mx.import_function(path)(mx.ones((3,))).tolist() == [2, 2, 2]


def test_tracing_beside_work_in_the_background_does_not_stop_both():
    """Evaluation looks for signals, which takes Python's lock, while tracing waits for it."""
    done = script("""
        a = mx.random.normal((1000, 1000))
        for k in range(5):
            x = a
            for _ in range(30):
                x = mx.tanh(x @ a)
            mx.async_eval(x)
            for _ in range(20):
                mx.grad(lambda y: mx.sum(mx.sin(y) * k))(mx.ones(3))
                mx.compile(lambda y: y * 2 + k)(mx.ones(3))
            mx.synchronize()
        print("finished")
    """)
    assert "finished" in done.stdout, done.stderr


def test_signals_during_products_leave_the_heap_intact():
    done = script("""
        import signal
        signal.signal(signal.SIGALRM, lambda number, frame: None)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in (256, 384, 700):
            x = mx.ones((n, n)) * 1e-3
            kept = []
            for i in range(100):
                y = x @ x
                mx.eval(y)
                kept.append(bytearray(1000 + 100 * i))
                assert y[0, 0].item() == y[n - 1, n - 1].item()
        print("intact")
    """)
    assert "intact" in done.stdout, done.stderr


@heddle_only
def test_fork_after_threads():
    done = script("""
        x = mx.random.normal((512, 512))
        mx.eval(x @ x, mx.exp(x), mx.sum(x))
        child = os.fork()
        if child == 0:
            import signal
            signal.alarm(20)
            y = mx.random.normal((512, 512))
            mx.eval(y @ y, mx.exp(y), mx.sum(y))
            os._exit(0 if (mx.ones((3,)) + 1).tolist() == [2, 2, 2] else 1)
        _, status = os.waitpid(child, 0)
        mx.eval(x @ x)
        print("child", os.waitstatus_to_exitcode(status))
    """)
    assert "child 0" in done.stdout, done.stdout + done.stderr


def test_exit_with_work_in_flight():
    done = script("""
        x = mx.ones((600, 600))
        for _ in range(10):
            x = x @ x * 1e-3
        mx.async_eval(x)
    """)
    assert done.returncode == 0, done.stderr


def test_exit_with_lazy_arrays_everywhere():
    done = script("""
        import threading
        kept = [mx.ones((4,)) + i for i in range(10)]
        cycle = {"f": mx.compile(lambda x: x + kept[0])}
        cycle["self"] = cycle
        cycle["f"](kept[1])
        threading.Thread(target=lambda: kept.append(mx.ones((2,)) * 2)).start()
    """)
    assert done.returncode == 0, done.stderr
