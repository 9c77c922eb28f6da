"""Builds models of mlx-lm with seeded weights; writes the logits of a prompt and of 8 steps.

usage: decode.py FOLDER FAMILY...        (a program for MLX: run it under either engine)

Each model is built in three modes: float32, bfloat16 and 4bit (float32 with the weights quantized).
FOLDER/FAMILY.MODE.npz gets the logits, their dtype and the seconds of each step, or
FOLDER/FAMILY.MODE.txt what went wrong.
"""

import importlib
import itertools
import sys
import time
import traceback
from pathlib import Path

import mlx.core as mx
import numpy as np
from families import configuration
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import quantize_model
from outcomes import give_seeded_weights

MODES = ("float32", "bfloat16", "4bit")
PROMPT = 12
STEPS = 8
LARGEST = 8_000_000  # parameters; a configuration that leaves sizes out would take all memory


def build(family: str, mode: str):
    module = importlib.import_module(f"mlx_lm.models.{family}")
    mx.random.seed(0)
    model = module.Model(module.ModelArgs.from_dict(configuration(family)))
    dtype = mx.bfloat16 if mode == "bfloat16" else mx.float32
    give_seeded_weights(model, LARGEST, dtype)
    if mode == "4bit":
        model, _ = quantize_model(model, {}, group_size=32, bits=4)
    model.eval()
    mx.eval(model.parameters())
    return model


def decode(model) -> dict[str, np.ndarray]:
    tokens = np.random.default_rng(0).integers(1, 120, PROMPT + STEPS)
    cache = make_prompt_cache(model)
    seconds, logits = [], []
    for start, end in [(0, PROMPT), *((i, i + 1) for i in range(PROMPT, PROMPT + STEPS))]:
        begin = time.perf_counter()
        step = model(mx.array(tokens[None, start:end]), cache=cache)
        mx.eval(step)
        seconds.append(time.perf_counter() - begin)
        logits.append(np.array(step.astype(mx.float32))[0])
    return {"logits": np.concatenate(logits), "dtype": str(step.dtype), "seconds": seconds}


def main(folder: str, *families: str) -> None:
    for family, mode in itertools.product(families, MODES):
        out = Path(folder) / f"{family}.{mode}"
        try:
            np.savez(f"{out}.npz", **decode(build(family, mode)))
        except Exception:
            Path(f"{out}.txt").write_text(traceback.format_exc())


if __name__ == "__main__":
    main(*sys.argv[1:])
