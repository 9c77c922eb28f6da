"""Projects for MLX beside mlx-lm, unmodified, under heddle and under MLX: see programs/.

Small models with the same weights in both, each engine in a process of its own. Tokens, codes,
texts and names have to be equal; logits, features, sounds, losses and trained weights near.
"""

import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))
from both_engines import run_both  # noqa: E402
from outcomes import complaints  # noqa: E402

TOLERANCE = 1e-5
# Sums of many terms in float32, half precision, steps of Adam that divide by the roots of small
# gradients, and the phases of symmetric frames, which are pi or -pi by a rounding.
LOOSE = {
    "vision": 2e-5,
    "speech": 1e-4,
    "half_precision": 0.02,
    "bert": 5e-3,
    "qwen3": 5e-3,
    "speech_from_phonemes": 0.02,
}
# Every program, and how many results it has to leave: one for each family or task.
RESULTS = {"vision": 17, "embeddings": 8, "speech": 6, "sound": 11}


@pytest.fixture(scope="module", params=RESULTS)
def runs(request, tmp_path_factory):
    """A program, and the folders of what both engines made of it."""
    program = request.param
    folder = tmp_path_factory.mktemp(program)
    return program, run_both(folder, PROGRAMS / f"{program}.py", lambda out: [out])


def test_results_agree(runs):
    program, folders = runs
    made = sorted({path.stem for path in folders["mlx"].iterdir() if path.is_file()})
    found = []
    for name in made:
        tolerance = LOOSE.get(name) or LOOSE.get(program) or TOLERANCE
        found += complaints(name, folders, tolerance)
    assert found == []
    assert len(made) == RESULTS[program]
