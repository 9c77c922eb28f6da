"""What compiled functions keep: constants that are equal, hash alike, nest or are NaN; captured
state; memory; and which threads may use them."""

import collections
import enum
import gc
import threading
from collections import OrderedDict

import numpy as np
import pytest

from engines import IS_HEDDLE, mx, to_numpy
from own_containers import Box, Mapping, Sequence, Values

only_heddle = pytest.mark.skipif(not IS_HEDDLE, reason="MLX is wrong there, or not so strict")


# Constants of compiled functions.


class Number(int):
    """An int that says that it equals everything and cannot be hashed."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        raise TypeError("unhashable")


class Text(str):
    def __eq__(self, other):
        raise RuntimeError("do not compare")

    __hash__ = str.__hash__


class Color(enum.IntEnum):
    RED = 1


def traces(function=lambda x, *_, **__: x + 0):
    counter = [0]

    def counted(*args, **kwargs):
        counter[0] += 1
        return function(*args, **kwargs)

    return counter, mx.compile(counted)


UNLIKE = [
    *(1, True, 1.0, Color.RED, Number(1), "1", np.float64(1), Text("1")),
    *(-1, -2, -1.0, -2.0, 0, 0.0, -0.0, False, None, "", "0"),
    *(float("nan"), float("inf"), -float("inf"), 5e-324),
    *(2**61 - 1, 2**61, 2**64, 2**64 + 1, -(2**64), 2**200, 2**200 + 2**64),
    *("a" * 1000, "a" * 999 + "b", "ab", "ba", "\ud800", "\x00", "\x00\x00"),
    *([], (), {}, [1], (1,), [True], [[1]], [(1,)], [1, []], [[], 1], ((),), ([],)),
    *(Sequence(), Mapping(), OrderedDict(), Values(), Sequence(scale=3), Sequence(1)),
    *({"a": 1}, {"a": True}, {"b": 1}, {1: 1}, {True: 1}, {1.0: 1}, {-1: 1}, {-2: 1}),
    *({0.0: 1}, {-0.0: 1}, {None: 1}, {(1, 2): 1}, {(1, True): 1}, {Color.RED: 1}),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {"b": -1}}, {"a": {"b": -2}}),
    *({"ab": {"c": 1}}, {"a": {"bc": 1}}, [["a", "b"], "c"], [["a"], "b", "c"]),
]


@only_heddle
def test_unlike_constants_are_unlike_programs():
    for wrap in (lambda c: c, lambda c: [c], lambda c: {"k": (c,)}):
        count, function = traces()
        for number, constant in enumerate(UNLIKE):
            function(mx.ones(1), wrap(constant))
            assert count[0] == number + 1, f"taken for an earlier one: {constant!r}"
        for constant in UNLIKE:
            function(mx.ones(1), wrap(constant))
        assert count[0] == len(UNLIKE)


@only_heddle
def test_equal_constants_are_one_program():
    alike = [
        lambda: float("nan"),
        lambda: 2**70 + 1 - 1,
        lambda: "".join(["a", "bc"]),
        lambda: Number(3),
        lambda: {"a": [1.5, None, ("x", -0.0)]},
        lambda: Sequence(1, scale=[1, {"a": 2}]),
        lambda: {(1, "a"): 1},
        lambda: np.float64(2.5),
    ]
    for make in alike:
        count, function = traces()
        for _ in range(3):
            function(mx.ones(1), make())
            function(mx.ones(1), key=make())
        assert count[0] == 2


@pytest.mark.parametrize(
    ("first", "second", "function"),
    [
        (-1, -2, lambda x, a: x.sum(a)),
        (0.0, -0.0, lambda x, y: x * y),
        ({"axis": -1}, {"axis": -2}, lambda x, d: x.sum(**d)),
        ([(-1,)], [(-2,)], lambda x, axes: x.sum(axes[0])),
        (1, True, lambda x, y: mx.array(y) + x[0, 0].astype(mx.bool_)),
        (1, 1.0, lambda x, y: x.astype(mx.int32) * y),
        ("a", "b", lambda x, t: x * (t == "a")),
    ],
)
@only_heddle
def test_constants_that_hash_alike(first, second, function):
    x = mx.arange(6.0).reshape(2, 3) + 1
    compiled = mx.compile(function)
    for constant in (first, second, first, second):
        given, wanted = compiled(x, constant), function(x, constant)
        assert given.dtype == wanted.dtype and given.tolist() == wanted.tolist()
        assert np.signbit(to_numpy(given)).tolist() == np.signbit(to_numpy(wanted)).tolist()


@only_heddle
def test_keys_without_a_value_are_told_by_identity():
    """They are kept alive, so that no other object takes their place."""

    class Key:
        pass

    count, function = traces()
    for _ in range(50):
        function(mx.ones(1), {Key(): 1})
        gc.collect()
    assert count[0] == 50


@only_heddle
def test_what_no_constant_can_be_is_refused():
    for value in (
        b"x",
        3j,
        {1, 2},
        frozenset(),
        len,
        Box(1),
        mx.float32,
        np.float32(1),
        np.ones(1),
    ):
        with pytest.raises(ValueError, match="trees of arrays or constants"):
            mx.compile(lambda x, c: x)(mx.ones(1), value)


@only_heddle
def test_equal_scalars_are_merged():
    def steps(function, *arrays):
        seen = []

        def watched(*given):
            result = mx.compile(function)(*given)
            seen.append(mx._graph_ops(result))
            return result

        watched(*arrays)
        return collections.Counter(seen[0])

    x = mx.array([0.5])
    assert steps(lambda x: mx.exp(x * 3) + mx.exp(x * 3), x)["Exp"] == 1
    assert steps(lambda x: mx.exp(x * 0.0) + mx.exp(x * -0.0), x)["Exp"] == 2
    nan = float("nan")
    assert steps(lambda x: mx.exp(x * nan) + mx.exp(x * nan), x)["Exp"] == 1
    y = mx.compile(lambda x: (1 / (x * 0.0), 1 / (x * -0.0)))(x)
    assert [v.item() for v in y] == [float("inf"), -float("inf")]


# State of compiled functions.


@only_heddle
def test_state_that_is_made_anew():
    """What a program adds to its state is where it belongs at every call, whatever was there."""
    state = [{"z": mx.zeros(1)}, {}, mx.random.state]

    def function(x):
        if not state[1]:
            state[1]["m"] = mx.zeros(1)
        state[1]["m"] = state[1]["m"] + x
        state[0]["z"] = state[0]["z"] + mx.random.uniform(shape=(1,))
        return x

    def run(call):
        mx.random.seed(3)
        state[0]["z"] = mx.zeros(1)
        seen = []
        for k in range(8):
            if k in (0, 4):
                state[1].clear()
            call(mx.ones(1))
            seen.append((state[0]["z"].item(), state[1]["m"].item(), sorted(state[1])))
        return seen

    assert run(mx.compile(function, inputs=state, outputs=state)) == run(function)


@only_heddle
def test_numbers_in_captured_state():
    state = {"a": mx.zeros(1), "count": 0, "drop": mx.ones(1)}

    def function(x):
        state["a"] = state["a"] + x * state["count"]
        state["count"] += 1
        state.pop("drop", None)
        state["list"] = [state["a"] * 2]
        return x

    compiled = mx.compile(function, inputs=state, outputs=state)
    for wanted in (0.0, 1.0, 3.0, 6.0):
        compiled(mx.ones(1))
        assert state["a"].item() == wanted and state["list"][0].item() == 2 * wanted
        assert sorted(state) == ["a", "count", "list"]


@only_heddle
@pytest.mark.parametrize("named", ["inputs", "outputs", "both"])
def test_state_is_whole_after_an_error(named):
    state = OrderedDict(a=mx.zeros(1), b=[mx.ones(1)])
    a, b = state["a"], state["b"][0]

    def function(x):
        state["a"] = state["a"] + x
        state["c"] = x
        del state["b"][0]
        raise KeyError("mine")

    names = ["inputs", "outputs"] if named == "both" else [named]
    with pytest.raises(KeyError, match="mine"):
        mx.compile(function, **dict.fromkeys(names, state))(mx.ones(1))
    assert list(state) == ["a", "b"] and state["a"] is a and state["b"][0] is b


@only_heddle
def test_inputs_alone_are_not_changed():
    state = {"a": mx.zeros(1)}

    def function(x):
        state["a"] = state["a"] + x
        state["b"] = x
        return state["a"]

    compiled = mx.compile(function, inputs=state)
    for _ in range(2):
        assert compiled(mx.ones(1)).item() == 1 and list(state) == ["a"] and state["a"].item() == 0


# What is kept.


@only_heddle
def test_constants_may_be_used_by_other_threads():
    """A function that one thread has called, and not evaluated, is called by another."""

    def rule(x):
        return x * mx.arange(4)

    custom = mx.custom_function(rule)
    functions = {
        "plain": mx.compile(lambda x: x + mx.arange(4)),
        "checkpoint": mx.compile(mx.checkpoint(rule)),
        "custom": mx.compile(lambda x: custom(x)),
        "grad": mx.compile(mx.grad(lambda x: mx.checkpoint(rule)(x).sum())),
        "random": mx.compile(lambda x: x + mx.random.uniform(shape=(4,)) * 0),
        "shapeless": mx.compile(lambda x: x + mx.arange(4), shapeless=True),
        "nested": mx.compile(lambda x: mx.compile(lambda y: y + mx.arange(4))(x) * mx.ones(4)),
    }
    x = mx.ones(4)
    wanted, given = {}, {}
    for name, function in functions.items():
        wanted[name] = function(x)  # not evaluated

    def run():
        for name, function in functions.items():
            try:
                given[name] = function(mx.ones(4)).tolist()
            except Exception as error:
                given[name] = repr(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert given == {name: y.tolist() for name, y in wanted.items()}


@only_heddle
def test_exporters_may_be_closed_by_another_thread(tmp_path):
    path = str(tmp_path / "f.mlxfn")
    exporter = mx.exporter(path, lambda x: x + mx.arange(4))
    exporter(mx.ones(4))
    errors = []

    def close():
        try:
            exporter.close()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert not errors
    assert mx.import_function(path)(mx.ones(4))[0].tolist() == [1, 2, 3, 4]


@only_heddle
@pytest.mark.parametrize("shapeless", [False, True])
@pytest.mark.parametrize("suffix", ["mlxfn", "heddle"])
def test_imported_functions_may_be_called_by_other_threads(tmp_path, suffix, shapeless):
    path = str(tmp_path / f"f.{suffix}")
    mask, weight = mx.array([True, False, True]), mx.arange(3.0)
    mx.eval(mask, weight)
    mx.export_function(
        path, lambda x: mx.where(mask, x * weight, 7.0), mx.ones((2, 3)), shapeless=shapeless
    )
    function = mx.import_function(path)
    function(mx.ones((2, 3)))
    given = []

    def run():
        try:
            given.append(function(mx.ones((2, 3)))[0].tolist())
        except Exception as error:
            given.append(repr(error))

    if suffix == "heddle":
        inner = function
        function = lambda x: [inner(x)]  # noqa: E731
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert given == [[[0.0, 7.0, 2.0]] * 2]


@only_heddle
def test_traces_are_bounded():
    """The least recently used go: what is used all the time stays."""
    count, function = traces(lambda x, c: x + c)
    for number in range(1000):
        assert function(mx.ones(1), number).item() == number + 1
        assert function(mx.ones(1), -1).item() == 0
    assert count[0] == 1001  # -1 was never forgotten
    function(mx.ones(1), 0)
    assert count[0] == 1002  # 0 was


@only_heddle
def test_constants_of_many_sizes_are_bounded():
    function = mx.compile(lambda x: x + mx.arange(x.size))
    mx.clear_cache()
    before = mx.get_active_memory()
    for size in range(200_000, 200_300):
        mx.eval(function(mx.zeros(size)))
    assert mx.get_active_memory() - before < 160 << 20  # all of them would be 240 MB


@only_heddle
def test_what_a_trace_made_dies_with_the_function():
    function = mx.compile(lambda x: x + mx.arange(1_000_000))
    mx.eval(function(mx.zeros(1_000_000)))
    held = mx.get_active_memory()
    del function
    gc.collect()
    assert held - mx.get_active_memory() >= 4_000_000
