"""Where heddle's answer is not MLX's: each a small program, what heddle gives, and why.

test_differences.py runs them under both, so that an entry leaves the list when MLX changes;
docs/mlx-compatibility.md shows the list. Gradients and batching that MLX gets wrong are in
scope.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Difference:
    """`code` is an expression of `mx`, `nn` and `optim`, or statements that end in one; `gives`
    what heddle's evaluates to: nested lists of values and the dtype, or the name of the error that
    it raises."""

    code: str
    gives: tuple[Any, str] | str
    reason: str

    def run(self, module: Any) -> tuple[Any, str]:
        *statements, last = self.code.split("; ")
        package = module.__name__.rpartition(".")[0]
        names = {
            "mx": module,
            "nn": import_module(f"{package}.nn"),
            "optim": import_module(f"{package}.optimizers"),
        }
        for statement in statements:
            exec(statement, names)  # programs of this file alone
        result = eval(last, names)
        return result.tolist(), str(result.dtype).split(".")[-1]


DIFFERENCES = [
    Difference(
        "w = mx.array([1.0], dtype=mx.float16); o = optim.Adam(0.1); "
        "o.apply_gradients({'w': mx.array([300.0], dtype=mx.float16)}, {'w': w})['w']",
        ([0.68359375], "float16"),
        "optimizers compute in float32 what is not a result; in MLX the square overflows and the "
        "parameter stands still. State keeps the parameter's dtype in both: a float16 cannot hold "
        "squares below 6e-8 or above 65504, so that float32 parameters, or bfloat16, are better",
    ),
    Difference(
        "w = mx.array([1.0], dtype=mx.float16); o = optim.Adam(0.1); "
        "mx.isfinite(o.apply_gradients({'w': mx.array([1e-5], dtype=mx.float16)}, {'w': w})['w'])",
        ([True], "bool"),
        "the same where the square of a gradient vanishes: MLX divides by 0",
    ),
    Difference(
        "x = mx.array([[100.0], [101.0], [103.0]], dtype=mx.bfloat16); "
        "n = nn.BatchNorm(1, affine=False); n(x).reshape(-1)",
        ([-1.0703125, -0.267578125, 1.3359375], "bfloat16"),
        "the statistics of all norms are float32, and the result is rounded once; in MLX those of "
        "BatchNorm and GroupNorm are rounded before",
    ),
    Difference(
        "mx.grad(nn.elu)(mx.array(89.0))",
        (1.0, "float32"),
        "no branch that is not taken overflows; MLX's gradient is NaN. So for selu and celu",
    ),
    Difference(
        "mx.grad(nn.celu)(mx.array(0.0))",
        (1.0, "float32"),
        "the derivative that the function has there; MLX's is 0",
    ),
    Difference(
        "nn.silu(mx.array(-float('inf')))",
        (-0.0, "float32"),
        "the limit; NaN in MLX. So for gelu, mish, hardswish, softsign at infinity",
    ),
    Difference(
        "mx.isnan(nn.softshrink(mx.array([float('nan')])))",
        ([True], "bool"),
        "NaN stays NaN; 0 in MLX. So for hard_shrink",
    ),
    Difference(
        "mx.isnan(mx.sign(mx.array([float('nan')])))",
        ([True], "bool"),
        "NaN stays NaN, as in NumPy; 0 in MLX, so that Lion takes no step for a gradient of NaN "
        "and nobody sees it",
    ),
    Difference(
        "nn.softmin(mx.array([0, 1], dtype=mx.uint8)).argmax()",
        (0, "uint32"),
        "MLX negates the unsigned numbers",
    ),
    Difference(
        "nn.losses.binary_cross_entropy(mx.array([float('inf')]), mx.array([1.0]))",
        (0.0, "float32"),
        "the limit; NaN in MLX",
    ),
    Difference(
        "f = lambda p: nn.losses.binary_cross_entropy(p, mx.array([0.0]), with_logits=False); "
        "mx.grad(f)(mx.array([0.0]))",
        ([1.0], "float32"),
        "the derivative; NaN in MLX",
    ),
    Difference(
        "nn.losses.kl_div_loss(mx.array([[-0.5, -0.9]]), mx.array([[0.0, -float('inf')]]))",
        ([0.5], "float32"),
        "what has probability 0 counts nothing; NaN in MLX",
    ),
    Difference(
        "nn.losses.cross_entropy(mx.array([[0.0, -float('inf')]]), mx.array([1]), mx.array([0.0]))",
        ([0.0], "float32"),
        "an infinite loss of weight 0 counts nothing; NaN in MLX",
    ),
    Difference(
        "nn.losses.cosine_similarity_loss(mx.array([[1e25, 0.0]]), mx.array([[1e25, 0.0]]))",
        ([1.0], "float32"),
        "squares that would overflow are scaled; NaN in MLX. So for triplet_loss, and for "
        "quotients in gaussian_nll_loss and smooth_l1_loss",
    ),
    Difference(
        "mx.max(mx.random.uniform(1000, 1001, (4000,), mx.float16, mx.random.key(0)))",
        (1000.5, "float16"),
        "the upper bound is never drawn; other draws are MLX's bit for bit",
    ),
    Difference(
        "mx.all(mx.isfinite(mx.random.uniform(-3e38, 3e38, (100,), key=mx.random.key(0))))",
        (True, "bool"),
        "a range beyond the largest number is drawn from; infinite in MLX",
    ),
    Difference(
        "mx.softmax(mx.array([[1, 1], [1, 1]]), axis=0)",
        ([[0.5, 0.5], [0.5, 0.5]], "float32"),
        "MLX rounds the softmax of integers back to integers, but for the last axis alone",
    ),
    Difference(
        "mx.logsumexp(mx.array([[3], [250]], dtype=mx.uint8), axis=0)",
        ([250.0], "float32"),
        "MLX's differences of unsigned integers wrap around there",
    ),
    Difference(
        "x = mx.array(1); x[...] = 2.5; x",
        (2, "int32"),
        "an array keeps its dtype when it is written; MLX's scalar takes that of the value",
    ),
    Difference(
        "mx.array([7.0]).at[0].subtract(mx.array(2, dtype=mx.uint32))",
        ([5.0], "float32"),
        "MLX negates the unsigned number first",
    ),
    Difference(
        "mx.left_shift(mx.array([1]), mx.array([32]))",
        ([0], "int32"),
        "shifts by the width or more are 0, as in NumPy; MLX leaves them to the processor",
    ),
    Difference(
        "mx.einsum('i,i->', mx.array([1, 2]), mx.array([3, 4]))",
        (11, "int32"),
        "MLX contracts floating numbers only",
    ),
    Difference(
        "mx.conv_transpose1d(mx.ones((1, 3, 1)), mx.ones((1, 1, 1)), stride=2, padding=1)",
        ([[[0.0], [1.0], [0.0]]], "float32"),
        "padding beyond the kernel cuts the result by as much on each side, as in torch",
    ),
    Difference(
        "mx.addmm(mx.ones((2,)), mx.ones((3, 2, 4)), mx.ones((4,)))",
        ([[5.0, 5.0]] * 3, "float32"),
        "MLX refuses the sum with a stack of matrices times a vector",
    ),
    Difference(
        "x = mx.zeros((2, 2)); x[mx.array([0]), 2:1] = 5; x",
        ([[0.0, 0.0], [0.0, 0.0]], "float32"),
        "a slice of nothing beside an index array writes nothing; MLX raises",
    ),
    Difference(
        "mx.median(mx.array([1.0, 2.0]), axis=())",
        ([1.0, 2.0], "float32"),
        "the median over no axis is the array; MLX raises",
    ),
    Difference(
        "mx.argmax(mx.array(3.0), keepdims=True)",
        (0, "uint32"),
        "MLX fails to make the shape",
    ),
    Difference(
        "mx.arange(2**53 + 1, 2**53 + 4, dtype=mx.int64)",
        ([2**53 + 1, 2**53 + 2, 2**53 + 3], "int64"),
        "ranges of integers are exact; MLX counts in float64",
    ),
    Difference(
        "mx.arange(2**24, 2**24 + 4, dtype=mx.float32)",
        ([2.0**24, 2.0**24, 2.0**24 + 2, 2.0**24 + 4], "float32"),
        "each number is rounded once where the dtype holds start and step",
    ),
    Difference(
        "mx.linspace(2**40 + 1, 2**40 + 3, 3, dtype=mx.int64)",
        ([2**40 + 1, 2**40 + 2, 2**40 + 3], "int64"),
        "integers are exact; MLX computes them in float32",
    ),
    Difference(
        "mx.random.randint(2**40, 2**40 + 4, (1000,), mx.int64, mx.random.key(0)).max()",
        (2**40 + 3, "int64"),
        "all integers of the range are drawn; MLX draws float32 numbers, which miss most of them. "
        "Up to 2**24 the numbers are MLX's",
    ),
    Difference(
        "mx.array(300, dtype=mx.uint8)",
        "ValueError",
        "numbers that do not fit are refused, as in arithmetic and full(); MLX wraps them around",
    ),
    Difference(
        "mx.array(5, dtype=mx.uint64) > -1",
        "ValueError",
        "a negative number beside uint64 is refused, as beside narrower dtypes; MLX takes it for "
        "2**64 - 1, so that 5 is not above it",
    ),
    Difference(
        "mx.array(True) + 2**40",
        (2**40 + 1, "int64"),
        "MLX cuts the number to 32 bits",
    ),
    Difference(
        "import numpy; mx.array([1]) + numpy.float32(0.5)",
        ([1.5], "float32"),
        "NumPy's numbers and arrays are promoted; MLX cuts them to the dtype of the other operand",
    ),
    Difference(
        "import fractions; mx.array([1.0]) + fractions.Fraction(1, 2)",
        ([1.5], "float32"),
        "numbers of other classes count as Python's float or int; MLX makes complex64 of them",
    ),
    Difference(
        "mx.arange(5)[:2**40]",
        ([0, 1, 2, 3, 4], "int32"),
        "bounds of slices are cut, as Python does; MLX refuses those beyond 32 bits",
    ),
    Difference(
        "import numpy; mx.array(numpy.arange(3)[::-1])",
        ([2, 1, 0], "int64"),
        "views with negative strides are copied; MLX refuses them",
    ),
    Difference(
        "mx.isclose(mx.array([1.0]), 1.0)",
        ([True], "bool"),
        "MLX takes no Python numbers there",
    ),
    Difference(
        "mx.floor_divide(mx.array([1.0]), -float('inf'))",
        ([-1.0], "float32"),
        "the floor of a quotient below zero, however small, is -1; MLX rounds to -0 first",
    ),
    Difference(
        "mx.grad(lambda y: mx.arctan2(y, mx.array(2.0**100)))(mx.array(2.0**100)) * 2.0**100",
        (0.5, "float32"),
        "MLX squares the operands, which overflows",
    ),
    Difference(
        "mx.grad(lambda x: (x**0).sum())(mx.array([0.0]))",
        ([0.0], "float32"),
        "the derivative of a constant; MLX multiplies zero by infinity",
    ),
    Difference(
        "mx.grad(mx.logsumexp)(mx.array([float('inf'), 0.0]))",
        ([1.0, 0.0], "float32"),
        "an infinite element is all of the sum, as MLX has it for logaddexp",
    ),
    Difference(
        "mx.log2(mx.grad(mx.prod)(mx.array([2.0**90, 2.0**90, 2.0**-90, 2.0**-90])))",
        ([-90.0, -90.0, 90.0, 90.0], "float32"),
        "products of others that pass through infinity in MLX",
    ),
    Difference(
        "mx.grad(lambda u: mx.ones(1).at[mx.array([0])].multiply(u)[0])(mx.array([0.0]))",
        ([1.0], "float32"),
        "MLX has no gradient of products by index",
    ),
    Difference(
        "mx.grad(mx.linalg.norm)(mx.zeros(2))",
        ([0.0, 0.0], "float32"),
        "no direction is better than another: 0, as torch has it, where MLX divides 0 by 0",
    ),
    Difference(
        "mx.grad(mx.std)(mx.ones(2))",
        ([0.0, 0.0], "float32"),
        "the same",
    ),
    Difference(
        "mx.linalg.norm(mx.full((4,), 2.0**100)) * 2.0**-100",
        (2.0, "float32"),
        "squares that are no results stay in range; in halves they are float32",
    ),
    Difference(
        "mx.linalg.norm(mx.full((3, 3), 100.0, dtype=mx.float16))",
        (300.0, "float16"),
        "the same",
    ),
    Difference(
        "mx.std(mx.array([2.0**100, -(2.0**100)])) * 2.0**-100",
        (1.0, "float32"),
        "the same",
    ),
    Difference(
        "mx.fast.rms_norm(mx.array([[2.0**100, -(2.0**100)]]), None, 1e-5)",
        ([[1.0, -1.0]], "float32"),
        "the same; layer_norm likewise",
    ),
    Difference(
        "x = mx.full((1, 3), 300.0, dtype=mx.float16); mx.linalg.cross(x, x)",
        ([[0.0, 0.0, 0.0]], "float16"),
        "products of halves that are no results stay float32; einsum and diff likewise",
    ),
    Difference(
        "i = mx.zeros((5000,), dtype=mx.int32); "
        "mx.grad(lambda t: t[i].sum())(mx.ones((1,), dtype=mx.bfloat16))",
        ([4992.0], "bfloat16"),
        "gradients by index are summed in float32; in bfloat16 they stop growing at 256",
    ),
    Difference(
        "mx.fast.cross_entropy(mx.array([[5e6, 5e6]]), mx.array([0]))",
        ([0.6931471824645996], "float32"),
        "MLX subtracts two large numbers, of which half a unit is left",
    ),
    Difference(
        "q = mx.ones((1, 1, 1, 4)); v = mx.array([[[[1.0], [float('nan')]]]]); "
        "mask = mx.array([True, False]); "
        "mx.fast.scaled_dot_product_attention(q, mx.ones((1, 1, 2, 4)), v, scale=1.0, mask=mask)",
        ([[[[1.0]]]], "float32"),
        "what a mask hides is as if absent, be it infinite or NaN",
    ),
    Difference(
        "v = [mx.array([3.0])]; mx.grad(lambda t: (t[0][0] * t[1][0]).sum())([v, v])[0][0]",
        ([3.0], "float32"),
        "a list that occurs twice among the arguments has a gradient at each place; MLX's second "
        "array takes the place of the first",
    ),
    Difference(
        "mx.random.seed(1); f = mx.checkpoint(lambda x: x * mx.random.uniform(shape=(2,))); "
        "g = mx.grad(lambda x: f(x).sum())(mx.ones(2)); mx.random.seed(1); "
        "g - mx.random.uniform(shape=(2,))",
        ([0.0, 0.0], "float32"),
        "a checkpointed function draws the same numbers again for its gradient",
    ),
]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or the name of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__
