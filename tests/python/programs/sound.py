"""mlx-audio: features of sound, codecs, speech from phonemes, text from speech, training a codec.

usage: sound.py FOLDER [TASK...]        (a program for MLX: run it under either engine)
"""

import sys
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten
from mlx_audio import dsp
from mlx_audio.codec.models.descript import DAC
from mlx_audio.codec.models.encodec import Encodec, EncodecConfig
from mlx_audio.codec.models.mimi.mimi import Mimi, MimiConfig, mimi_202407
from mlx_audio.codec.models.snac import SNAC
from mlx_audio.codec.models.vocos import Vocos
from mlx_audio.stt.models.moonshine import moonshine
from mlx_audio.stt.models.wav2vec import wav2vec
from mlx_audio.tts.models.kokoro import kokoro
from mlx_audio.vad.models.silero_vad import silero_vad
from outcomes import give_seeded_weights, save

LARGEST = 8_000_000
TASKS = {}


def task(function):
    TASKS[function.__name__] = function
    return function


def small(make, *arguments, largest=LARGEST, **settings):
    """A model with seeded weights."""
    mx.random.seed(0)
    model = make(*arguments, **settings)
    give_seeded_weights(model, largest)
    mx.random.seed(1)
    return model


def wave(length: int) -> mx.array:
    time = np.arange(length) / 8000
    noise = np.random.default_rng(0).standard_normal(length)
    return mx.array((np.sin(2 * np.pi * 440 * time) + 0.1 * noise).astype(np.float32))


@task
def features():
    sound = wave(6000)
    spectrum = dsp.stft(sound, n_fft=256, hop_length=64)
    mel = dsp.mel_filters(8000, 256, 40)
    return {
        "spectrum": mx.abs(spectrum),
        "again": dsp.istft(spectrum.T, hop_length=64, win_length=256, length=6000),
        "mel": mx.log(mx.square(mx.abs(spectrum)) @ mel.T + 1e-5),
        "kaldi": dsp.compute_fbank_kaldi(
            sound, sample_rate=8000, win_len=200, win_inc=80, num_mels=24, dither=0.0
        ),
    }


@task
def encodec():
    config = EncodecConfig(
        num_filters=8,
        hidden_size=16,
        codebook_dim=16,
        codebook_size=32,
        num_lstm_layers=2,
        upsampling_ratios=[4, 2],
        target_bandwidths=[20.0],
        sampling_rate=8000,
    )
    model = small(Encodec, config)
    codes, scales = model.encode(wave(800)[None, :, None])
    return {"codes": codes.tolist(), "sound": model.decode(codes, scales)}


@task
def snac():
    model = small(
        SNAC,
        sampling_rate=8000,
        encoder_dim=8,
        encoder_rates=[2, 4],
        decoder_dim=64,
        decoder_rates=[4, 2],
        attn_window_size=None,
        codebook_size=32,
        codebook_dim=8,
        vq_strides=[4, 2, 1],
    )
    codes = model.encode(wave(1600)[None, None])
    return {"codes": [code.tolist() for code in codes], "sound": model.decode(codes)}


def descript_model():
    return small(
        DAC,
        encoder_dim=8,
        encoder_rates=[2, 5],
        decoder_dim=64,
        decoder_rates=[5, 2],
        n_codebooks=3,
        codebook_size=32,
        codebook_dim=8,
        sample_rate=8000,
    )


@task
def descript():
    model = descript_model()
    sound = model.preprocess(wave(1600)[None, None], 8000)
    z, codes, latents, *_ = model.encode(sound)
    return {"codes": codes.tolist(), "z": z, "latents": latents, "sound": model.decode(z)}


@task
def descript_trained():
    """The codec learns to return what it hears, with nothing between encoder and decoder."""
    model = descript_model().train()
    sound = wave(1600)[None, None]
    optimizer = optim.AdamW(1e-3)

    def loss(model):
        heard = model.decode(model.encoder(sound.moveaxis(1, 2)))
        return mx.abs(heard.flatten() - sound.flatten()[: heard.size]).mean()

    step = nn.value_and_grad(model, loss)
    losses = []
    for _ in range(3):
        value, gradients = step(model)
        if not losses:
            norm = mx.sqrt(sum(mx.square(g).sum() for _, g in tree_flatten(gradients)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(value.item())
    return {"losses": losses, "norm": norm}


@task
def mimi():
    full = mimi_202407(4)
    config = MimiConfig(**vars(full))
    seanet, transformer = config.seanet, config.transformer
    seanet.dimension, seanet.nfilters, seanet.ratios = 32, 4, [4, 3, 2]
    config.frame_rate, config.sample_rate = 100, 24 * 200
    transformer.d_model, transformer.num_heads = 32, 4
    transformer.num_layers, transformer.dim_feedforward = 2, 64
    transformer.layer_scale = 0.5
    config.quantizer_bins, config.quantizer_dim = 32, 16
    model = small(Mimi, config)
    codes = model.encode(wave(960)[None, None])
    return {"codes": codes.tolist(), "sound": model.decode(codes)}


@task
def vocos():
    features = {"sample_rate": 8000, "n_fft": 256, "hop_length": 64, "n_mels": 40}
    backbone = {"input_channels": 40, "dim": 64, "intermediate_dim": 128, "num_layers": 2}
    config = {
        "feature_extractor": {
            "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
            "init_args": features,
        },
        "backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone},
        "head": {
            "class_path": "vocos.heads.ISTFTHead",
            "init_args": {"dim": 64, "n_fft": 256, "hop_length": 64},
        },
    }
    return {"sound": small(Vocos.from_hparams, config)(wave(6000))}


@task
def speech_from_phonemes():
    letters = "abcdefgh "
    config = kokoro.ModelConfig(
        istftnet={
            "upsample_kernel_sizes": [20, 12],
            "upsample_rates": [10, 6],
            "gen_istft_hop_size": 5,
            "gen_istft_n_fft": 20,
            "resblock_dilation_sizes": [[1, 3, 5]] * 2,
            "resblock_kernel_sizes": [3, 7],
            "upsample_initial_channel": 512,
        },
        dim_in=16,
        dropout=0.2,
        hidden_dim=512,
        max_conv_dim=64,
        max_dur=4,
        multispeaker=True,
        n_layer=2,
        n_mels=20,
        n_token=16,
        style_dim=128,
        text_encoder_kernel_size=5,
        plbert={
            "hidden_size": 64,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "max_position_embeddings": 64,
            "num_hidden_layers": 2,
            "dropout": 0.1,
        },
        vocab={letter: i + 1 for i, letter in enumerate(letters)},
    )
    model = small(kokoro.Model, config, largest=90_000_000)  # its decoder's sizes are fixed
    voice = np.random.default_rng(3).standard_normal((1, 256), dtype=np.float32)
    output = model("abc hed", mx.array(0.3 * voice), return_output=True)
    return {"durations": output.pred_dur.tolist(), "sound": output.audio}


@task
def text_from_speech():
    config = moonshine.ModelConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=4,
        decoder_num_attention_heads=4,
    )
    model = small(moonshine.Model, config)
    heard = model.encoder(wave(16000)[None])
    tokens, cache, logits = mx.array([[1]]), None, []
    for _ in range(8):
        step, cache = model.decoder(tokens, heard, cache=cache)
        step = step[:, -1:]
        logits.append(step)
        tokens = mx.argmax(step, axis=-1) % 64
    return {"heard": heard, "steps": mx.concatenate(logits, axis=1)}


@task
def hidden_units():
    config = wav2vec.ModelConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    output = small(wav2vec.Wav2Vec2Model, config)(wave(4000)[None])
    return {"hidden": output.last_hidden_state}


@task
def voice_activity():
    model = small(silero_vad.Model, silero_vad.ModelConfig())
    chance, state = model(wave(1152).reshape(2, 576), sample_rate=16000)
    return {"chance": chance, "state": state}


def main(folder: str, *names: str) -> None:
    for name in names or TASKS:
        save(Path(folder) / name, TASKS[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
