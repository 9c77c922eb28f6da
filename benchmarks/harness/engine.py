"""The engines under comparison and the four dialects they speak.

A dialect knows how to bring NumPy arrays in, run a function until its results exist, and bring
them back. It is imported only inside a worker process, after the thread count is set.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .work import Step, Work

SEED = 20240607
HEDDLE, BEFORE = "heddle", "before"


@dataclass(frozen=True)
class Engine:
    name: str
    module: str
    dialect: str

    def missing(self) -> str | None:
        """Why this engine cannot run here, or None."""
        package = self.module.partition(".")[0]
        if importlib.util.find_spec(package) is None:
            return f"the package '{package}' is not installed in this environment"
        return None

    def version(self) -> str:
        """What the package itself says, because a build folder has no metadata."""
        try:
            return importlib.import_module(self.module).__version__
        except ImportError:
            return "unknown version"


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(HEDDLE, "heddle.core", "mlx"),
        Engine(BEFORE, "heddle.core", "mlx"),  # another build of heddle, from a folder of its own
        Engine("mlx", "mlx.core", "mlx"),
        Engine("torch", "torch", "torch"),
        Engine("jax", "jax", "jax"),
        Engine("numpy", "numpy", "numpy"),
    )
}


def environment(threads: int, folder: Path | None = None) -> dict[str, str]:
    """The environment that holds every engine to `threads` threads (with the CPU affinity), and
    imports it from `folder` if there is one."""
    count = str(threads)
    return {
        **os.environ,
        **({"PYTHONPATH": str(folder.resolve())} if folder else {}),
        **{name: count for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")},
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={count}",
        "JAX_PLATFORMS": "cpu",
    }


class MlxDialect:
    def __init__(self, module: str, threads: int):
        self.module = module
        self.core = self.library = importlib.import_module(module)

    def array(self, value: np.ndarray, dtype: str = "float32") -> Any:
        made = self.core.array(value)
        return made.astype(getattr(self.core, dtype)) if dtype == "bfloat16" else made

    def callable(self, work: Work, arrays: list) -> Any:
        function, library, core = work.function("mlx"), self.library, self.core
        traced = lambda *values: function(library, *values)  # noqa: E731
        if work.compiled:
            traced = core.compile(traced)
        core.eval(*arrays)

        def run() -> Any:
            result = traced(*arrays)
            core.eval(result)
            return result

        return run

    def numpy(self, value: Any) -> np.ndarray:
        wide = value.astype(self.core.float32) if value.dtype == self.core.bfloat16 else value
        return np.array(wide)


class TorchDialect:
    def __init__(self, module: str, threads: int):
        self.module = module
        self.library = importlib.import_module(module)
        self.library.set_num_threads(threads)

    def array(self, value: np.ndarray, dtype: str = "float32") -> Any:
        made = self.library.from_numpy(value)
        return made.bfloat16() if dtype == "bfloat16" else made

    def callable(self, work: Work, arrays: list) -> Any:
        function, torch = work.function("torch"), self.library

        def run() -> Any:
            with torch.inference_mode():
                return function(torch, *arrays)

        return run

    def numpy(self, value: Any) -> np.ndarray:
        value = value.detach()
        return (value.float() if value.dtype == self.library.bfloat16 else value).numpy()


class JaxDialect:
    def __init__(self, module: str, threads: int):
        self.module = module
        self.jax = importlib.import_module(module)
        self.library = importlib.import_module("jax.numpy")

    def array(self, value: np.ndarray, dtype: str = "float32") -> Any:
        return self.library.asarray(value, dtype=dtype if dtype == "bfloat16" else None)

    def callable(self, work: Work, arrays: list) -> Any:
        function, library, jax = work.function("jax"), self.library, self.jax
        compiled = jax.jit(lambda *values: function(library, *values))
        return lambda: jax.block_until_ready(compiled(*arrays))

    def numpy(self, value: Any) -> np.ndarray:
        made = np.asarray(value)
        return made.astype(np.float32) if made.dtype.name == "bfloat16" else made


class NumpyDialect:
    def __init__(self, module: str, threads: int):
        self.module = module
        self.library = np

    def array(self, value: np.ndarray, dtype: str = "float32") -> np.ndarray:
        return value

    def callable(self, work: Work, arrays: list) -> Any:
        function = work.function("numpy")
        return lambda: function(np, *arrays)

    def numpy(self, value: Any) -> np.ndarray:
        return np.asarray(value)


DIALECTS = {"mlx": MlxDialect, "torch": TorchDialect, "jax": JaxDialect, "numpy": NumpyDialect}


def prepare(work: Work, engine: Engine, dialect: Any) -> Step:
    """The step that does `work` in this engine, on inputs that are the same in every engine."""
    inputs = work.inputs(np.random.default_rng(SEED))
    if engine.dialect in work.prepare:
        return work.prepare[engine.dialect](dialect, inputs)
    arrays = [dialect.array(value, work.dtype) for value in inputs]

    def result(value: Any) -> list[np.ndarray]:
        parts = value if isinstance(value, (tuple, list)) else [value]
        return [dialect.numpy(part) for part in parts]

    return Step(dialect.callable(work, arrays), result)
