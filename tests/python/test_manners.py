"""How objects and wrappers behave in the hands of Python: copies, pickles, names, signatures."""

import copy
import inspect
import pickle

import heddle.core as mx
import pytest

from side_by_side import HEDDLE, MLX, assert_same, evaluate, same

OBJECTS = """
mx.array([1.5, 2.0])
mx.array(3)
mx.array([True, False])
mx.array([1, 2], mx.int8)
mx.array([1, 2], mx.uint64)
mx.array([1.5, -2], mx.float16)
mx.array([1.5, -2], mx.bfloat16)
mx.array([1 + 2j])
mx.array([1.5], mx.float64)
mx.zeros((0, 3))
mx.arange(12).reshape(3, 4).T
mx.arange(12)[::2]
mx.ones((2, 2)) * 3
mx.float32
mx.bfloat16
mx.floating
mx.cpu
mx.Device(mx.cpu, 0)
mx.default_device()
mx.new_stream(mx.cpu)
mx.default_stream(mx.cpu)
mx.random.key(3)
mx.random.state
mx.finfo(mx.float16)
mx.iinfo(mx.int8)
mx.add
mx.fast.rms_norm
mx.array
mx.compile(abs)
mx.grad(abs)
mx.array([1, 2]).at
iter(mx.array([1, 2]))
mx.stream(mx.cpu)
[mx.array([1]), {'a': (mx.array([2.0]), None)}]
nn.Linear(2, 3)
nn.Linear(2, 3, bias=False).freeze()
nn.QuantizedLinear(64, 32)
nn.Embedding(3, 4)
nn.QuantizedEmbedding(3, 64)
nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.BatchNorm(2))
nn.BatchNorm(3)
nn.RoPE(4)
nn.ALiBi()
nn.Dropout(0.3)
nn.MultiHeadAttention(4, 2)
nn.TransformerEncoder(1, 4, 2)
nn.LSTM(2, 3)
nn.GRU(2, 3)
nn.Conv2d(1, 2, 3)
nn.ConvTranspose3d(1, 2, 3)
nn.PReLU()
nn.GELU('fast')
nn.Softmax()
nn.MaxPool2d(2)
nn.Upsample(2)
nn.SinusoidalPositionalEncoding(4)
nn.losses.mse_loss
nn.init.constant(2.0)
nn.relu
nn.gelu
optim.SGD(0.1, momentum=0.9)
optim.Adam(0.1)
optim.AdamW(optim.cosine_decay(0.1, 10))
optim.Adafactor()
optim.Lion(0.1)
optim.Muon(0.1)
optim.MultiOptimizer([optim.SGD(0.1), optim.Adam(0.1)], [lambda path, value: True])
optim.step_decay(0.1, 0.5, 2)
utils.tree_flatten
""".strip().splitlines()
WAYS = {
    "copied": copy.copy,
    "deep-copied": copy.deepcopy,
    "pickled": lambda value: pickle.loads(pickle.dumps(value)),
    "pickled-2": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
}


# MLX refuses these, or returns something else; heddle copies them by reference as Python does
# functions, and finds by name what a name leads to, so that models with compiled activations and
# configurations with dtypes can be copied.
MORE_THAN_MLX = {
    "mx.float32": tuple(WAYS),
    "mx.bfloat16": tuple(WAYS),
    "mx.Device(mx.cpu, 0)": tuple(WAYS),
    "mx.default_device()": tuple(WAYS),
    "mx.array([1.5], mx.float64)": ("pickled", "pickled-2"),  # MLX's comes back in float32
    "nn.relu": tuple(WAYS),
    "nn.gelu": tuple(WAYS),
    "nn.TransformerEncoder(1, 4, 2)": ("deep-copied", "pickled", "pickled-2"),
}


def told(value):
    """What can be compared of an object that has been through a copy."""
    if isinstance(value, dict):
        return {
            "repr": repr(value) if type(value) is not dict else None,
            "items": {k: told(v) for k, v in value.items() if not k.startswith("_")},
            "attributes": sorted(vars(value)) if hasattr(value, "__dict__") else None,
            "training": getattr(value, "training", None),
        }
    if isinstance(value, (list, tuple)):
        return [told(child) for child in value]
    if hasattr(value, "state") and hasattr(value, "update"):
        return {"optimizer": type(value).__name__, "state": told(value.state)}
    if hasattr(value, "shape") and not isinstance(value, type):
        return value
    return repr(value).replace("heddle.", "mlx.").replace("nanobind_mlx", "nanobind")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("expression", OBJECTS)
def test_copies(expression, way):
    copied = f"told(way({expression}))"
    names = {"told": told, "way": WAYS[way]}
    if way in MORE_THAN_MLX.get(expression, ()):
        ours = evaluate(HEDDLE, copied, lambda side: names)
        original = evaluate(HEDDLE, f"told({expression})", lambda side: names)
        same(ours, original, 0.0)
    else:
        assert_same(copied, lambda side: names, 1e-6, error_text=False)


def documented(x, scale: float = 2.0, *, shift=0):
    """Has a name, a docstring and a signature."""
    return (x * scale + shift).sum()


def anonymous():
    return lambda x: x.sum()


class Callable:
    def __call__(self, x):
        return x.sum()


WRAPPED = """
mx.compile(f)
mx.compile(f, shapeless=True)
mx.grad(f)
mx.value_and_grad(f)
mx.vmap(f)
mx.checkpoint(f)
mx.custom_function(f)
nn.value_and_grad(nn.Linear(1, 1), f)
nn.utils.checkpoint(nn.Linear(1, 1), f)
mx.jvp
mx.vjp
mx.compile
nn.relu
nn.silu
nn.losses.cross_entropy
nn.Linear.__call__
nn.Module.freeze
optim.SGD.__init__
optim.Adam(0.1).update
""".strip().splitlines()
# Not asked: the texts of MLX's own docstrings and annotations, and the names that its wrappers have
# inside where the function has none. Where MLX knows no signature heddle may know one.
ASKED = """
w.__name__
w.__qualname__
w.__doc__ == f.__doc__
w.__module__ == f.__module__
[(p.name, str(p.kind), p.default) for p in inspect.signature(w).parameters.values()]
callable(w), type(w).__name__
inspect.isfunction(w), inspect.ismethod(w)
w.__defaults__
w.nothing
hash(w) == hash(w), w == w
setattr(w, 'mark', 3) or w.mark
""".strip().splitlines()


FUNCTIONS = [documented, anonymous(), Callable(), len]
CASES = [
    (wrapped, function, question)
    for wrapped in WRAPPED
    for function in (FUNCTIONS if "f)" in wrapped or "f," in wrapped else FUNCTIONS[:1])
    for question in ASKED
    if not (isinstance(function, Callable) and "name" in question and wrapped.startswith("nn."))
]


@pytest.mark.parametrize(("wrapped", "function", "question"), CASES)
def test_names_docstrings_and_signatures(wrapped, function, question):
    asked = f"(lambda w: ({question}))({wrapped})"
    names = {"f": function, "inspect": inspect}
    theirs = evaluate(MLX, asked, lambda side: names)
    if "signature" in question and isinstance(theirs, ValueError):
        assert not isinstance(evaluate(HEDDLE, asked, lambda side: names), TypeError)
    else:
        assert_same(asked, lambda side: names, error_text=False)


@mx.compile
def by_name(x):
    return x + 1


def test_a_wrapper_is_pickled_by_its_name_or_refused():
    assert pickle.loads(pickle.dumps(by_name)) is by_name
    for other in (mx.compile(documented), mx.compile(anonymous()), mx.grad(Callable())):
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(other)


def test_a_wrapper_without_a_function_has_attributes_of_its_own():
    empty = type(by_name).__new__(type(by_name))
    assert empty.__class__ is type(by_name)
    with pytest.raises(AttributeError):
        empty.__name__  # noqa: B018
