"""Every family of mlx-lm decodes under heddle as under MLX: see programs/families.py.

Each engine builds the same small models in a process of its own, reads a prompt and decodes eight
tokens. Logits are compared with those of MLX in float32, which bfloat16 is measured by as well.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))
from both_engines import run_both  # noqa: E402
from families import FAMILIES, REFUSED  # noqa: E402

PARTS = 4  # groups of families that share their processes
MODES = ("float32", "bfloat16", "4bit")
TOLERANCE = 2e-5  # at every position
# A bfloat16 model differs from the float32 model with the same weights by its roundings: at the
# median position at most so many times as far as MLX's own does, or at most by so much where MLX
# has none (its CPU gathers experts in float32 only). Not at every position: where two experts are
# nearly tied, a rounding decides which one is asked.
BF16_TOLERANCE = 0.04
BF16_FACTOR, BF16_SLACK = 1.25, 0.002
F32_ONLY = "Currently only supports float32"


@pytest.fixture(scope="module", params=range(PARTS))
def runs(request, tmp_path_factory):
    """A group of families, and the folders of what both engines made of them."""
    families = sorted(FAMILIES)[request.param :: PARTS]
    folder = tmp_path_factory.mktemp("runs")
    return families, run_both(folder, PROGRAMS / "decode.py", lambda out: [out, *families])


def outcome(folder: Path, family: str, mode: str):
    """What decode.py saved, or the last line of its error."""
    saved = folder / f"{family}.{mode}.npz"
    if saved.exists():
        with np.load(saved) as arrays:
            return dict(arrays)
    return saved.with_suffix(".txt").read_text().strip().splitlines()[-1]


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the logits of each position, relative to y; masked tokens have to agree."""
    masked = ~np.isfinite(y)
    if x.shape != y.shape or not np.array_equal(masked, ~np.isfinite(x)):
        return np.array([np.inf])
    x, y = (np.where(masked, 0, values) for values in (x, y))
    return np.linalg.norm(x - y, axis=-1) / np.linalg.norm(y, axis=-1)


def complaint(folders: dict[str, Path], family: str, mode: str) -> str | None:
    """What is wrong with heddle's run of a family, in one line."""
    ours = outcome(folders["heddle"], family, mode)
    theirs = outcome(folders["mlx"], family, mode)
    refusal = REFUSED.get(family) or REFUSED.get((family, mode))
    if refusal:
        as_told = isinstance(theirs, str) and refusal in theirs and str(ours).startswith(theirs)
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
        exact, limit = outcome(folders["mlx"], family, "float32")["logits"], BF16_TOLERANCE
        if not f32_only:
            limit = BF16_FACTOR * np.median(distances(theirs["logits"], exact)) + BF16_SLACK
        found = np.median(distances(ours["logits"], exact))
    else:
        found, limit = distances(ours["logits"], theirs["logits"]).max(), TOLERANCE
    return None if found <= limit else f"differs by {found:.2g}, at most {limit:.2g} is allowed"


def test_logits_agree(runs):
    families, folders = runs
    complaints = {
        (family, mode): complaint(folders, family, mode) for family in families for mode in MODES
    }
    assert {which: text for which, text in complaints.items() if text} == {}
