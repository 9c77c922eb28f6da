"""Ways of telling attention where a token stands."""

from __future__ import annotations

import heddle.core as mx
from heddle.core import _nn

from .base import Module

__all__ = ["ALiBi", "RoPE", "SinusoidalPositionalEncoding"]


class RoPE(Module):
    """Rotary position embedding: turns pairs of features by angles that grow with the position.

    Args:
        dims: How many features to turn; the rest is left as it is.
        traditional: Whether a pair consists of neighbours. Otherwise one of its members comes from
            each half of the features, which is quicker.
        base: The base of the geometric series of frequencies.
        scale: What positions are multiplied by.
    """

    def __init__(
        self, dims: int, traditional: bool = False, base: float = 10000, scale: float = 1.0
    ):
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        self.base = base
        self.scale = scale

    def _extra_repr(self):
        return f"{self.dims}, traditional={self.traditional}"

    def __call__(self, x, offset: int = 0):
        return mx.fast.rope(
            x,
            self.dims,
            traditional=self.traditional,
            base=self.base,
            scale=self.scale,
            offset=offset,
        )


class SinusoidalPositionalEncoding(Module):
    """Encodes positions as sines and cosines of frequencies in a geometric series.

    Args:
        dims: The number of features of the encoding.
        min_freq: The lowest frequency.
        max_freq: The highest frequency.
        scale: What the encoding is multiplied by, ``sqrt(2 / dims)`` by default.
        cos_first: Whether the cosines come before the sines.
        full_turns: Whether frequencies count turns rather than radians.
    """

    def __init__(
        self,
        dims: int,
        min_freq: float = 0.0001,
        max_freq: float = 1,
        scale: float | None = None,
        cos_first: bool = False,
        full_turns: bool = False,
    ):
        super().__init__()
        if dims <= 0 or dims % 2 != 0:
            raise ValueError(
                f"[SinusoidalPositionalEncoding] dims must be positive and even but got {dims}."
            )
        self._sigmas = _nn.sinusoidal_frequencies(dims, min_freq, max_freq, full_turns)
        self.scale = (2 / dims) ** 0.5 if scale is None else scale
        self.cos_first = cos_first

    def __call__(self, x):
        return _nn.sinusoidal_encoding(x, self._sigmas, self.scale, self.cos_first)


class ALiBi(Module):
    """Attention with linear biases: scores fall off with the distance, in each head by its slope.

    Call it on attention scores of shape (..., heads, queries, keys).
    """

    @staticmethod
    def create_alibi_matrix(
        q_sequence_length: int,
        k_sequence_length: int,
        num_heads: int,
        offset: int = 0,
        dtype: mx.Dtype = mx.float32,
    ) -> mx.array:
        """The biases for queries at the positions offset ... q_sequence_length - 1."""
        return _nn.alibi_matrix(q_sequence_length, k_sequence_length, num_heads, offset, dtype)

    @staticmethod
    def create_alibi_slope(num_heads: int, dtype: mx.Dtype = mx.float32) -> mx.array:
        """The slope of every head, of shape (num_heads, 1, 1).

        For a power of two the slopes are the series that begins with and proceeds by
        2^(-8 / num_heads). Other numbers take the slopes of the next lower power of two, and then
        every other one of the next higher.
        """
        return _nn.alibi_slopes(num_heads, dtype)

    def __call__(
        self, attention_scores: mx.array, offset: int = 0, mask: mx.array | None = None
    ) -> mx.array:
        return _nn.alibi(attention_scores, offset, mask)
