"""Updates of many parameters, where the engine makes one operation of an optimizer's formula."""

import math

import heddle.core as mx
import pytest

import heddle.optimizers as optim

POINTWISE = {
    "SGD": lambda: optim.SGD(0.1),
    "SGD with momentum": lambda: optim.SGD(0.1, 0.9, 0.05, nesterov=True),
    "RMSprop": lambda: optim.RMSprop(0.1),
    "Adagrad": lambda: optim.Adagrad(0.1),
    "AdaDelta": lambda: optim.AdaDelta(0.1),
    "Adam": lambda: optim.Adam(0.1, bias_correction=True),
    "AdamW": lambda: optim.AdamW(optim.cosine_decay(0.1, 10), bias_correction=True),
    "Adamax": lambda: optim.Adamax(0.1),
    "Lion": lambda: optim.Lion(0.1, weight_decay=0.1),
}
OTHERS = {
    "Adafactor": lambda: optim.Adafactor(),
    "Muon": lambda: optim.Muon(0.1),
}
ALL = {**POINTWISE, **OTHERS}
DTYPES = [mx.float32, mx.bfloat16, mx.float16, mx.float32]
SHAPES = [(4, 6), (4, 6), (5,), (), (2, 3, 4), (1, 7), (3000,)]


def parameters(seed=0):
    mx.random.seed(seed)
    values = {
        f"{i}.{dtype}": mx.random.normal(shape).astype(dtype)
        for i, shape in enumerate(SHAPES)
        for dtype in DTYPES
    }
    values["transposed"] = mx.random.normal((6, 5)).T
    values["part"] = mx.random.normal((6, 8))[::2, 1:5]
    mx.eval(values)
    return values


def gradients(seed):
    return {k: (v * 0.3).astype(v.dtype) for k, v in evaluated(parameters(seed)).items()}


def evaluated(values):
    mx.eval(values)
    return values


def assert_equal_trees(a, b):
    assert list(a) == list(b)
    for key in a:
        if isinstance(a[key], dict):
            assert_equal_trees(a[key], b[key])
        else:
            assert a[key].dtype == b[key].dtype
            assert mx.array_equal(a[key], b[key], equal_nan=True), key


class OneByOne:
    """Makes an instance ask its own method for every parameter."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.asked = 0
        optimizer.apply_single = self

    def __call__(self, gradient, parameter, state):
        self.asked += 1
        return type(self.optimizer).apply_single(self.optimizer, gradient, parameter, state)


@pytest.mark.parametrize("lazy", [False, True], ids=["evaluated", "lazy"])
@pytest.mark.parametrize("name", ALL)
def test_parameters_get_together_what_each_gets_alone(name, lazy):
    together, alone = ALL[name](), ALL[name]()
    one_by_one = OneByOne(alone)
    a, b = parameters(), parameters()
    for step in range(3):
        g = gradients(step + 1)
        if not lazy:
            mx.eval(g)
        a, b = together.apply_gradients(g, a), alone.apply_gradients(g, b)
        assert one_by_one.asked == (step + 1) * len(a)
        mx.eval(a, together.state)
        for value in b.values():
            mx.eval(value)
    assert_equal_trees(a, b)
    assert_equal_trees(together.state, alone.state)


@pytest.mark.parametrize("name", ALL)
def test_an_update_is_one_operation_for_a_parameter(name):
    optimizer = ALL[name]()
    a, g = parameters(), evaluated(gradients(1))
    optimizer.init(a)
    mx.eval(optimizer.state)
    # The states stay as they are where the formula does not read them.
    names = mx._graph_ops(optimizer.apply_gradients(g, a), optimizer.state)
    changed = {"SGD": 1, "Adam": 3, "AdamW": 3, "Adamax": 3, "AdaDelta": 3}.get(name, 2)
    of_parameters = names.count("PointwiseFunction")
    if name in POINTWISE:
        assert of_parameters == changed * len(a)
    else:
        assert of_parameters < changed * len(a)


def test_gradients_that_are_not_computed_yet_are_fused():
    optimizer = optim.Adam(0.1)
    a = {"a": mx.ones(8)}
    optimizer.init(a)
    names = mx._graph_ops(optimizer.apply_gradients({"a": a["a"] * 2}, a))
    assert "PointwiseFunction" not in names


@pytest.mark.parametrize("name", POINTWISE)
def test_an_update_takes_no_memory(name):
    """Parameters and states are overwritten once nobody holds the old ones."""
    optimizer = POINTWISE[name]()
    held = {str(i): mx.zeros(1 << 18) for i in range(8)}
    optimizer.init(held)
    g = {k: mx.ones(1 << 18) for k in held}
    for step in range(4):
        held.update(optimizer.apply_gradients(g, held))
        mx.eval(held, optimizer.state)
        if step == 0:  # before, all elements of zeros lie in one place
            before = mx.get_active_memory()
            mx.reset_peak_memory()
    assert mx.get_peak_memory() < before + (1 << 18)


def test_an_old_value_that_someone_holds_stays():
    optimizer = optim.Adam(0.1)
    old = {"a": mx.ones(100), "b": mx.ones(100)}
    g = {"a": mx.ones(100), "b": mx.ones(100)}
    mx.eval(old, g)
    new = optimizer.apply_gradients(g, old)
    state = {k: dict(optimizer.state[k]) for k in old}
    newer = optimizer.apply_gradients(g, new)
    mx.eval(newer, optimizer.state)
    assert mx.all(old["a"] == 1).item() and mx.all(g["b"] == 1).item()
    assert mx.allclose(new["a"], mx.full(100, 1 - 0.1 * 0.1 / math.sqrt(0.001)), rtol=1e-4)
    assert mx.allclose(state["a"]["m"], mx.full(100, 0.1))


class Counting(optim.Adam):
    asked = 0

    def apply_single(self, gradient, parameter, state):
        self.asked += 1
        return super().apply_single(gradient * 0, parameter, state)


def test_a_subclass_is_asked_for_every_parameter():
    optimizer = Counting(0.1)
    new = optimizer.apply_gradients(
        {"a": mx.ones(3), "b": [mx.ones(3)]}, {"a": mx.ones(3), "b": [mx.ones(3)]}
    )
    assert optimizer.asked == 2
    assert mx.all(new["a"] == 1).item() and mx.all(new["b"][0] == 1).item()


def test_settings_may_change_between_updates():
    optimizer = optim.Adam(0.1)
    a, g = {"a": mx.ones(3)}, {"a": mx.ones(3)}
    optimizer.apply_gradients(g, a)
    optimizer.betas = [0.0, 0.0]
    optimizer.eps = 1.0
    optimizer.learning_rate = 0.5
    assert mx.allclose(optimizer.apply_gradients(g, a)["a"], mx.full(3, 1 - 0.5 / 2))


def unrolled(optimizer):
    """Two updates of a vector and what is remembered of it, as a function of everything."""

    def f(parameter, gradient, rate):
        own = optimizer()
        own.init({"a": parameter})
        own.learning_rate = rate
        values = {"a": parameter}
        for _ in range(2):
            values = own.apply_gradients({"a": gradient}, values)
        return values["a"], own.state["a"]

    return f


@pytest.mark.parametrize("name", ["SGD with momentum", "Adam", "Lion", "RMSprop"])
def test_transforms_of_updates(name):
    """Gradients through updates, batches and compiled updates are those of the single steps."""
    mx.random.seed(4)
    p, g = mx.random.normal((3, 5)), mx.random.normal((3, 5))
    rate = mx.array(0.05)

    def one_by_one():
        optimizer = POINTWISE[name]()
        OneByOne(optimizer)
        return optimizer

    def results(make):
        f = unrolled(make)
        loss = lambda *inputs: mx.sum(mx.sin(f(*inputs)[0]))  # noqa: E731
        values, state = f(p, g, rate)
        gradient = mx.grad(loss, argnums=(0, 1, 2))(p, g, rate)
        _, tangents = mx.jvp(loss, (p, g, rate), (p, g, rate))
        batched = mx.vmap(lambda a, b: f(a, b, rate)[0])(p, g)
        compiled = mx.compile(f)(p, g, rate)[0]
        return values, *state.values(), *gradient, *tangents, batched, compiled

    ours, theirs = results(POINTWISE[name]), results(one_by_one)
    for a, b in zip(ours, theirs, strict=True):
        assert mx.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert mx.array_equal(ours[0], ours[-2]) and mx.array_equal(ours[0], ours[-1])


@pytest.mark.parametrize("suffix", [".mlxfn", ".heddle"])
@pytest.mark.parametrize("shapeless", [False, True])
def test_updates_in_files(suffix, shapeless, tmp_path):
    f = unrolled(lambda: optim.Adam(0.1, bias_correction=True))
    step = lambda p, g: (f(p, g, mx.array(0.05))[0],)  # noqa: E731
    p, g = mx.arange(6.0).reshape(2, 3), mx.ones((2, 3))
    path = str(tmp_path / f"step{suffix}")
    mx.export_function(path, step, p, g, shapeless=shapeless)
    stored = mx.import_function(path)
    assert mx.allclose(stored(p, g)[0], step(p, g)[0])
    if shapeless:
        p, g = mx.arange(20.0).reshape(4, 5), mx.ones((4, 5))
        assert mx.allclose(stored(p, g)[0], step(p, g)[0])


def test_shapes_that_do_not_fit_are_named():
    optimizer = optim.Adam(0.1)
    with pytest.raises(ValueError, match="broadcast"):
        optimizer.apply_gradients({"a": mx.ones(3)}, {"a": mx.ones(4)})


@pytest.mark.parametrize("make", [optim.Adam, optim.AdamW])
def test_parameters_of_an_update_share_what_corrects_the_bias(make):
    """In every dtype an update gives the bits that its parameters get alone, step after step."""
    mx.random.seed(3)
    dtypes = [mx.float32, mx.bfloat16, mx.float32, mx.float16]
    parameters = {str(i): mx.random.normal((5, 7)).astype(d) for i, d in enumerate(dtypes)}
    gradients = {k: (p * 0.3).astype(p.dtype) for k, p in parameters.items()}
    together = make(0.01, bias_correction=True)
    alone = {k: make(0.01, bias_correction=True) for k in parameters}
    shared = dict(parameters)
    for _ in range(3):
        shared = together.apply_gradients(gradients, shared)
        for k, optimizer in alone.items():
            parameters.update(optimizer.apply_gradients({k: gradients[k]}, parameters))
        for k, p in parameters.items():
            assert shared[k].dtype == p.dtype
            assert mx.array_equal(shared[k], p)
