"""mlx-vlm: small models of vision and language read a picture and a prompt, and write on.

usage: vision.py FOLDER FAMILY...        (a program for MLX: run it under either engine)

The project's own generate_step does it all: the picture is encoded and merged into the prompt, the
prompt is read in chunks, and tokens are decoded greedily.
"""

import importlib
import sys
from functools import partial
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx_vlm.generate import generate_step
from mlx_vlm.utils import update_module_configs
from outcomes import give_seeded_weights, save

LARGEST = 4_000_000
STEPS = 6
IMAGE = 100  # the token that a picture's patches replace

TEXT = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 128,
    "rms_norm_eps": 1e-5,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 256,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
VISION = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "num_channels": 3,
    "image_size": 56,
    "patch_size": 14,
    "layer_norm_eps": 1e-5,
    "rms_norm_eps": 1e-5,
    "head_dim": 16,
    "projection_dim": 64,
}
QWEN_VISION = {
    "depth": 2,
    "embed_dim": 64,
    "hidden_size": 64,
    "out_hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "patch_size": 14,
    "in_channels": 3,
    "spatial_patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
WHOLE = {
    "vocab_size": 128,
    "hidden_size": 64,
    "pad_token_id": 0,
    "image_token_id": IMAGE,
    "image_token_index": IMAGE,
}
PICTURE = (1, 3, 56, 56)
MROPE = {"type": "mrope", "mrope_section": [2, 3, 3]}
GRID = {"image_grid_thw": [[1, 4, 4]]}
PATCHES = (16, 3 * 2 * 14 * 14)  # of a grid of 4 x 4, as Qwen's processors lay them out

# family: what differs from WHOLE, TEXT and VISION; the picture's shape, its number of tokens, and
# what else its processor gives.
FAMILIES = {
    "llava": ({}, {}, {"model_type": "clip_vision_model"}, PICTURE, 16, {}),
    "paligemma": (
        {},
        {"model_type": "gemma"},
        {"model_type": "siglip_vision_model"},
        PICTURE,
        16,
        {},
    ),
    "gemma3": (
        {"mm_tokens_per_image": 4},
        {"model_type": "gemma3", "mm_tokens_per_image": 4, "sliding_window_pattern": 2},
        {"model_type": "siglip_vision_model"},
        PICTURE,
        4,
        {},
    ),
    "qwen2_vl": (
        {},
        {"model_type": "qwen2_vl", "rope_scaling": MROPE},
        {**QWEN_VISION, "model_type": "qwen2_vl"},
        PATCHES,
        4,
        GRID,
    ),
    "qwen2_5_vl": (
        {},
        {"model_type": "qwen2_5_vl", "rope_scaling": MROPE},
        {
            **QWEN_VISION,
            "model_type": "qwen2_5_vl",
            "window_size": 28,
            "fullatt_block_indexes": [1],
        },
        PATCHES,
        4,
        GRID,
    ),
    "qwen3_vl": (
        {},
        {"model_type": "qwen3_vl", "rope_scaling": MROPE},
        {
            **QWEN_VISION,
            "model_type": "qwen3_vl",
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        PATCHES,
        4,
        GRID,
    ),
    "idefics2": (
        {
            "perceiver_config": {
                "model_type": "idefics2",
                "num_key_value_heads": 2,
                "resampler_depth": 2,
                "resampler_head_dim": 16,
                "resampler_n_heads": 4,
                "resampler_n_latents": 4,
            }
        },
        {"model_type": "mistral"},
        {"model_type": "idefics2"},
        (1, *PICTURE),
        4,
        {"pixel_attention_mask": np.ones((1, 1, 56, 56), dtype=bool)},
    ),
    "idefics3": ({}, {}, {"model_type": "idefics3"}, (1, *PICTURE), 4, {}),
    "smolvlm": ({}, {}, {"model_type": "siglip_vision_model"}, (1, *PICTURE), 4, {}),
    "pixtral": ({}, {"model_type": "mistral"}, {"model_type": "pixtral"}, PICTURE, 16, {}),
    "mistral3": (
        {},
        {"model_type": "mistral"},
        {"model_type": "pixtral"},
        PICTURE,
        4,
        {"image_sizes": [[56, 56]]},
    ),
    "internvl_chat": (
        {"downsample_ratio": 0.5},
        {"model_type": "qwen2"},
        {"model_type": "intern_vit_6b"},
        (1, *PICTURE),
        4,
        {},
    ),
    "aya_vision": (
        {"alignment_intermediate_size": 128},
        {"model_type": "cohere2", "sliding_window": 8, "sliding_window_pattern": 2},
        {"model_type": "siglip_vision_model"},
        PICTURE,
        4,
        {},
    ),
    "llama4": (
        {},
        {
            "model_type": "llama4_text",
            "intermediate_size_mlp": 128,
            "num_local_experts": 4,
            "attention_chunk_size": 8,
        },
        {
            "model_type": "llama4_vision_model",
            "initializer_range": 0.02,
            "norm_eps": 1e-5,
            "pixel_shuffle_ratio": 0.5,
            "projector_dropout": 0.0,
            "projector_input_dim": 64,
            "projector_output_dim": 64,
            "intermediate_size": 256,
            "rope_theta": 10000,
            "vision_feature_layer": -1,
            "vision_feature_select_strategy": "default",
            "vision_output_dim": 64,
        },
        PICTURE,
        4,
        {},
    ),
    "glm4v": (
        {},
        {"model_type": "glm4v_text", "rope_scaling": MROPE, "eos_token_id": [2]},
        {**QWEN_VISION, "model_type": "glm4v", "image_size": 56},
        PATCHES,
        4,
        GRID,
    ),
    "mllama": (
        {},
        {"model_type": "mllama", "cross_attention_layers": [1]},
        {
            "max_num_tiles": 1,
            "max_aspect_ratio_id": 1,
            "num_global_layers": 1,
            "vision_output_dim": 128,
            "intermediate_layers_indices": [0],
            "supported_aspect_ratios": [[1, 1]],
        },
        (1, 1, *PICTURE),
        1,
        {
            "aspect_ratio_ids": [[1]],
            "aspect_ratio_mask": [[[1]]],
            "cross_attention_mask": [[[[1]]]],
        },
    ),
    "gemma4": (
        {"vision_soft_tokens_per_image": 4},
        {
            "model_type": "gemma4_text",
            "num_hidden_layers": 4,
            "num_kv_shared_layers": 2,
            "vocab_size_per_layer_input": 128,
            "hidden_size_per_layer_input": 16,
            "global_head_dim": 32,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 8,
        },
        {
            "model_type": "gemma4_vision",
            "position_embedding_size": 64,
            "pooling_kernel_size": 2,
            "default_output_length": 4,
            "global_head_dim": 16,
        },
        PICTURE,
        4,
        {},
    ),
}


def build(family: str):
    whole, text, vision, *_ = FAMILIES[family]
    configuration = {
        **WHOLE,
        "model_type": family,
        "text_config": {**TEXT, **text},
        "vision_config": {**VISION, **vision},
        **whole,
    }
    mx.random.seed(0)  # for vectors, which keep near where they start
    module = importlib.import_module(f"mlx_vlm.models.{family}")
    parts = ["text", "vision", "perceiver", "projector"]
    config = module.ModelConfig.from_dict(dict(configuration))
    config = update_module_configs(config, module, configuration, parts)
    model = module.Model(config)
    give_seeded_weights(model, LARGEST)
    return model


def generate(family: str) -> dict:
    *_, shape, patches, extra = FAMILIES[family]
    random = np.random.default_rng(0)
    prompt = np.concatenate([[1, 5, 7], [IMAGE] * patches, random.integers(2, 99, 7)])
    extra = {name: mx.array(value) for name, value in extra.items()}
    if "cross_attention_mask" in extra:
        extra["cross_attention_mask"] = mx.ones((1, len(prompt), 1, 1))
    picture = mx.array(random.standard_normal(shape, dtype=np.float32))
    ids = mx.array(prompt[None])
    steps = list(
        generate_step(
            ids,
            build(family),
            picture,
            mx.ones_like(ids),
            max_tokens=STEPS,
            temperature=0.0,
            prefill_step_size=8,
            **extra,
        )
    )
    return {
        "tokens": [int(token) for token, _ in steps],
        "logprobs": mx.stack([logprobs for _, logprobs in steps]),
    }


def main(folder: str, *families: str) -> None:
    for family in families or FAMILIES:
        save(Path(folder) / family, partial(generate, family))


if __name__ == "__main__":
    main(*sys.argv[1:])
