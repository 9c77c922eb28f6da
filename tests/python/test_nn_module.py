"""Module: the dictionary, its filters, updates, freezing and files, beside mlx.nn."""

import copy
import pickle

import heddle.core as mx
import pytest

import heddle.nn as nn
from heddle.utils import tree_flatten
from side_by_side import assert_same


def make_classes(side):
    """A few modules of every build, for either side."""
    mx, nn = side.mx, side.nn

    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = mx.zeros(3)
            self._hidden = mx.ones(2)
            self.layers = [nn.Linear(1, 1), {"a": nn.Linear(1, 1), "b": 3}]
            self.text = "text"
            self.pair = (mx.zeros(1), nn.Linear(1, 2))
            self.tree = {"x": {"y": mx.zeros(2)}}
            self.mixed = [1, mx.zeros(1), "s"]

    class Plain(nn.Module):
        """Never calls the initializer of Module."""

        def __init__(self):
            self.x = mx.zeros(1)
            self.linear = nn.Linear(1, 1)

        def __call__(self, x):
            return self.linear(x) + self.x

    class Switched(nn.Module):
        """Values move between the dictionary and the attributes."""

        def __init__(self):
            super().__init__()
            self.p = mx.zeros(2)
            self.p = 3
            self.q = 3
            self.q = mx.zeros(2)

    class Wrong(nn.Module):
        @property
        def broken(self):
            return self.nowhere

    class Shadowed(nn.Module):
        """Properties and class attributes of the names that are assigned."""

        common = None

        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(1, 1)]

        @property
        def layers(self):
            return self.model.layers

        @property
        def both(self):
            return self._both

        @both.setter
        def both(self, value):
            self._both = value

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.PReLU()), mx.sin)
            self.second = nn.BatchNorm(2)

        def _extra_repr(self):
            return "extra"

    return {
        "Nested": Nested,
        "Plain": Plain,
        "Switched": Switched,
        "Wrong": Wrong,
        "Outer": Outer,
        "Shadowed": Shadowed,
        "m": Nested(),
        "then": lambda module, *results: results[-1] if results else module,
        "paths": lambda tree: [
            path for path, _ in side.utils.tree_flatten(tree, is_leaf=nn.Module.is_module)
        ],
    }


READS = """
m
Outer()
Plain()
Switched()
nn.Module()
m.w
m.nowhere
Wrong().broken
list(m)
sorted(Switched().__dict__), list(Switched())
Shadowed(), Shadowed().layers, list(Shadowed())
m.parameters()
m.trainable_parameters()
m.children()
m.leaf_modules()
Outer().leaf_modules()
nn.Module().parameters()
m.filter_and_map(lambda module, key, value: True)
m.filter_and_map(lambda module, key, value: True, is_leaf_fn=lambda m, k, v: False)
m.filter_and_map(nn.Module.valid_parameter_filter, lambda x: x.shape)
[path for path, _ in Outer().named_modules()]
[type(x).__name__ for x in Outer().modules()]
nn.Module.is_module(m), nn.Module.is_module({})
nn.Module.valid_child_filter(m, '_x', []), nn.Module.valid_child_filter(m, 'x', ())
nn.Module.valid_parameter_filter(m, '_x', mx.zeros(1)), nn.Module.valid_parameter_filter(m, 'x', [])
m.state is m, m.training
Plain().parameters()
Plain().training
Plain().trainable_parameters()
Plain().freeze()
Plain().eval().training
Plain()(mx.ones((1, 1)))
Plain().update({'x': mx.ones(2), 'linear': {'bias': mx.ones(1)}}).parameters()
Plain().update_modules({'linear': nn.ReLU()})
Plain().load_weights([('x', mx.ones(1))], strict=False).x
Plain().load_weights([('x', mx.ones(1))])
Plain().unfreeze()
Plain().freeze(keys='x')
Plain().freeze(recurse=False)
Plain().linear.freeze()._no_grad
Plain().apply(lambda x: x + 1).parameters()
Plain().train(False)
Plain().set_dtype(mx.float16)
list(Plain()), Plain().state.keys(), Plain().children(), len(Plain().modules())
nn.quantize(Plain(), 32, 4)
nn.value_and_grad(Plain(), lambda x: x.sum())(mx.ones(2))
nn.Module(3)
bool(nn.ReLU()), isinstance(nn.ReLU(), dict)
nn.MaxPool2d(2).children()
""".strip().splitlines()

CHANGES = """
then(m, delattr(m, 'w'), m.get('w'))
then(m, delattr(m, 'text'), hasattr(m, 'text'))
delattr(m, 'nowhere')
setattr(Shadowed(), 'common', [])
setattr(Shadowed(), 'common', 3)
then(s := Shadowed(), setattr(s, 'layers', (3,)), s.layers, list(s))
setattr(Shadowed(), 'layers', 3)
then(s := Shadowed(), setattr(s, 'both', []), s.both, list(s))
then(s := Shadowed(), setattr(s, 'both', 3), setattr(s, 'both', []))
then(s := Shadowed(), setattr(s, 'both', 3), s.both, list(s))
then(m, setattr(m, 'text', [1]), m.text, 'text' in m, 'text' in vars(m))
setattr(m, 'training', 3)
then(m, setattr(m, 'layers', None), (m, m.layers))
m.eval().training, m.layers[0].training, m.train().training, m.layers[0].training
m.update({'foo': mx.zeros(3)})
sorted(m.update({'foo': mx.zeros(3)}, strict=False))
m.update({'w': mx.zeros(9)}).w
m.update({'w': 3})
m.update({'w': {'x': 1}})
m.update({'w': {}})
m.update({'w': 3}, strict=False).w
m.update({'text': 3})
m.update({'tree': mx.zeros(1)})
m.update({'tree': {'x': {'y': mx.ones(4)}}}).tree
m.update({'tree': {'x': {'y': []}}})
m.update({'layers': {'x': 1}})
m.update({'layers': [{'weight': mx.zeros(2)}]}).layers[0].weight
m.update({'layers': [{'nothing': mx.zeros(2)}]})
m.update({'layers': [mx.zeros(2)]})
m.update({'layers': [{}, {}, {}]})
m.update({'layers': [{}, {}, mx.zeros(1)]}, strict=False)
m.update({'layers': None})
m.update({'mixed': [{}, mx.ones(1), {}]}).mixed[1]
m.update({'pair': [mx.ones(4)]})
m.update({'_hidden': mx.zeros(5)})._hidden
m.update(m.parameters())
m.update(m.trainable_parameters())
m.update_modules({'foo': nn.Linear(1, 1)})
m.update_modules({'w': nn.Linear(1, 1)})
m.update_modules({'layers': [nn.Linear(4, 4)]})
m.update_modules({'layers': [3]})
m.update_modules({'layers': {'x': nn.ReLU()}})
m.update_modules({'layers': [{}, {'a': nn.ReLU()}]})
m.update_modules({'layers': [{}, {'zz': nn.ReLU()}]})
m.update_modules({'layers': [{}, {}, nn.ReLU()]})
m.update_modules({'layers': 3})
m.update_modules({'pair': [{}, nn.ReLU()]})
m.update_modules(m.leaf_modules())
m.update_modules({'w': {}})
m.update_modules({'zz': nn.ReLU()}, strict=False)
m.apply(lambda x: x + 1) is m, m.parameters()
m.apply(lambda x: x.shape)
nn.Linear(1, 1).apply(lambda x: mx.zeros(7), lambda m, k, v: k == 'bias').bias
then(m, m.set_dtype(mx.float16), m.parameters())
then(m, m.set_dtype(mx.int32, lambda dtype: False), m.w)
then(m, m.set_dtype(mx.int32, None), m.w)
[path for path, _ in utils.tree_flatten(m.freeze().trainable_parameters())]
m.freeze()._no_grad, m.layers[0]._no_grad
m.freeze(recurse=False)._no_grad, m.layers[0]._no_grad
m.freeze(keys='weight', strict=True)._no_grad, m.trainable_parameters()
m.freeze(keys=['w'], strict=True, recurse=False)._no_grad
m.freeze(keys='weight', strict=True, recurse=False)
m.freeze(keys=['w', 'foo'], strict=True)
m.freeze(keys='tree').trainable_parameters()
m.freeze().unfreeze(keys='bias')._no_grad, m.trainable_parameters()
m.freeze().unfreeze()._no_grad
m.freeze().unfreeze(keys=['zz'], strict=True)
nn.BatchNorm(3).freeze()._no_grad
m.load_weights([('w', mx.zeros(3))])
m.load_weights([('w', mx.zeros(3)), ('q', mx.zeros(3)), ('b', 2)])
nn.Linear(1, 1).load_weights([('weight', mx.zeros(3)), ('bias', mx.zeros(1))])
nn.Linear(1, 1).load_weights([('weight', 3), ('bias', mx.zeros(1))])
nn.Linear(1, 1).load_weights([('weight', mx.ones((1, 1))), ('bias', mx.zeros(1))]).parameters()
nn.Linear(1, 1).load_weights([('weight', mx.zeros(3))], strict=False).weight
nn.Linear(1, 1).load_weights([('foo', mx.zeros(3))], strict=False)
nn.Linear(1, 1).load_weights(3)
nn.Linear(1, 1).save_weights('weights.foo')
""".strip().splitlines()


@pytest.mark.parametrize("expression", READS + CHANGES)
def test_module(expression):
    assert_same(expression, make_classes)


VALUE_AND_GRAD = """
nn.value_and_grad(layer, loss)(x)
nn.value_and_grad(layer, loss).__name__, nn.value_and_grad(layer, loss).__doc__
nn.value_and_grad(layer.freeze(keys='bias'), loss)(x)
nn.value_and_grad(layer.freeze(), loss)(x)
nn.value_and_grad(layer, lambda x: (layer(x).sum(), {'extra': x}))(x)
nn.value_and_grad(layer, lambda x: layer(x))(x)
nn.value_and_grad(layer, nn.utils.checkpoint(layer, loss))(x)
nn.utils.checkpoint(layer)(x)
nn.utils.checkpoint(layer, loss).__name__
""".strip().splitlines()


@pytest.mark.parametrize("expression", VALUE_AND_GRAD)
def test_value_and_grad(expression):
    def names(side):
        layer = side.nn.Linear(2, 1)

        def loss(x):
            "Documented."
            return layer(x).square().sum()

        return {"layer": layer, "loss": loss, "x": side.mx.array([[1.0, 2.0], [3.0, -1.0]])}

    assert_same(expression, names, tolerance=1e-5, error_text=False)


def test_an_exception_in_the_loss_leaves_the_parameters():
    layer = nn.Linear(2, 1)
    weight = layer.weight

    def loss(x):
        raise KeyError("on purpose")

    for transform in (nn.value_and_grad, nn.utils.checkpoint):
        with pytest.raises(KeyError):
            transform(layer, loss)(mx.ones((1, 2)))
        assert layer.weight is weight


def test_running_statistics_stay_frozen():
    # In MLX they are only if the batch norm itself is unfrozen, not a module around it.
    norm = nn.BatchNorm(3)
    model = nn.Sequential(norm)
    assert model.freeze().unfreeze() is model
    assert norm.unfreeze(keys="running_mean") is norm
    assert norm._no_grad == {"running_mean", "running_var"}


def test_weights_go_through_files(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    file = tmp_path / "weights.safetensors"
    model.save_weights(str(file))
    other = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    assert not mx.array_equal(other.layers[0].weight, model.layers[0].weight)
    other.load_weights(file)
    for (name, a), (_, b) in zip(
        tree_flatten(model.parameters()), tree_flatten(other.parameters()), strict=True
    ):
        assert mx.array_equal(a, b), name


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))]
)
@pytest.mark.parametrize(
    "layer", [lambda: nn.Linear(2, 2), lambda: nn.TransformerEncoderLayer(4, 2, activation=nn.gelu)]
)
def test_modules_can_be_copied_and_pickled(copied, layer):
    module = layer().eval()
    other = copied(module)
    assert repr(other) == repr(module) and not other.training
    for (name, a), (_, b) in zip(
        tree_flatten(module.parameters()), tree_flatten(other.parameters()), strict=True
    ):
        assert a is not b and mx.array_equal(a, b), name
