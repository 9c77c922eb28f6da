"""One interleaved run: a worker process per engine, works measured in turns, results compared."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .engine import BEFORE, ENGINES, HEDDLE, environment
from .work import Work

MINIMUM_RUNS = 3


@dataclass
class Measurement:
    """`seconds`: the best time of one unit per engine; `failures` and `mismatches` in words."""

    work: Work
    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)


class WorkerProcess:
    def __init__(self, name: str, threads: int, folder: Path | None):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.worker", name, str(threads)],
            cwd=Path(__file__).resolve().parent.parent,
            env=environment(threads, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.failure = self.receive().get("error")

    def receive(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            return {"error": f"the process ended with status {self.process.wait()}"}
        return json.loads(line)

    def ask(self, **command: Any) -> dict[str, Any]:
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.receive()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def differences(reference: Any, other: Any, tolerance: float) -> str | None:
    """The first difference between two stored summaries beyond the tolerance, in words."""
    if set(reference.files) != set(other.files):
        return "another number of results"
    for key in reference.files:
        wanted, given = reference[key], other[key]
        if wanted.shape != given.shape or (key.endswith("shape") and (wanted != given).any()):
            return f"result {key}: {given.tolist()} instead of {wanted.tolist()}"
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        error = float(np.abs(wanted - given).max(initial=0.0)) / scale
        if not error <= tolerance:
            return f"result {key} differs by {error:.2g} of its scale (tolerance {tolerance:.2g})"
    return None


class Session:
    """Keeps the workers; a worker that dies is started again for the next work. `before` is the
    folder of the package that the engine of that name is imported from."""

    def __init__(
        self, engines: list[str], threads: int, rounds: int, budget: float, before: Path | None
    ):
        self.engines, self.threads, self.rounds, self.budget = engines, threads, rounds, budget
        self.before = before
        self.workers: dict[str, WorkerProcess] = {}

    def worker(self, name: str) -> WorkerProcess:
        held = self.workers.get(name)
        if held is None or held.process.poll() is not None:
            held = self.workers[name] = WorkerProcess(
                name, self.threads, self.before if name == BEFORE else None
            )
        return held

    def measure(self, work: Work) -> Measurement:
        measurement = Measurement(work)
        speakers = [e for e in self.engines if ENGINES[e].dialect in work.dialects()]
        with tempfile.TemporaryDirectory() as folder:
            running = self.prepare(work, speakers, Path(folder), measurement)
            self.compare(work, running, Path(folder), measurement)
        self.interleave(running, measurement)
        for name in measurement.seconds:
            measurement.seconds[name] /= work.operations
        return measurement

    def prepare(
        self, work: Work, names: list[str], folder: Path, measurement: Measurement
    ) -> list[str]:
        running = []
        for name in names:
            worker = self.worker(name)
            store = str(folder / f"{name}.npz")
            failure = worker.failure or worker.ask(do="prepare", work=work.name, store=store).get(
                "error"
            )
            if failure:
                measurement.failures[name] = failure
            else:
                running.append(name)
        return running

    def compare(
        self, work: Work, running: list[str], folder: Path, measurement: Measurement
    ) -> None:
        """Every engine against one peer; heddle is never its own judge, and mlx, whose functions
        are the least accurate, only where there is no other."""
        peers = [name for name in running if name not in (HEDDLE, BEFORE)]
        if not peers:
            return
        judge = min(peers, key=lambda name: name == "mlx")
        with np.load(folder / f"{judge}.npz") as reference:
            for name in running:
                if name == judge:
                    continue
                with np.load(folder / f"{name}.npz") as other:
                    found = differences(reference, other, work.tolerance)
                if found:
                    measurement.mismatches.append(f"{name} against {judge}: {found}")

    def interleave(self, running: list[str], measurement: Measurement) -> None:
        """Rounds in turns; an engine leaves once its time is spent and it ran often enough."""
        spent = dict.fromkeys(running, 0.0)
        turn = 0
        while running and turn < max(self.rounds, MINIMUM_RUNS):
            for name in list(running):
                answer = self.worker(name).ask(do="measure", seconds=self.budget / self.rounds)
                if "error" in answer:
                    measurement.failures[name] = answer["error"]
                    running.remove(name)
                    continue
                best = measurement.seconds.get(name, float("inf"))
                measurement.seconds[name] = min(best, answer["best"])
                measurement.counts[name] = measurement.counts.get(name, 0) + answer["count"]
                spent[name] += answer["spent"]
                if spent[name] >= self.budget and measurement.counts[name] >= MINIMUM_RUNS:
                    running.remove(name)
            turn += 1

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()
