"""Attention, and the encoder and decoder stacks built from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import heddle.core as mx
from heddle.core import _nn

from ..utils import checkpoint as checkpointed
from .activations import relu
from .base import Module
from .dropout import Dropout
from .linear import Linear
from .normalization import LayerNorm

__all__ = [
    "MultiHeadAttention",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]


class MultiHeadAttention(Module):
    """Scaled dot product attention with several heads, between linear projections.

    Call it with queries, keys and values of shape (batch, length, dims) and, optionally, a mask
    that is added to the scores and so has ``-inf``, or a very negative number, where a query must
    not see a key. The mask broadcasts with (batch, heads, queries, keys).

    Args:
        dims: The number of features inside, and by default of all inputs and of the output.
        num_heads: The number of heads, a divisor of ``dims``.
        query_input_dims: The number of features of the queries.
        key_input_dims: The number of features of the keys.
        value_input_dims: The number of features of the values, by default those of the keys.
        value_dims: The number of features of the projected values.
        value_output_dims: The number of features of the output.
        bias: Whether the projections have biases.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        query_input_dims: int | None = None,
        key_input_dims: int | None = None,
        value_input_dims: int | None = None,
        value_dims: int | None = None,
        value_output_dims: int | None = None,
        bias: bool = False,
    ):
        super().__init__()
        if dims % num_heads != 0:
            raise ValueError(
                "The input feature dimensions should be divisible by the "
                f"number of heads ({dims} % {num_heads}) != 0"
            )
        query_input_dims = query_input_dims or dims
        key_input_dims = key_input_dims or dims
        value_input_dims = value_input_dims or key_input_dims
        value_dims = value_dims or dims
        value_output_dims = value_output_dims or dims
        self.num_heads = num_heads
        self.query_proj = Linear(query_input_dims, dims, bias=bias)
        self.key_proj = Linear(key_input_dims, dims, bias=bias)
        self.value_proj = Linear(value_input_dims, value_dims, bias=bias)
        self.out_proj = Linear(value_dims, value_output_dims, bias=bias)

    def __call__(self, queries, keys, values, mask=None):
        queries, keys, values = (
            self.query_proj(queries),
            self.key_proj(keys),
            self.value_proj(values),
        )
        return self.out_proj(_nn.multi_head_attention(queries, keys, values, self.num_heads, mask))

    @staticmethod
    def create_additive_causal_mask(N: int, dtype: mx.Dtype = mx.float32):
        """A mask of shape (N, N) that hides from every position what comes after it."""
        return _nn.additive_causal_mask(N, dtype)


class TransformerEncoderLayer(Module):
    """Self-attention and a two-layer perceptron, each with a residual connection and a layer norm.

    Args:
        dims: The number of features.
        num_heads: The number of attention heads.
        mlp_dims: The number of hidden features of the perceptron, ``4 * dims`` by default.
        dropout: The probability of dropout after the attention and inside the perceptron.
        activation: What the perceptron applies to its hidden features.
        norm_first: Whether the norms come before the attention and the perceptron, or after the
            residual connections.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
    ):
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _attend(self, x, mask):
        return self.dropout1(self.attention(x, x, x, mask))

    def _transform(self, x):
        return self.linear2(self.dropout2(self.activation(self.linear1(x))))

    def __call__(self, x, mask):
        branches = [(self.ln1, lambda x: self._attend(x, mask)), (self.ln2, self._transform)]
        return _nn.residual_branches(x, branches, self.norm_first)


class TransformerEncoder(Module):
    """A stack of encoder layers with a layer norm at the end.

    Args:
        num_layers: The number of layers.
        dims, num_heads, mlp_dims, dropout, activation, norm_first: As for
            :class:`TransformerEncoderLayer`.
        checkpoint: Whether to recompute each layer in the backward pass instead of keeping its
            intermediate results.
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation=relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ):
        super().__init__()
        self.layers = [
            TransformerEncoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x, mask):
        for layer in self.layers:
            x = (checkpointed(layer) if self.checkpoint else layer)(x, mask)
        return self.ln(x)


class TransformerDecoderLayer(Module):
    """Self-attention, attention to a memory and a two-layer perceptron.

    Each of the three has a residual connection and a layer norm. The arguments are those of
    :class:`TransformerEncoderLayer`.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
    ):
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.self_attention = MultiHeadAttention(dims, num_heads)
        self.cross_attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.ln3 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _attend(self, x, mask):
        return self.dropout1(self.self_attention(x, x, x, mask))

    def _recall(self, x, memory, mask):
        return self.dropout2(self.cross_attention(x, memory, memory, mask))

    def _transform(self, x):
        return self.linear2(self.dropout3(self.activation(self.linear1(x))))

    def __call__(self, x, memory, x_mask, memory_mask):
        branches = [
            (self.ln1, lambda x: self._attend(x, x_mask)),
            (self.ln2, lambda x: self._recall(x, memory, memory_mask)),
            (self.ln3, self._transform),
        ]
        return _nn.residual_branches(x, branches, self.norm_first)


class TransformerDecoder(Module):
    """A stack of decoder layers with a layer norm at the end.

    The arguments are those of :class:`TransformerEncoder`.
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation=relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ):
        super().__init__()
        self.layers = [
            TransformerDecoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x, memory, x_mask, memory_mask):
        for layer in self.layers:
            x = (checkpointed(layer) if self.checkpoint else layer)(x, memory, x_mask, memory_mask)
        return self.ln(x)


class Transformer(Module):
    """An encoder of one sequence and a decoder of another that attends to the encoded first.

    Args:
        dims: The number of features.
        num_heads: The number of attention heads.
        num_encoder_layers: The number of layers of the encoder.
        num_decoder_layers: The number of layers of the decoder.
        mlp_dims, dropout, activation, norm_first: As for :class:`TransformerEncoderLayer`.
        custom_encoder: A module to use as the encoder.
        custom_decoder: A module to use as the decoder.
        checkpoint: As for :class:`TransformerEncoder`.
    """

    def __init__(
        self,
        dims: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        norm_first: bool = True,
        checkpoint: bool = False,
    ):
        super().__init__()
        settings = (dims, num_heads, mlp_dims, dropout, activation, norm_first, checkpoint)
        if custom_encoder is None:
            custom_encoder = TransformerEncoder(num_encoder_layers, *settings)
        if custom_decoder is None:
            custom_decoder = TransformerDecoder(num_decoder_layers, *settings)
        self.encoder = custom_encoder
        self.decoder = custom_decoder

    def __call__(self, src, tgt, src_mask, tgt_mask, memory_mask):
        memory = self.encoder(src, src_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask)
