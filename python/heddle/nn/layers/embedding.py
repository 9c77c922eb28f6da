"""Look-up tables of vectors."""

import math

import heddle.core as mx

from .base import Module
from .fitting import explain, explain_indices
from .quantized import QuantizedEmbedding

__all__ = ["Embedding"]


class Embedding(Module):
    """Replaces integers by the rows of a table that is learnt.

    The table ``weight`` has the shape (num_embeddings, dims) and starts normally distributed with
    the variance 1 / dims.

    Args:
        num_embeddings: The number of rows, usually the size of a vocabulary.
        dims: The number of features of each row.
    """

    def __init__(self, num_embeddings: int, dims: int):
        super().__init__()
        self.weight = mx.random.normal(shape=(num_embeddings, dims), scale=math.sqrt(1 / dims))

    def _extra_repr(self):
        num_embeddings, dims = self.weight.shape
        return f"{num_embeddings}, {dims}"

    def __call__(self, x):
        try:
            return self["weight"][x]
        except ValueError:
            explain_indices(self, x)
            raise

    def as_linear(self, x):
        """Use the table as the weight of a linear layer, for models that tie the two."""
        try:
            return x @ self["weight"].T
        except ValueError:
            explain(self, x, self["weight"].shape[1])
            raise

    def to_quantized(
        self,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        quantize_input: bool = False,
    ) -> Module:
        """The embedding with a quantized table.

        Args:
            group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
            quantize_input: Must be false; the input consists of indices.
        """
        if quantize_input:
            raise ValueError("Quantized input is not supported.")
        return QuantizedEmbedding.from_embedding(self, group_size, bits, mode)
