"""Layers whose weights are stored in few bits."""

from __future__ import annotations

import math
from collections.abc import Callable

import heddle.core as mx

from ...utils import tree_map_with_path
from .base import Module
from .fitting import explain, explain_indices

__all__ = ["QQLinear", "QuantizedEmbedding", "QuantizedLinear", "quantize"]

_DEFAULTS = {"affine": (64, 4), "mxfp4": (32, 4), "nvfp4": (16, 4), "mxfp8": (32, 8)}


def _defaults_for_mode(mode: str, group_size: int | None, bits: int | None) -> tuple[int, int]:
    """The group size and the number of bits, those of the mode where none are given."""
    if mode not in _DEFAULTS:
        raise ValueError(
            f"Invalid quantization mode '{mode}'. Valid modes are: {', '.join(_DEFAULTS)}."
        )
    default_group_size, default_bits = _DEFAULTS[mode]
    return (
        default_group_size if group_size is None else group_size,
        default_bits if bits is None else bits,
    )


class _QuantizedWeight(Module):
    """What the layers share: a quantized ``weight`` with its ``scales`` and maybe ``biases``."""

    def _set_format(self, group_size: int | None, bits: int | None, mode: str) -> None:
        self.group_size, self.bits = _defaults_for_mode(mode, group_size, bits)
        self.mode = mode

    def _format(self) -> dict:
        return {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}

    def _set_weight(self, weight: mx.array) -> None:
        self.weight, self.scales, *biases = mx.quantize(weight, **self._format())
        # Only the affine format has biases.
        self.biases = biases[0] if biases else None

    def _multiply(self, x: mx.array) -> mx.array:
        """``x`` times the transposed weight."""
        try:
            return mx.quantized_matmul(
                x,
                self["weight"],
                scales=self["scales"],
                biases=self.get("biases"),
                transpose=True,
                **self._format(),
            )
        except ValueError:
            explain(self, x, self.weight.shape[-1] * 32 // self.bits)
            raise

    def _format_repr(self) -> str:
        return f"group_size={self.group_size}, bits={self.bits}, mode={self.mode}"


class QuantizedEmbedding(_QuantizedWeight):
    """An :class:`Embedding` whose weight is quantized. Its parameters start frozen.

    Args:
        num_embeddings: How many different indices there are.
        dims: The number of features of a vector.
        group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
    """

    def __init__(
        self,
        num_embeddings: int,
        dims: int,
        group_size: int = None,
        bits: int = None,
        mode: str = "affine",
    ):
        super().__init__()
        self._set_format(group_size, bits, mode)
        scale = math.sqrt(1 / dims)
        self._set_weight(mx.random.normal(shape=(num_embeddings, dims), scale=scale))
        self.num_embeddings = num_embeddings
        self.dims = dims
        self.freeze()

    def __call__(self, x):
        biases = self.get("biases")
        try:
            rows = self["weight"][x]
        except ValueError:
            explain_indices(self, x)
            raise
        return mx.dequantize(
            rows,
            scales=self["scales"][x],
            biases=None if biases is None else biases[x],
            **self._format(),
        )

    def as_linear(self, x):
        """Use the embedding as a linear layer without bias, for tied output weights."""
        return self._multiply(x)

    def _extra_repr(self):
        return f"{self.num_embeddings}, {self.dims}, {self._format_repr()}"

    @classmethod
    def from_embedding(
        cls,
        embedding_layer: Module,
        group_size: int = None,
        bits: int = None,
        mode: str = "affine",
    ):
        """The quantized form of an embedding."""
        quantized = cls(*embedding_layer.weight.shape, group_size, bits, mode)
        quantized._set_weight(embedding_layer.weight)
        return quantized


class QuantizedLinear(_QuantizedWeight):
    """A :class:`Linear` whose weight is quantized. Its parameters start frozen.

    Args:
        input_dims: The number of input features.
        output_dims: The number of output features.
        bias: Whether to add a bias.
        group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int = None,
        bits: int = None,
        mode: str = "affine",
    ):
        super().__init__()
        self._set_format(group_size, bits, mode)
        scale = math.sqrt(1 / input_dims)
        self._set_weight(mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims)))
        if bias:
            self.bias = mx.zeros((output_dims,))
        self.freeze()

    def _extra_repr(self):
        output_dims, packed_dims = self.weight.shape
        return (
            f"input_dims={packed_dims * 32 // self.bits}, output_dims={output_dims}, "
            f"bias={'bias' in self}, {self._format_repr()}"
        )

    def __call__(self, x):
        y = self._multiply(x)
        return y + self["bias"] if "bias" in self else y

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int = None,
        bits: int = None,
        mode: str = "affine",
    ):
        """The quantized form of a linear layer."""
        output_dims, input_dims = linear_layer.weight.shape
        quantized = cls(input_dims, output_dims, False, group_size, bits, mode)
        quantized._set_weight(linear_layer.weight)
        if "bias" in linear_layer:
            quantized.bias = linear_layer.bias
        return quantized


class QQLinear(Module):
    """A linear layer without bias that quantizes its input as well as its weight.

    In training mode the weight is kept as it is and quantized for each product, so that it has
    gradients; :meth:`eval` quantizes it for good, and :meth:`train` brings back a bfloat16 weight.

    Args:
        input_dims: The number of input features.
        output_dims: The number of output features.
        group_size, bits, mode: The format, ``"nvfp4"`` or ``"mxfp8"``.
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        group_size: int = None,
        bits: int = None,
        mode: str = "nvfp4",
    ):
        super().__init__()
        self.group_size, self.bits = _defaults_for_mode(mode, group_size, bits)
        self.mode = mode
        scale = math.sqrt(1 / input_dims)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims))
        self._quantized = False

    def _extra_repr(self):
        output_dims, input_dims = self.weight.shape
        if self._quantized:
            input_dims = input_dims * 32 // self.bits
        return (
            f"input_dims={input_dims}, output_dims={output_dims}, "
            f"group_size={self.group_size}, bits={self.bits}, mode={self.mode}"
        )

    def quantize(self):
        """Store the weight in quantized form, if it is not yet."""
        if not self._quantized:
            self.weight, self.scales = mx.quantize(
                self.weight, self.group_size, self.bits, mode=self.mode
            )
            self._quantized = True

    def dequantize(self):
        """Store the weight as bfloat16 numbers, if it is quantized."""
        if self._quantized:
            self.weight = mx.dequantize(
                self.weight,
                scales=self.scales,
                group_size=self.group_size,
                bits=self.bits,
                mode=self.mode,
            )
            del self.scales
            self._quantized = False

    def _set_training_mode(self, mode: bool):
        super()._set_training_mode(mode)
        if mode:
            self.dequantize()
        else:
            self.quantize()

    def __call__(self, x):
        try:
            return mx.qqmm(
                x,
                self["weight"],
                scales=self.get("scales"),
                group_size=self.group_size,
                bits=self.bits,
                mode=self.mode,
            )
        except ValueError:
            packed = 32 // self.bits if self._quantized else 1
            explain(self, x, self.weight.shape[-1] * packed)
            raise

    @classmethod
    def from_linear(
        cls,
        linear_layer: Module,
        group_size: int = None,
        bits: int = None,
        mode: str = "nvfp4",
    ):
        """The form of a linear layer without bias that quantizes its input too."""
        if "bias" in linear_layer:
            raise NotImplementedError("QQLinear does not support bias yet.")
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, group_size, bits, mode)
        layer.weight = linear_layer.weight
        return layer


def quantize(
    model: Module,
    group_size: int = None,
    bits: int = None,
    *,
    mode: str = "affine",
    quantize_input: bool = False,
    class_predicate: Callable[[str, Module], bool | dict] | None = None,
):
    """Replace the layers of a model that can be quantized by their quantized form.

    Args:
        model: The model, which is changed. Its leaf modules are considered.
        group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
        quantize_input: Whether to quantize the inputs of linear layers too, in the modes
            ``"nvfp4"`` and ``"mxfp8"``.
        class_predicate: Called with the path and the module; tells whether to quantize it, or gives
            the arguments for its ``to_quantized``. By default all modules that have such a method
            are quantized.
    """
    if class_predicate is None:
        class_predicate = lambda path, module: hasattr(module, "to_quantized")  # noqa: E731

    def replace(path, module):
        wanted = class_predicate(path, module)
        if not wanted:
            return module
        if not hasattr(module, "to_quantized"):
            raise ValueError(f"Unable to quantize model of type {type(module)}")
        if isinstance(wanted, bool):
            options = {"group_size": group_size, "bits": bits, "mode": mode}
            if quantize_input:  # layers of others need not know of it otherwise
                options["quantize_input"] = True
            return module.to_quantized(**options)
        if isinstance(wanted, dict):
            return module.to_quantized(**wanted)
        raise ValueError(
            "``class_predicate`` must return a bool or a dict of parameters to pass to "
            "``to_quantized``"
        )

    leaves = tree_map_with_path(replace, model.leaf_modules(), is_leaf=Module.is_module)
    model.update_modules(leaves)
