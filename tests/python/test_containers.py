"""What transformations do to the containers that they are given, and what compiled functions keep:
classes of the user's own, arguments that the function changes, constants that are hard to tell
apart."""

import collections
import dataclasses
import enum
import gc
import threading
from collections import OrderedDict, defaultdict, namedtuple

import mlx.core as reference
import numpy as np
import pytest

from engines import IS_HEDDLE, mx, to_numpy

both = pytest.mark.parametrize("module", [mx, reference], ids=["heddle", "mlx"])
only_heddle = pytest.mark.skipif(not IS_HEDDLE, reason="MLX is wrong there, or not so strict")


class Sequence(list):
    """A list with attributes and a constructor of its own."""

    def __init__(self, *items, scale=2):
        super().__init__(items)
        self.scale = scale


class Mapping(dict):
    """A dict whose methods do not say what it holds."""

    def __init__(self, items=(), scale=2):
        super().__init__(items)
        self.scale = scale

    def __iter__(self):
        return iter(("nothing",))

    def items(self):
        return []


class Values(tuple):
    """A tuple with attributes."""

    scale = 2


class Two(tuple):
    """A tuple whose constructor takes its items one by one."""

    def __new__(cls, first, second):
        return super().__new__(cls, (first, second))


Pair = namedtuple("Pair", "first second")


class Frozen(dict):
    """A dict that refuses to be written to."""

    def __setitem__(self, key, value):
        raise TypeError("frozen")


def containers(module):
    """One of each class with two arrays, and a nest of them."""
    a, b = module.array([1.0, 2.0]), module.array([3.0, 4.0])
    return {
        "list": [a, b],
        "dict": {"a": a, "b": b},
        "tuple": (a, b),
        "Sequence": Sequence(a, b, scale=3),
        "Mapping": Mapping({"a": a, "b": b}, scale=3),
        "Values": Values((a, b)),
        "Two": Two(a, b),
        "Pair": Pair(a, b),
        "OrderedDict": OrderedDict(a=a, b=b),
        "defaultdict": defaultdict(list, a=a, b=b),
        "Frozen": Frozen(a=a, b=b),
        "nest": {"x": [Pair(a, (b,))], "y": Mapping({"z": Sequence(a)})},
    }


NAMES = list(containers(mx))
each_container = pytest.mark.parametrize("name", NAMES)


def leaves(tree):
    if isinstance(tree, dict):
        return [leaf for key in dict.keys(tree) for leaf in leaves(dict.__getitem__(tree, key))]
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def classes(tree):
    if isinstance(tree, dict):
        return (type(tree), {k: classes(dict.__getitem__(tree, k)) for k in dict.keys(tree)})
    if isinstance(tree, (list, tuple)):
        return (type(tree), [classes(item) for item in tree])
    return "leaf"


def squares(tree):
    return sum((leaf * leaf).sum() for leaf in leaves(tree))


# Derivatives: the caller's own containers.


@each_container
@pytest.mark.parametrize("transform", ["grad", "value_and_grad"])
def test_derivatives_lend_the_containers(transform, name):
    if not IS_HEDDLE and name == "Two":
        pytest.skip("MLX calls the constructor")
    tree = containers(mx)[name]
    before, form = leaves(tree), classes(tree)
    seen = []

    def function(given):
        seen.append((given is tree, classes(given) == form))
        assert all(x is not y for x, y in zip(leaves(given), before, strict=True))
        return squares(given)

    result = getattr(mx, transform)(function)(tree)
    gradient = result if transform == "grad" else result[1]
    assert seen == [(not isinstance(tree, tuple), True)]
    assert all(x is y for x, y in zip(leaves(tree), before, strict=True))
    for g, x in zip(leaves(gradient), before, strict=True):
        np.testing.assert_array_equal(to_numpy(g), 2 * to_numpy(x))
    if isinstance(tree, tuple):
        assert type(gradient) is type(tree)


@both
def test_what_a_function_writes_stays(module):
    def function(m):
        m["n"] = m["n"] + 1
        m["list"][0] += 2
        m["deep"]["k"] = m["w"].sum()
        return (m["w"] * m["w"]).sum()

    m = {"w": module.array([1.0, 2.0]), "n": module.array(0.0), "list": [module.array(1.0)]}
    m["deep"] = {"k": module.array(0.0)}
    w, deep = m["w"], m["deep"]
    gradient = module.grad(function)(m)
    assert m["w"] is w and m["deep"] is deep and gradient["w"].tolist() == [2.0, 4.0]
    assert (m["n"].item(), m["list"][0].item(), deep["k"].item()) == (1.0, 3.0, 3.0)


@both
def test_a_closure_sees_the_traced_arrays(module):
    m = {"w": module.array([1.0, 2.0])}
    assert module.grad(lambda _: (m["w"] * 2).sum())(m)["w"].tolist() == [2.0, 2.0]


@only_heddle
def test_keys_may_come_and_go():
    def function(m):
        m["new"] = m["w"] * 2
        m["again"] = m["w"]
        del m["gone"]
        m["moved"] = m.pop("from")
        m["list"].insert(0, m["w"])
        m["list"].pop()
        return m["w"].sum() + m["moved"].sum()

    a, b, c = mx.ones(2), mx.zeros(2), mx.ones(2)
    m = {"w": a, "gone": b, "from": c, "list": [mx.ones(1), mx.ones(1)]}
    first = m["list"][0]
    gradient = mx.grad(function)(m)
    assert sorted(gradient) == ["from", "gone", "list", "w"]
    assert gradient["w"].tolist() == [1.0, 1.0] and gradient["gone"].tolist() == [0.0, 0.0]
    assert m["w"] is a and m["again"] is a and m["moved"] is c and "gone" not in m
    assert m["new"].tolist() == [2.0, 2.0] and m["list"][0] is a and m["list"][1] is first


@only_heddle
@pytest.mark.parametrize("transform", ["grad", "value_and_grad", "vjp", "jvp"])
def test_arrays_are_put_back_after_an_error(transform):
    m = {"w": mx.ones(2), "l": [mx.ones(1)]}
    w, one = m["w"], m["l"][0]

    def function(given):
        assert given is m and given["w"] is not w
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        if transform in ("grad", "value_and_grad"):
            getattr(mx, transform)(function)(m)
        else:
            getattr(mx, transform)(function, [m], [mx.ones(2), mx.ones(1)])
    assert m["w"] is w and m["l"][0] is one


@only_heddle
def test_vjp_and_jvp_take_trees():
    m = {"w": mx.array([1.0, 2.0]), "n": mx.array(0.0)}

    def function(given, x):
        given["n"] = given["n"] + 1
        return given["w"] * x

    x, ones = mx.array([3.0, 4.0]), mx.ones(2)
    (y,), gradients = mx.vjp(function, [m, x], [ones])
    assert y.tolist() == [3.0, 8.0] and m["n"].item() == 1
    assert [g.tolist() for g in gradients] == [[3.0, 4.0], 0.0, [1.0, 2.0]]
    (y,), (t,) = mx.jvp(function, [m, x], [ones, mx.array(0.0), ones])
    assert t.tolist() == [4.0, 6.0] and m["n"].item() == 2


@only_heddle
def test_a_container_that_occurs_twice_has_two_gradients():
    x = [mx.array([3.0])]
    gradient = mx.grad(lambda v: (v[0][0] * v[1][0] * v[1][0]).sum())([x, x])
    assert [g[0].tolist() for g in gradient] == [[9.0], [18.0]] and x[0].tolist() == [3.0]

    def function(v):
        v[1]["n"] = v[1]["n"] + 1
        return v[0]["w"].sum()

    y = {"w": mx.ones(1), "n": mx.array(0.0)}
    mx.grad(function)([y, y])
    assert y["n"].item() == 1 and y["w"].tolist() == [1.0]


def test_nested_derivatives_of_one_container():
    m = {"w": mx.array(2.0)}

    def inner(n):
        return n["w"] ** 3

    def outer(n):
        return mx.grad(inner)(n)["w"]

    assert mx.grad(outer)(m)["w"].item() == 12.0 and m["w"].item() == 2.0


@only_heddle
def test_threads_may_share_containers():
    """Each of the threads that differentiate with respect to one dict sees arrays of its own."""
    m = {"w": mx.arange(1.0, 4.0), "l": [mx.ones(2)]}
    mx.eval(m)
    w, failures, start = m["w"], [], threading.Barrier(4)

    def function(given):
        total = given["w"].sum() * 0
        for _ in range(20):
            total = total + (given["w"] * given["w"]).sum() / 20
            threading.Event().wait(0.0005)
        return total + given["l"][0].sum()

    def run():
        start.wait()
        for _ in range(5):
            gradient = mx.grad(function)(m)
            if not np.allclose(to_numpy(gradient["w"]), [2, 4, 6], rtol=1e-4):
                failures.append(gradient["w"].tolist())

    threads = [threading.Thread(target=run) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures and m["w"] is w


# Modules.


@only_heddle
@pytest.mark.parametrize(
    "transform", ["grad", "value_and_grad", "vmap", "compile", "checkpoint", "custom_function"]
)
def test_modules_arrive_as_modules(transform):
    from heddle import nn

    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    model.eval()
    x = mx.ones((1, 2))
    wanted = model(x).sum()

    def function(m):
        assert type(m) is nn.Sequential and type(m.layers[0]) is nn.Linear
        return m(x).sum()

    if transform == "vmap":
        batched = nn.Linear(2, 1)
        batched.weight = mx.stack([batched.weight, batched.weight * 2])
        batched.bias = mx.zeros((2, 1))
        y = mx.vmap(lambda m: m(x).sum())(batched)
        np.testing.assert_allclose(to_numpy(y[1]), 2 * to_numpy(y[0]), rtol=1e-6)
        return
    result = getattr(mx, transform)(function)(model)
    if transform == "grad":
        assert type(result) is dict and set(result["layers"][0]) == {"weight", "bias"}
    else:
        value = result[0] if transform == "value_and_grad" else result
        assert value.item() == wanted.item()


@only_heddle
def test_compile_sees_what_a_module_is():
    """The mode and numbers of a module are part of the key."""
    from heddle import nn

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = mx.ones(2)
            self.factor = 2.0

        def __call__(self, x):
            return self.w * x * self.factor * (1 if self.training else -1)

    model = Scaled()
    function = mx.compile(lambda m, x: m(x))
    assert function(model, mx.ones(2)).tolist() == [2.0, 2.0]
    model.eval()
    assert function(model, mx.ones(2)).tolist() == [-2.0, -2.0]
    model.factor = 3.0
    assert function(model, mx.ones(2)).tolist() == [-3.0, -3.0]
    captured = mx.compile(lambda x: model(x), inputs=model.state)
    assert captured(mx.ones(2)).tolist() == [-3.0, -3.0]
    model.train()
    assert captured(mx.ones(2)).tolist() == [3.0, 3.0]


# Copies of containers: compile, vmap, checkpoint, custom functions.


@only_heddle
@each_container
@pytest.mark.parametrize("transform", ["compile", "vmap", "checkpoint", "custom_function"])
def test_containers_keep_their_class(transform, name):
    tree = containers(mx)[name]
    before, form = leaves(tree), classes(tree)

    def function(given):
        assert classes(given) == form
        assert getattr(given, "scale", None) == getattr(tree, "scale", None)
        return given, squares(given)

    same, total = getattr(mx, transform)(function)(tree)
    assert classes(same) == form
    assert getattr(same, "scale", None) == getattr(tree, "scale", None)
    for x, y in zip(leaves(same), before, strict=True):
        assert x.tolist() == y.tolist()
    if transform != "vmap":
        np.testing.assert_allclose(to_numpy(total), to_numpy(squares(tree)), rtol=1e-6)
    assert all(x is y for x, y in zip(leaves(tree), before, strict=True))
    if transform in ("checkpoint", "custom_function"):
        gradient = mx.grad(lambda t: getattr(mx, transform)(function)(t)[1])(tree)
        for g, x in zip(leaves(gradient), before, strict=True):
            np.testing.assert_array_equal(to_numpy(g), 2 * to_numpy(x))


@only_heddle
@pytest.mark.parametrize("transform", ["compile", "vmap"])
def test_traces_leave_no_arrays_behind(transform):
    def function(m):
        m["n"] = m["n"] + 1
        m["new"] = m["w"] * 2
        m["l"].append(m["w"])
        return m["w"] * m["n"]

    m = {"w": mx.ones(2), "n": mx.zeros(2), "l": []}
    w, n = m["w"], m["n"]
    for _ in range(2):
        assert getattr(mx, transform)(function)(m).tolist() == [1.0, 1.0]
        assert m["w"] is w and m["n"] is n and sorted(m) == ["l", "n", "w"] and m["l"] == []


@only_heddle
def test_checkpoint_writes_once():
    def function(m):
        m["n"] = m["n"] + 1
        return (m["w"] * m["w"]).sum()

    m = {"w": mx.array([1.0, 2.0]), "n": mx.array(0.0)}
    mx.checkpoint(function)(m)
    assert m["n"].item() == 1
    gradient = mx.grad(mx.checkpoint(function))(m)
    assert gradient["w"].tolist() == [2.0, 4.0] and m["n"].item() == 2


@only_heddle
def test_draws_of_checkpoints_in_compiled_functions():
    """The gradient draws what the function drew, at every call."""

    def function(x):
        return x * mx.random.uniform(shape=(3,))

    state = mx.random.state
    x = mx.ones(3)
    mx.random.seed(1)
    wanted = [function(x).tolist() for _ in range(2)]
    inside = mx.compile(mx.checkpoint(function), inputs=state, outputs=state)
    outside = mx.compile(
        mx.grad(lambda y: mx.checkpoint(function)(y).sum()), inputs=state, outputs=state
    )
    for gradient in (mx.grad(lambda y: inside(y).sum()), outside):
        mx.random.seed(1)
        assert [gradient(x).tolist() for _ in range(2)] == wanted


@dataclasses.dataclass
class Box:
    value: object


@only_heddle
def test_objects_that_hide_arrays_are_refused():
    x = mx.ones(2)
    with pytest.raises(ValueError, match="inside an object of type .*Box"):
        mx.compile(lambda y: Box(y + 1))(x)
    with pytest.raises(ValueError, match="trees of arrays or constants"):
        mx.compile(lambda b: b.value)(Box(x))
    with pytest.raises(ValueError, match="only arrays"):
        mx.vmap(lambda y: Box(y))(x)
    with pytest.raises(ValueError, match="only arrays"):
        mx.grad(lambda b: b.value.sum())(Box(x))
    value, box = mx.compile(lambda y: (y + 1, Box(3)))(x)
    assert box == Box(3) and value.tolist() == [2.0, 2.0]


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
