"""mlx-lm at work on a small model under heddle and under MLX: see programs/tasks.py.

Generation with samplers and caches, training of adapters, conversion, saving and loading. Tokens,
texts, names and packed weights have to be equal, logits, losses and trained weights near.
"""

import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))
import tiny_model  # noqa: E402
from both_engines import run_both  # noqa: E402
from outcomes import complaints  # noqa: E402

TOLERANCE = 1e-5
# Six steps of Adam divide by the roots of small gradients; where a weight or an error is nearly
# tied, a rounding decides what a search takes; so where trained weights are quantized again.
LOOSE = {
    "training": 5e-4,
    "mixture": 5e-4,
    "lora_of_quantized_experts": 5e-3,
    "gptq": 0.05,
    "awq": 0.05,
}
GROUPS = {
    "generation": (
        "generate_text",
        "samplers",
        "logits_processors",
        "rotating_cache",
        "quantized_cache",
        "prompt_caches",
        "batches",
        "speculative",
        "perplexity",
        "modules",
    ),
    "training": (
        "lora",
        "lora_with_dropout_and_schedule",
        "dora",
        "lora_on_quantized",
        "full_training",
        "full_training_with_muon",
        "divergences",
    ),
    "mixture": (
        "lora_of_experts",
        "lora_of_quantized_experts",
        "full_training_of_experts",
    ),
    "conversion": (
        "shards",
        "half_precision",
        "convert_affine",
        "convert_floating",
        "convert_mixed",
        "gptq",
        "awq",
        "sensitivities",
    ),
}


@pytest.fixture(scope="module", params=GROUPS)
def runs(request, tmp_path_factory):
    """A group of tasks, and the folders of what both engines made of them."""
    group = request.param
    folder = tmp_path_factory.mktemp(group)
    config = tiny_model.MIXTURE if group == "mixture" else tiny_model.CONFIG
    tiny_model.write(folder / "model", config)
    program = PROGRAMS / "tasks.py"
    arguments = [folder / "model"]
    return group, run_both(folder, program, lambda out: [*arguments, out, *GROUPS[group]])


def test_results_agree(runs):
    group, folders = runs
    found = []
    for task in GROUPS[group]:
        tolerance = LOOSE.get(task) or LOOSE.get(group) or TOLERANCE
        found += complaints(task, folders, tolerance)
    assert found == []


def test_every_task_is_run():
    lines = (PROGRAMS / "tasks.py").read_text().splitlines()
    after = [line for before, line in zip(lines, lines[1:], strict=False) if before == "@task"]
    written = [line.removeprefix("def ").partition("(")[0] for line in after]
    assert sorted(written) == sorted(task for tasks in GROUPS.values() for task in tasks)
