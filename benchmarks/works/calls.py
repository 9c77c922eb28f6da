"""What calls cost where the work itself costs next to nothing, row by row: watched rows, which are
measured beside a build before (`--before`) or by name."""

import importlib

import numpy as np
from harness.work import Step, Work

REPEATS = 200
SMALL = 8


def package(dialect, name):
    """A module of the package that the dialect speaks: `nn`, `optimizers`, `utils`."""
    return importlib.import_module(f"{dialect.module.partition('.')[0]}.{name}")


def call(name, title, make, repeats=REPEATS) -> Work:
    """`make(mx, dialect)` gives the call; one run makes `repeats` of them."""

    def prepare(dialect, inputs):
        once = make(dialect.core, dialect)

        def run():
            for _ in range(repeats):
                value = once()
            return value

        return Step(run, lambda value: [])

    return Work(
        name=f"call_{name}",
        title=title,
        target=None,
        watched=True,
        prepare={"mlx": prepare},
        operations=repeats,
    )


def arrays(mx, count, *shape):
    made = [mx.full(shape or (SMALL,), 1.0 + i / 128) for i in range(count)]
    mx.eval(made)
    return made


def built(name, expression) -> Work:
    """A node that is built and dropped: no evaluation. `expression` names `mx` and the arrays x
    and y of one row, m and n of several, i and j of integers."""

    def make(mx, dialect):
        names = {"mx": mx}
        names["x"], names["y"] = arrays(mx, 2)
        names["m"], names["n"] = arrays(mx, 2, SMALL, SMALL)
        names["i"] = names["j"] = mx.arange(SMALL)
        mx.eval(names["i"])
        return eval(f"lambda: {expression}", names)

    return call(f"node_{name}", f"node: {expression}", make, 1000)


NODES = {
    "add": "mx.add(x, y)",
    "operator": "x + y",
    "operator_float": "x * 2.0",
    "operator_int": "x + 1",
    "operator_reflected": "1.0 - x",
    "operator_integers": "i + 1",
    "comparison": "x < 0.5",
    "negate": "-x",
    "exp": "mx.exp(x)",
    "maximum_float": "mx.maximum(x, 0.0)",
    "where": "mx.where(x > 0.0, x, 0.0)",
    "sum": "mx.sum(m, axis=-1)",
    "sum_method": "m.sum(-1, keepdims=True)",
    "softmax": "mx.softmax(m, axis=-1)",
    "matmul": "m @ n",
    "reshape": "m.reshape(2, -1)",
    "transpose": "m.T",
    "astype": "x.astype(mx.float16)",
    "row": "m[1]",
    "slice": "m[:, 1:3]",
    "gather": "m[i]",
    "take": "mx.take(m, i, axis=0)",
    "concatenate": "mx.concatenate([x, y])",
    "stack": "mx.stack([x, y])",
    "split": "mx.split(m, 2)",
    "zeros": "mx.zeros((2, 3))",
    "full": "mx.full((2, 3), 1.5)",
    "arange": "mx.arange(10)",
    "array_float": "mx.array(1.5)",
    "array_list": "mx.array([1.0, 2.0, 3.0])",
    "array_integers": "mx.array([1, 2, 3])",
    "uniform": "mx.random.uniform(shape=(4,))",
    "layer_norm": "mx.fast.layer_norm(m, x, y, 1e-5)",
    "shape": "m.shape",
}


def evaluated(name, expression) -> Work:
    def make(mx, dialect):
        names = {"mx": mx}
        names["x"], names["y"] = arrays(mx, 2)
        names["m"], names["n"] = arrays(mx, 2, SMALL, SMALL)
        names["i"] = mx.arange(SMALL)
        return eval(f"lambda: {expression}", names)

    return call(f"now_{name}", f"evaluated: {expression}", make)


EVALUATED = {
    "add": "mx.eval(x + y)",
    "sum": "mx.eval(m.sum(-1))",
    "matmul": "mx.eval(m @ n)",
    "softmax": "mx.eval(mx.softmax(m, axis=-1))",
    "gather": "mx.eval(m[i])",
    "item": "(x[0] + 1.0).item()",
    "tolist": "(x + 1.0).tolist()",
    "float": "float(x[0])",
    "normal": "mx.eval(mx.random.normal((8,)))",
}


def parameters(mx, count):
    return {f"p{i}": value for i, value in enumerate(arrays(mx, count))}


def gradient_of_dict(mx, dialect):
    held = parameters(mx, 100)
    gradient = mx.grad(lambda p: p["p0"].sum())
    return lambda: gradient(held)


def gradient_of_array(mx, dialect):
    x = arrays(mx, 1)[0]
    gradient = mx.grad(lambda x: (x * x).sum())
    return lambda: gradient(x)


def gradient_of_list(mx, dialect):
    held = arrays(mx, 20)
    gradient = mx.value_and_grad(lambda p: sum((v * v).sum() for v in p))
    return lambda: gradient(held)


def forward_derivative(mx, dialect):
    x = arrays(mx, 1)[0]
    return lambda: mx.jvp(lambda x: x * x + x, [x], [x])


def vmapped(mx, dialect):
    m = arrays(mx, 1, SMALL, SMALL)[0]
    function = mx.vmap(lambda x: (x * x).sum())
    return lambda: function(m)


def checkpointed(mx, dialect):
    x = arrays(mx, 1)[0]
    gradient = mx.grad(mx.checkpoint(lambda x: (x * x).sum()))
    return lambda: gradient(x)


def compiled(operations, evaluate):
    def make(mx, dialect):
        x = arrays(mx, 1)[0]

        def function(x):
            for _ in range(operations):
                x = x * 1.5 + 1.0
            return x

        fast = mx.compile(function)
        return (lambda: mx.eval(fast(x))) if evaluate else (lambda: fast(x))

    return make


def compiled_tree(mx, dialect):
    held = parameters(mx, 50)
    fast = mx.compile(lambda p, k: {name: value * k for name, value in p.items()})
    return lambda: fast(held, 2.0)


def compiled_constants(mx, dialect):
    x = arrays(mx, 1)[0]
    fast = mx.compile(lambda x, a, b, flag: x * a + b if flag else x)
    return lambda: fast(x, 2.0, 3, flag=True)


def compiled_gradient(mx, dialect):
    held = parameters(mx, 20)
    fast = mx.compile(mx.value_and_grad(lambda p: sum((v * v).sum() for v in p.values())))
    return lambda: mx.eval(fast(held))


def first_trace(mx, dialect):
    x = arrays(mx, 1)[0]
    return lambda: mx.compile(lambda x: mx.tanh(x * 2.0) + 1.0)(x)


def network(dialect, layers):
    nn = package(dialect, "nn")
    return nn.Sequential(*[nn.Linear(4, 4) for _ in range(layers)])


def step_of(mx, dialect, layers, compile_step):
    """A training step of many tiny layers, as mlx programs write it."""
    nn, optimizers = package(dialect, "nn"), package(dialect, "optimizers")
    model, optimizer = network(dialect, layers), optimizers.Adam(1e-3)
    x, y = arrays(mx, 2, 2, 4)
    differentiate = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    state = [model.state, optimizer.state]

    def step(x, y):
        loss, gradients = differentiate(x, y)
        optimizer.update(model, gradients)
        return loss

    optimizer.init(model.trainable_parameters())
    if compile_step:
        step = mx.compile(step, inputs=state, outputs=state)

    def run():
        mx.eval(step(x, y), state)

    return run


def inference(mx, dialect):
    model = network(dialect, 10)
    x = arrays(mx, 1, 2, 4)[0]
    return lambda: mx.eval(model(x))


def clipped(mx, dialect):
    optimizers = package(dialect, "optimizers")
    held = parameters(mx, 100)
    return lambda: optimizers.clip_grad_norm(held, 1.0)


def mapped(mx, dialect):
    utils = package(dialect, "utils")
    held = parameters(mx, 100)
    return lambda: utils.tree_map(lambda v: v, held)


def updated(mx, dialect):
    optimizers = package(dialect, "optimizers")
    held, gradients = parameters(mx, 100), parameters(mx, 100)
    optimizer = optimizers.AdamW(1e-3)
    optimizer.init(held)

    def run():
        mx.eval(optimizer.apply_gradients(gradients, held), optimizer.state)

    return run


def lists(mx, dialect):
    held = np.arange(10000, dtype=np.float32).tolist()
    return lambda: mx.array(held)


def from_numpy(mx, dialect):
    held = np.zeros(SMALL, np.float32)
    return lambda: mx.array(held)


def to_numpy(mx, dialect):
    x = arrays(mx, 1)[0]
    return lambda: np.array(x)


WORKS = [
    *(built(name, expression) for name, expression in NODES.items()),
    *(evaluated(name, expression) for name, expression in EVALUATED.items()),
    call("grad", "grad of one array", gradient_of_array),
    call("grad_dict", "grad of a dict of 100 arrays", gradient_of_dict, 50),
    call("grad_list", "value_and_grad of a list of 20 arrays", gradient_of_list, 50),
    call("jvp", "jvp of 2 operations", forward_derivative),
    call("vmap", "vmap of 2 operations", vmapped),
    call("checkpoint", "grad of a checkpoint", checkpointed, 50),
    call("compiled", "compiled call of 2 operations", compiled(1, False)),
    call("compiled_now", "compiled call of 2 operations, evaluated", compiled(1, True)),
    call("compiled_600", "compiled call of 600 operations", compiled(300, False), 10),
    call("compiled_600_now", "compiled call of 600 operations, evaluated", compiled(300, True), 10),
    call("compiled_tree", "compiled call with a dict of 50 arrays", compiled_tree, 50),
    call("compiled_constants", "compiled call with three constants", compiled_constants),
    call("compiled_grad", "compiled gradient of 20 arrays", compiled_gradient, 20),
    call("first_trace", "first call of a compiled function of 3 operations", first_trace, 20),
    call("step", "training step of 50 tiny layers", lambda m, d: step_of(m, d, 50, False), 2),
    call(
        "step_compiled",
        "compiled training step of 50 tiny layers",
        lambda m, d: step_of(m, d, 50, True),
        10,
    ),
    call("inference", "10 tiny linear layers", inference, 20),
    call("clip_grad_norm", "clip_grad_norm of 100 tiny arrays", clipped, 10),
    call("tree_map", "tree_map over 100 arrays", mapped, 20),
    call("adamw", "AdamW update of 100 tiny arrays", updated, 10),
    call("array_of_list", "array of a list of 10,000 floats", lists, 5),
    call("from_numpy", "array of a numpy array", from_numpy),
    call("to_numpy", "numpy array of an array", to_numpy),
]
