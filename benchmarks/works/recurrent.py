"""A layer of long short-term memory over a sequence, from the input to the states of all steps."""

import importlib
import math

import numpy as np
from harness.work import Target, Work

TIME, HIDDEN = 64, 256


def inputs(batch):
    def draw(rng):
        def weight(*shape):
            bound = 1 / math.sqrt(HIDDEN)
            return rng.uniform(-bound, bound, shape).astype(np.float32)

        x = rng.standard_normal((batch, TIME, HIDDEN), dtype=np.float32)
        gates = 4 * HIDDEN
        return [x, weight(gates, HIDDEN), weight(gates, HIDDEN), weight(gates)]

    return draw


def lstm_mlx(mx, x, wx, wh, bias):
    nn = importlib.import_module(mx.__name__.replace(".core", ".nn"))
    layer = nn.LSTM(1, 1)
    layer.update({"Wx": wx, "Wh": wh, "bias": bias})
    return layer(x)[0]


def lstm_torch(torch, x, wx, wh, bias):
    state = torch.zeros(1, x.shape[0], HIDDEN)
    parameters = [wx, wh, bias, torch.zeros_like(bias)]
    with torch.no_grad():
        return torch.lstm(x, (state, state), parameters, True, 1, 0.0, False, False, True)[0]


def lstm_jax(jnp, x, wx, wh, bias):
    import jax

    def step(state, sums):
        h, c = state
        i, f, g, o = jnp.split(sums + h @ wh.T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[0], HIDDEN))
    sums = (x @ wx.T + bias).swapaxes(0, 1)
    return jax.lax.scan(step, (zeros, zeros), sums)[1].swapaxes(0, 1)


def lstm(batch: int) -> Work:
    return Work(
        name=f"lstm_{batch}",
        title=f"LSTM f32, {TIME} steps, hidden {HIDDEN}, batch {batch}",
        target=Target(1.0, "torch"),
        inputs=inputs(batch),
        functions={"mlx": lstm_mlx, "torch": lstm_torch, "jax": lstm_jax},
        flops=2.0 * 2 * batch * TIME * 4 * HIDDEN * HIDDEN,
        tolerance=1e-4,
    )


WORKS = [lstm(1), lstm(32)]
