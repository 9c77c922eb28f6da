"""Every sample of every op as a file: MLX's run in heddle, heddle's in MLX, and heddle's own.

MLX runs heddle's files in a process of its own.
"""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import checks
import mlxfn
import samples
from engines import IS_HEDDLE, dtype_name, mx, reference, to_numpy

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="compares heddle with MLX")

FAMILIES = pytest.mark.parametrize(
    "family", range(len(samples.FAMILIES)), ids=[f.__name__[8:] for f in samples.FAMILIES]
)
# MLX's own results are no measure (see samples/scope.py), or it cannot store the operation.
INEXACT = ("softmax-long", "erf-long")
MLX_CANNOT_STORE = (
    "BitwiseInvert",
    "CumLogAddExp",
    "Contiguous",
    "ToFP8",
    "FromFP8",
    "LUF",
    "Load",
    "CustomTransforms",
    "SegmentedMM",
    "GatherQQMM",
    "QQMatmul",
)
# What no .mlxfn file can hold; .heddle files hold all but functions with rules of their own.
MLXFN_CANNOT_HOLD = (
    *("LU", "Det", "SLogDet", "Cofactors", "CustomTransforms"),
    *("Quantize of this mode", "Hadamard of a transposed matrix"),
)
# One kernel here, one step after the other in a file, so that only rounding is the same.
STORED_AS_STEPS = ("fast.rnn", "fast.gru", "fast.lstm")
NO_FLOAT64 = ("only supports float32", "Unsupported type")
# Results that are right in more than one form, and differ between the engines.
SEVERAL_RIGHT = (
    "linalg.svd",
    "linalg.eig",
    "linalg.qr",
    "random.multivariate_normal",
    "linalg.pinv",
)
# What MLX itself gets wrong, so that the same file has two results (samples/differences.py).
MLX_IS_WRONG = ("sign-special",)


def flat(sample, module):
    """The sample as a function of its arrays to a list of arrays."""
    function = sample.function_of(module)
    return lambda *arrays: [
        value for value in checks.flatten(function(*arrays)) if isinstance(value, module.array)
    ]


def cases(family, module, kinds=("values",)):
    """Samples that run in `module` and are judged in these ways, their dtypes and results."""
    for number, sample in enumerate(samples.FAMILIES[family].SAMPLES):
        if sample.check not in kinds:
            continue
        for dtype in dict.fromkeys((sample.dtypes[0], sample.dtypes[-1])):
            arrays = sample.engine_arrays(module, sample.draw(dtype))
            mx.random.seed(3)
            reference.random.seed(3)
            try:
                wanted = flat(sample, module)(*arrays)
                wanted = [(dtype_name(v.dtype), to_numpy(v)) for v in wanted]
            except (ValueError, TypeError, RuntimeError, IndexError):
                continue  # refused for this dtype
            mx.random.seed(3)
            reference.random.seed(3)
            if wanted:
                yield number, sample, dtype, arrays, wanted


def difference(sample, given, wanted):
    """What differs between results as (dtype, array)."""
    kinds = [(kind, value.shape) for kind, value in given]
    right = [(kind, value.shape) for kind, value in wanted]
    if kinds != right:
        return f"{kinds}, wanted {right}"
    if sample.name().startswith((*INEXACT, *SEVERAL_RIGHT, *MLX_IS_WRONG)):
        return None
    for (kind, mine), (_, theirs) in zip(given, wanted, strict=True):
        # MLX evaluates float64 functions by float32 polynomials.
        kind = "float32" if kind == "float64" else kind
        if mine.dtype.kind not in "fc":
            if not np.array_equal(mine, theirs):
                return f"{mine!r}, wanted {theirs!r}"
            continue
        allowed = 4 * checks.tolerance(kind, sample.length, sample.tolerance)
        if sample.name().startswith("linalg"):
            allowed *= 100  # inverses, of matrices of any condition
        problem = checks.differing(mine, theirs, allowed, 1.0)
        if problem:
            return problem
    return None


def pairs(values):
    return [(dtype_name(v.dtype), to_numpy(v)) for v in values]


@FAMILIES
def test_files_of_mlx_run_in_heddle(family, tmp_path):
    path, failures = str(tmp_path / "f.mlxfn"), []
    for _, sample, dtype, arrays, wanted in cases(family, reference):
        try:
            reference.export_function(path, flat(sample, reference), *arrays)
        except (ValueError, TypeError) as error:
            if any(f"primitive {name}" in str(error) for name in MLX_CANNOT_STORE):
                continue
            if sample.function == "from_dlpack":
                continue
            raise
        arrays = sample.engine_arrays(mx, sample.draw(dtype))
        problem = difference(sample, pairs(mx.import_function(path)(*arrays)), wanted)
        if problem:
            failures.append(f"{sample.name()} {dtype}: {problem}")
    assert not failures, "\n".join(failures)


@FAMILIES
def test_files_of_heddle_run_in_mlx(family, tmp_path):
    jobs, expected, failures = [], {}, []
    for number, sample, dtype, arrays, wanted in cases(family, mx):
        file = f"{number}-{dtype}.mlxfn"
        try:
            mx.export_function(str(tmp_path / file), flat(sample, mx), *arrays)
        except ValueError as error:
            if any(f"primitive {name}" in str(error) for name in MLXFN_CANNOT_HOLD):
                continue
            failures.append(f"{sample.name()} {dtype}: {error}")
            continue
        mlxfn.parse((tmp_path / file).read_bytes())  # the layout, field by field
        jobs.append((file, family, number, dtype))
        expected[file] = sample, wanted
    if jobs:
        results = run_in_mlx(tmp_path, jobs)
        for file, (sample, wanted) in expected.items():
            given = results[file]
            if isinstance(given, str) and "float64" in file and any(t in given for t in NO_FLOAT64):
                continue  # MLX's kernel has no such form
            problem = given if isinstance(given, str) else difference(sample, given, wanted)
            if problem:
                failures.append(f"{sample.name()} {file}: {problem}")
    assert not failures, "\n".join(failures)


def run_in_mlx(folder, jobs):
    """What MLX makes of the files."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(here / "run_exported.py"), str(folder)],
        env={**os.environ, "HEDDLE_TEST_MODULE": "mlx.core", "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout[-200:]}\n{done.stderr[-2000:]}"
    return pickle.loads((folder / "results.pickle").read_bytes())


def own_cases(family):
    """All samples: heddle's own results are the measure, whatever MLX makes of them."""
    return cases(family, mx, ("values", "shape", "truth"))


def refused_by_design(error) -> bool:
    """Whether a function with rules of its own was to go into a file."""
    return isinstance(error, ValueError) and "CustomTransforms" in str(error)


def own_file_problem(path, sample, arrays, wanted):
    """What differs when the sample runs from a file of heddle's own; None where nothing does."""
    mx.export_function(path, flat(sample, mx), *arrays)
    given = pairs(mx.import_function(path)(*arrays))
    if sample.function in STORED_AS_STEPS:
        return difference(sample, given, wanted)
    if [(kind, v.shape) for kind, v in given] != [(kind, v.shape) for kind, v in wanted]:
        return "dtypes or shapes differ"
    for (_, mine), (_, theirs) in zip(given, wanted, strict=True):
        if not np.array_equal(mine, theirs, equal_nan=mine.dtype.kind in "fc"):
            return "bits differ"
    return None


@FAMILIES
def test_own_files_give_the_same_bits(family, tmp_path):
    path, failures = str(tmp_path / "f.heddle"), []
    for _, sample, dtype, arrays, wanted in own_cases(family):
        try:
            problem = own_file_problem(path, sample, arrays, wanted)
        except ValueError as error:
            assert refused_by_design(error), f"{sample.name()} {dtype}: {error}"
            continue
        if problem:
            failures.append(f"{sample.name()} {dtype}: {problem}")
    assert not failures, "\n".join(failures)


def test_gradients_run_in_mlx(tmp_path):
    """Derivatives have operations of their own (of convolutions, norms, attention)."""
    failures = []
    for family, module in enumerate(samples.FAMILIES):
        jobs, expected = [], {}
        for number, sample in enumerate(module.SAMPLES):
            if not sample.grad or "float32" not in sample.dtypes or sample.check != "values":
                continue
            arrays = sample.engine_arrays(mx, sample.draw("float32"))
            chosen = [
                i for i, a in enumerate(sample.arrays()) if a.diff and a.dtype in (None, "float32")
            ]
            function = flat(sample, mx)

            def loss(*values, function=function):
                parts = [v.sum() for v in function(*values) if v.dtype == mx.float32]
                return sum(parts[1:], parts[0])

            if not chosen:
                continue
            gradient = mx.grad(loss, argnums=chosen)
            try:
                mx.random.seed(3)
                wanted = pairs(checks.flatten(gradient(*arrays)))
            except (ValueError, IndexError, RuntimeError):
                continue  # nothing floating comes out
            file = f"{number}.mlxfn"
            mx.random.seed(3)
            try:
                mx.export_function(
                    str(tmp_path / file), lambda *a, g=gradient: checks.flatten(g(*a)), *arrays
                )
            except ValueError as error:
                if not any(f"primitive {name}" in str(error) for name in MLXFN_CANNOT_HOLD):
                    failures.append(f"{sample.name()}: {error}")
                continue
            jobs.append((file, family, number, "float32"))
            expected[file] = sample, wanted
        if not jobs:
            continue
        results = run_in_mlx(tmp_path, jobs)
        for file, (sample, wanted) in expected.items():
            given = results[file]
            if isinstance(given, str):
                failures.append(f"{sample.name()}: {given}")
                continue
            for (_, mine), (_, theirs) in zip(given, wanted, strict=True):
                # Sums that cancel leave nothing but rounding.
                near = np.allclose(mine, theirs, rtol=1e-3, atol=1e-5, equal_nan=True)
                if not near and not sample.name().startswith(SEVERAL_RIGHT):
                    failures.append(f"{sample.name()}: {mine}, wanted {theirs}")
    assert not failures, "\n".join(failures)


def test_every_operation_is_written_or_refused_by_name(tmp_path):
    """No op is missing by accident: each one stands in a .heddle file of some sample."""
    import heddle.core as core

    seen = set()
    path = tmp_path / "f.heddle"
    for family in samples.FAMILIES:
        for sample in family.SAMPLES:
            arrays = sample.engine_arrays(mx, sample.draw(sample.dtypes[0]))
            try:
                mx.export_function(str(path), flat(sample, mx), *arrays)
            except (ValueError, TypeError, RuntimeError):
                continue
            _, metadata = core.load(str(path), format="safetensors", return_metadata=True)
            for function in json.loads(metadata["program"])["functions"]:
                seen.update(node["op"] for node in function["nodes"])
    only_in_derivatives = {
        "AsStridedAdjoint", "RecurrentVJP", "LayerNormVJP", "RMSNormVJP", "Cofactors",
        "ConvolutionBackwardInput", "ConvolutionBackwardWeight",
    }  # fmt: skip
    only_in_shapeless = {"BroadcastLike", "NumberOfElements"}
    # With rules or data of this process, or composed of the operations that they join.
    never = {"CustomTransforms", "OwnPrimitive", "Load", "Copy", "PointwiseFunction"}
    known = {row["name"] for row in core._registry()}
    missing = known - seen - only_in_derivatives - only_in_shapeless - never
    assert not missing
