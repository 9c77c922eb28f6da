"""Shapeless files at other sizes than those of the trace: right, or refused by name."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import checks
import heddle
import heddle.nn as nn
import samples
from engines import IS_HEDDLE, mx, reference
from heddle.utils import tree_flatten, tree_unflatten
from subjects import FLOATING, differentiable, gradient_of, grown, resized, smooth_dtypes

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX keeps sizes of the trace")

SUFFIXES = pytest.mark.parametrize("suffix", ["mlxfn", "heddle"])
FAMILIES = pytest.mark.parametrize(
    "family", range(len(samples.FAMILIES)), ids=[f.__name__[8:] for f in samples.FAMILIES]
)


def arrays_in(results):
    return [value for value in checks.flatten(results) if isinstance(value, mx.array)]


def at_sizes(sample, dtype, function, path):
    """A difference between the file and the function, and at how many sizes the file works."""

    def flat(*arrays):
        return arrays_in(function(*arrays))

    drawn = sample.draw(dtype)
    arrays = sample.engine_arrays(mx, drawn)
    wanted, error = checks.outcome(flat, *arrays)
    if error is not None or not wanted:
        return None, 0
    try:
        mx.export_function(path, flat, *arrays, shapeless=True)
    except ValueError as refusal:
        named = str(refusal).startswith("[export_function] Unable to serialize primitive")
        return None if named else f"export: {refusal!r}", 0
    imported = mx.import_function(path)
    problem = different(sample, list(imported(*arrays)), wanted)
    if problem:
        return f"as traced: {problem}", 0
    right = 0
    for larger in grown(drawn):
        arrays = sample.engine_arrays(mx, larger)
        wanted, error = checks.outcome(flat, *arrays)
        if error is not None:
            continue
        given, error = checks.outcome(imported, *arrays)
        if error is not None:
            if not isinstance(error, ValueError):
                return f"{[a.shape for a in larger]}: {error!r}", right
            continue
        problem = different(sample, list(given), wanted)
        if problem:
            return f"{[a.shape for a in larger]}: {problem}", right
        right += 1
    return None, right


def different(sample, given, wanted):
    """Compositions round in other places; a size of the trace shows in shapes or in digits."""
    for mine, right in zip(given, wanted, strict=True):
        if checks.structure(mine) != checks.structure(right):
            return f"{checks.structure(mine)} instead of {checks.structure(right)}"
        kind = checks.dtype_name(right.dtype)
        mine, right = checks.wide(mine), checks.wide(right)
        if kind not in FLOATING:
            if not np.array_equal(mine, right):
                return f"{mine!r} instead of {right!r}"
            continue
        allowed = 4 * checks.tolerance(kind, max(sample.length, 2), sample.tolerance)
        floor = 1e-5 + allowed * float(np.abs(right[np.isfinite(right)]).max(initial=0.0))
        if not np.allclose(mine, right, rtol=allowed, atol=floor, equal_nan=True):
            return f"{mine!r} instead of {right!r}"
    return None


@SUFFIXES
@FAMILIES
def test_no_sample_differs_in_silence(family, suffix, tmp_path):
    path, failures = str(tmp_path / f"f.{suffix}"), []
    for sample in samples.FAMILIES[family].SAMPLES:
        if not (sample.compiled and sample.shapeless and sample.arrays()):
            continue
        functions = [("", sample.dtypes[0], sample.function_of(mx))]
        if differentiable(sample):
            functions += [(" grad", d, gradient_of(sample, d)) for d in smooth_dtypes(sample)[:1]]
        for label, dtype, function in functions:
            problem, _ = at_sizes(sample, dtype, function, path)
            if problem:
                failures.append(f"{sample.name()}{label} {dtype}: {problem}")
    assert not failures, "\n".join(failures)


@FAMILIES
def test_no_program_differs_in_silence(family):
    """Sizes with names, each alone and all together: at others a program does what its function
    does, or converting it was refused."""
    failures, right = [], 0
    for sample in samples.FAMILIES[family].SAMPLES:
        if not (sample.compiled and sample.shapeless and sample.arrays()):
            continue
        function, drawn = sample.function_of(mx), sample.draw(sample.dtypes[0])
        arrays = sample.engine_arrays(mx, drawn)

        def flat(*given, f=function):
            return arrays_in(f(*given))

        if checks.outcome(flat, *arrays)[1] is not None:
            continue
        sizes = sorted({size for a in arrays for size in a.shape if size > 1})
        for named in [{size} for size in sizes] + [set(sizes)]:
            names = [[f"n{n}" if n in named else None for n in a.shape] for a in arrays]
            try:
                program = heddle.convert(flat, tuple(arrays), dynamic_shapes=names)
            except heddle.ConversionError:
                continue
            for change in (lambda n: n + 1, lambda n: n + 2, lambda n: 2 * n, lambda n: n - 1):
                try:
                    other = resized(drawn, {n: change(n) for n in named})
                except (ValueError, IndexError):
                    continue
                larger = sample.engine_arrays(mx, other)
                wanted, error = checks.outcome(flat, *larger)
                if error is not None:
                    continue
                given, error = checks.outcome(program, *larger)
                if error is not None and "was found to be another one at" in str(error):
                    continue
                problem = repr(error) if error else different(sample, given, wanted)
                if problem:
                    failures.append(f"{sample.name()} {[a.shape for a in larger]}: {problem}")
                right += not problem
    assert not failures, "\n".join(failures)
    # Keys have one size, and functions with rules of their own cannot be kept.
    assert right > 0 or samples.FAMILIES[family].__name__[8:] in ("random", "custom")


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def __call__(self, x):
        return self.second(nn.gelu(self.first(x)))


class Block(nn.Module):
    """A layer of a transformer with a residual, a norm and positions of its own."""

    def __init__(self):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiHeadAttention(8, 2, bias=True)
        self.places = mx.random.normal((1, 5, 8))

    def __call__(self, x):
        x = x + self.places
        y = self.norm(x)
        return x + self.attention(y, y, y)


class Masked(Block):
    def __call__(self, x):
        y = self.norm(x)
        mask = nn.MultiHeadAttention.create_additive_causal_mask(x.shape[1])
        return x + self.attention(y, y, y, mask)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm(4)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(36, 5)
        self.eval()

    def __call__(self, x):
        x = self.pool(nn.relu(self.norm(self.conv(x))))
        return self.head(mx.flatten(x, 1))


MODELS = {
    "Linear": (lambda: nn.Linear(6, 3), (6,)),
    "Linear-3d": (lambda: nn.Linear(6, 3), (4, 6)),
    "Mlp": (Mlp, (6,)),
    "LayerNorm": (lambda: nn.LayerNorm(6), (6,)),
    "RMSNorm": (lambda: nn.RMSNorm(6), (6,)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 6), (5, 6)),
    "GroupNorm-pytorch": (lambda: nn.GroupNorm(2, 6, pytorch_compatible=True), (2, 2, 6)),
    "Block": (Block, (5, 8)),
    "Masked": (Masked, (5, 8)),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(1, 8, 2, 16), None),
    "ConvNet": (ConvNet, (8, 8, 3)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, 2), (6, 6, 3)),
}


def model_of(name):
    """The model as a function of an input of some batch, and the rest of the input's shape."""
    make, shape = MODELS[name]
    mx.random.seed(5)
    model = make()
    mx.eval(model.parameters())
    if shape is None:
        return (lambda x: model(x, None)), (5, 8)
    return model, shape


def batch_of(size, shape):
    return np.random.default_rng(size).normal(size=(size, *shape)).astype("float32")


RUN = """
import pickle, sys
import mlx.core as mx, numpy as np
results = []
for path, arrays in pickle.load(open(sys.argv[1], "rb")):
    try:
        given = mx.import_function(path)(*map(mx.array, arrays))
        results.append([np.array(value) for value in given])
    except ValueError as error:
        results.append(str(error))
pickle.dump(results, open(sys.argv[2], "wb"))
"""


def in_mlx(folder, jobs):
    """What MLX, in a process of its own, makes of files and arrays: results, or a refusal."""
    (folder / "jobs").write_bytes(pickle.dumps(jobs))
    command = [sys.executable, "-c", RUN, str(folder / "jobs"), str(folder / "results")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr[-2000:]
    return pickle.loads((folder / "results").read_bytes())


def first(results):
    """The only array, which .heddle files give as the function did and .mlxfn files in a tuple."""
    (value,) = arrays_in(results)
    return value


def near(given, wanted):
    given, wanted = np.array(given), np.array(wanted)
    return given.shape == wanted.shape and np.allclose(given, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("traced", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_models_take_any_batch(name, traced, tmp_path):
    """In heddle from both forms, and in MLX."""
    model, shape = model_of(name)
    for suffix in ("heddle", "mlxfn"):
        path = str(tmp_path / f"f.{suffix}")
        mx.export_function(path, model, mx.array(batch_of(traced, shape)), shapeless=True)
        imported = mx.import_function(path)
        for size in (1, 2, 3, 7):
            x = mx.array(batch_of(size, shape))
            assert near(first(imported(x)), model(x)), (suffix, size)
    sizes = (1, 2, 3, 7)
    given = in_mlx(tmp_path, [(path, [batch_of(size, shape)]) for size in sizes])
    for size, result in zip(sizes, given, strict=True):
        assert not isinstance(result, str), result
        assert near(result[0], model(mx.array(batch_of(size, shape)))), size


@SUFFIXES
@pytest.mark.parametrize("traced", [1, 3])
def test_training_takes_any_batch(traced, suffix, tmp_path):
    """The loss and the gradients of all parameters, which are inputs."""
    model = model_of("Mlp")[0]
    path = str(tmp_path / f"f.{suffix}")
    names, values = zip(*tree_flatten(model.parameters()), strict=True)

    def step(x, y, *values):
        def loss(values):
            model.update(tree_unflatten(list(zip(names, values, strict=True))))
            return nn.losses.cross_entropy(model(x), y, reduction="mean")

        value, gradients = mx.value_and_grad(loss)(list(values))
        return [value, *gradients]

    def inputs(size):
        return batch_of(size, (6,)), np.arange(size) % 3, *map(np.array, values)

    mx.export_function(path, step, *map(mx.array, inputs(traced)), shapeless=True)
    imported = mx.import_function(path)
    for size in (1, 2, 3, 7):
        arrays = [mx.array(a) for a in inputs(size)]
        for given, wanted in zip(imported(*arrays), step(*arrays), strict=True):
            assert near(given, wanted), size
    if suffix == "mlxfn":
        wanted = [step(*map(mx.array, inputs(size))) for size in (2, 7)]
        given = in_mlx(tmp_path, [(path, inputs(size)) for size in (2, 7)])
        for mine, right in zip(given, wanted, strict=True):
            assert not isinstance(mine, str), mine
            assert all(near(a, b) for a, b in zip(mine, right, strict=True))


# What users write, with inputs as traced and others; where heddle says no, why.
PROGRAMS = {
    "ones-like": (lambda m, x: m.ones_like(x) + m.zeros_like(x), (3, 4), (5, 6)),
    "full-like": (lambda m, x: m.full_like(x, 2.0), (3, 4), (5, 6)),
    "zeros": (lambda m, x: m.zeros(x.shape) + 1, (3, 4), (5, 4)),
    "half-of-the-size": (lambda m, x: m.arange(x.shape[0]), (3, 4), (5, 4)),
    "zeros-of-a-constant-size": (lambda m, x: m.zeros((4,)) + x, (3, 4), (5, 4)),
    "mean-gradient": (lambda m, x: m.grad(lambda y: m.mean(y * y))(x), (3, 4), (5, 6)),
    "row-mean-gradient": (
        lambda m, x: m.grad(lambda y: (m.mean(y, 0) * y).sum())(x),
        (3, 4),
        (5, 6),
    ),
    "variance-gradient": (lambda m, x: m.grad(lambda y: m.var(y, ddof=1))(x), (3, 4), (5, 6)),
    "repeat": (lambda m, x: m.repeat(x, 2, axis=0), (3, 4), (5, 6)),
    "tile": (lambda m, x: m.tile(x, (2, 3)), (3, 4), (5, 6)),
    "tril": (lambda m, x: m.tril(x) + m.triu(x, 1), (3, 4), (5, 6)),
    "roll": (lambda m, x: m.roll(x, 2, axis=1), (3, 4), (5, 6)),
    "roll-beyond": (lambda m, x: m.roll(x, 3, axis=1), (3, 4), (5, 2)),
    "roll-back": (lambda m, x: m.roll(x, -1, axis=1), (3, 4), (5, 6)),
    "take": (lambda m, x: m.take(x, m.array([2, 0]), axis=1), (3, 4), (5, 6)),
    "gather": (lambda m, x: x[m.array([2, 0])], (3, 4), (5, 6)),
    "first": (lambda m, x: x[:, 0], (3, 4), (5, 6)),
    "last": (lambda m, x: x[..., -2:][:-1], (3, 4), (5, 6)),
    "head": (lambda m, x: x[:2], (3, 4), (5, 4)),
    "beyond": (lambda m, x: x[:4], (3, 4), (5, 4)),
    "half": (lambda m, x: x[: x.shape[0] // 2], (4, 4), (8, 4)),
    "reversed": (lambda m, x: x[::-1, ::2], (3, 4), (5, 6)),
    "topk": (lambda m, x: m.sort(m.topk(x, 2, axis=-1)), (3, 4), (5, 6)),
    "topk-all": (lambda m, x: m.topk(x, 4, axis=-1).sum(-1), (3, 4), (5, 6)),
    "median": (lambda m, x: m.median(x, axis=-1), (3, 4), (5, 7)),
    "split": (lambda m, x: m.split(x, 2, axis=-1)[1], (3, 4), (5, 6)),
    "split-at": (lambda m, x: m.split(x, [1], axis=-1)[1], (3, 4), (5, 6)),
    "glu": (lambda m, x: x[..., : x.shape[-1] // 2], (3, 4), (5, 6)),
    "at": (lambda m, x: x.at[m.array([0, 2])].add(1.0), (3, 4), (5, 6)),
    "at-slice": (lambda m, x: x.at[:-1].multiply(2.0), (3, 4), (5, 6)),
    "fft": (lambda m, x: m.abs(m.fft.fft(x, norm="ortho")), (3, 4), (3, 6)),
    "fft-batch": (lambda m, x: m.abs(m.fft.fft(x, norm="ortho")), (3, 4), (5, 4)),
    "fftshift": (lambda m, x: m.fft.fftshift(x), (3, 4), (5, 6)),
    "reshape-batch": (lambda m, x: x.reshape(x.shape[0], -1), (3, 2, 2), (6, 2, 2)),
    "reshape-rest": (lambda m, x: x.reshape(-1, 4), (3, 2, 4), (5, 2, 4)),
    "reshape-last": (lambda m, x: x.reshape(-1, x.shape[-1]), (3, 4), (3, 8)),
    "reshape-same": (lambda m, x: x.reshape(2, 3), (2, 3), (3, 2)),
    "flatten-gradient": (
        lambda m, x: m.grad(lambda y: (m.flatten(y, 1) ** 2).sum())(x),
        (3, 2, 4),
        (5, 2, 4),
    ),
    "einsum": (lambda m, x: m.einsum("ij,kj->ik", x, x), (3, 4), (5, 6)),
    "broadcast": (lambda m, x: m.broadcast_to(x[:1], x.shape), (3, 4), (5, 4)),
    "pad": (lambda m, x: m.pad(x, 1), (3, 4), (5, 6)),
    "random": (lambda m, x: m.random.uniform(shape=x.shape, key=m.random.key(1)), (3, 4), (5, 4)),
}
REFUSED = {
    *("zeros", "half-of-the-size", "roll-beyond", "roll-back", "head", "beyond", "half", "median"),
    *("split-at", "glu", "fft", "fftshift", "reshape-batch", "reshape-last", "reshape-same"),
    *("broadcast", "random"),
}
MLXFN_REFUSES = {"take", "gather", "split", "at"}
# Numbers that Python computes from sizes follow them in heddle's own files.
FOLLOWED = {"zeros", "half-of-the-size", "reshape-batch", "reshape-last", "broadcast", "random"}


@SUFFIXES
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_at_another_size(name, suffix, tmp_path):
    function, traced, other = PROGRAMS[name]
    path = str(tmp_path / f"f.{suffix}")
    x, y = (mx.array(batch_of(shape[0], shape[1:])) for shape in (traced, other))
    mx.export_function(path, lambda a: function(mx, a), x, shapeless=True)
    imported = mx.import_function(path)
    assert near(first(imported(x)), function(mx, x))  # at the traced size everything works
    refuses = name in REFUSED | MLXFN_REFUSES if suffix == "mlxfn" else name in REFUSED - FOLLOWED
    if refuses:
        with pytest.raises(ValueError, match="at other sizes than those of the export"):
            imported(y)
    else:
        assert near(first(imported(y)), function(mx, y))
    if suffix == "mlxfn":
        results = in_mlx(tmp_path, [(path, [np.array(value)]) for value in (x, y)])
        for value, result in zip((x, y), results, strict=True):
            if isinstance(result, str):
                assert "cannot infer" in result or refuses, result  # as for its own files
            elif value is x or not refuses:
                assert near(result[0], function(mx, value))


# Files of MLX that MLX runs at another size.
THEIRS = {
    name: PROGRAMS[name]
    for name in (
        *("ones-like", "full-like", "mean-gradient", "row-mean-gradient", "reshape-rest"),
        *("einsum", "zeros-of-a-constant-size"),
    )
} | {
    "row": (lambda m, x: m.take(x, m.array([2, 0]), axis=0), (3, 4), (5, 4)),
    "softmax": (lambda m, x: m.softmax(x @ x.T, axis=-1), (3, 4), (5, 6)),
    "norms": (
        lambda m, x: m.fast.layer_norm(m.fast.rms_norm(x, None, 1e-5), None, None, 1e-5),
        (3, 4),
        (5, 6),
    ),
    "attention": (
        lambda m, x: m.fast.scaled_dot_product_attention(x, x, x, scale=0.5),
        (3, 2, 4, 6),
        (5, 2, 7, 6),
    ),
    "stack": (lambda m, x: m.matmul(x, m.ones((6, 2))), (3, 4, 6), (5, 7, 6)),
    "sort": (lambda m, x: m.sort(x, axis=-1).cumsum(axis=0), (3, 4), (5, 6)),
    "partition": (lambda m, x: m.sort(m.partition(x, 2)), (3, 4), (5, 6)),
}


@pytest.mark.parametrize("name", THEIRS)
def test_files_of_mlx_at_another_size(name, tmp_path):
    function, traced, other = THEIRS[name]
    path = str(tmp_path / "f.mlxfn")
    x, y = (batch_of(shape[0], shape[1:]) for shape in (traced, other))
    reference.export_function(
        path, lambda a: function(reference, a), reference.array(x), shapeless=True
    )
    right = function(reference, reference.array(y))
    theirs = reference.import_function(path)(reference.array(y))[0]
    assert near(theirs, right)
    assert near(mx.import_function(path)(mx.array(y))[0], right)


@SUFFIXES
def test_gradients_do_not_take_one_broadcast_for_another(suffix, tmp_path):
    """Where an example of size one hides what is broadcast, the call says so."""
    path = str(tmp_path / f"f.{suffix}")

    def gradients(x, y):
        return list(mx.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, y))

    sizes = [(1, 4), (3, 4)]
    for traced in [(a, b) for a in sizes for b in sizes]:
        mx.export_function(path, gradients, *map(mx.ones, traced), shapeless=True)
        imported = mx.import_function(path)
        for shapes in [(a, b) for a in sizes for b in sizes]:
            arrays = [mx.random.normal(shape) for shape in shapes]
            try:
                given = imported(*arrays)
            except ValueError as refusal:
                assert shapes != traced and "at other sizes" in str(refusal)
                continue
            assert all(near(a, b) for a, b in zip(given, gradients(*arrays), strict=True))


# ------------------------------------------------------------------------------------------------
# Numbers that Python computes from sizes


def exported(function, path, *arrays):
    """The function of one result, written and read."""
    mx.export_function(path, lambda *x: [function(*x)], *arrays, shapeless=True)
    return mx.import_function(path)


@SUFFIXES
def test_numbers_computed_from_sizes_follow_them(suffix, tmp_path):
    """Found by tracing at other sizes, where the constants that differ come from a size."""

    def ones(*shape):
        return mx.ones(shape)

    cases = {
        "a size": (lambda x: x / x.shape[0], (ones(3, 2),), (ones(9, 2),)),
        "beside an equal number": (lambda x: 3.0 * x / x.shape[0], (ones(3, 2),), (ones(7, 2),)),
        "a line": (lambda x: x * (2 * x.shape[1] - 1), (ones(3, 2),), (ones(3, 5),)),
        "of one": (lambda x, y: x + y * len(y), (ones(4), ones(2, 4)), (ones(4), ones(6, 4))),
        "that agree": (lambda x, y: (x - y) / len(x), (ones(3), ones(3)), (ones(8), ones(8))),
        "integers": (lambda x: x.astype(mx.int32) + x.size, (ones(4),), (ones(11),)),
    }  # fmt: skip
    for number, (name, (function, small, large)) in enumerate(cases.items()):
        imported = exported(function, str(tmp_path / f"{number}.{suffix}"), *small)
        for arrays in (small, large):
            (given,) = imported(*arrays)
            assert given.tolist() == function(*arrays).tolist(), name
            assert given.dtype == function(*arrays).dtype, name


def test_numbers_that_do_not_follow_a_size_are_refused_by_its_name(tmp_path):
    path = str(tmp_path / "f.heddle")
    for function in (lambda x: x * x.shape[1] ** -0.5, lambda x: x * (x.shape[0] * x.shape[1])):
        imported = exported(function, path, mx.ones((3, 4)))
        assert imported(mx.ones((3, 4)))[0].tolist() == function(mx.ones((3, 4))).tolist()
        with pytest.raises(ValueError, match="Axis 1 of input 0 has size 5 where the export had 4"):
            imported(mx.ones((3, 5)))
    imported = exported(lambda x: x * x.shape[1] ** -0.5, path, mx.ones((3, 4)))
    assert imported(mx.ones((9, 4)))[0].tolist() == (mx.ones((9, 4)) * 0.5).tolist()


@SUFFIXES
def test_functions_that_need_their_sizes_are_traced_as_they_are(suffix, tmp_path):
    """At another size they do not run, or are another program: nothing is known then."""
    w = mx.array([[1.0, 1.0]] * 4)
    path = str(tmp_path / f"f.{suffix}")

    def only_four(x):
        if x.shape[-1] != 4:
            raise KeyError("four")
        return x @ w / x.shape[0]

    assert (
        exported(only_four, path, mx.ones((2, 4)))(mx.ones((8, 4)))[0].tolist() == [[0.5] * 2] * 8
    )

    def branches(x):
        return x + 1 if x.shape[0] == 3 else (x + 1) * 2

    assert exported(branches, path, mx.ones((3,)))(mx.ones((3,)))[0].tolist() == [2.0] * 3


def test_mlx_follows_the_sizes_of_its_file_too(tmp_path):
    path = str(tmp_path / "f.mlxfn")
    mx.export_function(path, lambda x: x / x.shape[0], mx.ones((3, 2)), shapeless=True)
    (given,) = reference.import_function(path)(reference.full((9, 2), 9.0))
    assert np.array(given).tolist() == [[1.0, 1.0]] * 9
