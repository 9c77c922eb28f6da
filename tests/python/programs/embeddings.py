"""mlx-embeddings: small encoders embed a padded batch, from files, quantized, and after training.

usage: embeddings.py FOLDER FAMILY...        (a program for MLX: run it under either engine)
"""

import importlib
import json
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten
from mlx_embeddings.utils import load_model
from outcomes import give_seeded_weights, save

LARGEST = 4_000_000
COMMON = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "layer_norm_eps": 1e-6,
    "norm_eps": 1e-5,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "pad_token_id": 0,
}
PICTURES = {
    "image_size": 32,
    "patch_size": 16,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
FAMILIES = {
    "bert": {},
    "xlm_roberta": {},
    "modernbert": {"local_attention": 4},
    "qwen3": {},
    "gemma3_text": {"sliding_window": 4, "sliding_window_pattern": 2},
    "llama_bidirec": {},
    "lfm2": {
        "conv_bias": False,
        "conv_L_cache": 3,
        "block_dim": 64,
        "block_ff_dim": 128,
        "block_multiple_of": 32,
        "block_ffn_dim_multiplier": 1.0,
        "block_auto_adjust_ff_dim": True,
        "layer_types": ["conv", "full_attention"],
    },
    "siglip": {
        "text_config": {
            "vocab_size": 128,
            "max_position_embeddings": 10,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
        },
        "vision_config": PICTURES,
    },
}
TRAINED = ("bert", "qwen3")
# What mlx-embeddings itself does not do: cast a mask to the integers of quantized weights (-inf, so
# that anything may come out), slice quantized weights, or read what it would save.
NOT_QUANTIZED = ("gemma3_text", "llama_bidirec", "siglip")
NOT_LOADED = ("lfm2",)


def build(family: str, configuration: dict):
    module = importlib.import_module(f"mlx_embeddings.models.{family}")
    arguments = module.ModelArgs.from_dict(configuration)
    for part, name in (("text_config", "TextConfig"), ("vision_config", "VisionConfig")):
        if part in configuration:
            setattr(arguments, part, getattr(module, name)(**configuration[part]))
    mx.random.seed(0)
    model = module.Model(arguments)
    give_seeded_weights(model, LARGEST)
    return model


def batch(family: str) -> dict:
    """Three sentences of different lengths, and pictures for those who see."""
    random = np.random.default_rng(1)
    tokens, mask = random.integers(1, 128, (3, 10)), np.ones((3, 10), dtype=np.int32)
    for row, length in enumerate((10, 7, 4)):
        tokens[row, length:] = mask[row, length:] = 0
    found = {"attention_mask": mx.array(mask)}
    ids = mx.array(tokens.astype(np.int32))
    if family == "siglip":
        picture = random.standard_normal((3, 32, 32, 3), dtype=np.float32)
        return {"input_ids": ids, "pixel_values": mx.array(picture)}
    return {("inputs" if family in ("gemma3_text", "lfm2") else "input_ids"): ids, **found}


def arrays(output, prefix: str) -> dict:
    parts = {field.name: getattr(output, field.name) for field in fields(output)}
    return {f"{prefix}{name}": v for name, v in parts.items() if isinstance(v, mx.array)}


def trained(model, inputs: dict) -> dict:
    """Sentences learn to be near to the next one and far from the others."""
    rate = optim.cosine_decay(1e-2, 4)
    optimizer = optim.AdamW(rate, weight_decay=0.1)

    def loss(model):
        embedded = model(**inputs).text_embeds
        return nn.losses.cross_entropy(20 * embedded @ embedded.T, mx.array([1, 2, 0])).mean()

    step = nn.value_and_grad(model, loss)
    losses = []
    for _ in range(4):
        value, gradients = step(model)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(value.item())
    weights = mx.concatenate([v.flatten() for _, v in tree_flatten(model.parameters())])
    return {"losses": losses, "trained": weights}


def through_files(configuration: dict, model, folder: Path):
    """The model as the project loads it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(configuration))
    model.save_weights(str(folder / "model.safetensors"))
    return load_model(folder, path_to_repo="siglip-patch16-32")


def embed(family: str, folder: Path) -> dict:
    configuration = {**COMMON, "model_type": family, **FAMILIES[family]}
    inputs = batch(family)
    model = build(family, configuration)
    found = arrays(model(**inputs), "")
    if family in TRAINED:
        found |= trained(build(family, configuration), inputs)
    if family not in NOT_LOADED:
        loaded = through_files(configuration, model, folder / f"{family}-files")
        found |= arrays(loaded(**inputs), "loaded.")
    if family not in NOT_QUANTIZED:
        nn.quantize(model, group_size=32, bits=4)
        found |= arrays(model(**inputs), "quantized.")
    found["names"] = sorted(name for name, _ in tree_flatten(model.parameters()))
    return found


def main(folder: str, *families: str) -> None:
    for family in families or FAMILIES:
        save(Path(folder) / family, partial(embed, family, Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
