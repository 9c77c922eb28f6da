"""A small Llama of mlx-lm learns English from the Python reference, and writes some of its own.

usage: python -m heddle run examples/language_model/learn.py [--steps N] [--prompt TEXT]

This is a program for MLX and says nothing of heddle: `python -m heddle run` is what makes heddle do
the work. It trains a model of mlx-lm on the bytes of `pydoc_data.topics`, which every Python has,
measures it on pages it has not seen, quantizes it to 4 bits, measures again, and writes text.

Any other program of mlx-lm runs in the same way, for example with a model in a folder:

    python -m heddle run -m mlx_lm generate --model FOLDER --prompt "What is a loom?"
"""

import argparse
import math
import sys
import time
from pydoc_data.topics import topics

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx_lm.generate import generate_step
from mlx_lm.models import llama
from mlx_lm.sample_utils import make_sampler
from mlx_lm.utils import get_total_parameters, quantize_model

LENGTH, BATCH = 64, 12


def read_bytes() -> tuple[np.ndarray, np.ndarray]:
    """The reference as bytes: what is learnt from, and a tenth that is kept for measuring."""
    text = "\n\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace")
    values = np.frombuffer(text, np.uint8).astype(np.int32)
    cut = len(values) * 9 // 10
    return values[:cut], values[cut:]


def make_model() -> nn.Module:
    mx.random.seed(0)
    return llama.Model(
        llama.ModelArgs(
            model_type="llama",
            vocab_size=128,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
        )
    )


def learn(model: nn.Module, values: np.ndarray, steps: int) -> None:
    rate = optim.join_schedules(
        [optim.linear_schedule(0.0, 4e-3, 20), optim.cosine_decay(4e-3, max(steps - 20, 1), 4e-4)],
        [20],
    )
    optimizer = optim.AdamW(learning_rate=rate, weight_decay=0.01)
    random = np.random.default_rng(0)

    def loss(model, batch):
        return nn.losses.cross_entropy(model(batch[:, :-1]), batch[:, 1:], reduction="mean")

    loss_and_gradient = nn.value_and_grad(model, loss)
    begin = time.perf_counter()
    for step in range(1, steps + 1):
        starts = random.integers(0, len(values) - LENGTH - 1, BATCH)
        batch = mx.array(np.stack([values[start : start + LENGTH + 1] for start in starts]))
        value, gradient = loss_and_gradient(model, batch)
        optimizer.update(model, gradient)
        mx.eval(model.parameters(), optimizer.state)
        if step % 50 == 0 or step == steps:
            seconds = time.perf_counter() - begin
            speed = step * BATCH * LENGTH / seconds
            print(
                f"  step {step}: loss {value.item():.2f}, {speed:,.0f} bytes per second", flush=True
            )


def perplexity(model: nn.Module, values: np.ndarray) -> float:
    """Between how many bytes the model hesitates, on text that it has not seen."""
    rows = values[: len(values) // LENGTH * LENGTH].reshape(-1, LENGTH)[::8]
    losses = []
    for start in range(0, len(rows), 32):
        batch = mx.array(rows[start : start + 32])
        losses.append(nn.losses.cross_entropy(model(batch[:, :-1]), batch[:, 1:]).flatten())
    return math.exp(mx.concatenate(losses).mean().item())


def write(model: nn.Module, prompt: str, count: int) -> tuple[str, float]:
    """What the model goes on with, and tokens per second."""
    mx.random.seed(1)
    tokens = mx.array(list(prompt.encode("ascii", "replace")))
    sampler = make_sampler(temp=0.7, top_p=0.9)
    begin = time.perf_counter()
    made = [token for token, _ in generate_step(tokens, model, max_tokens=count, sampler=sampler)]
    return bytes(made).decode("ascii", "replace"), count / (time.perf_counter() - begin)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="of training (default: 300)")
    parser.add_argument("--prompt", default="If a class ", help="what the text begins with")
    options = parser.parse_args(arguments)
    if options.steps < 1 or not options.prompt:
        parser.error("--steps must be at least 1, and --prompt must not be empty")

    learnt, kept = read_bytes()
    model = make_model()
    print(f"{get_total_parameters(model):,} parameters learn from {len(learnt):,} bytes")
    learn(model, learnt, options.steps)
    model.eval()
    print(f"perplexity on {len(kept):,} other bytes: {perplexity(model, kept):.2f}")
    model, _ = quantize_model(model, {}, group_size=32, bits=4)
    print(f"quantized to 4 bits: {perplexity(model, kept):.2f}")
    text, speed = write(model, options.prompt, 200)
    print(f"{speed:,.0f} bytes per second:\n\n{options.prompt}{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
