"""Shapeless files at other sizes than those of the trace: the right answer, or a refusal by name."""

import numpy as np
import pytest

import checks
import samples
from engines import IS_HEDDLE, mx
from subjects import compare_leaves, differentiable, gradient_of, grown, smooth_dtypes

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
    problem = different(sample, dtype, list(imported(*arrays)), wanted)
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
        problem = different(sample, dtype, list(given), wanted)
        if problem:
            return f"{[a.shape for a in larger]}: {problem}", right
        right += 1
    return None, right


def different(sample, dtype, given, wanted):
    return compare_leaves(sample, given, wanted, exactly=False)


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
