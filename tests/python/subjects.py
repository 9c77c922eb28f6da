"""What tests ask of samples: differentiable parts, gradients, inputs of other sizes."""

import numpy as np

import checks
from engines import COMPLEX, FLOATS, mx

FLOATING = {*FLOATS, *COMPLEX}


class Smooth:
    """A sample as a function of its differentiable arrays to its floating results."""

    def __init__(self, sample, module, dtype, drawn=None):
        self.sample, self.module, self.dtype = sample, module, dtype
        drawn = sample.draw(dtype) if drawn is None else drawn
        self.arrays = sample.engine_arrays(module, drawn)
        specs = sample.arrays()
        self.chosen = [i for i, a in enumerate(specs) if (a.dtype or dtype) in FLOATING and a.diff]
        self.primals = [self.arrays[i] for i in self.chosen]
        self.rng = np.random.default_rng(7)

    def __call__(self, *primals):
        arrays = list(self.arrays)
        for position, value in zip(self.chosen, primals, strict=True):
            arrays[position] = value
        results = checks.flatten(self.sample.function_of(self.module)(*arrays))
        return [
            value
            for value in results
            if isinstance(value, self.module.array) and checks.dtype_name(value.dtype) in FLOATING
        ]

    def random_like(self, arrays):
        made = []
        for array in arrays:
            value = self.rng.standard_normal(array.shape)
            if checks.dtype_name(array.dtype) == "complex64":
                value = value + 1j * self.rng.standard_normal(array.shape)
            made.append(self.module.array(value).astype(array.dtype))
        return made

    def vjp(self, cotangents):
        return self.module.vjp(self, self.primals, cotangents)[1]

    def jvp(self, tangents):
        return self.module.jvp(self, self.primals, tangents)[1]


def differentiable(sample):
    has_float = FLOATING & set(sample.dtypes) or any(a.dtype in FLOATING for a in sample.arrays())
    return sample.grad and has_float and sample.arrays()


def accepted(sample, dtype):
    """Whether the function takes this dtype; test_value judges the refusal."""
    arrays = sample.engine_arrays(mx, sample.draw(dtype))
    return checks.outcome(sample.function_of(mx), *arrays)[1] is None


def smooth_dtypes(sample):
    return [dtype for dtype in sample.dtypes if dtype in FLOATS and accepted(sample, dtype)]


def representative(sample):
    """All floating dtypes, one integer and bool: rules do not depend on the integer's width."""
    kept = [dtype for dtype in sample.dtypes if dtype in FLOATING or dtype == "bool_"]
    integers = [dtype for dtype in sample.dtypes if dtype not in kept]
    return [dtype for dtype in kept + integers[:1] if accepted(sample, dtype)]


def gradient_of(sample, dtype):
    """The gradient of the sum of all results, as a function of the stored arrays."""

    def gradient(*arrays):
        smooth = Smooth(sample, mx, dtype)
        smooth.arrays = list(arrays)
        primals = [arrays[i] for i in smooth.chosen]
        return mx.vjp(smooth, primals, [mx.ones_like(y) for y in smooth(*primals)])[1]

    return gradient


def compare_leaves(sample, given, wanted, exactly):
    given, wanted = checks.flatten(given), checks.flatten(wanted)
    for mine, right in zip(given, wanted, strict=True):
        if not isinstance(mine, mx.array):
            if mine != right:
                return f"{mine!r} instead of {right!r}"
            continue
        if checks.structure(mine) != checks.structure(right):
            return f"{checks.structure(mine)} instead of {checks.structure(right)}"
        name = checks.dtype_name(mine.dtype)
        if exactly or name not in FLOATING:
            problem = checks.bits_difference(mine, right)
        else:
            problem = checks.value_difference(mine, right, name, max(sample.length, 2))
        if problem:
            return problem
    return None


def resized(arrays, change):
    """The same inputs with other sizes for those that `change` names, wherever they stand."""
    larger = []
    for array in arrays:
        for axis, size in enumerate(array.shape):
            wrapped = np.arange(change.get(size, size)) % max(size, 1)
            array = np.take(array, wrapped, axis)
        larger.append(array)
    return larger


def grown(arrays):
    """The same inputs at other sizes: one size after the other, then all."""
    sizes = sorted({size for array in arrays for size in array.shape if size > 1})
    for change in [{size: size + 1} for size in sizes] + [{size: 2 * size for size in sizes}]:
        yield resized(arrays, change)
