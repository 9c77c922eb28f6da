"""What a program made, saved under one engine and compared with what it made under the other.

Texts, tokens and other values that have to be equal go to FOLDER/NAME.json, arrays and floats to
FOLDER/NAME.npz; what went wrong goes to FOLDER/NAME.txt.
"""

import json
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np


def save(target: Path, make: Callable[[], dict]) -> None:
    """Saves the results that `make` returns, or its exception."""
    try:
        equal, near = split(make())
        np.savez(target.with_suffix(".npz"), **near)
        target.with_suffix(".json").write_text(json.dumps(equal, sort_keys=True))
    except Exception:
        target.with_suffix(".txt").write_text(traceback.format_exc())


def split(results: dict, prefix="") -> tuple[dict, dict]:
    """What has to be equal, and what has to be near: arrays, floats and lists of floats."""
    import mlx.core as mx

    equal, near = {}, {}
    for name, value in results.items():
        key = prefix + name
        if isinstance(value, mx.array):
            near[key] = np.array(value.astype(mx.float32))
        elif isinstance(value, np.ndarray):
            near[key] = value
        elif isinstance(value, dict) and any(isinstance(v, mx.array) for v in value.values()):
            for part, into in zip(split(value, f"{key}."), (equal, near), strict=True):
                into |= part
        elif isinstance(value, float) or (
            isinstance(value, list) and value and all(isinstance(v, float) for v in value)
        ):
            near[key] = np.array(value)
        else:
            equal[key] = value
    return equal, near


def seeded_weights(name: str, initial):
    """The same values in every engine: random matrices, and vectors near where they start.

    All are exact in bfloat16, so that float32 and bfloat16 models are the same model.
    """
    import mlx.core as mx

    random = np.random.default_rng(zlib.crc32(name.encode()))
    values = random.standard_normal(initial.shape, dtype=np.float32)
    if initial.ndim < 2:
        values = np.array(initial.astype(mx.float32)) + 0.1 * values
    else:
        fan_in = np.prod(initial.shape[1 if initial.ndim == 2 else -1 :])
        values /= np.sqrt(np.float32(fan_in))
    return mx.array(values).astype(mx.bfloat16)


def give_seeded_weights(model, largest: int, dtype=None) -> None:
    """Gives a model seeded weights, unless its configuration left sizes out, and evaluates it."""
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_unflatten

    parameters = tree_flatten(model.parameters())
    size = sum(value.size for _, value in parameters)
    if size > largest:
        raise ValueError(f"the model has {size} parameters: its configuration leaves sizes out")
    model.update(
        tree_unflatten(
            [
                (name, seeded_weights(name, value).astype(dtype or mx.float32))
                for name, value in parameters
                if mx.issubdtype(value.dtype, mx.floating)
            ]
        )
    )
    model.eval()
    mx.eval(model.parameters())


def results(folder: Path, name: str):
    """What has to be equal and what has to be near, or the last line of an error."""
    error = folder / f"{name}.txt"
    if error.exists():
        return error.read_text().strip().splitlines()[-1]
    with np.load(folder / f"{name}.npz") as near:
        return json.loads((folder / f"{name}.json").read_text()), dict(near)


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """Relative to y, where it is finite."""
    finite = np.isfinite(y)
    if x.shape != y.shape or not np.array_equal(finite, np.isfinite(x)):
        return np.inf
    return float(np.linalg.norm((x - y)[finite]) / max(np.linalg.norm(y[finite]), 1e-30))


def complaints(name: str, folders: dict[str, Path], tolerance: float) -> list[str]:
    """In which results heddle's run differs from MLX's."""
    ours, theirs = results(folders["heddle"], name), results(folders["mlx"], name)
    if isinstance(ours, str) or isinstance(theirs, str):
        return [f"{name}: {ours if isinstance(ours, str) else f'MLX: {theirs}'}"]
    found = []
    for part, theirs_equal in theirs[0].items():
        if ours[0].get(part) != theirs_equal:
            found.append(f"{name}.{part}: {ours[0].get(part)}, not {theirs_equal}"[:400])
    for part, theirs_near in theirs[1].items():
        far = distance(ours[1][part], theirs_near) if part in ours[1] else np.inf
        if far > tolerance:
            found.append(f"{name}.{part}: differs by {far:.2g}, at most {tolerance:.2g} is allowed")
    return found
