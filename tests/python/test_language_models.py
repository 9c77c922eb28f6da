"""Every family of mlx-lm decodes under heddle as under MLX: see programs/families.py.

Each engine builds the same small models in a process of its own, reads a prompt and decodes eight
tokens. Logits are compared with those of MLX in float32, which bfloat16 is measured by as well.
"""

import os
import subprocess
import sys
from pathlib import Path

import heddle.core
import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))
from families import FAMILIES, REFUSED  # noqa: E402

PARTS = 4  # groups of families that share their processes
SECONDS = 240  # for a group
TOLERANCE = 1e-5
# A bfloat16 model differs from the float32 model with the same weights by its roundings: at most by
# so much, and so many times as far as MLX's own does where MLX has it (its CPU gathers experts in
# float32 only).
BF16_TOLERANCE = 0.08
BF16_FACTOR, BF16_SLACK = 2, 0.005
F32_ONLY = "Currently only supports float32"
# Parts of MLX that heddle does not have yet; models that need them wait.
WAITED_FOR = ("gather_mm", "layers.distributed", "'linalg'", "QuantizedLinear", "metal_kernel")


@pytest.fixture(scope="module", params=range(PARTS))
def runs(request, tmp_path_factory):
    """A group of families, and the folder of what both engines made of them."""
    families = sorted(FAMILIES)[request.param :: PARTS]
    folder = tmp_path_factory.mktemp("runs")
    processes = []
    # Without the variable MLX starts a C++ compiler for each fused function.
    for engine, runner, environment in (
        ("mlx", [], {"MLX_DISABLE_COMPILE": "1"}),
        ("heddle", ["-m", "heddle", "run"], {}),
    ):
        (folder / engine).mkdir()
        arguments = [sys.executable, *runner, PROGRAMS / "decode.py", folder / engine, *families]
        with open(folder / f"{engine}.log", "w") as log:
            processes.append(
                subprocess.Popen(
                    arguments, env={**os.environ, **environment}, stdout=log, stderr=log
                )
            )
    try:
        codes = [process.wait(SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], [log.read_text()[-2000:] for log in sorted(folder.glob("*.log"))]
    return families, folder


def outcome(folder: Path, engine: str, family: str, mode: str):
    """What decode.py saved, or the last line of its error."""
    saved = folder / engine / f"{family}.{mode}.npz"
    if saved.exists():
        with np.load(saved) as arrays:
            return dict(arrays)
    return saved.with_suffix(".txt").read_text().strip().splitlines()[-1]


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """Of all logits, relative to y; masked tokens have to agree."""
    finite = np.isfinite(y)
    if x.shape != y.shape or not np.array_equal(finite, np.isfinite(x)):
        return np.inf
    return float(np.linalg.norm(x[finite] - y[finite]) / np.linalg.norm(y[finite]))


def complaint(folder: Path, family: str, mode: str) -> str | None:
    """What is wrong with heddle's run of a family, in one line."""
    ours = outcome(folder, "heddle", family, mode)
    theirs = outcome(folder, "mlx", family, mode)
    if isinstance(ours, str) and any(name in ours for name in WAITED_FOR):
        return None
    refusal = REFUSED.get(family) or REFUSED.get((family, mode))
    if refusal:
        as_told = isinstance(theirs, str) and refusal in theirs and ours == theirs
        return None if as_told else f"MLX: {theirs}; heddle: {ours}"
    if isinstance(ours, str):
        return ours
    f32_only = isinstance(theirs, str) and mode == "bfloat16" and F32_ONLY in theirs
    if not f32_only:
        if isinstance(theirs, str):
            return f"MLX: {theirs}"
        if ours["dtype"] != theirs["dtype"]:
            return f"logits are {ours['dtype']}, not {theirs['dtype']}"
    if mode == "bfloat16":
        exact, limit = outcome(folder, "mlx", family, "float32")["logits"], BF16_TOLERANCE
        if not f32_only:
            limit = min(limit, BF16_FACTOR * distance(theirs["logits"], exact) + BF16_SLACK)
    else:
        exact, limit = theirs["logits"], TOLERANCE
    found = distance(ours["logits"], exact)
    return None if found <= limit else f"differs by {found:.2g}, at most {limit:.2g} is allowed"


@pytest.mark.parametrize("mode", ["float32", "bfloat16", "4bit"])
def test_logits_agree(runs, mode):
    families, folder = runs
    if mode == "4bit" and not hasattr(heddle.core, "quantize"):
        pytest.skip("heddle has no quantization yet")
    complaints = {family: complaint(folder, family, mode) for family in families}
    assert {family: text for family, text in complaints.items() if text} == {}
