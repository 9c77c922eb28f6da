"""The values at which exponents end, in each dtype, and what a result there has to be."""

from __future__ import annotations

import ml_dtypes
import mpmath
import numpy as np

from engines import NUMPY

MAGNITUDES = (0.5, 1.0, 3.0, 20.0, 90.0, 300.0, 1e4, 1e25)
# Relative errors: halves are rounded once, from float32.
RELATIVE = {"float64": 1e-13, "float32": 1e-6, "float16": 5e-4, "bfloat16": 4e-3}


def finfo(dtype: str):
    return ml_dtypes.finfo(NUMPY[dtype])


def extremes(dtype: str) -> np.ndarray:
    """0, the least subnormal and normal numbers, numbers around one, the ends of exponentials,
    large ones whose squares overflow, the largest, infinity, of both signs; NaN."""
    info = finfo(dtype)
    magnitudes = [
        float(info.smallest_subnormal),
        float(info.tiny),
        *(m for m in MAGNITUDES if m < float(info.max)),
        float(info.max),
        np.inf,
    ]
    values = [0.0, *magnitudes, *(-m for m in magnitudes), np.nan]
    return np.array(values).astype(NUMPY[dtype])


def is_right(given: float, exact, dtype: str, error: float = 0.0) -> bool:
    """Whether `given` is the exact number after one rounding to the dtype, within its relative
    error: infinite where that overflows; below the normal numbers within 2^-16 of the least."""
    if mpmath.isnan(exact):
        return given != given
    if given != given:
        return False
    info = finfo(dtype)
    allowed = RELATIVE[dtype] + (error**2 if dtype == "float64" else error)
    largest = mpmath.mpf(float(info.max))
    if abs(exact) > largest * (1 - allowed):
        least = largest * (1 - 2 * allowed)
        return given >= least if exact > 0 else given <= -least
    if given in (float("inf"), float("-inf")):
        return False
    least = mpmath.mpf(float(info.tiny)) * 2.0**-16 + float(info.smallest_subnormal)
    return abs(mpmath.mpf(given) - exact) <= allowed * abs(exact) + least


def has_room(exact, dtype: str) -> bool:
    """Whether 2^20 times as much and as little are normal numbers, too."""
    info = finfo(dtype)
    return float(info.tiny) * 2.0**20 <= abs(exact) <= float(info.max) * 2.0**-20
