"""mlx-whisper: a small model of speech, from a waveform to text with the times of its words.

usage: speech.py FOLDER [TASK...]        (a program for MLX: run it under either engine)
"""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx_whisper
import numpy as np
from mlx.utils import tree_flatten, tree_map
from mlx_whisper import whisper
from mlx_whisper.audio import N_FRAMES, SAMPLE_RATE, log_mel_spectrogram, pad_or_trim
from mlx_whisper.decoding import DecodingOptions, decode, detect_language
from mlx_whisper.load_models import load_model
from mlx_whisper.transcribe import ModelHolder
from outcomes import give_seeded_weights, save

LARGEST = 8_000_000
SIZES = whisper.ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=64,
    n_audio_head=4,
    n_audio_layer=2,
    n_vocab=51865,
    n_text_ctx=48,
    n_text_state=64,
    n_text_head=4,
    n_text_layer=2,
)
OUT = Path(sys.argv[1])
TASKS = {}


def task(function):
    TASKS[function.__name__] = function
    return function


def write_model(folder: Path, bits: int | None = None) -> Path:
    """A model with seeded weights as the project's converter leaves it."""
    mx.random.seed(0)
    model = whisper.Whisper(SIZES, mx.float32)
    give_seeded_weights(model, LARGEST)
    # Surer of some word than of all the times together, or nothing but times would be sampled; and
    # of another one at every place.
    model.decoder.ln.weight *= 16
    model.decoder.positional_embedding *= 8
    config = {"model_type": "whisper", **asdict(SIZES)}
    if bits:
        config["quantization"] = {"group_size": 64, "bits": bits}
        nn.quantize(model, **config["quantization"])
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    mx.savez(str(folder / "weights.npz"), **dict(tree_flatten(model.parameters())))
    return folder


def tones(seconds: float) -> np.ndarray:
    """A melody with some noise, louder and quieter."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 220 * 2 ** (np.floor(time * 3) % 12 / 12)
    wave = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * np.cos(0.7 * time) ** 2
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (0.5 * wave + 0.01 * noise).astype(np.float32)


def heard(seconds: float = 8) -> mx.array:
    return pad_or_trim(log_mel_spectrogram(tones(seconds)), N_FRAMES, axis=-2)


def told(result: dict) -> dict:
    """A transcription, its exact and its approximate parts apart."""
    exact = ("id", "seek", "text", "tokens", "temperature")
    parts = result["segments"]
    words = [word for part in parts for word in part.get("words", [])]
    return {
        "text": result["text"],
        "language": result["language"],
        "segments": [{key: part[key] for key in exact} for part in parts],
        "times": [float(part[key]) for part in parts for key in ("start", "end")],
        "scores": [float(part[key]) for part in parts for key in ("avg_logprob", "no_speech_prob")],
        "words": [word["word"] for word in words],
        "word_times": [float(word[key]) for word in words for key in ("start", "end")],
        "certainty": [float(word["probability"]) for word in words],
    }


def transcribe(folder: Path, seconds: float = 8, **options) -> dict:
    ModelHolder.model = None  # it keeps the last model
    mx.random.seed(5)
    result = mlx_whisper.transcribe(
        tones(seconds),
        path_or_hf_repo=str(folder),
        fp16=False,
        logprob_threshold=None,
        compression_ratio_threshold=None,
        no_speech_threshold=None,
        **options,
    )
    return told(result)


@task
def features(folder):
    model = load_model(str(write_model(folder)))
    mel = heard()
    encoded = model.embed_audio(mel[None])
    tokens = mx.array([[50258, 50259, 50359, 17, 4]])
    whole = model.logits(tokens, encoded)
    cached, cache = [], None
    for i in range(tokens.shape[1]):
        step, cache, _ = model.decoder(tokens[:, i : i + 1], encoded, kv_cache=cache)
        cached.append(step)
    _, chances = detect_language(model, mel)
    return {
        "mel": mel,
        "encoded": encoded,
        "logits": whole,
        "cached": mx.concatenate(cached, axis=1),
        "languages": [chances[name] for name in sorted(chances)],
    }


@task
def half_precision(folder):
    model = load_model(str(write_model(folder)), dtype=mx.float16)
    model.update(tree_map(lambda x: x.astype(mx.float16), model.parameters()))
    mel = heard().astype(mx.float16)[None]
    found = decode(model, mel, DecodingOptions(language="en", sample_len=4))[0]
    return {
        "dtype": str(found.audio_features.dtype),
        "tokens": found.tokens,
        "encoded": found.audio_features,
        "score": found.avg_logprob,
    }


@task
def greedy(folder):
    return transcribe(write_model(folder), seconds=34, temperature=0.0)


@task
def words_with_times(folder):
    return transcribe(write_model(folder), temperature=0.0, language="en", word_timestamps=True)


@task
def sampled(folder):
    mx.disable_compile()  # compiled, the project's sampler draws the same numbers at every call
    try:
        return transcribe(write_model(folder), temperature=3.0, language="en", best_of=2)
    finally:
        mx.enable_compile()


@task
def quantized(folder):
    return transcribe(write_model(folder, bits=8), temperature=0.0, task="translate")


def run(name: str, folder: Path) -> dict:
    return TASKS[name](folder)


def main(names: list[str]) -> None:
    for name in names or TASKS:
        save(OUT / name, partial(run, name, OUT / f"{name}-model"))


if __name__ == "__main__":
    main(sys.argv[2:])
