"""Quantized layers beside mlx.nn."""

import pytest

from side_by_side import assert_same, draws


def names(side):
    nn = side.nn
    x, w = map(side.mx.array, draws((3, 64), (8, 64)))
    linear, plain, embedding = nn.Linear(64, 8), nn.Linear(64, 8, bias=False), nn.Embedding(8, 64)
    for layer in (linear, plain, embedding):
        layer.weight = w
    net = nn.Sequential(linear, nn.ReLU(), [embedding], nn.Linear(8, 60))
    return {
        "x": x,
        "linear": linear,
        "plain": plain,
        "embedding": embedding,
        "net": net,
        "d": nn.layers.distributed,
        "then": lambda *results: results[-1],
        "shapes": lambda m: {
            name: (value.shape, value.dtype)
            for name, value in side.utils.tree_flatten(m.parameters())
        },
    }


FORMATS = [
    "",
    "group_size=32",
    "bits=2",
    "bits=3",
    "bits=8, group_size=32",
    "mode='mxfp4'",
    "mode='mxfp8'",
    "mode='nvfp4'",
]


@pytest.mark.parametrize("options", FORMATS)
def test_formats(options):
    assert_same(f"(m := linear.to_quantized({options}), m.parameters())", names, 1e-6)
    assert_same(f"linear.to_quantized({options})(x)", names, 1e-4)
    assert_same(f"plain.to_quantized({options})(x)", names, 1e-4)
    assert_same(f"embedding.to_quantized({options})(mx.array([[1, 0, 7]]))", names, 1e-6)
    assert_same(f"embedding.to_quantized({options}).as_linear(x)", names, 1e-4)
    assert_same(f"m := nn.QuantizedLinear(64, 8, {options}), shapes(m), list(m)", names)
    assert_same(f"m := nn.QuantizedEmbedding(8, 64, {options}), shapes(m), list(m)", names)
    own = "(lambda m: sorted(m.__dict__.items(), key=lambda item: item[0])[1:])"
    assert_same(f"{own}(nn.QuantizedLinear(64, 8, {options}))", names)


EXPRESSIONS = """
nn.QuantizedLinear(64, 8, False)
nn.QuantizedLinear(60, 8)
nn.QuantizedLinear(64, 8, mode='foo')
nn.QuantizedLinear(64, 8).trainable_parameters()
list(nn.QuantizedLinear(64, 8).unfreeze().trainable_parameters())
nn.QuantizedEmbedding(8, 64).trainable_parameters()
nn.QuantizedLinear.from_linear(linear, 32, 8)
nn.QuantizedEmbedding.from_embedding(embedding, mode='mxfp4')
linear.to_quantized(quantize_input=True)
linear.to_quantized(mode='nvfp4', quantize_input=True)
plain.to_quantized(mode='nvfp4', quantize_input=True)
embedding.to_quantized(mode='nvfp4', quantize_input=True)
nn.QQLinear(64, 8), nn.QQLinear(64, 8, mode='mxfp8')
nn.QQLinear.from_linear(linear)
m := nn.QQLinear.from_linear(plain), shapes(m), shapes(m.eval()), shapes(m.train()), m.train()
m := nn.QQLinear(64, 8), m.eval(), list(m.trainable_parameters())
m := nn.QQLinear(64, 8), m.quantize(), m.quantize(), m._quantized, m.dequantize(), list(m)
m := nn.QQLinear.from_linear(plain), m.eval(), m.parameters(), m.train(), m.parameters()
then(nn.quantize(net, class_predicate=lambda path, m: '0' in path), net)
then(nn.quantize(net, class_predicate=lambda path, m: '0' in path and {'bits': 8}), net)
then(nn.quantize(net, class_predicate=lambda path, m: '0' in path and 3), net)
then(nn.quantize(m := nn.Sequential(linear, embedding)), m)
then(nn.quantize(m := nn.Sequential(linear, embedding), 32, 8), m)
then(nn.quantize(m := nn.Sequential(linear, embedding), mode='mxfp8'), m)
then(nn.quantize(m := nn.Sequential(plain), mode='nvfp4', quantize_input=True), m)
then(nn.quantize(m := nn.Sequential(linear), mode='nvfp4', quantize_input=True), m)
then(nn.quantize(m := nn.Sequential(plain), quantize_input=True), m)
then(nn.quantize(nn.Linear(64, 8)), 1)
then(nn.quantize(net), net)
nn.QuantizedAllToShardedLinear(64, 8), nn.QuantizedShardedToAllLinear(64, 8, False)
nn.QuantizedAllToShardedLinear(64, 8, mode='mxfp4')
nn.QuantizedAllToShardedLinear(64, 8).trainable_parameters()
then((m := nn.QuantizedShardedToAllLinear(64, 8)).unfreeze(), m.trainable_parameters())
nn.QuantizedAllToShardedLinear.from_quantized_linear(linear.to_quantized(bits=8))(x)
nn.QuantizedShardedToAllLinear.from_quantized_linear(linear.to_quantized())(x)
d.shard_linear(linear.to_quantized(), 'all-to-sharded')(x)
d.shard_linear(plain.to_quantized(bits=2), 'sharded-to-all')(x)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_mlx(expression):
    assert_same(f"({expression})", names, 1e-4)


def test_what_cannot_be_quantized_is_an_error():
    expression = "nn.quantize(net, class_predicate=lambda path, m: True)"
    assert_same(expression, names, error_text=False)  # it names the class


def test_gradients_go_through_quantized_layers():
    # What comes before a quantized layer is trained through it, as in low-rank adaptation.
    assert_same("mx.grad(lambda x: (linear.to_quantized()(x) ** 2).sum())(x)", names, 1e-3)
    assert_same(
        "nn.value_and_grad(m := nn.Sequential(nn.Linear(64, 64), linear.to_quantized()), "
        "lambda x: m(x).sum())(x)",
        names,
        1e-3,
    )


@pytest.mark.parametrize(
    "options", ["", "32, 8, mode='mxfp8'", "mode='nvfp4', quantize_input=True"]
)
def test_layers_of_others_get_what_was_asked_for(options):
    """Many programs have a ``to_quantized`` of their own that takes three arguments."""

    def with_layer(side):
        class Layer(side.nn.Module):
            given = []

            def to_quantized(self, **arguments):
                self.given.append(arguments)
                return self

        return {"layer": Layer()}

    assert_same(f"nn.quantize(nn.Sequential(layer), {options}), layer.given", with_layer)
