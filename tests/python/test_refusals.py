"""What eager refuses, every other way to run it refuses, with the same text.

Each array of each sample grows alone, axis by axis, and shrinks by one: where the function itself
refuses what that makes, the same function compiled without shapes, exported without shapes and
imported, and batched has to refuse it too. Nothing that runs then reads beyond its arrays.
"""

import contextlib

import numpy as np
import pytest

import checks
from engines import IS_HEDDLE, mx
from samples import SAMPLES
from subjects import differentiable, gradient_of, smooth_dtypes

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX keeps sizes of the trace")


def each(predicate):
    chosen = [sample for sample in SAMPLES if sample.arrays() and predicate(sample)]
    return pytest.mark.parametrize("sample", chosen, ids=lambda sample: sample.name())


def resized(arrays, steps):
    """The same arrays, one of them another size along one axis; elements are repeated in order."""
    for at, array in enumerate(arrays):
        for axis, size in enumerate(array.shape):
            for other in (size + step for step in steps):
                if size == 0 or other == 0:
                    continue
                changed = list(arrays)
                changed[at] = np.take(array, np.arange(other) % size, axis)
                yield changed


def leaves_of(function):
    """The function with its results as a list of arrays, which is what files hold."""
    return lambda *arrays: [
        leaf for leaf in checks.flatten(function(*arrays)) if isinstance(leaf, mx.array)
    ]


def described(arrays):
    return " ".join(str(list(array.shape)) for array in arrays)


def refusals(sample, dtype, function, steps=(1,)):
    """The resized inputs that the function refuses, and the exception."""
    for changed in resized(sample.draw(dtype), steps):
        arrays = sample.engine_arrays(mx, changed)
        _, refusal = checks.outcome(function, *arrays)
        if refusal is not None:
            yield arrays, refusal


def builds(function, arrays) -> bool:
    """Whether the function only fails when it is evaluated: values decide, not shapes."""
    with contextlib.suppress(Exception):
        function(*arrays)
        return True
    return False


def operation_of(message) -> str:
    return message[: message.find("]") + 1]


def problem_of(way, arrays, refusal, same):
    """`same(said, wanted)` says whether the texts agree."""
    result, error = checks.outcome(way, *arrays)
    if error is None:
        shapes = [leaf.shape for leaf in checks.flatten(result) if isinstance(leaf, mx.array)]
        return f"{described(arrays)}: gives {shapes} where eager says {refusal}"
    if not same(str(error), str(refusal)):
        return f"{described(arrays)}: says {error!s} where eager says {refusal!s}"
    return None


@each(lambda sample: sample.compiled)
def test_compiled_refuses(sample):
    def check(dtype, function):
        compiled = mx.compile(function, shapeless=True)
        if checks.outcome(compiled, *sample.engine_arrays(mx, sample.draw(dtype)))[1] is not None:
            return
        # A replay that reads beyond its arrays shows it sooner the further it reads.
        for arrays, refusal in refusals(sample, dtype, function, steps=(1, 70, -1)):
            problem = problem_of(compiled, arrays, refusal, lambda said, wanted: said == wanted)
            assert not problem, f"{sample.name()} {problem}"
            assert type(checks.outcome(compiled, *arrays)[1]) is type(refusal)

    check(sample.dtypes[0], sample.function_of(mx))
    if differentiable(sample) and smooth_dtypes(sample):
        dtype = smooth_dtypes(sample)[0]
        check(dtype, gradient_of(sample, dtype))


# Whose words a file may have where the function itself refuses: no operation of it would.
OPERATIONS = ("[broadcast_shapes]", "[broadcast_to]", "[reshape]", "[matmul]", "[scatter]")
# What .mlxfn files hold as a composition, which broadcasts a size of one where the operation does
# not.
COMPOSED_FOR_MLX = ("dequantize", "fast.scaled_dot_product_attention")


@each(lambda sample: sample.compiled)
@pytest.mark.parametrize("suffix", ["heddle", "mlxfn"])
def test_imported_refuses(sample, suffix, tmp_path):
    """A file holds operations: what refuses is the first that does not fit, in its own words, or
    the file itself, which may hold a size of the trace."""
    if suffix == "mlxfn" and sample.function in COMPOSED_FOR_MLX:
        return
    dtype, path = sample.dtypes[0], str(tmp_path / f"f.{suffix}")
    function = leaves_of(sample.function_of(mx))
    arrays = sample.engine_arrays(mx, sample.draw(dtype))
    try:
        mx.export_function(path, function, *arrays, shapeless=True)
    except (ValueError, RuntimeError, IndexError, TypeError):
        return  # test_export_registry.py and test_export_shapeless.py say what no file holds
    imported = mx.import_function(path)

    def same(said, wanted):
        return wanted in said or "of the export" in said or operation_of(said) in OPERATIONS

    for arrays, refusal in refusals(sample, dtype, function):
        problem = problem_of(imported, arrays, refusal, same)
        assert not problem, f"{sample.name()} {problem}"


@each(lambda sample: sample.vmap)
def test_vmapped_refuses(sample):
    """Where values decide, the batch is one more axis, and its indices are others."""
    dtype = sample.dtypes[0]
    function = leaves_of(sample.function_of(mx))
    batched = mx.vmap(function)
    twice = [mx.stack([a, a]) for a in sample.engine_arrays(mx, sample.draw(dtype))]
    if checks.outcome(batched, *twice)[1] is not None:
        return
    for arrays, refusal in refusals(sample, dtype, function):
        values = builds(function, arrays)

        def same(said, wanted, values=values):
            return operation_of(said) == operation_of(wanted) if values else said == wanted

        problem = problem_of(batched, [mx.stack([a, a]) for a in arrays], refusal, same)
        assert not problem, f"{sample.name()} {problem}"
