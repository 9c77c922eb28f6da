"""What people do with mlx-lm, on a small model (tiny_model.py), each as a task of its own.

usage: tasks.py MODEL FOLDER [TASK...]        (a program for MLX: run it under either engine)

A task returns named results, which outcomes.py saves.
"""

import copy
import json
import sys
import types
from functools import partial
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import outcomes
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm import batch_generate, convert, generate, load, stream_generate
from mlx_lm import utils as lm_utils
from mlx_lm.generate import generate_step
from mlx_lm.models import cache as caches
from mlx_lm.perplexity import eval_ppl
from mlx_lm.quant.awq import AWQ_MODEL_CONFIGS, awq_quantize
from mlx_lm.quant.dynamic_quant import estimate_sensitivities
from mlx_lm.quant.gptq import gptq_quantize
from mlx_lm.sample_utils import make_logits_processors, make_sampler
from mlx_lm.tuner.datasets import CacheDataset, load_dataset
from mlx_lm.tuner.losses import js_div_loss, kl_div_loss
from mlx_lm.tuner.trainer import TrainingArgs, TrainingCallback, evaluate, train
from mlx_lm.tuner.utils import linear_to_lora_layers, load_adapters, remove_lora_layers

PROMPT = "Every thread of the warp passes"
TOKENS = 12
MODEL, OUT = map(Path, sys.argv[1:3])
TASKS = {}


def task(function):
    TASKS[function.__name__] = function
    return function


def parameters(module) -> dict:
    return dict(tree_flatten(module.parameters()))


def read(tokenizer, text=PROMPT):
    return mx.array(tokenizer.encode(text))


def steps(model, tokenizer, **options):
    """Tokens and log-probabilities of TOKENS steps."""
    made = list(generate_step(read(tokenizer), model, max_tokens=TOKENS, **options))
    return {
        "tokens": [token for token, _ in made],
        "logprobs": mx.stack([logprobs for _, logprobs in made]),
    }


@task
def generate_text(model, tokenizer, folder):
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "weave"}], add_generation_prompt=True
    )
    streamed = list(stream_generate(model, tokenizer, PROMPT, max_tokens=TOKENS))
    return {
        "text": generate(model, tokenizer, PROMPT, max_tokens=TOKENS),
        "chat": generate(model, tokenizer, chat, max_tokens=TOKENS),
        "tokens": [r.token for r in streamed],
        "segments": [r.text for r in streamed],
        "reasons": [r.finish_reason for r in streamed],
        "logprobs": mx.stack([r.logprobs for r in streamed]),
    }


@task
def samplers(model, tokenizer, folder):
    settings = {
        "temperature": {"temp": 0.8},
        "top_p": {"temp": 1.0, "top_p": 0.7},
        "min_p": {"temp": 1.0, "min_p": 0.05},
        "top_k": {"temp": 1.0, "top_k": 7},
        "xtc": {"temp": 1.0, "xtc_probability": 0.6, "xtc_threshold": 0.02},
        "all": {"temp": 0.7, "top_p": 0.9, "min_p": 0.01, "top_k": 40},
    }
    found = {}
    for name, options in settings.items():
        mx.random.seed(3)
        found[name] = steps(model, tokenizer, sampler=make_sampler(**options))["tokens"]
    return found


@task
def logits_processors(model, tokenizer, folder):
    settings = {
        "bias": {"logit_bias": {20: 3.0, 30: -5.0}},
        "repetition": {"repetition_penalty": 1.5, "repetition_context_size": 8},
        "presence": {"presence_penalty": 1.0},
        "frequency": {"frequency_penalty": 0.7},
    }
    return {
        f"{name}_{key}": value
        for name, options in settings.items()
        for key, value in steps(
            model, tokenizer, logits_processors=make_logits_processors(**options)
        ).items()
    }


@task
def rotating_cache(model, tokenizer, folder):
    return steps(model, tokenizer, max_kv_size=16, prefill_step_size=8)


@task
def quantized_cache(model, tokenizer, folder):
    found = {}
    for bits in (4, 8):
        made = steps(model, tokenizer, kv_bits=bits, kv_group_size=32, quantized_kv_start=4)
        found |= {f"{key}_{bits}": value for key, value in made.items()}
    return found


@task
def prompt_caches(model, tokenizer, folder):
    """Kept, trimmed, saved, loaded, and merged into a batch."""
    found = {}
    for name, make in {
        "plain": caches.KVCache,
        "rotating": lambda: caches.RotatingKVCache(max_size=64, keep=4),
        "chunked": lambda: caches.ChunkedKVCache(16),
        "concatenated": caches.ConcatenateKVCache,
    }.items():
        cache = [make() for _ in model.layers]
        tokens = read(tokenizer)[None]
        model(tokens, cache=cache)
        caches.trim_prompt_cache(cache, 3)
        kept = copy.deepcopy(cache)
        found[name] = model(tokens[:, :5], cache=cache)
        found[f"{name}_kept"] = model(tokens[:, :5], cache=kept)
        found[f"{name}_offsets"] = [int(c.offset) for c in cache]
        found[f"{name}_bytes"] = [c.nbytes for c in cache]
        if name in ("plain", "rotating"):
            file = str(folder / f"{name}.safetensors")
            caches.save_prompt_cache(file, cache, {"task": name})
            again, metadata = caches.load_prompt_cache(file, return_metadata=True)
            found[f"{name}_metadata"] = metadata
            found[f"{name}_loaded"] = model(tokens[:, :2], cache=again)
    return found


@task
def batches(model, tokenizer, folder):
    prompts = [tokenizer.encode(text) for text in (PROMPT, "a", "the loom stands still")]
    made = batch_generate(
        model,
        tokenizer,
        prompts,
        max_tokens=[TOKENS, 5, 8],
        return_token_ids=True,
        return_logprobs=True,
    )
    few = batch_generate(
        model, tokenizer, prompts * 2, max_tokens=4, completion_batch_size=2, return_token_ids=True
    )
    return {
        "texts": made.texts,
        "tokens": made.token_ids,
        "logprobs": [x for row in made.logprobs for x in row],
        "few": few.token_ids,
    }


@task
def speculative(model, tokenizer, folder):
    draft = copy.deepcopy(model)
    draft.update(tree_unflatten([(k, v * 1.02) for k, v in parameters(model).items()]))
    made = list(
        stream_generate(
            model, tokenizer, PROMPT, max_tokens=TOKENS, draft_model=draft, num_draft_tokens=3
        )
    )
    return {
        "tokens": [r.token for r in made],
        "drafted": [r.from_draft for r in made],
        "logprobs": mx.stack([r.logprobs for r in made]),
    }


@task
def perplexity(model, tokenizer, folder):
    data = mx.array(np.random.default_rng(2).integers(2, 258, (6, 24)))
    ppl, error = eval_ppl(model, data, batch_size=4)
    return {"perplexity": ppl, "error": error}


@task
def shards(model, tokenizer, folder):
    """Saved in one file and in many, and read again."""
    found = {}
    kept = dict(sorted(parameters(model).items()))
    lm_utils.save_model(folder / "one", model)
    many = folder / "many"
    many.mkdir()
    parts = lm_utils.make_shards(kept, 0)
    for i, part in enumerate(parts):
        mx.save_safetensors(
            str(many / f"model-{i:05d}-of-{len(parts):05d}.safetensors"),
            part,
            metadata={"format": "mlx"},
        )
    config = json.loads((MODEL / "config.json").read_text())
    for name in ("one", "many"):
        lm_utils.save_config(dict(config), folder / name / "config.json")
        again, _ = lm_utils.load_model(folder / name)
        read_back = parameters(again)
        found[name] = all(mx.array_equal(read_back[k], v).item() for k, v in kept.items())
        found[f"{name}_names"] = sorted(read_back)
    found["index"] = json.loads((folder / "one" / "model.safetensors.index.json").read_text())
    return found


def reports():
    """A callback of the trainer, and where it puts what it is told."""
    told = {"train": [], "val": [], "rates": [], "tokens": []}

    class Callback(TrainingCallback):
        def on_train_loss_report(self, info):
            told["train"].append(info["train_loss"])
            told["rates"].append(info["learning_rate"])
            told["tokens"].append(info["trained_tokens"])

        def on_val_loss_report(self, info):
            told["val"].append(info["val_loss"])

    return told, Callback()


def tune(model, tokenizer, folder, optimizer, iterations=6, **options):
    data = types.SimpleNamespace(data=str(MODEL), train=True, test=True)
    train_set, valid_set, test_set = (CacheDataset(d) for d in load_dataset(data, tokenizer))
    told, callback = reports()
    np.random.seed(5)
    mx.random.seed(5)
    folder.mkdir(exist_ok=True)
    arguments = TrainingArgs(
        batch_size=2,
        iters=iterations,
        val_batches=1,
        steps_per_report=1,
        steps_per_eval=3,
        max_seq_length=64,
        adapter_file=str(folder / "adapters.safetensors"),
        **options,
    )
    train(model, optimizer, train_set, valid_set, arguments, training_callback=callback)
    told["test"] = evaluate(model, test_set, batch_size=2, num_batches=2, max_seq_length=64)
    told["trained_tokens"] = [int(n) for n in told.pop("tokens")]
    return told


LORA = {"rank": 4, "scale": 10.0, "dropout": 0.0}


def adapt(model, tokenizer, folder, optimizer, kind="lora", dropout=0.0, **options):
    """Trains adapters, saves and loads them, and fuses them into the model."""
    mx.random.seed(4)
    model.freeze()
    settings = {**LORA, "dropout": dropout}
    plain = copy.deepcopy(model)
    linear_to_lora_layers(model, 1, settings, use_dora=kind == "dora")
    found = tune(model, tokenizer, folder, optimizer, **options)
    names = [name for name, _ in tree_flatten(model.trainable_parameters())]
    config = {"fine_tune_type": kind, "num_layers": 1, "lora_parameters": settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tokens = read(tokenizer)[None]
    model.eval()
    again = load_adapters(plain, str(folder))
    again.eval()
    found |= {
        "names": names,
        "logits": model(tokens),
        "loaded": mx.array_equal(model(tokens), again(tokens)).item(),
        "adapters": dict(tree_flatten(model.trainable_parameters())),
    }
    fused = [(name, m.fuse()) for name, m in model.named_modules() if hasattr(m, "fuse")]
    model.update_modules(tree_unflatten(fused))
    found |= {"fused": model(tokens), "repr": repr(model)}
    return found


@task
def lora(model, tokenizer, folder):
    return adapt(model, tokenizer, folder, optim.Adam(learning_rate=1e-2))


@task
def lora_with_dropout_and_schedule(model, tokenizer, folder):
    rate = optim.join_schedules(
        [optim.linear_schedule(0.0, 1e-2, 2), optim.cosine_decay(1e-2, 6)], [3]
    )
    found = adapt(model, tokenizer, folder, optim.AdamW(learning_rate=rate), dropout=0.2)
    removed = remove_lora_layers(model)
    return {**found, "removed": repr(removed)}


@task
def dora(model, tokenizer, folder):
    return adapt(model, tokenizer, folder, optim.AdamW(learning_rate=1e-2), kind="dora")


@task
def lora_on_quantized(model, tokenizer, folder):
    model, _ = lm_utils.quantize_model(model, {}, group_size=32, bits=4)
    return adapt(model, tokenizer, folder, optim.Adam(learning_rate=1e-2))


@task
def lora_of_experts(model, tokenizer, folder):
    """Of a mixture: every expert has adapters of its own."""
    return adapt(model, tokenizer, folder, optim.Adam(learning_rate=1e-2))


@task
def lora_of_quantized_experts(model, tokenizer, folder):
    return lora_on_quantized(model, tokenizer, folder)


@task
def full_training_of_experts(model, tokenizer, folder):
    return tune_everything(model, tokenizer, folder, optim.Adam(learning_rate=1e-3))


def tune_everything(model, tokenizer, folder, optimizer, **options):
    model.unfreeze()
    found = tune(model, tokenizer, folder, optimizer, **options)
    model.eval()
    saved = mx.load(str(folder / "adapters.safetensors"))
    return {**found, "names": sorted(saved), "logits": model(read(tokenizer)[None])}


@task
def full_training(model, tokenizer, folder):
    return tune_everything(
        model,
        tokenizer,
        folder,
        optim.Adafactor(learning_rate=1e-3, relative_step=False),
        grad_checkpoint=True,
        grad_accumulation_steps=2,
    )


@task
def full_training_with_muon(model, tokenizer, folder):
    return tune_everything(model, tokenizer, folder, optim.Muon(learning_rate=1e-3))


@task
def divergences(model, tokenizer, folder):
    random = np.random.default_rng(6)
    q, p = (mx.array(random.standard_normal((3, 40), dtype=np.float32)) for _ in range(2))
    found = {}
    for name, loss in (("kl", kl_div_loss), ("js", js_div_loss)):
        found[name] = loss(q, p)
        found[f"{name}_gradient"] = mx.grad(lambda q, loss=loss: loss(q, p).sum())(q)
    return found


def convert_and_run(folder, tokenizer, name, **options):
    source, made = str(MODEL), folder / name
    convert(source, str(made), quantize=True, **options)
    model, _, config = load(str(made), return_config=True)
    back = lm_utils.dequantize_model(copy.deepcopy(model))
    tokens = read(tokenizer)[None]
    return {
        f"{name}_config": config["quantization"],
        f"{name}_bits": lm_utils.compute_bits_per_weight(model),
        f"{name}_repr": repr(model),
        f"{name}_packed": {
            key: np.array(value).tolist()
            for key, value in parameters(model.layers[0].self_attn.q_proj).items()
            if value.dtype in (mx.uint8, mx.uint32)
        },
        f"{name}_logits": model(tokens),
        f"{name}_dequantized": back(tokens),
    }


@task
def convert_affine(model, tokenizer, folder):
    found = {}
    for bits in (2, 3, 4, 5, 6, 8):
        options = {"q_bits": bits, "q_group_size": 32}
        found |= convert_and_run(folder, tokenizer, f"q{bits}", **options)
    return found


@task
def convert_floating(model, tokenizer, folder):
    found = {}
    for mode in ("mxfp4", "mxfp8", "nvfp4"):
        found |= convert_and_run(folder, tokenizer, mode, q_mode=mode)
    return found


@task
def convert_mixed(model, tokenizer, folder):
    options = {"quant_predicate": "mixed_3_6", "q_group_size": 32}
    return convert_and_run(folder, tokenizer, "mixed", **options)


def calibration():
    return mx.array(np.random.default_rng(9).integers(2, 258, (8, 16)))


@task
def gptq(model, tokenizer, folder):
    model, config = gptq_quantize(model, calibration(), 4, 32, 8, 32, batch_size=4)
    return {"config": config, "logits": model(read(tokenizer)[None])}


@task
def awq(model, tokenizer, folder):
    awq_quantize(model, calibration(), AWQ_MODEL_CONFIGS["llama"], group_size=32, bits=4, n_grid=4)
    return {"logits": model(read(tokenizer)[None])}


@task
def sensitivities(model, tokenizer, folder):
    found = dict(estimate_sensitivities(model, calibration(), 2, 32, 4, 32))
    return {"names": sorted(found), "values": [found[name] for name in sorted(found)]}


@task
def half_precision(model, tokenizer, folder):
    """Converted to bfloat16 and float16; their dtypes have to stay."""
    found = {}
    for dtype in ("bfloat16", "float16"):
        made = folder / dtype
        convert(str(MODEL), str(made), dtype=dtype)
        again, _ = load(str(made))
        logits = again(read(tokenizer)[None])
        found[f"{dtype}_dtypes"] = sorted(
            {str(v.dtype) for v in [logits, *parameters(again).values()]}
        )
        model.update(parameters_as(again, mx.float32))
        found[f"{dtype}_rounded"] = model(read(tokenizer)[None])
    return found


def parameters_as(module, dtype):
    return tree_unflatten([(k, v.astype(dtype)) for k, v in parameters(module).items()])


@task
def modules(model, tokenizer, folder):
    """What programs ask of a model besides running it."""
    return {
        "repr": repr(model),
        "names": sorted(parameters(model)),
        "leaves": [type(m).__name__ for m in tree_leaves(model)],
        "size": lm_utils.get_total_parameters(model),
        "bytes": sum(v.nbytes for v in parameters(model).values()),
        "state": [k for k, _ in tree_flatten(model.state)] == list(parameters(model)),
    }


def tree_leaves(model):
    return [m for _, m in tree_flatten(model.leaf_modules(), is_leaf=nn.Module.is_module)]


def run(name: str, folder: Path) -> dict:
    return TASKS[name](*load(str(MODEL)), folder)


def main(names: list[str]) -> None:
    for name in names or TASKS:
        target = OUT / name
        target.mkdir()
        outcomes.save(target, partial(run, name, target))


if __name__ == "__main__":
    main(sys.argv[3:])
