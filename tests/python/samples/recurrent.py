"""Recurrence over whole sequences, judged by numpy.

MLX has the layers only as loops of its nn.
"""

import numpy as np

from .spec import Arr, sample

BATCH, TIME, FEATURES, HIDDEN = 2, 5, 3, 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def steps(x, wx, bias, hidden, units, step):
    """The states of all steps; `step` gives the next ones from the input's part and the last."""
    projected = x @ wx.T + (0 if bias is None else bias)
    batch = x.shape[:-2]
    zeros = np.zeros((*batch, units))
    states = [zeros if h is None else h + zeros for h in hidden]
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


def gated_delta_update(q, k, v, gamma, beta, initial_state=None, mask=None):
    heads = v.shape[2]
    q, k = (np.repeat(part, heads // part.shape[2], axis=2) for part in (q, k))
    gamma = gamma[..., None, :] if gamma.ndim == 4 else gamma[..., None, None]
    state = np.zeros((*v.shape[:1], heads, v.shape[3], k.shape[3]))
    state = state if initial_state is None else initial_state
    outputs = []
    for t in range(v.shape[1]):
        new = state * gamma[:, t]
        recalled = np.einsum("bhvk,bhk->bhv", new, k[:, t])
        correction = (v[:, t] - recalled) * beta[:, t, :, None]
        new = new + correction[..., None] * k[:, t, :, None, :]
        out = np.einsum("bhvk,bhk->bhv", new, q[:, t])
        if mask is not None:
            seen = mask[:, t, None, None]
            new = np.where(seen[..., None], new, state)
            out = np.where(seen, out, 0)
        state = new
        outputs.append(out)
    return [np.stack(outputs, axis=1), state]


def gated_delta_table():
    def arrays(features=(), batch=2, length=3, key_heads=1, heads=2, keys=4, values=5):
        return (
            Arr((batch, length, key_heads, keys), low=-0.5, high=0.5),
            Arr((batch, length, key_heads, keys), low=-0.5, high=0.5),
            Arr((batch, length, heads, values)),
            Arr((batch, length, heads, *features), low=0, high=1),
            Arr((batch, length, heads), low=0, high=1),
        )

    state = Arr((2, 2, 5, 4), dtype="float32")
    mask = Arr((2, 3), values=(True, False, True, False, False, True), dtype="bool_")
    for label, (parts, more) in {
        "": (arrays(), {}),
        "state": (arrays(), {"initial_state": state}),
        "mask": (arrays(), {"initial_state": state, "mask": mask}),
        "features": (arrays((4,)), {}),
    }.items():
        yield sample(
            "fast.gated_delta_update",
            *parts,
            kw=more,
            label=label,
            truth=gated_delta_update,
            length=16,
            dtypes=("float32", "float16", "bfloat16"),
        )


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


SAMPLES = [*table(), *gated_delta_table()]
