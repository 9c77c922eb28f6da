"""The module under test and the references, and how arrays travel between them and NumPy.

HEDDLE_TEST_MODULE names another module that speaks MLX (the tests themselves are checked by
running them on `mlx.core`).
"""

import importlib
import os

import ml_dtypes
import mlx.core as reference
import numpy as np

MODULE = os.environ.get("HEDDLE_TEST_MODULE", "heddle.core")
mx = importlib.import_module(MODULE)
IS_HEDDLE = MODULE.startswith("heddle")

FLOATS = ("float32", "float16", "bfloat16", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
COMPLEX = ("complex64",)
REALS = FLOATS + INTEGERS
NUMBERS = REALS + COMPLEX
DTYPES = ("bool_", *NUMBERS)
NUMPY = {name: np.dtype(name) for name in NUMBERS if name != "bfloat16"} | {
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "bool_": np.dtype(bool),
}


def dtype_name(dtype) -> str:
    """The name under the module (`float32`, `bool_`) of an engine's dtype."""
    name = str(dtype).rpartition(".")[2]
    return "bool_" if name == "bool" else name


def to_engine(module, value: np.ndarray, name: str | None = None):
    """An engine array with exactly these values; `name` defaults to the NumPy dtype's."""
    if name is None:
        name = "bool_" if value.dtype == bool else value.dtype.name
    if name == "bfloat16":
        return module.array(value.astype(np.float32)).astype(module.bfloat16)
    return module.array(value, dtype=getattr(module, name))


def to_numpy(value) -> np.ndarray:
    """The exact values of an engine array; bfloat16 widens to float32."""
    if dtype_name(value.dtype) == "bfloat16":
        value = value.astype(next(m for m in (mx, reference) if isinstance(value, m.array)).float32)
    return np.array(value)


if not IS_HEDDLE:
    # MLX's compile starts a C++ compiler for every function; its tests are not our subject.
    mx.disable_compile()
