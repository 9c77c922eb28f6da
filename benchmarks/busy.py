"""How heddle shares a machine with busy programs: `python benchmarks/busy.py [--busy 2]`.

Runs each work alone and beside processes that never rest, and prints medians. A fair scheduler
gives a program of T threads beside B busy ones on C cores C / (T + B) of a core for each thread;
`ratio` is what a work took over what it would take so, and 1.5 is the bound to keep.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

BOUND = 1.5
SPIN = "while True: pass"


def works() -> dict[str, Callable[[], None]]:
    import heddle.core as mx

    import heddle.nn as nn
    import heddle.optimizers as optim

    normal = mx.random.normal

    def mlp() -> Callable[[], None]:
        x, up, down = normal((16, 64, 384)), normal((1536, 384)), normal((384, 1536))
        mx.eval(x, up, down)
        return lambda: mx.eval(nn.gelu(x @ up.T) @ down.T)

    def attention() -> Callable[[], None]:
        q = normal((4, 12, 256, 64))
        mx.eval(q)
        return lambda: mx.eval(mx.fast.scaled_dot_product_attention(q, q, q, scale=0.125))

    def convolution() -> Callable[[], None]:
        image, kernel = normal((8, 56, 56, 64)), normal((64, 3, 3, 64))
        mx.eval(image, kernel)
        return lambda: mx.eval(mx.conv2d(image, kernel, padding=1))

    def encoder() -> Callable[[], None]:
        """MiniLM's shape: 6 layers of 384, 12 heads, 16 texts of 64 tokens."""
        model = nn.TransformerEncoder(6, 384, 12, 1536)
        x = normal((16, 64, 384))
        mx.eval(model.parameters(), x)
        return lambda: mx.eval(model(x, None))

    def step() -> Callable[[], None]:
        layers = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2, 2)]
        layers += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2, 2)]
        model = nn.Sequential(*layers, lambda x: x.reshape(x.shape[0], -1), nn.Linear(4096, 10))
        optimizer = optim.Adam(1e-3)
        x, y = normal((32, 32, 32, 3)), mx.random.randint(0, 10, (32,))
        mx.eval(model.parameters(), x, y)
        differentiate = nn.value_and_grad(
            model, lambda: nn.losses.cross_entropy(model(x), y).mean()
        )

        def run() -> None:
            loss, gradients = differentiate()
            optimizer.update(model, gradients)
            mx.eval(loss, model.parameters(), optimizer.state)

        return run

    makes = {
        "two layers of an MLP": mlp,
        "attention": attention,
        "convolution": convolution,
        "MiniLM": encoder,
        "training step of a CNN": step,
    }
    return {name: make() for name, make in makes.items()}


def median_ms(run: Callable[[], None], seconds: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", type=int, default=2, help="processes that never rest")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each figure")
    parser.add_argument("--only", default="", help="works whose name contains this")
    options = parser.parse_args()
    os.environ["HEDDLE_NUM_THREADS"] = str(options.threads)
    cores = len(os.sched_getaffinity(0))
    # Alone the threads have the cores that there are.
    share = max(1.0, (options.threads + options.busy) / max(cores, options.threads))
    print(f"{options.threads} threads beside {options.busy} busy processes on {cores} cores\n")
    print("| work | alone | fair share | beside them | ratio |\n|---|---|---|---|---|")
    for name, run in works().items():
        if options.only not in name:
            continue
        median_ms(run, options.seconds / 4)
        alone = median_ms(run, options.seconds)
        busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(options.busy)]
        try:
            time.sleep(0.2)
            beside = median_ms(run, options.seconds)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        ratio = beside / (alone * share)
        verdict = "" if ratio <= BOUND else f" (above {BOUND})"
        print(
            f"| {name} | {alone:.2f} ms | {alone * share:.2f} ms | {beside:.2f} ms "
            f"| {ratio:.2f}{verdict} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
