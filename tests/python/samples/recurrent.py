"""Recurrent layers over whole sequences, judged by numpy: MLX has them only as loops of its nn."""

import numpy as np

from .spec import Arr, sample

BATCH, TIME, FEATURES, HIDDEN = 2, 5, 3, 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def steps(x, wx, bias, hidden, units, step):
    """The states of all steps; `step` gives the next ones from the input's part and the last."""
    projected = x @ wx.T + (0 if bias is None else bias)
    batch = x.shape[:-2]
    states = [np.zeros((*batch, units)) if h is None else h + np.zeros((*batch, units)) for h in hidden]
    collected = []
    for t in range(x.shape[-2]):
        states = step(projected[..., t, :], *states)
        collected.append(states)
    return [np.stack(parts, axis=-2) for parts in zip(*collected, strict=True)]


def rnn(x, wx, wh, bias=None, hidden=None, activation="tanh"):
    apply = np.tanh if activation == "tanh" else lambda v: np.maximum(v, 0)
    units = wh.shape[1]
    return steps(x, wx, bias, [hidden], units, lambda p, h: [apply(p + h @ wh.T)])[0]


def gru(x, wx, wh, bias=None, bias_hn=None, hidden=None):
    def step(p, h):
        own = h @ wh.T
        (pr, pz, pn), (hr, hz, hn) = np.split(p, 3, -1), np.split(own, 3, -1)
        r, z = sigmoid(pr + hr), sigmoid(pz + hz)
        n = np.tanh(pn + r * (hn + (0 if bias_hn is None else bias_hn)))
        return [(1 - z) * n + z * h]

    return steps(x, wx, bias, [hidden], wh.shape[1], step)[0]


def lstm(x, wx, wh, bias=None, hidden=None, cell=None):
    def step(p, h, c):
        i, f, g, o = np.split(p + h @ wh.T, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]

    return tuple(steps(x, wx, bias, [hidden, cell], wh.shape[1], step))


def table():
    def weights(gates, units=HIDDEN):
        return (
            Arr((gates * units, FEATURES), low=-0.6, high=0.6),
            Arr((gates * units, units), low=-0.6, high=0.6),
        )

    x, state = Arr((BATCH, TIME, FEATURES)), Arr((BATCH, HIDDEN), low=-1, high=1)
    # A rounding in one step is carried through all that follow; halves round the projection too.
    options = {"length": 16, "tolerance": {"float16": 2e-2, "bfloat16": 1e-1}}
    layers = {"rnn": (1, rnn), "gru": (3, gru), "lstm": (4, lstm)}
    for name, (gates, truth) in layers.items():
        function, own = f"fast.{name}", options | {"truth": truth}
        bias = Arr((gates * HIDDEN,), low=-0.5, high=0.5)
        states = {"lstm": {"hidden": state, "cell": state}}.get(name, {"hidden": state})
        more = {"bias_hn": Arr((HIDDEN,))} if name == "gru" else {}
        yield sample(function, x, *weights(gates), check="truth", **own)
        yield sample(
            function,
            x,
            *weights(gates),
            kw={"bias": bias, **states, **more},
            label="full",
            check="truth",
            **own,
        )
        one = Arr((TIME, FEATURES))
        yield sample(
            function,
            one,
            *weights(gates, 37),
            label="odd",
            check="truth",
            dtypes=("float32",),
            **own,
        )
    yield sample(
        "fast.rnn",
        x,
        *weights(1),
        kw={"activation": "relu"},
        label="relu",
        check="truth",
        truth=rnn,
        **options,
    )


SAMPLES = list(table())
