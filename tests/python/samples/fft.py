"""Fourier transforms: kinds x lengths of every way to compute them, axes, paddings, norms."""

from .spec import Arr, sample

KINDS = ("fft", "ifft", "rfft", "irfft")
# Powers of two, mixed radices, primes with a pass of their own, primes by convolution.
LENGTHS = (1, 2, 3, 8, 12, 13, 17, 60, 77, 97)
TOLERANCE = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2, "complex64": 2e-6}
OPTIONS = {"tolerance": TOLERANCE, "length": 16}


def dtypes(kind):
    return ("float32", "complex64", "float16", "int32") if kind != "rfft" else ("float32", "int32")


def table():
    for kind in KINDS:
        name, inverse_real = f"fft.{kind}", kind == "irfft"
        for n in LENGTHS:
            size = n // 2 + 1 if inverse_real else n
            yield sample(
                name, Arr((2, size)), kw={"n": n}, label=f"n{n}", dtypes=dtypes(kind)[:2], **OPTIONS
            )
        for axis in (0, 1, -1):
            yield sample(
                name, Arr((5, 6, 4)), kw={"axis": axis}, label=f"axis{axis}", dtypes=dtypes(kind),
                **OPTIONS,
            )  # fmt: skip
        for norm in ("backward", "ortho", "forward"):
            yield sample(
                name, Arr((3, 7)), kw={"norm": norm}, label=norm, dtypes=("float32",), **OPTIONS
            )
        for n in (4, 11):
            yield sample(
                name, Arr((2, 7)), n, label=f"resized{n}", dtypes=("complex64",), **OPTIONS
            )
        yield sample(
            name, Arr((6, 7), view="transposed"), kw={"axis": 0}, label="transposed", **OPTIONS
        )
        yield sample(name, Arr((6, 7), view="strided"), label="strided", **OPTIONS)
        yield sample(name, Arr((0, 6)), label="empty", **OPTIONS)
        yield sample(name, Arr((3,)), kw={"n": 0}, label="refused-size", **OPTIONS)
        yield sample(name, Arr((3,)), kw={"norm": "none"}, label="refused-norm", **OPTIONS)
        two, many = f"{name}2", f"{name}n"
        yield sample(two, Arr((3, 4, 6)), label="", dtypes=dtypes(kind)[:2], **OPTIONS)
        yield sample(two, Arr((4, 6)), [3, 8], [1, 0], label="sizes", **OPTIONS)
        yield sample(many, Arr((3, 4, 5)), label="", dtypes=dtypes(kind)[:2], **OPTIONS)
        yield sample(many, Arr((3, 4, 5)), kw={"axes": [2, 0]}, label="axes", **OPTIONS)
        yield sample(many, Arr((3, 4, 5)), kw={"axes": []}, label="no-axes", **OPTIONS)
        yield sample(
            many, Arr((3, 4, 5)), kw={"s": [6, 3], "axes": [0, -1], "norm": "ortho"},
            label="sizes-ortho", **OPTIONS,
        )  # fmt: skip
        yield sample(many, Arr((3, 4)), kw={"axes": [1, -1]}, label="refused-twice", **OPTIONS)
        yield sample(many, Arr((3, 4)), kw={"s": [2]}, label="refused-no-axes", **OPTIONS)
        yield sample(many, Arr((3, 4)), kw={"axes": [2]}, label="refused-axis", **OPTIONS)
        yield sample(many, Arr(()), label="refused-scalar", **OPTIONS)
    for name in ("fft.fftfreq", "fft.rfftfreq"):
        for n, d in ((1, 1.0), (4, 0.5), (5, 2.0)):
            yield sample(name, n, d, label=f"{n}-{d}")
        yield sample(name, 0, label="refused")
    for name in ("fft.fftshift", "fft.ifftshift"):
        yield sample(name, Arr((4, 5)), exact=True)
        yield sample(name, Arr((4, 5)), 1, label="axis", exact=True)
        yield sample(name, Arr((4, 5)), [0, -1], label="axes", exact=True)
        yield sample(name, Arr((4, 5)), [2], label="refused", exact=True)
    yield from short_time()


WINDOW = Arr((5,), low=0.5, high=1.5)
FORWARD = {
    "plain": {"n_fft": 8},
    "not-centred": {"n_fft": 8, "center": False},
    "odd": {"n_fft": 7, "hop_length": 3, "win_length": 5},
    "edge": {"n_fft": 8, "pad_mode": "edge"},
    "constant": {"n_fft": 8, "pad_mode": "constant", "norm": "ortho"},
    "both-sides": {"n_fft": 8, "onesided": False},
    "refused-hop": {"n_fft": 8, "hop_length": 0},
    "refused-size": {"n_fft": 0},
    "refused-window": {"n_fft": 8, "win_length": 9},
    "refused-short": {"n_fft": 32, "center": False},
}
BACKWARD = {
    "plain": {},
    "length": {"length": 15},
    "longer": {"length": 30},
    "odd": {"n_fft": 9, "hop_length": 2},
    "not-centred": {"center": False},
    "both-sides": {"onesided": False},
    "refused-hop": {"hop_length": 0},
    "refused-window": {"win_length": 9},
}


def short_time():
    signal, spectra = Arr((2, 20)), Arr((2, 5, 11))
    for label, kw in FORWARD.items():
        yield sample("fft.stft", signal, kw=kw, label=label, dtypes=("float32",), **OPTIONS)
    yield sample(
        "fft.stft", signal, kw={"n_fft": 8, "window": WINDOW}, label="window", dtypes=("float32",),
        **OPTIONS,
    )  # fmt: skip
    yield sample("fft.stft", signal, 8, label="complex", dtypes=("complex64",), **OPTIONS)
    for label, kw in BACKWARD.items():
        yield sample("fft.istft", spectra, kw=kw, label=label, dtypes=("complex64",), **OPTIONS)
    yield sample(
        "fft.istft", spectra, kw={"window": WINDOW}, label="window", dtypes=("complex64",),
        tolerance={"complex64": 1e-5}, length=16,
    )  # fmt: skip


SAMPLES = list(table())
