"""Recurrent layers over sequences of shape (..., time, features).

Each runs as one operation of the engine, which applies the input weights to the whole sequence at
once and then steps through time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import heddle.core as mx
from heddle.core import _nn

from .activations import relu, tanh
from .base import Module
from .fitting import explain

__all__ = ["GRU", "LSTM", "RNN"]


def _uniform(bound: float, *shape: int) -> mx.array:
    return mx.random.uniform(low=-bound, high=bound, shape=shape)


_FUSED = {tanh: "tanh", mx.tanh: "tanh", relu: "relu"}
"""The nonlinearities that the engine has a cell for."""


class RNN(Module):
    r"""An Elman network: :math:`h_{t+1} = \tanh(W_{xh} x_t + W_{hh} h_t + b)`.

    Returns the hidden states of all steps, of shape (..., time, hidden_size).

    Args:
        input_size: The number of input features.
        hidden_size: The number of hidden features.
        bias: Whether to add a bias.
        nonlinearity: What to apply instead of the hyperbolic tangent.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Callable | None = None,
    ):
        super().__init__()
        self.nonlinearity = nonlinearity or tanh
        if not callable(self.nonlinearity):
            raise ValueError(f"Nonlinearity must be callable. Current value: {nonlinearity}.")
        bound = 1.0 / math.sqrt(hidden_size)
        self.hidden_size = hidden_size
        self.Wxh = _uniform(bound, hidden_size, input_size)
        self.Whh = _uniform(bound, hidden_size, hidden_size)
        self.bias = _uniform(bound, hidden_size) if bias else None

    def _extra_repr(self):
        return (
            f"input_dims={self.Wxh.shape[1]}, hidden_size={self.hidden_size}, "
            f"nonlinearity={self.nonlinearity}, bias={self.bias is not None}"
        )

    def __call__(self, x, hidden=None):
        fused = _FUSED.get(self.nonlinearity)
        try:
            if fused is not None:
                return mx.fast.rnn(x, self.Wxh, self.Whh, self.bias, hidden, fused)
            return _nn.rnn(x, self.Wxh, self.Whh, self.bias, hidden, self.nonlinearity)
        except ValueError:
            explain(self, x, self.Wxh.shape[1])
            raise


class GRU(Module):
    r"""A layer of gated recurrent units.

    .. math::
        r_t &= \sigma(W_{xr} x_t + W_{hr} h_t + b_r) \\
        z_t &= \sigma(W_{xz} x_t + W_{hz} h_t + b_z) \\
        n_t &= \tanh(W_{xn} x_t + b_n + r_t \odot (W_{hn} h_t + b_{hn})) \\
        h_{t+1} &= (1 - z_t) \odot n_t + z_t \odot h_t

    ``Wx``, ``Wh`` and ``b`` hold the parts for r, z and n one after the other. Returns the hidden
    states of all steps, of shape (..., time, hidden_size).

    Args:
        input_size: The number of input features.
        hidden_size: The number of hidden features.
        bias: Whether to add biases.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.hidden_size = hidden_size
        bound = 1.0 / math.sqrt(hidden_size)
        self.Wx = _uniform(bound, 3 * hidden_size, input_size)
        self.Wh = _uniform(bound, 3 * hidden_size, hidden_size)
        self.b = _uniform(bound, 3 * hidden_size) if bias else None
        self.bhn = _uniform(bound, hidden_size) if bias else None

    def _extra_repr(self):
        return (
            f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, "
            f"bias={self.b is not None}"
        )

    def __call__(self, x, hidden=None):
        try:
            return mx.fast.gru(x, self.Wx, self.Wh, self.b, self.bhn, hidden)
        except ValueError:
            explain(self, x, self.Wx.shape[1])
            raise


class LSTM(Module):
    r"""A layer of long short-term memory.

    .. math::
        i_t &= \sigma(W_{xi} x_t + W_{hi} h_t + b_i) \\
        f_t &= \sigma(W_{xf} x_t + W_{hf} h_t + b_f) \\
        g_t &= \tanh(W_{xg} x_t + W_{hg} h_t + b_g) \\
        o_t &= \sigma(W_{xo} x_t + W_{ho} h_t + b_o) \\
        c_{t+1} &= f_t \odot c_t + i_t \odot g_t \\
        h_{t+1} &= o_t \odot \tanh(c_{t+1})

    ``Wx``, ``Wh`` and ``bias`` hold the parts for i, f, g and o one after the other. Returns the
    hidden and the cell states of all steps, both of shape (..., time, hidden_size).

    Args:
        input_size: The number of input features.
        hidden_size: The number of hidden features.
        bias: Whether to add biases.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.hidden_size = hidden_size
        bound = 1.0 / math.sqrt(hidden_size)
        self.Wx = _uniform(bound, 4 * hidden_size, input_size)
        self.Wh = _uniform(bound, 4 * hidden_size, hidden_size)
        self.bias = _uniform(bound, 4 * hidden_size) if bias else None

    def _extra_repr(self):
        return (
            f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, "
            f"bias={self.bias is not None}"
        )

    def __call__(self, x, hidden=None, cell=None):
        try:
            return mx.fast.lstm(x, self.Wx, self.Wh, self.bias, hidden, cell)
        except ValueError:
            explain(self, x, self.Wx.shape[1])
            raise
