"""A folder as the hub has it: a small model with random weights, a tokenizer, texts to learn.

Made without any engine (numpy, safetensors, tokenizers), so that each engine only reads it.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CONFIG = {
    "model_type": "llama",
    "vocab_size": 288,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "eos_token_id": 1,
}
CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
WORDS = "the thread passes through every heddle of the loom and the cloth grows row by row"


# The same with experts in place of the perceptron.
MIXTURE = {**CONFIG, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
MIXTURE |= {"intermediate_size": 64, "head_dim": 16}


def shapes(config: dict) -> dict[str, tuple[int, ...]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
    }
    experts = config.get("num_local_experts", 0)
    if experts:
        layer["block_sparse_moe.gate"] = (experts, hidden)
        for i in range(experts):
            expert = f"block_sparse_moe.experts.{i}"
            layer |= {f"{expert}.w1": (inner, hidden), f"{expert}.w3": (inner, hidden)}
            layer[f"{expert}.w2"] = (hidden, inner)
    else:
        layer |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden)}
        layer["mlp.down_proj"] = (hidden, inner)
    layer |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
    found = {
        "model.embed_tokens": (config["vocab_size"], hidden),
        "model.norm": (hidden,),
        "lm_head": (config["vocab_size"], hidden),
    }
    for i in range(config["num_hidden_layers"]):
        found |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
    return {f"{name}.weight": shape for name, shape in found.items()}


def weights(config: dict) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    values = {}
    for name, shape in shapes(config).items():
        noise = random.standard_normal(shape, dtype=np.float32)
        norm = len(shape) == 1
        values[name] = 1 + 0.1 * noise if norm else 1.5 * noise / np.float32(shape[1] ** 0.5)
    return values


def tokenizer() -> Tokenizer:
    """One token for each byte: 256 of them after the two special ones."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=258, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([], trainer)
    return made


def write(folder: Path, config: dict = CONFIG) -> None:
    folder.mkdir(parents=True)
    save_file(weights(config), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<s>",
                "eos_token": "</s>",
                "chat_template": CHAT,
            }
        )
    )
    words = WORDS.split()
    texts = [" ".join(words[i % 7 : i % 7 + 3 + i % 5]) for i in range(24)]
    for name, part in (("train", texts[:16]), ("valid", texts[16:20]), ("test", texts[20:])):
        lines = [json.dumps({"text": text}) for text in part]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
