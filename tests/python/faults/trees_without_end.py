"""A program that gives containers without end to everything that takes an argument.

It prints what neither raised nor returned as it should; a crash is seen by who runs it.
"""

import contextlib
import os
import sys
import tempfile

import heddle.core as mx

from heddle import nn, optimizers, utils

DEPTH = 100_000


def endless_list():
    t = [mx.ones(1)]
    t.append(t)
    return t


def endless_first():
    t = []
    t.append(t)
    return t


def endless_dict():
    t = {"a": mx.ones(1)}
    t["self"] = t
    return t


def endless_tuple():
    t = [mx.ones(1)]
    t.append((t, mx.ones(1)))
    return tuple(t)


def deep(wrap):
    t = wrap(mx.ones(1))
    for _ in range(DEPTH):
        t = wrap(t)
    return t


TREES = {
    "a list in itself": endless_list(),
    "a list of itself alone": endless_first(),
    "a dict in itself": endless_dict(),
    "a tuple with a list in itself": endless_tuple(),
    "a deep list": deep(lambda x: [x]),
    "a deep tuple": deep(lambda x: (x,)),
    "a deep dict": deep(lambda x: {"k": x}),
    "a deep list with arrays at each level": deep(lambda x: [mx.ones(1), x]),
}


def total(tree):
    return mx.array(0.0)


# What takes any tree: always a RecursionError.
TAKERS = {
    "eval": mx.eval,
    "async_eval": mx.async_eval,
    "grad": lambda t: mx.grad(total)(t),
    "grad of a keyword": lambda t: mx.grad(lambda t: mx.array(0.0), argnames="t")(t=t),
    "value_and_grad": lambda t: mx.value_and_grad(total)(t),
    "vjp": lambda t: mx.vjp(total, [t], [mx.array(0.0)]),
    "vjp, cotangents": lambda t: mx.vjp(total, [mx.ones(1)], t),
    "jvp": lambda t: mx.jvp(total, [t], [mx.array(0.0)]),
    "jvp, tangents": lambda t: mx.jvp(total, [mx.ones(1)], t),
    "vmap": lambda t: mx.vmap(total)(t),
    "vmap, result": lambda t: mx.vmap(lambda x: t)(mx.ones(1)),
    "compile": lambda t: mx.compile(total)(t),
    "compile, keyword": lambda t: mx.compile(lambda t: mx.array(0.0))(t=t),
    "compile, result": lambda t: mx.compile(lambda x: t)(mx.ones(1)),
    "compile, inputs": lambda t: mx.compile(lambda x: x, inputs=t)(mx.ones(1)),
    "compile, outputs": lambda t: mx.compile(lambda x: x, outputs=t)(mx.ones(1)),
    "checkpoint": lambda t: mx.grad(lambda x: mx.checkpoint(total)(t))(mx.ones(1)),
    "checkpoint, result": lambda t: mx.grad(lambda x: mx.checkpoint(lambda y: t)(x))(mx.ones(1)),
    "custom_function": lambda t: mx.grad(lambda x: mx.custom_function(total)(t))(mx.ones(1)),
    "export_to_dot": lambda t: mx.export_to_dot("out.dot", t),
    "export_function, result": lambda t: mx.export_function("f.heddle", lambda x: t, mx.ones(1)),
    "array": mx.array,
    "tree_flatten": utils.tree_flatten,
    "tree_map": lambda t: utils.tree_map(lambda x: x, t),
    "tree_map_with_path": lambda t: utils.tree_map_with_path(lambda p, x: x, t),
    "tree_reduce": lambda t: utils.tree_reduce(lambda a, b: a, t),
    "tree_merge": lambda t: utils.tree_merge(t, t, lambda a, b: a),
}
NO_NESTED_LIST = {"array": ("a dict in itself", "a deep dict")}  # not what it takes at all


def check_takers():
    for tree_name, tree in TREES.items():
        for name, taker in TAKERS.items():
            try:
                taker(tree)
            except RecursionError:
                continue
            except Exception as error:
                if tree_name in NO_NESTED_LIST.get(name, ()) or (
                    # A list of one array and a list is ragged before it is endless.
                    name == "array" and isinstance(error, ValueError)
                ):
                    continue
                print(f"{name} of {tree_name}: {type(error).__name__}: {str(error)[:100]}")
            else:
                print(f"{name} of {tree_name} returned")
    unflatten = utils.tree_unflatten
    for make in (unflatten, lambda pairs: nn.Linear(1, 1).load_weights(pairs, strict=False)):
        try:
            make([(".".join(["a"] * DEPTH), mx.ones(1))])
            print(f"{make} of a long path returned")
        except RecursionError:
            pass


def callables():
    places = [mx, mx.fast, mx.fft, mx.linalg, mx.random, nn, nn.losses, nn.init, optimizers, utils]
    for place in places:
        for name in dir(place):
            value = getattr(place, name)
            if name.startswith("_") or not callable(value) or value is mx.ThreadLocalStream:
                continue
            yield f"{place.__name__}.{name}", value
    x = mx.ones((2, 2))
    for name in dir(x):
        if callable(value := getattr(x, name)):
            yield f"array.{name}", value


def check_everything():
    """Whatever a function says of such an argument, it says it."""
    x = mx.ones((2, 2))
    for _, function in callables():
        for tree in TREES.values():
            for args in ((tree,), (x, tree), (tree, x), (x, x, tree), (tree, tree)):
                with contextlib.suppress(Exception, SystemExit):
                    function(*args)


def check_modules():
    class Node(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(1, 1)
            self.w = mx.ones(1)

    def inside_itself():
        module = Node()
        module.me = module
        return module

    def in_a_ring():
        a, b = Node(), Node()
        a.other, b.other = b, a
        return a

    def in_a_list():
        module = Node()
        module.layers = [Node(), {"deep": [module]}]
        return module

    once = {
        "eval": lambda m: m.eval(),
        "train": lambda m: m.train(),
        "freeze": lambda m: m.freeze(),
        "unfreeze": lambda m: m.unfreeze(),
        "freeze keys": lambda m: m.freeze(keys="w", strict=True),
        "modules": lambda m: m.modules(),
        "named_modules": lambda m: m.named_modules(),
        "apply_to_modules": lambda m: m.apply_to_modules(lambda path, module: None),
        "children": lambda m: m.children(),
        "repr": repr,
        "state": lambda m: m.state,
        "update": lambda m: m.update({"w": mx.zeros(1)}),
        "load_weights": lambda m: m.load_weights([("w", mx.zeros(1))], strict=False),
    }
    endless = {
        "parameters": lambda m: m.parameters(),
        "trainable_parameters": lambda m: m.trainable_parameters(),
        "apply": lambda m: m.apply(lambda x: x),
        "set_dtype": lambda m: m.set_dtype(mx.float16),
        "load_weights strict": lambda m: m.load_weights([("w", mx.zeros(1))]),
        "save_weights": lambda m: m.save_weights("w.safetensors"),
        "eval of it": lambda m: mx.eval(m),
        "eval of its state": lambda m: mx.eval(m.state),
        "grad": lambda m: mx.grad(lambda n: n.w.sum())(m),
        "compile": lambda m: mx.compile(lambda n: n.w)(m),
        "compile state": lambda m: mx.compile(lambda: m.w, inputs=m.state, outputs=m.state)(),
        "nn.value_and_grad": lambda m: nn.value_and_grad(m, lambda: m.w.sum())(),
        "quantize": lambda m: nn.quantize(m),
        "optimizer": lambda m: optimizers.SGD(0.1).update(m, m.parameters()),
    }
    for make in (inside_itself, in_a_ring, in_a_list):
        for name, call in once.items():
            try:
                call(make())
            except Exception as error:
                print(f"{name} of a module {make.__name__}: {type(error).__name__}: {error}")
        for name, call in endless.items():
            try:
                call(make())
                if name != "quantize":
                    print(f"{name} of a module {make.__name__} returned")
            except RecursionError:
                pass
            except Exception as error:
                print(f"{name} of a module {make.__name__}: {type(error).__name__}: {error}")
        module = make()
        module.eval()
        names = [path for path, _ in module.named_modules()]
        modules = module.modules()
        if len(names) != len(set(names)) or any(m.training for m in modules):
            print(f"modules of a module {make.__name__}: {names}")
        if len({id(m) for m in modules}) != len(modules):
            print(f"a module occurs twice among those of a module {make.__name__}: {names}")
    deep_module = Node()
    for _ in range(3000):
        outer = Node()
        outer.inside = deep_module
        deep_module = outer
    if len(deep_module.eval().modules()) != 6002:
        print("a deep module lost some of its modules")
    for call in (lambda m: mx.eval(m), lambda m: m.parameters()):
        try:
            call(deep_module)
            print("a deep module has a tree")
        except RecursionError:
            pass


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    {"takers": check_takers, "everything": check_everything, "modules": check_modules}[
        sys.argv[1]
    ]()
    print("done")
