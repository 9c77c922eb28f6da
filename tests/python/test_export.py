"""export_function, import_function, exporter and export_to_dot, beside MLX's."""

import gc
import io
import os
import re
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import mlxfn
from engines import IS_HEDDLE, mx, reference

both = pytest.mark.parametrize("module", [mx, reference], ids=["heddle", "mlx"])
only_heddle = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "f.mlxfn")


def numbers(module):
    return module.array([1.0, 2.0, 3.0]), module.array([4.0, 5.0, 6.0])


def same(given, wanted):
    return np.array_equal(np.array(given), np.array(wanted))


@both
def test_arguments_in_all_forms(module, path):
    x, y = numbers(module)

    def fun(*args, **kwargs):
        return sum(args) * kwargs["scale"]

    for args, kwargs in [
        ((x, y), {"scale": x}),
        (((x, y), {"scale": x}), {}),
        (([x, y], {"scale": x}), {}),
    ]:
        module.export_function(path, fun, *args, **kwargs)
        imported = module.import_function(path)
        for call in (
            lambda f: f(x, y, scale=x),
            lambda f: f((x, y), {"scale": x}),
            lambda f: f([x, y], {"scale": x}),
        ):
            (out,) = call(imported)
            assert same(out, (x + y) * x)


@both
@pytest.mark.parametrize(
    "call",
    [
        lambda f, x: f(x),
        lambda f, x: f(x, scale=x[:2]),
        lambda f, x: f(x.astype(type(x.dtype) and f.int32), scale=x),
        lambda f, x: f(x, other=x),
        lambda f, x: f(x, x, scale=x),
        lambda f, x: f(1.0, scale=x),
        lambda f, x: f((x,), scale=x),
        lambda f, x: f((x,), {"scale": x}, other=x),
        lambda f, x: f("x"),
        lambda f, x: f({"scale": {"deep": x}}),
        lambda f, x: f(),
    ],
)
def test_arguments_that_fit_no_trace(module, path, call):
    x, _ = numbers(module)
    module.export_function(path, lambda a, scale: a * scale, x, scale=x)
    imported = module.import_function(path)

    class Callable:
        int32 = module.int32

        def __call__(self, *args, **kwargs):
            return imported(*args, **kwargs)

    with pytest.raises(ValueError, match=r"\[import_function::call\]"):
        call(Callable(), x)


@only_heddle
def test_the_message_lists_the_traces_as_mlx_does(path):
    messages = []
    for module in (mx, reference):
        x, _ = numbers(module)
        module.export_function(path, lambda a, scale: a * scale, x, scale=x)
        with pytest.raises(ValueError) as error:
            module.import_function(path)(x[None], x, scale=x)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@both
def test_outputs(module, path):
    x, y = numbers(module)
    for fun, count in [
        (lambda a: a, 1),
        (lambda a: (a, a + 1), 2),
        (lambda a: [a, y], 2),
        (lambda a: (y,), 1),
    ]:
        module.export_function(path, fun, x)
        out = module.import_function(path)(x)
        assert isinstance(out, tuple) and len(out) == count
        wanted = fun(x)
        for given, right in zip(
            out, wanted if isinstance(wanted, (tuple, list)) else [wanted], strict=True
        ):
            assert same(given, right)
    for fun in (lambda a: {"a": a}, lambda a: None, lambda a: 1.0, lambda a: (a, (a,))):
        with pytest.raises(ValueError, match="Outputs can be either"):
            module.export_function(path, fun, x)


@both
def test_no_inputs_and_no_results(module, path):
    module.export_function(path, lambda: module.zeros((2, 3)) + module.arange(3))
    assert same(module.import_function(path)()[0], np.zeros((2, 3)) + np.arange(3))


@both
def test_inputs_that_are_no_arrays(module, path):
    x, _ = numbers(module)
    for args in [(1.0,), ({"a": {"b": x}},), ((x, 1),), (x, (x,))]:
        with pytest.raises(ValueError, match=r"\[export_function\] Inputs can either be"):
            module.export_function(path, lambda *a, **k: x, *args)
    with pytest.raises(TypeError):
        module.export_function(path, 3, x)


@both
def test_metadata(module, path):
    x, _ = numbers(module)
    text = 'a "text", {} \n ünicode'
    module.export_function(path, lambda a: a, x, metadata=text)
    imported, metadata = module.import_function(path, return_metadata=True)
    assert metadata == text and same(imported(x)[0], x)
    module.export_function(path, lambda a: a, x)
    assert module.import_function(path, return_metadata=True)[1] == ""
    with pytest.raises(ValueError, match="only supported when exporting to a file"):
        module.export_function(lambda record: None, lambda a: a, x, metadata="text")


@both
def test_several_traces(module, path):
    x, y = numbers(module)
    exporter = module.exporter(path, lambda *args: sum(args), metadata="m")
    assert isinstance(exporter, module.FunctionExporter)
    exporter(x)
    exporter(x, y)
    with pytest.raises(RuntimeError, match="twice with the same signature"):
        exporter(y)
    exporter.close()
    exporter.close()
    with pytest.raises(RuntimeError, match="closed"):
        exporter(x, y, y)
    imported, metadata = module.import_function(path, return_metadata=True)
    assert metadata == "m"
    assert same(imported(x)[0], x) and same(imported(x, y)[0], x + y)
    with pytest.raises(ValueError, match="No imported function"):
        imported(x, y, y)


@both
def test_the_with_block_writes_what_was_traced_before_an_error(module, path):
    x, _ = numbers(module)
    with pytest.raises(KeyError), module.exporter(path, lambda a: a * 2) as exporter:
        exporter(x)
        raise KeyError
    assert same(module.import_function(path)(x)[0], x * 2)


@both
def test_shapeless(module, path):
    def fun(a, b):
        return (
            module.mean(a, axis=1),
            a[:, None] + b,
            module.softmax(a, axis=-1),
            a.reshape(-1),
            module.var(a),
        )

    def arrays(rows, columns):
        return module.random.normal((rows, columns)), module.ones((columns,))

    module.export_function(path, fun, *arrays(3, 4), shapeless=True)
    imported = module.import_function(path)
    for rows, columns in [(3, 4), (2, 7), (5, 2)]:
        a, b = arrays(rows, columns)
        for given, wanted in zip(imported(a, b), fun(a, b), strict=True):
            np.testing.assert_allclose(np.array(given), np.array(wanted), rtol=1e-5)
    with pytest.raises(ValueError):  # another rank
        imported(b, b)
    with pytest.raises(ValueError, match="broadcast"):
        imported(a, module.ones((9,)))


@only_heddle
@pytest.mark.parametrize("suffix", ["mlxfn", "heddle"])
def test_shapeless_files_of_heddle(tmp_path, suffix):
    path = str(tmp_path / f"f.{suffix}")

    def fun(module, a, w):
        x = module.fast.layer_norm(a, w, None, 1e-5)
        y = module.matmul(x, module.swapaxes(x, -1, -2))
        return [
            x,
            y,
            module.std(y, axis=0, ddof=1),
            module.take_along_axis(a, module.argsort(a, axis=1), 1),
            module.concatenate([a, a], axis=1),
            module.where(a > 0, a, 0.0),
        ]

    mx.export_function(
        path, lambda a, w: fun(mx, a, w), mx.zeros((3, 4)), mx.zeros((4,)), shapeless=True
    )
    imported = mx.import_function(path)
    readers = [(mx, imported)]
    if suffix == "mlxfn":
        readers.append((reference, reference.import_function(path)))
    rng = np.random.default_rng(1)
    for shape in [(3, 4), (6, 5), (2, 9)]:
        a, w = (
            rng.normal(size=shape).astype("float32"),
            rng.normal(size=shape[1:]).astype("float32"),
        )
        for module, function in readers:
            given = function(module.array(a), module.array(w))
            for mine, right in zip(
                given, fun(reference, reference.array(a), reference.array(w)), strict=True
            ):
                np.testing.assert_allclose(np.array(mine), np.array(right), rtol=2e-5, atol=1e-5)


@both
def test_captured_arrays(module, path):
    x, y = numbers(module)
    lazy = module.sqrt(y)  # stored as the computation
    module.export_function(path, lambda a: a + y + lazy, x)
    assert same(module.import_function(path)(x)[0], x + y + lazy)
    for fun in (lambda a: a + x, lambda a: a + x * 2):
        with pytest.raises(ValueError, match="uncaptured inputs"):
            module.export_function(path, fun, x)


@both
def test_values_cannot_be_looked_at(module, path):
    x, _ = numbers(module)
    with pytest.raises(ValueError, match="eval"):
        module.export_function(path, lambda a: a if a.sum().item() > 0 else -a, x)


@only_heddle
def test_a_failed_export_leaves_the_old_file(path, tmp_path):
    x, _ = numbers(mx)
    mx.export_function(path, lambda a: a + 1, x)
    before = Path(path).read_bytes()

    @mx.custom_function
    def custom(a):
        return a * 2

    custom.vjp(lambda primals, cotangent, output: cotangent)
    for fun in (custom, lambda a: a.nothing, mx.checkpoint(mx.exp)):
        with pytest.raises((ValueError, AttributeError)):
            mx.export_function(path, fun, x)
    assert Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == ["f.mlxfn"]


@only_heddle
def test_custom_functions_are_refused_by_name(tmp_path):
    x, _ = numbers(mx)

    @mx.custom_function
    def custom(a):
        return a * 2

    custom.vjp(lambda primals, cotangent, output: cotangent)
    for suffix in ("mlxfn", "heddle"):
        with pytest.raises(ValueError, match=r"Unable to serialize primitive CustomTransforms"):
            mx.export_function(str(tmp_path / f"f.{suffix}"), custom, x)


@both
def test_paths(module, tmp_path):
    x, _ = numbers(module)
    with pytest.raises(RuntimeError, match="Failed to open"):
        module.export_function(str(tmp_path / "no" / "f.mlxfn"), lambda a: a, x)
    with pytest.raises(RuntimeError, match="Failed to open"):
        module.exporter(str(tmp_path / "no" / "f.mlxfn"), lambda a: a)
    with pytest.raises(RuntimeError, match="Failed to open"):
        module.import_function(str(tmp_path / "none.mlxfn"))
    module.export_function(str(tmp_path / "name"), lambda a: a, x)
    assert os.path.exists(tmp_path / "name")


@only_heddle
def test_the_callback_sees_what_mlx_shows(tmp_path):
    def fun(module, a, b, scale):
        c = module.log(a + b).sum(0).astype(module.float16) + scale + module.array([1.0, 2.0])
        return c, module.split(c, 2), module.flatten(a[None])

    def flat(module):
        def f(a, b, *, scale):
            c, parts, view = fun(module, a, b, scale)
            return [c, *parts, view]

        return f

    seen = {}
    for module in (mx, reference):
        x, y = numbers(module)
        records = seen.setdefault(module.__name__, [])
        module.export_function(records.append, flat(module), x, y, scale=module.array(1.0))
    mine, theirs = seen.values()

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(plain(v) for v in value)
        return repr(value)

    assert plain(mine) == plain(theirs)


@both
def test_the_callback_names_arrays_by_letters(module):
    records = []
    arrays = [module.array(float(i)) for i in range(60)]
    module.export_function(records.append, lambda *a: sum(a), *arrays)
    names = [name for name, _, _ in records[0]["inputs"]]
    assert [names[0], names[25], names[26], names[52], names[59]] == ["A", "Z", "AA", "BA", "BH"]
    assert [r["type"] for r in records[:4]] == ["inputs", "keyword_inputs", "outputs", "constants"]
    with pytest.raises(KeyError):
        module.export_function(lambda record: {}["none"], lambda a: a, arrays[0])


@only_heddle
def test_imported_functions_take_part_in_transformations(path):
    x, _ = numbers(mx)
    mx.export_function(path, lambda a: mx.exp(a) * 2, x)
    imported = mx.import_function(path)
    assert same(mx.grad(lambda a: imported(a)[0].sum())(x), mx.exp(x) * 2)
    assert same(mx.compile(lambda a: imported(a)[0])(x), imported(x)[0])
    assert same(mx.vmap(imported)(mx.stack([x, x]))[0][1], imported(x)[0])
    again = path + "2"
    mx.export_function(again, imported, x)
    assert same(mx.import_function(again)(x)[0], imported(x)[0])


@only_heddle
def test_functions_run_on_other_threads(path):
    x, _ = numbers(mx)
    weights = mx.random.normal((3, 3))
    mx.export_function(path, lambda a: mx.tanh(a @ weights), x)
    imported = mx.import_function(path)
    wanted, failed = np.array(imported(x)[0]), []

    def work():
        for _ in range(20):
            if not np.array_equal(np.array(imported(mx.array([1.0, 2.0, 3.0]))[0]), wanted):
                failed.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


@only_heddle
def test_an_exporter_that_refers_to_itself_is_collected(path):
    class Function:
        def __call__(self, a):
            return a

    fun = Function()
    fun.exporter = mx.exporter(path, fun)
    gone = weakref.ref(fun)
    del fun
    gc.collect()
    assert gone() is None


@both
def test_random_draws_repeat_or_take_the_key(module, path):
    key = module.random.key(3)
    module.export_function(path, lambda k: module.random.normal((4,), key=k), key)
    other = module.random.key(5)
    assert same(module.import_function(path)(other)[0], module.random.normal((4,), key=other))


@both
def test_dot(module, tmp_path):
    a = module.array([1.0, 2.0]) + 1
    path = tmp_path / "graph.dot"
    module.export_to_dot(str(path), module.exp(a).sum(), module.split(a, 2)[0], q=a)
    text = path.read_text()
    assert text.startswith("digraph {\n") and text.endswith("}")
    for label in ("Add", "Exp", "Split", "Squeeze"):
        assert len(re.findall(rf'\[label ="{label}", shape=rectangle\]', text)) == 1
    (exp,) = re.findall(r'(\d+) \[label ="Exp"', text)
    assert f'"q" -> {exp}\n' in text
    assert len(re.findall("rank=sink", text)) >= 2 and "rank=source" in text
    stream = io.StringIO()
    module.export_to_dot(stream, [a, a])
    assert stream.getvalue().count('[label ="Add"') == 1
    stream = io.StringIO()
    module.export_to_dot(stream)
    assert stream.getvalue() == "digraph {\n}"
    with pytest.raises(ValueError, match="file-like"):
        module.export_to_dot(3, a)
    for args, kwargs in [((1.0,), {}), ((a,), {"x": 1.0})]:
        with pytest.raises(ValueError, match="only arrays"):
            module.export_to_dot(io.StringIO(), *args, **kwargs)


@only_heddle
def test_own_files_keep_the_structure(tmp_path):
    path = str(tmp_path / "f.heddle")
    x, y = numbers(mx)

    def fun(a, *, b):
        return {"sum": a + b, "parts": [a, (b, a * b)], "note": "text", "none": None, "number": 2.5}

    with mx.exporter(path, fun, metadata="kept") as exporter:
        exporter(x, b=y)
        exporter(x[:2], b=y[:2])
    imported, metadata = mx.import_function(path, return_metadata=True)
    assert metadata == "kept"
    out = imported(x, b=y)
    assert list(out) == ["sum", "parts", "note", "none", "number"]
    assert (out["note"], out["none"], out["number"]) == ("text", None, 2.5)
    assert isinstance(out["parts"], list) and isinstance(out["parts"][1], tuple)
    assert same(out["parts"][1][1], x * y) and same(imported(x[:2], b=y[:2])["sum"], (x + y)[:2])
    mx.export_function(path, lambda a: a, x)
    assert isinstance(mx.import_function(path)(x), mx.array)
    with pytest.raises(ValueError, match="must be strings"):
        mx.export_function(path, lambda a: {1: a}, x)
    with pytest.raises(ValueError, match="cannot hold"):
        mx.export_function(path, lambda a: {"a": object()}, x)


@only_heddle
def test_own_files_are_safetensors(tmp_path):
    path = str(tmp_path / "f.heddle")
    w = mx.random.normal((3, 4))
    mx.eval(w)
    mx.export_function(path, lambda a: mx.fast.rms_norm(a @ w, None, 1e-5), mx.zeros((2, 3)))
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        names = file.keys()
        (name,) = [n for n in names if file.get_tensor(n).shape == (3, 4)]
        assert np.array_equal(file.get_tensor(name), np.array(w))
        assert file.metadata()["format"] == "heddle" and '"RMSNorm"' in file.metadata()["program"]


@only_heddle
def test_constants_are_stored_once_and_row_by_row(path):
    w = mx.array(np.arange(12, dtype="float32").reshape(3, 4))
    turned = w.T
    mx.eval(turned)
    zeros = mx.zeros((512, 512))
    mx.eval(zeros)
    x = mx.ones((3,))
    with mx.exporter(
        path, lambda *a: [a[-1] @ turned.T, turned, turned[::2], zeros + 1]
    ) as exporter:
        exporter(x)
        exporter(x, x)
    data = Path(path).read_bytes()
    file = mlxfn.parse(data)
    values = [e for f in file.functions for e in f.tape if e.value and len(e.value) == 48]
    assert len(values) == 1 and len(data) < 10_000  # a repeated number is one number
    assert np.array_equal(np.frombuffer(values[0].value, "float32").reshape(4, 3), np.array(turned))
    for module in (mx, reference):
        product, given, odd, ones = module.import_function(path)(module.ones((3,)))
        assert np.array_equal(np.array(given), np.array(turned)) and np.array(ones).min() == 1
        assert np.array_equal(np.array(odd), np.array(turned)[::2])
        assert np.array_equal(np.array(product), np.array(x) @ np.array(w))


@only_heddle
def test_the_oldest_version_that_holds_the_function_is_stated(path):
    x = mx.array([1, 2, 3])
    mx.export_function(path, lambda a: a + 1, x)
    assert mlxfn.parse(Path(path).read_bytes()).version == "0.32.2"
    mx.export_function(path, lambda a: a // 2, x)
    assert mlxfn.parse(Path(path).read_bytes()).version == "0.32.4"


@only_heddle
def test_loaded_arrays_become_constants(tmp_path):
    np.save(tmp_path / "w.npy", np.asfortranarray(np.arange(12.0, dtype=">f4").reshape(3, 4)))
    w = mx.load(str(tmp_path / "w.npy"))
    path = str(tmp_path / "f.mlxfn")
    mx.export_function(path, lambda a: a @ w, mx.ones((3,)))
    assert same(
        reference.import_function(path)(reference.ones((3,)))[0],
        np.arange(12.0).reshape(3, 4).sum(0),
    )


@only_heddle
def test_a_whole_model_both_ways(path):
    """A transformer block of MLX's layers, recorded by one library and run by the other."""
    import mlx.nn

    import heddle.nn

    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 5, 16)).astype("float32")

    def model(nn, module):
        block = nn.TransformerEncoderLayer(16, 4, 32)
        parameters = {}

        def fill(tree):
            return {
                k: fill(v) if isinstance(v, dict) else module.array(values(k, v))
                for k, v in tree.items()
            }

        def values(name, old):
            key = (name, tuple(old.shape), len(parameters))
            parameters[key] = np.random.default_rng(len(parameters)).normal(size=old.shape) * 0.2
            return parameters[key].astype("float32")

        block.update(fill(block.parameters()))
        block.eval()
        mask = nn.MultiHeadAttention.create_additive_causal_mask(5)
        return lambda a: block(a, mask)

    ours, theirs = model(heddle.nn, mx), model(mlx.nn, reference)
    wanted = np.array(theirs(reference.array(x)))
    np.testing.assert_allclose(np.array(ours(mx.array(x))), wanted, rtol=1e-4, atol=1e-5)
    for writer, function, reader in [
        (mx, ours, reference),
        (reference, theirs, mx),
        (mx, ours, mx),
    ]:
        writer.export_function(path, function, writer.array(x))
        (given,) = reader.import_function(path)(reader.array(x))
        np.testing.assert_allclose(np.array(given), wanted, rtol=1e-4, atol=1e-5)
