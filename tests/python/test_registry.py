"""Every sample of every op: value, grad, jvp, vmap and compile, in each of its dtypes.

`_registry()` lists the engine's ops and `_graph_ops(*arrays)` the ops of a lazy graph: an op that
no sample reaches, and a public function without a sample, fail by name.
"""

import contextlib
import inspect

import numpy as np
import pytest

import checks
from engines import COMPLEX, IS_HEDDLE, mx, reference
from samples import SAMPLES
from samples.scope import MLX_FAILS, MLX_WRONG_GRADIENTS, OUT_OF_SCOPE
from subjects import (
    Smooth,
    accepted,
    compare_leaves,
    differentiable,
    gradient_of,
    grown,
    representative,
    smooth_dtypes,
)


def identify(sample):
    return sample.name()


def each(predicate):
    # What is no question for MLX is not asked when MLX is the module under test.
    asked = [sample for sample in SAMPLES if IS_HEDDLE or sample.check != "truth"]
    chosen = [sample for sample in asked if predicate(sample)]
    return pytest.mark.parametrize("sample", chosen, ids=identify)


def failures(sample, dtypes, check):
    """Run `check(dtype)` for each dtype and report all that failed in one message."""
    test = inspect.stack()[1].function
    if not IS_HEDDLE and sample.name().startswith(tuple(MLX_FAILS.get(test, ()))):
        pytest.xfail("MLX's own failure")
    found = []
    for dtype in dtypes:
        problem = check(dtype)
        if problem:
            found.append(f"{dtype}: {problem}")
    assert not found, f"{sample.name()}\n" + "\n".join(found)


def lacking(error) -> bool:
    """Whether MLX (never heddle) lacks this rule, when it is the module under test."""
    return not IS_HEDDLE and "mplemented" in str(error)


@each(lambda sample: True)
def test_value(sample):
    failures(sample, sample.dtypes, lambda dtype: checks.value_problem(sample, dtype))


def inner(left, right) -> float:
    """The real inner product of two lists of arrays, in float64."""
    return sum(
        float(np.sum(np.real(np.conj(checks.wide(a)) * checks.wide(b))))
        for a, b in zip(left, right, strict=True)
    )


def norm(arrays) -> float:
    return float(np.sqrt(inner(arrays, arrays)))


def attempt(call):
    """The result, or None where MLX lacks the rule and is itself under test."""
    try:
        result = call()
        mx.eval(result)
        return result
    except (ValueError, RuntimeError) as error:
        if lacking(error):
            pytest.skip("MLX lacks this rule")
        raise


def nothing_empty(sample):
    """MLX loops forever on some reductions of nothing."""
    return differentiable(sample) and "empty" not in sample.label


def complex_dtypes(sample):
    return [dtype for dtype in sample.dtypes if dtype in COMPLEX and accepted(sample, dtype)]


@each(differentiable if IS_HEDDLE else nothing_empty)
def test_grad(sample):
    def check(dtype):
        function = Smooth(sample, mx, dtype)
        cotangents = function.random_like(function(*function.primals))
        gradients = attempt(lambda: function.vjp(cotangents))
        for primal, gradient in zip(function.primals, gradients, strict=True):
            if (primal.shape, primal.dtype) != (gradient.shape, gradient.dtype):
                return (
                    f"gradient {gradient.shape} {gradient.dtype} of {primal.shape} {primal.dtype}"
                )
        if dtype in ("float64", *COMPLEX):
            return against_differences(function, cotangents, gradients)
        return against_wider(sample, function, cotangents, gradients)

    failures(sample, smooth_dtypes(sample) + complex_dtypes(sample), check)


def against_differences(function, cotangents, gradients):
    """The slope along one random direction, by central differences."""
    narrow = function.dtype in COMPLEX
    enough = ("complex64", "float32") if narrow else ("float64",)
    if any(checks.dtype_name(o.dtype) not in enough for o in function(*function.primals)):
        return None  # Rounding of a narrower result would drown the differences.
    step, allowed = (1e-4, 1e-5) if IS_HEDDLE and not narrow else (5e-3, 2e-3)
    direction = function.random_like(function.primals)
    ahead = function(*(p + step * d for p, d in zip(function.primals, direction, strict=True)))
    behind = function(*(p - step * d for p, d in zip(function.primals, direction, strict=True)))
    measured = (inner(cotangents, ahead) - inner(cotangents, behind)) / (2 * step)
    stated = inner(gradients, direction)
    scale = max(norm(gradients) * norm(direction), norm(cotangents), 1e-3)
    if not abs(measured - stated) <= allowed * scale:
        return f"slope {stated}, by differences {measured}"
    return None


def against_wider(sample, function, cotangents, gradients):
    """Gradients of the same values in the next wider arithmetic, of the same engine."""
    dtype = function.dtype
    wider_name = "float64" if dtype == "float32" else "float32"
    wider = Smooth(sample, mx, wider_name, drawn=widened(sample, dtype, wider_name))
    try:
        outputs = wider(*wider.primals)
        right = wider.vjp([c.astype(o.dtype) for c, o in zip(cotangents, outputs, strict=True)])
        mx.eval(right)
    except ValueError:
        if wider_name == "float64":
            return None  # No float64 for this op: the reference comparison below remains.
        raise
    outputs = [checks.dtype_name(output.dtype) for output in function(*function.primals)]
    allowed = max(checks.GRADIENT_TOLERANCE.get(name, 0.0) for name in (dtype, *outputs))
    for mine, other in zip(gradients, right, strict=True):
        problem = checks.differing(checks.wide(mine), checks.wide(other), allowed, 1.0)
        if problem:
            return f"against {wider_name}: {problem}"
    return None


def widened(sample, dtype, wider):
    """The drawn values in a wider dtype; arrays of a fixed dtype stay."""
    return [
        value if spec.dtype else value.astype(wider)
        for spec, value in zip(sample.arrays(), sample.draw(dtype), strict=True)
    ]


@each(lambda sample: nothing_empty(sample) and sample.check != "truth")
def test_grad_like_mlx(sample):
    """The conventions at kinks, for complex numbers and broadcasts are MLX's."""

    def check(dtype):
        if any(sample.name().startswith(n) and dtype == d for n, d in MLX_WRONG_GRADIENTS):
            return None
        mine, theirs = (Smooth(sample, module, dtype) for module in (mx, reference))
        try:
            outputs = theirs(*theirs.primals)
            cotangents = theirs.random_like(outputs)
            wanted = theirs.vjp(cotangents)
            reference.eval(wanted)
        except (ValueError, RuntimeError):
            return None  # MLX has no rule or kernel; differences decide in test_grad.
        gradients = attempt(lambda: mine.vjp(mine.random_like(mine(*mine.primals))))
        allowed = {"complex64": 2e-3, **checks.GRADIENT_TOLERANCE}[dtype]
        if dtype == "float64":
            allowed = checks.GRADIENT_TOLERANCE["float32"]
        for given, right in zip(gradients, wanted, strict=True):
            if checks.structure(given) != checks.structure(right):
                return f"{checks.structure(given)}, MLX {checks.structure(right)}"
            problem = checks.differing(checks.wide(given), checks.wide(right), allowed, 1.0)
            if problem:
                return problem
        return None

    failures(sample, smooth_dtypes(sample) + complex_dtypes(sample), check)


@each(differentiable if IS_HEDDLE else nothing_empty)
def test_jvp_against_vjp(sample):
    """<cotangent, jvp(tangent)> equals <vjp(cotangent), tangent>."""

    def check(dtype):
        function = Smooth(sample, mx, dtype)
        cotangents = function.random_like(function(*function.primals))
        tangents = function.random_like(function.primals)
        forward = attempt(lambda: function.jvp(tangents))
        backward = attempt(lambda: function.vjp(cotangents))
        ahead, back = inner(cotangents, forward), inner(backward, tangents)
        scale = norm(cotangents) * norm(forward) + norm(backward) * norm(tangents) + 1e-3
        # float64 is compared as float32 where MLX's rules are under test.
        outputs = [checks.dtype_name(value.dtype) for value in forward]
        allowed = max(checks.tolerance(n, max(sample.length, 64)) for n in (dtype, *outputs))
        return None if abs(ahead - back) <= allowed * scale else f"jvp {ahead}, vjp {back}"

    failures(sample, smooth_dtypes(sample), check)


@each(lambda sample: sample.vmap and sample.arrays())
def test_vmap_against_loop(sample):
    def check(dtype):
        function = sample.function_of(mx)
        batches = [sample.engine_arrays(mx, sample.draw(dtype, seed)) for seed in range(3)]
        looped = [checks.flatten(function(*batch)) for batch in batches]
        wanted = [mx.stack(list(parts)) for parts in zip(*looped, strict=True)]
        stacked = [mx.stack(list(parts)) for parts in zip(*batches, strict=True)]
        given = attempt(lambda: mx.vmap(function)(*stacked))
        problem = compare_leaves(sample, given, wanted, sample.exact)
        if problem:
            return f"all mapped: {problem}"
        # Only the first argument mapped, over its last axis.
        first, *others = batches[0]
        parts = [batch[0] for batch in batches]
        looped = [checks.flatten(function(part, *others)) for part in parts]
        wanted = [mx.stack(list(group)) for group in zip(*looped, strict=True)]
        axes = (first.ndim, *(None for _ in others))
        given = attempt(
            lambda: mx.vmap(function, in_axes=axes)(mx.stack(parts, axis=first.ndim), *others)
        )
        problem = compare_leaves(sample, given, wanted, sample.exact)
        return f"first mapped: {problem}" if problem else None

    failures(sample, representative(sample), check)


@each(lambda sample: sample.compiled)
def test_compiled_equals_eager(sample):
    """Bit for bit, at the first call and from the cache, and without shapes where that is legal."""

    def check(dtype):
        arrays = sample.engine_arrays(mx, sample.draw(dtype))
        function = sample.function_of(mx)
        eager, error = checks.outcome(function, *arrays)
        if error is not None:
            return None
        compiled = mx.compile(function)
        for _ in range(2):
            problem = compare_leaves(sample, compiled(*arrays), eager, exactly=True)
            if problem:
                return problem
        if sample.shapeless:
            try:
                result = mx.compile(sample.function_of(mx), shapeless=True)(*arrays)
            except ValueError as refusal:
                cannot = not IS_HEDDLE and "infer" in str(refusal)  # MLX's of some primitives
                return None if cannot else f"shapeless raised {refusal!r}"
            problem = compare_leaves(sample, result, eager, exactly=True)
            return f"shapeless: {problem}" if problem else None
        return None

    failures(sample, representative(sample), check)


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX keeps sizes of the trace, or cannot infer them")
@each(lambda sample: sample.compiled and sample.shapeless and sample.arrays())
def test_shapeless_at_other_sizes(sample):
    """What is traced shapeless gives, at any size that the function takes, what the function gives;
    its gradient too."""

    def check(dtype, function):
        drawn = sample.draw(dtype)
        compiled = mx.compile(function, shapeless=True)
        checks.outcome(compiled, *sample.engine_arrays(mx, drawn))
        for larger in grown(drawn):
            arrays = sample.engine_arrays(mx, larger)
            wanted, error = checks.outcome(function, *arrays)
            if error is None:
                problem = compare_leaves(sample, compiled(*arrays), wanted, exactly=True)
                if problem:
                    return f"{[array.shape for array in larger]}: {problem}"
        return None

    dtypes = representative(sample)[:1]
    failures(sample, dtypes, lambda dtype: check(dtype, sample.function_of(mx)))
    if differentiable(sample):
        dtypes = smooth_dtypes(sample)[:1]
        failures(sample, dtypes, lambda dtype: check(dtype, gradient_of(sample, dtype)))


def traced_ops(function, cotangents) -> set[str]:
    """The ops of the function itself while it is transformed, which some await."""
    seen = set()

    def watched(*primals):
        results = function(*primals)
        seen.update(mx._graph_ops(*results))
        return results

    mx.vjp(watched, function.primals, cotangents)
    return seen


def shapeless_ops(function, arrays) -> set[str]:
    """The ops of the function while it is traced to be stored without its sizes."""
    seen = set()

    def watched(*given):
        results = [r for r in checks.flatten(function(*given)) if isinstance(r, mx.array)]
        seen.update(mx._graph_ops(*results))
        return results

    with contextlib.suppress(ValueError):  # an op that MLX has no name for
        mx.export_function(lambda record: None, watched, *arrays, shapeless=True)
    return seen


def reached_ops() -> set[str]:
    """The ops in the lazy graphs of all samples and of their derivatives and batched forms."""
    reached = set()
    for sample in SAMPLES:
        try:
            # Parts of complex numbers are no ops of real ones.
            for dtype in {sample.dtypes[0], *COMPLEX} & set(sample.dtypes):
                arrays = sample.engine_arrays(mx, sample.draw(dtype))
                results = checks.flatten(sample.function_of(mx)(*arrays))
                reached.update(mx._graph_ops(*(r for r in results if isinstance(r, mx.array))))
                reached.update(shapeless_ops(sample.function_of(mx), arrays))
            if differentiable(sample):
                function = Smooth(sample, mx, smooth_dtypes(sample)[0])
                cotangents = function.random_like(function(*function.primals))
                reached.update(mx._graph_ops(*function.vjp(cotangents)))
                reached.update(mx._graph_ops(*function.jvp(function.primals)))
                reached.update(traced_ops(function, cotangents))
        except Exception:  # The tests above report it by name.
            continue
    return reached


@pytest.mark.skipif(not IS_HEDDLE, reason="only heddle lists its ops")
def test_every_engine_op_is_exercised():
    elsewhere = {
        "PointwiseFunction",  # what optimizers make, in test_optimizer_updates.py
        "OwnPrimitive",  # test_own_primitives.py
        "NumberOfElements",  # of shapeless files, in test_export_shapeless.py
    }
    missing = {row["name"] for row in mx._registry()} - reached_ops() - elsewhere
    assert not missing, f"ops without a sample: {', '.join(sorted(missing))}"


def public_functions(module, prefix=""):
    """The callables of a module and of its submodules that are not classes."""
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_"):
            continue
        if inspect.ismodule(value):
            yield from public_functions(value, f"{prefix}{name}.")
        elif callable(value) and not isinstance(value, type):
            yield f"{prefix}{name}"


def test_every_public_function_has_a_sample():
    """MLX's, and those that heddle has beside them."""
    names = {*public_functions(reference), *public_functions(mx)}
    sampled = {sample.function for sample in SAMPLES}
    missing = names - sampled - set(OUT_OF_SCOPE)
    assert not missing, f"functions without a sample: {', '.join(sorted(missing))}"
    assert not set(OUT_OF_SCOPE) & sampled, "a function is both sampled and out of scope"
    unknown = set(OUT_OF_SCOPE) - names - set(dir(reference))
    assert not unknown, f"unknown: {unknown}"
