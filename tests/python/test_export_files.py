"""Files of functions that lie, and files that only a GPU records."""

import contextlib
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

import mlxfn
from engines import IS_HEDDLE, mx, reference
from mlxfn import Entry, File, Function, build, parse

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's reader")
DATA = Path(__file__).parent / "data"


def load(data, path):
    path.write_bytes(data)
    return mx.import_function(str(path))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "f.mlxfn"


def sample_file(path, module=reference):
    """A file with most kinds of fields: several traces, names, constants, groups of results."""
    w = module.array(np.arange(12, dtype="float32").reshape(3, 4))
    b = module.array([True, False, True, True])

    def fun(a, *rest, scale):
        c = module.split(module.where(b, a @ w, 0.5), 2, axis=-1)
        d = module.as_strided(a, (2, 2), (1, 1), 1).sum(axis=0) * scale
        return [*c, d, a[:, 1:].astype(module.float16), module.arange(3), module.pad(a, 1), *rest]

    x = module.ones((2, 3))
    with module.exporter(str(path), fun, metadata="text") as exporter:
        exporter(x, scale=module.array(2.0))
        exporter(x, x, scale=module.array(2.0))
    return path.read_bytes()


def refused(data, path):
    """The one clean error, or None if the file is read."""
    from heddle import UnsafeFileError

    try:
        load(data, path)
    except UnsafeFileError as error:
        text = str(error)
        assert f"] {path}: offset " in text and "\n" not in text, text
        return text
    except ValueError as error:
        assert str(error).startswith("[import_function] Unable to deserialize primitive"), error
        return str(error)
    return None


@pytest.mark.parametrize("module", [mx, reference], ids=["heddle", "mlx"])
def test_every_truncation_is_refused(path, module):
    data = sample_file(path, module)
    assert refused(data, path) is None
    for length in range(len(data)):
        assert refused(data[:length], path), length
    assert "follow the last function" in refused(data + b"\0", path)


def test_lying_sizes_are_refused(path):
    data = sample_file(path)
    for border in parse(data).borders:
        for lie in (2**63, 2**64 - 1, 2**32, 2**31 - 1, 10**9):
            for form in ("<Q", "<I"):
                if border + struct.calcsize(form) <= len(data):
                    changed = bytearray(data)
                    struct.pack_into(form, changed, border, lie % 2 ** (8 * struct.calcsize(form)))
                    if refused(bytes(changed), path) is None:
                        # Ids, streams, numbers and texts may be anything: the file still runs.
                        x, s = mx.ones((2, 3)), mx.array(2.0)
                        with contextlib.suppress(ValueError, RuntimeError, MemoryError):
                            mx.eval(load(bytes(changed), path)(x, scale=s))


def test_flipped_bits_are_refused_or_harmless(path):
    data = sample_file(path)
    rng = np.random.default_rng(5)
    x, s = mx.ones((2, 3)), mx.array(2.0)
    for _ in range(3000):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if refused(bytes(changed), path) is None:
            with contextlib.suppress(ValueError, RuntimeError):
                mx.eval(load(bytes(changed), path)(x, scale=s))


def function(*entries, inputs=1, outputs=None, shape=(3,), dtype="float32"):
    ids = list(range(1, inputs + 1))
    return Function(
        inputs=ids,
        arguments=[(shape, dtype)] * inputs,
        outputs=outputs or [entries[-1].ids[0]],
        tape=[Entry([i]) for i in ids] + list(entries),
    )


def primitive(name, state=(), inputs=(1,), outputs=(((3,), "float32"),), ids=(9,), **more):
    return Entry(
        list(ids),
        name,
        list(inputs),
        list(state),
        outputs=list(outputs),
        several=len(ids) > 1,
        **more,
    )


def attention(state):
    return primitive("ScaledDotProductAttention", state, inputs=(1, 1, 1))


def means(program, attributes):
    for node in program["functions"][0]["nodes"]:
        if node["op"] == "Mean":
            node["attributes"] = attributes


@pytest.mark.parametrize(
    "entry, problem",
    [
        (primitive("Exp", inputs=(9,)), "not known before its use"),
        (primitive("Exp", inputs=(77,)), "not known before its use"),
        (primitive("Exp", ids=(1,)), "occurs twice"),
        (primitive("Exp", inputs=(1, 1)), "cannot have 2"),
        (primitive("Exp", inputs=()), "cannot have 0"),
        (primitive("Exp", outputs=[((4,), "float32")]), "recorded is float32 of shape (4)"),
        (primitive("Exp", outputs=[((3,), "float16")]), "recorded is float16"),
        (primitive("Exp", outputs=[((3,), "float32")] * 2, ids=(9, 10)), "has 1 results, 2"),
        (primitive("Squeeze", [[0]]), "squeeze"),
        (primitive("Squeeze", [[99]]), "squeeze"),
        (primitive("Transpose", [[0, 0]]), "transpose"),
        (primitive("Transpose", [[-5]]), "transpose"),
        (primitive("Reshape", [[-1, -1]]), "reshape"),
        (primitive("Reshape", [[2**31 - 1, 2**31 - 1, 2**31 - 1]]), "reshape"),
        (primitive("Reduce", [2, [7]]), "Axis 7"),
        (primitive("Reduce", [6, [0]]), "none of its 6 values"),
        (primitive("Reduce", [-1, [0]]), "none of its 6 values"),
        (primitive("Scan", [2, 3, False, True]), "cumsum"),
        (primitive("Sort", [5]), "sort"),
        (primitive("Partition", [3, 0]), "kth"),
        (primitive("Slice", [[0], [3], [0]]), "step"),
        (primitive("Slice", [[0, 0], [3], [1]]), "slice"),
        (primitive("AsStrided", [[3], [10**6], 0]), "as_strided"),
        (primitive("AsStrided", [[3], [2**62], 2**62]), "as_strided"),
        (primitive("Gather", [[0], [9]], inputs=(1, 1)), "gather"),
        (primitive("Concatenate", [2], inputs=(1, 1)), "concatenate"),
        (primitive("Split", [[1], 0]), "one result more"),
        (primitive("Pad", [[0], [-1], [0]], inputs=(1, 1)), "pad"),
        (primitive("Pad", [[0], [2**31 - 1], [2**31 - 1]], inputs=(1, 1)), "pad"),
        (primitive("Unflatten", [3, [3]]), "unflatten"),
        (primitive("RandomBits", [[3], 3]), "width of 1, 2 or 4"),
        (primitive("Convolution", [[0], [0], [0], [1], [1], 0, False], inputs=(1, 1)), "conv"),
        (primitive("Matmul", inputs=(1, 1)), "do not fit"),
        (primitive("NumberOfElements", [[4], True, "int8"], outputs=[((), "int8")]), "Axis 4"),
        (primitive("Arange", [0.0, float("nan"), 1.0], inputs=()), "arange"),
        (primitive("Arange", [0.0, 1e30, 1.0], inputs=()), "arange"),
        (primitive("Broadcast", [[5]]), "broadcast"),
        (primitive("Depends", ids=(9, 10), outputs=[((3,), "float32")] * 2), "more results"),
        (primitive("Eigh", ["X", True]), "triangle"),
        (attention([1.0, False, True, False, False]), "inputs"),
        (attention([1.0, False, False, True, False]), "logarithms"),
    ],
)  # fmt: skip
def test_records_that_contradict_themselves(path, entry, problem):
    text = refused(build(File([function(entry)])), path)
    assert text and problem in text, text


@pytest.mark.parametrize(
    "name", ["CustomKernel", "Compiled", "LUF", "Mean", "Nonsense", "x" * 300, "\n\0"]
)
def test_unknown_primitives_are_refused_by_name(path, name):
    mlxfn.STATE[name] = ""
    try:
        data = build(File([function(primitive(name))], version="0.33.1"))
    finally:
        del mlxfn.STATE[name]
    with pytest.raises(ValueError) as error:
        load(data, path)
    assert "\n" not in str(error.value)
    if len(name) < 100 and name.isalpha():
        assert f"Unable to deserialize primitive {name}" in str(error.value)
        assert "0.33.1" in str(error.value)


def test_headers(path):
    good = build(File([function(primitive("Exp"))]))
    assert refused(good, path) is None
    for version in ("", "1", "a.b.c", "-1.2.3", "1.2", "0.32.4" * 20):
        assert refused(struct.pack("<Q", len(version)) + version.encode() + good[14:], path)
    for count in (-1, 2, 2**31 - 1):
        changed = bytearray(good)
        struct.pack_into("<i", changed, 14, count)
        assert refused(bytes(changed), path)
    changed = bytearray(good)
    changed[18] = 2
    assert "neither 0 nor 1" in refused(bytes(changed), path)
    twice = function(primitive("Exp"), inputs=2)
    for keywords in (["b", "a"], ["a", "a"], ["a", "b", "c"]):
        twice.keywords = keywords
        assert "in" in refused(build(File([twice])), path)


def test_other_files(path, tmp_path):
    with pytest.raises(RuntimeError, match="Failed to open"):
        mx.import_function(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RuntimeError, match="not a regular file"):
        mx.import_function(str(tmp_path / "pipe"))
    mx.save_safetensors(str(tmp_path / "w"), {"a": mx.ones(3)})
    for data in (b"", b"\0", b"PK\3\4" + b"\0" * 40, b"\x93NUMPY" + b"\0" * 50, b"{}" * 50,
                 (tmp_path / "w.safetensors").read_bytes()):  # fmt: skip
        assert refused(data, path)


def test_a_large_file_of_little_is_quick(path):
    """A million records cost a small multiple of their bytes, and no recursion."""
    entries = [primitive("Exp", inputs=(i,), ids=(i + 1,)) for i in range(1, 100_001)]
    imported = load(build(File([function(*entries)])), path)
    assert imported(mx.zeros(3))[0].shape == (3,)


def test_earlier_versions_have_other_layouts(path):
    update = primitive("SliceUpdate", [[1], [2], [1]], inputs=(1, 2))
    small = function(update, inputs=1)
    small.tape[1:1] = [
        Entry([2], constant=True, outputs=[((1,), "float32")], value=struct.pack("<f", 7))
    ]
    x = mx.array([1.0, 2.0, 3.0])
    for version in ("0.30.6", "0.31.1"):
        (out,) = load(build(File([small], version=version)), path)(x)
        assert out.tolist() == [1, 7, 3]
    update.state = [2, *update.state]
    for version in ("0.31.2", "0.32.0", "0.32.1", "0.32.4", "0.40.0"):
        (out,) = load(build(File([small], version=version)), path)(x)
        assert out.tolist() == [1, 9, 3]


def test_work_recorded_for_a_gpu_runs_here(path, tmp_path):
    data = sample_file(path)
    file = parse(data)
    for f in file.functions:
        for e in f.tape:
            e.stream = (7, 1, 0)
    x, s = np.ones((2, 3), "float32"), np.float32(2)
    given = load(build(file), path)(mx.array(x), scale=mx.array(s))
    (tmp_path / "cpu.mlxfn").write_bytes(data)
    wanted = reference.import_function(str(tmp_path / "cpu.mlxfn"))(
        reference.array(x), scale=reference.array(s)
    )
    for mine, right in zip(given, wanted, strict=True):
        np.testing.assert_allclose(np.array(mine), np.array(right))


def run_fused(path, name, state, arrays, outputs=1, version="0.32.4"):
    shapes = [(tuple(a.shape), a.dtype.name) for a in arrays]
    ids = list(range(1, len(arrays) + 1))
    results = [shapes[0], *shapes[1:]][:outputs]
    results_ids = list(range(50, 50 + outputs))
    entry = primitive(name, state, ids, results, results_ids, stream=(0, 1, 0))
    f = Function(
        inputs=ids,
        arguments=shapes,
        outputs=results_ids,
        tape=[*map(lambda i: Entry([i]), ids), entry],
    )
    return [
        np.array(v) for v in load(build(File([f], version=version)), path)(*map(mx.array, arrays))
    ]


def test_fused_operations_of_a_gpu(path):
    rng = np.random.default_rng(2)

    def draw(*shape):
        return rng.normal(size=shape).astype("float32")

    def near(given, wanted):
        np.testing.assert_allclose(given, np.array(wanted), rtol=2e-5, atol=2e-5)

    R = reference
    x, w, b, g = draw(2, 3, 8), draw(8), draw(8), draw(2, 3, 8)
    a = [R.array(v) for v in (x, w, b, g)]
    near(run_fused(path, "RMSNorm", [1e-5], [x, w])[0], R.fast.rms_norm(a[0], a[1], 1e-5))
    near(
        run_fused(path, "LayerNorm", [1e-5], [x, w, b])[0],
        R.fast.layer_norm(a[0], a[1], a[2], 1e-5),
    )
    one, zero = np.float32(1), np.float32(0)
    near(
        run_fused(path, "LayerNorm", [1e-5], [x, one, zero])[0],
        R.fast.layer_norm(a[0], None, None, 1e-5),
    )
    wanted = R.vjp(lambda p, q: R.fast.rms_norm(p, q, 1e-5), a[:2], [a[3]])[1]
    for mine, right in zip(
        run_fused(path, "RMSNormVJP", [1e-5], [x, w, g], 2), wanted, strict=True
    ):
        near(mine, right)
    wanted = R.vjp(lambda p, q, r: R.fast.layer_norm(p, q, r, 1e-5), a[:3], [a[3]])[1]
    for mine, right in zip(
        run_fused(path, "LayerNormVJP", [1e-5], [x, w, b, g], 3), wanted, strict=True
    ):
        near(mine, right)
    q, k, sinks = draw(1, 4, 5, 8), draw(1, 2, 5, 8), draw(4)
    aq, ak = R.array(q), R.array(k)
    offset = np.int32(3)
    near(
        run_fused(path, "RoPE", [8, False, 10000.0, 1.0, True], [q, offset])[0],
        R.fast.rope(aq, 8, traditional=False, base=10000.0, scale=1.0, offset=3),
    )
    turned = run_fused(path, "RoPE", [8, True, 10000.0, 0.5, True], [q, offset])[0]
    near(run_fused(path, "RoPE", [8, True, 10000.0, 0.5, False], [turned, offset])[0], q)
    attention = R.fast.scaled_dot_product_attention
    near(
        run_fused(path, "ScaledDotProductAttention", [0.5, True, False, False, False], [q, k, k])[
            0
        ],
        attention(aq, ak, ak, scale=0.5, mask="causal"),
    )
    near(
        run_fused(
            path,
            "ScaledDotProductAttention",
            [0.5, False, True, False],
            [q, k, k, sinks],
            version="0.32.1",
        )[0],
        attention(aq, ak, ak, scale=0.5, sinks=R.array(sinks)),
    )


def test_division_with_remainder(path):
    x, y = np.array([7, -7, 9], "int32"), np.array([2, 2, -4], "int32")
    entry = primitive("DivMod", [], (1, 2), [((3,), "int32")] * 2, (9, 10))
    f = function(entry, inputs=2, outputs=[9, 10], dtype="int32")
    quotient, rest = load(build(File([f])), path)(mx.array(x), mx.array(y))
    assert quotient.tolist() == [3, -4, -3] and rest.tolist() == [1, 1, -3]


def own_file(tmp_path):
    path = tmp_path / "f.heddle"
    w = mx.array(np.arange(6, dtype="float32").reshape(2, 3))
    mx.export_function(
        str(path), lambda a: {"y": mx.mean(a * w, axis=1), "z": [a[:, ::-1]]}, mx.ones((2, 3))
    )
    return path


def rewritten(path, change):
    """The file with its program changed."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    program = json.loads(header["__metadata__"]["program"])
    text = change(program)
    header["__metadata__"]["program"] = text if isinstance(text, str) else json.dumps(program)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data[8 + length :]


def test_own_files_cut_short_or_damaged(tmp_path):
    path = own_file(tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), 3):
        with pytest.raises(ValueError):
            load(data[:length], path)
    rng = np.random.default_rng(5)
    for _ in range(1500):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        with contextlib.suppress(ValueError, RuntimeError):
            mx.eval(load(bytes(changed), path)(mx.ones((2, 3))))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.pop("functions"),
        lambda p: p.update(functions={}),
        lambda p: p.update(shapeless=1),
        lambda p: p["functions"][0].pop("nodes"),
        lambda p: p["functions"][0]["inputs"][0].update(shape=[-1, 3]),
        lambda p: p["functions"][0]["inputs"][0].update(shape=[2**31, 3]),
        lambda p: p["functions"][0]["inputs"][0].update(shape=[2**31 - 1] * 3),
        lambda p: p["functions"][0]["inputs"][0].update(shape=[1.5, 3]),
        lambda p: p["functions"][0]["inputs"][0].update(dtype="float33"),
        lambda p: p["functions"][0].update(constants=["none"]),
        lambda p: p["functions"][0].update(outputs=[10**6]),
        lambda p: p["functions"][0].update(outputs=[-1]),
        lambda p: p["functions"][0].update(outputs=[2**64 - 1]),
        lambda p: p["functions"][0].update(keywords=["b", "a"]),
        lambda p: p["functions"][0].update(keywords=["a", "b"]),
        lambda p: p["functions"][0]["nodes"][0].update(op="Nonsense"),
        lambda p: p["functions"][0]["nodes"][0].update(op=3),
        lambda p: p["functions"][0]["nodes"][0].update(inputs=[50, 0]),
        lambda p: p["functions"][0]["nodes"][0].update(inputs=[]),
        lambda p: p["functions"][0]["nodes"][0].update(attributes={"more": 1}),
        lambda p: p["functions"][0]["nodes"][0].update(results=[]),
        lambda p: means(p, {"axes": [9], "ddof": 0}),
        lambda p: means(p, {"axes": [], "ddof": 0}),
        lambda p: [n["results"][0].update(shape=[7]) for n in p["functions"][0]["nodes"]],
        lambda p: "[" * 100_000,
        lambda p: '{"a":' * 1000 + "1" + "}" * 1000,
        lambda p: json.dumps(p)[:-1] + ', "shapeless": false}',
        lambda p: json.dumps(p)[:-1],
        lambda p: "\0",
        lambda p: json.dumps(p) + "\0behind",
    ],
)  # fmt: skip
def test_own_files_that_contradict_themselves(tmp_path, change):
    path = own_file(tmp_path)
    data = rewritten(path, change)
    with pytest.raises(ValueError, match="import_function") as error:
        load(data, path)
    assert "\n" not in str(error.value)


def test_own_files_of_version_1():
    """One function of 101 samples, with 119 operations, that version 1 wrote, and its results."""
    stored = np.load(DATA / "version_1.npz")
    inputs = [mx.array(stored[f"in{i}"]) for i in range(len(stored.files)) if f"in{i}" in stored]
    function = mx.import_function(str(DATA / "version_1.heddle"))
    results = function(*inputs)
    wanted = [stored[f"out{i}"] for i in range(len(results))]
    assert len(inputs) + len(results) == len(stored.files)
    for given, right in zip(results, wanted, strict=True):
        given = np.array(given)
        assert (given.dtype, given.shape) == (right.dtype, right.shape)
        if right.dtype.kind in "fc":
            np.testing.assert_allclose(given, right, rtol=2e-4, atol=2e-5)
        else:
            assert np.array_equal(given, right)


def following(x):
    """A reshape, a slice and a constant that follow the first size; the second stays."""
    n = x.shape[0]
    return (x.reshape(2 * n, -1)[1 : n + 1] + n) * x.shape[1] ** -0.5


def follows(path):
    mx.export_function(str(path), following, mx.ones((3, 4)), shapeless=True)
    return path


def test_own_files_of_version_2(tmp_path):
    """It knew of constants alone that follow sizes: others are judged."""
    path = follows(tmp_path / "f.heddle")

    def earlier(program):
        for function in program["functions"]:
            for name in (
                *("dimensions", "follows_sizes", "needed"),
                *("input_names", "input_structure"),
            ):
                del function[name]
            for node in function["nodes"]:
                node.pop("following", None)

    data = rewritten(path, earlier).replace(b'"version": "3"', b'"version": "2"')
    function = load(data, path)
    x = mx.array(np.arange(12, dtype=np.float32).reshape(3, 4))
    assert function(x).tolist() == following(x).tolist()
    with pytest.raises(ValueError, match="Reshape at other sizes than those of the export"):
        function(mx.ones((5, 4)))


NUMBERS = "a number that follows a size: [attribute, element, rest, [[dimension, factor], ...]]"


@pytest.mark.parametrize(
    "change",
    [
        lambda f, n: f.pop("dimensions"),
        lambda f, n: f.update(dimensions=7),
        lambda f, n: f.update(dimensions=[]),
        lambda f, n: f.update(dimensions=[{"name": "n", "axes": [], "least": 0}]),
        lambda f, n: f.update(dimensions=[{"name": 1, "axes": [[0, 0]], "least": 0}]),
        lambda f, n: f.update(dimensions=[{"name": "n", "axes": [[1, 0]], "least": 0}]),
        lambda f, n: f.update(dimensions=[{"name": "n", "axes": [[0, 2]], "least": 0}]),
        lambda f, n: f.update(dimensions=[{"name": "n", "axes": [[0]], "least": 0}]),
        lambda f, n: f["dimensions"][0].update(least=-1),
        lambda f, n: f["dimensions"][0].update(least=0.5),
        lambda f, n: f.update(follows_sizes=1),
        lambda f, n: f.pop("follows_sizes"),
        lambda f, n: f.update(fixed=[[0, 9]]),
        lambda f, n: f.update(fixed=[[-1, 0]]),
        lambda f, n: f.pop("needed"),
        lambda f, n: f.update(needed=[[0]]),
        lambda f, n: f.update(input_names=["a", "b"]),
        lambda f, n: f.update(input_names=[1]),
        lambda f, n: f.pop("input_structure"),
        lambda f, n: n.update(following={}),
        lambda f, n: n["following"].append([]),
        lambda f, n: n["following"].append(["none", 0, 0, []]),
        lambda f, n: n["following"][0].__setitem__(1, 2),
        lambda f, n: n["following"][0].__setitem__(1, -1),
        lambda f, n: n["following"][0].__setitem__(2, 2**62),
        lambda f, n: n["following"][0].__setitem__(2, 0.5),
        lambda f, n: n["following"][0].__setitem__(3, [[0, 2**40]]),
        lambda f, n: n["following"][0].__setitem__(3, [[9, 1]]),
        lambda f, n: n["following"][0].__setitem__(3, [[0, 1]] * 9),
        lambda f, n: n["following"][0].__setitem__(3, 1),
        # What it says is not what was recorded.
        lambda f, n: n["following"][0].__setitem__(2, 1),
        lambda f, n: n["following"][0].__setitem__(3, [[0, -1]]),
        lambda f, n: n["following"][0].__setitem__(3, [[0, 2**32]]),
        lambda f, n: n.update(origin="here"),
        lambda f, n: n.update(origin=["a", "b"]),
        lambda f, n: n.update(origin=[1, 2, 3]),
    ],
)
def test_own_files_with_false_sizes(tmp_path, change):
    path = follows(tmp_path / "f.heddle")

    def changed(program):
        function = program["functions"][0]
        node = next(n for n in function["nodes"] if n["op"] == "Reshape")
        assert len(node["following"]) == 1, NUMBERS
        change(function, node)

    with pytest.raises(ValueError, match="import_function") as error:
        load(rewritten(path, changed), path)
    assert "\n" not in str(error.value)


def test_own_files_where_a_fixed_size_is_left_out(tmp_path):
    """Nothing is read out of bounds where a file is silent about what has to stay."""
    path = follows(tmp_path / "f.heddle")
    honest = mx.import_function(str(path))
    with pytest.raises(ValueError, match="Axis 1 of input 0 has size 6 where the export had 4"):
        honest(mx.ones((3, 6)))
    data = rewritten(path, lambda p: p["functions"][0].update(fixed=[]))
    # The constant is that of the export: the file says that it holds.
    assert load(data, path)(mx.ones((3, 6))).tolist() == mx.full((3, 3), 2.0).tolist()


def test_own_files_of_a_newer_version(tmp_path):
    path = own_file(tmp_path)
    data = path.read_bytes().replace(b'"version":"3"', b'"version":"4"')
    with pytest.raises(ValueError, match="version"):
        load(data, path)


@pytest.mark.parametrize(
    "structure", [7, -1, True, [], {}, {"list": 3}, {"a": 1, "b": 2}, {"dict": {}}, "x", 1.5]
)
def test_own_files_with_a_false_structure(tmp_path, structure):
    path = own_file(tmp_path)
    data = rewritten(path, lambda p: p["functions"][0].update(structure=structure))
    with pytest.raises(ValueError):
        load(data, path)(mx.ones((2, 3)))
