"""One engine in its own process: reads commands as JSON lines, answers with JSON lines.

`prepare` makes a work ready, runs it once and stores what it computed; `measure` repeats it for a
slice of time and answers the best time of one run. An exception is answered, never fatal.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

import numpy as np
import works

from .engine import DIALECTS, ENGINES, prepare

SAMPLES = 1 << 16


def summary(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Enough of the results to compare them: shapes, sums in float64, evenly spread samples."""
    parts: dict[str, np.ndarray] = {}
    for index, array in enumerate(arrays):
        flat = np.ascontiguousarray(array).reshape(-1)
        parts[f"{index}.shape"] = np.array(array.shape, dtype=np.int64)
        stride = max(1, flat.size // SAMPLES)
        parts[f"{index}.samples"] = flat[::stride].astype(np.float64)
        parts[f"{index}.mean"] = np.array(flat.astype(np.float64).mean() if flat.size else 0.0)
    return parts


class Worker:
    def __init__(self, name: str, threads: int):
        self.engine = ENGINES[name]
        self.dialect = DIALECTS[self.engine.dialect](self.engine.module, threads)
        self.step: Any = None

    def prepare(self, work: str, store: str) -> dict[str, Any]:
        self.step = None
        gc.collect()
        self.step = prepare(works.WORKS[work], self.engine, self.dialect)
        start = time.perf_counter()
        value = self.step.run()
        first = time.perf_counter() - start
        np.savez(store, **summary(self.step.result(value)))
        return {"first": first}

    def measure(self, seconds: float) -> dict[str, Any]:
        run, clock = self.step.run, time.perf_counter
        best, count, begin = float("inf"), 0, clock()
        while True:
            start = clock()
            run()
            end = clock()
            best = min(best, end - start)
            count += 1
            if end - begin >= seconds:
                return {"best": best, "count": count, "spent": end - begin}


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, available[:threads])
    # Answers go to the real standard output; whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    try:
        worker = Worker(name, threads)
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    answer({"ready": name})
    for line in sys.stdin:
        command = json.loads(line)
        action = getattr(worker, command.pop("do"))
        try:
            answer(action(**command))
        except Exception as error:
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
