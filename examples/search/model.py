"""A BERT encoder that turns sentences into vectors, with the weights of all-MiniLM-L6-v2.

The weights are those that Hugging Face's ``BertModel`` saves; loading translates their names.
"""

from __future__ import annotations

import json
from pathlib import Path

import heddle.core as mx

import heddle.nn as nn

# Their names and ours, replaced one after the other.
RENAMES = (
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.token_type_embeddings", "types"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer", "layers"),
    ("attention.self.query", "attention.query_proj"),
    ("attention.self.key", "attention.key_proj"),
    ("attention.self.value", "attention.value_proj"),
    ("attention.output.dense", "attention.out_proj"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
)


class Layer(nn.Module):
    """Attention and a perceptron, each followed by a residual connection and a layer norm."""

    def __init__(self, dims: int, heads: int, hidden: int, eps: float):
        super().__init__()
        self.attention = nn.MultiHeadAttention(dims, heads, bias=True)
        self.attention_norm = nn.LayerNorm(dims, eps=eps)
        self.up = nn.Linear(dims, hidden)
        self.down = nn.Linear(hidden, dims)
        self.norm = nn.LayerNorm(dims, eps=eps)

    def __call__(self, x: mx.array, mask: mx.array | None) -> mx.array:
        x = self.attention_norm(x + self.attention(x, x, x, mask))
        return self.norm(x + self.down(nn.gelu(self.up(x))))


class Bert(nn.Module):
    """The encoder: a vector for every token."""

    def __init__(self, config: dict):
        super().__init__()
        dims, eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], dims)
        self.positions = nn.Embedding(config["max_position_embeddings"], dims)
        self.types = nn.Embedding(config["type_vocab_size"], dims)
        self.norm = nn.LayerNorm(dims, eps=eps)
        self.layers = [
            Layer(dims, config["num_attention_heads"], config["intermediate_size"], eps)
            for _ in range(config["num_hidden_layers"])
        ]

    def __call__(self, tokens: mx.array, mask: mx.array | None = None) -> mx.array:
        positions = mx.arange(tokens.shape[1])
        x = self.words(tokens) + self.positions(positions) + self.types.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class SentenceEncoder:
    """Embeds sentences as unit vectors, whose inner product says how alike they are in meaning.

    Args:
        folder: Where ``model.safetensors``, ``config.json`` and ``tokenizer.json`` are.
        longest: How many tokens of a sentence are read.
    """

    def __init__(self, folder: Path, longest: int = 256):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)
        self.model = Bert(json.loads((folder / "config.json").read_text()))
        self.model.load_weights(list(_translated(mx.load(str(folder / "model.safetensors")))))
        self.model.eval()

    def tokenize(self, sentences: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch(sentences)]

    def embed(self, tokens: list[list[int]]) -> mx.array:
        """The vectors of a batch of tokenized sentences, which is padded to its longest."""
        lengths = mx.array([len(sentence) for sentence in tokens])
        width = max(len(sentence) for sentence in tokens)
        padded = mx.array([sentence + [0] * (width - len(sentence)) for sentence in tokens])
        is_token = mx.arange(width) < lengths[:, None]
        x = self.model(padded, mask=is_token[:, None, None])
        # The mean over the tokens, without dividing: normalizing comes next.
        x = mx.sum(mx.where(is_token[..., None], x, 0), axis=1)
        return x * mx.rsqrt(mx.sum(mx.square(x), axis=1, keepdims=True))


def _translated(weights: dict[str, mx.array]):
    """The pairs of name and weight as :class:`Bert` wants them."""
    for name, weight in weights.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue  # of no use for sentences
        for theirs, ours in RENAMES:
            name = name.replace(theirs, ours)
        yield name, weight
