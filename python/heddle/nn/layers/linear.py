"""Linear, bilinear and identity maps."""

from __future__ import annotations

import math
from typing import Any

import heddle.core as mx
from heddle.core import _nn

from .base import Module
from .fitting import explain
from .quantized import QQLinear, QuantizedLinear

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Returns its input. Takes any arguments at construction and ignores them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __call__(self, x: mx.array) -> mx.array:
        return x


def affine(layer: Module, x: mx.array) -> mx.array:
    """x times the layer's weight, transposed, plus its bias if it has one."""
    try:
        return _nn.linear(x, layer["weight"], layer.get("bias"))
    except ValueError:
        explain(layer, x, layer["weight"].shape[1])
        raise


class Linear(Module):
    r"""The affine map :math:`y = x W^\top + b`.

    ``weight`` has the shape (output_dims, input_dims). Both parameters start uniformly distributed
    within :math:`\pm 1 / \sqrt{\text{input\_dims}}`.

    Args:
        input_dims: The number of input features.
        output_dims: The number of output features.
        bias: Whether to add a bias.
    """

    def __init__(self, input_dims: int, output_dims: int, bias: bool = True) -> None:
        super().__init__()
        bound = math.sqrt(1.0 / input_dims)
        self.weight = mx.random.uniform(low=-bound, high=bound, shape=(output_dims, input_dims))
        if bias:
            self.bias = mx.random.uniform(low=-bound, high=bound, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input_dims = self.weight.shape
        return f"input_dims={input_dims}, output_dims={output_dims}, bias={'bias' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        return affine(self, x)

    def to_quantized(
        self,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        quantize_input: bool = False,
    ) -> Module:
        """The layer with a quantized weight.

        Args:
            group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
            quantize_input: Whether to quantize the input of every call too, in the modes
                ``"nvfp4"`` and ``"mxfp8"``.
        """
        if not quantize_input:
            return QuantizedLinear.from_linear(self, group_size, bits, mode)
        if mode not in ("nvfp4", "mxfp8"):
            raise ValueError(
                "Quantized activations are only supported for 'nvfp4' and 'mxfp8' modes, "
                f"got {mode}."
            )
        return QQLinear.from_linear(self, group_size, bits, mode)


class Bilinear(Module):
    r"""The bilinear map :math:`y_i = x_2^\top W_i x_1 + b_i`.

    ``weight`` has the shape (output_dims, input2_dims, input1_dims). Both parameters start
    uniformly distributed within :math:`\pm 1 / \sqrt{\text{input1\_dims}}`.

    Args:
        input1_dims: The number of features of the first input.
        input2_dims: The number of features of the second input.
        output_dims: The number of output features.
        bias: Whether to add a bias.
    """

    def __init__(
        self, input1_dims: int, input2_dims: int, output_dims: int, bias: bool = True
    ) -> None:
        super().__init__()
        bound = math.sqrt(1.0 / input1_dims)
        self.weight = mx.random.uniform(
            low=-bound, high=bound, shape=(output_dims, input2_dims, input1_dims)
        )
        if bias:
            self.bias = mx.random.uniform(low=-bound, high=bound, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input2_dims, input1_dims = self.weight.shape
        return (
            f"input1_dims={input1_dims}, input2_dims={input2_dims}, "
            f"output_dims={output_dims}, bias={'bias' in self}"
        )

    def __call__(self, x1: mx.array, x2: mx.array) -> mx.array:
        try:
            return _nn.bilinear(x1, x2, self.weight, self.get("bias"))
        except ValueError:
            _, input2_dims, input1_dims = self.weight.shape
            explain(self, x1, input1_dims)
            explain(self, x2, input2_dims)
            raise
