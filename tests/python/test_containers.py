"""What transformations do to the containers that they are given: classes of the user's own,
arguments that the function changes, modules, containers that occur twice."""

import threading
from collections import OrderedDict, defaultdict

import mlx.core as reference
import numpy as np
import pytest

from engines import IS_HEDDLE, mx, to_numpy
from own_containers import Box, Frozen, Mapping, Pair, Sequence, Two, Values

both = pytest.mark.parametrize("module", [mx, reference], ids=["heddle", "mlx"])
only_heddle = pytest.mark.skipif(not IS_HEDDLE, reason="MLX is wrong there, or not so strict")


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
