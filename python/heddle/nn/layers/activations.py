"""Activation functions, and the modules that apply them.

The functions are compiled without regard to shapes, so that each runs as one fused pass.
"""

from __future__ import annotations

from functools import partial

import heddle.core as mx
from heddle.core import _nn

from .base import Module
from .fitting import explain

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "HardShrink",
    "Hardswish",
    "HardTanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU2",
    "ReLU6",
    "Sigmoid",
    "SiLU",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Step",
    "Tanh",
    "celu",
    "elu",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "glu",
    "hard_shrink",
    "hard_tanh",
    "hardswish",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu2",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "step",
    "tanh",
]

_fused = partial(mx.compile, shapeless=True)


@_fused
def sigmoid(x):
    r"""The logistic function :math:`\sigma(x) = 1 / (1 + e^{-x})`."""
    return mx.sigmoid(x)


@_fused
def relu(x):
    r"""The rectifier :math:`\max(x, 0)`."""
    return _nn.relu(x)


@_fused
def relu2(x):
    r"""The squared rectifier :math:`\max(x, 0)^2`."""
    return _nn.relu2(x)


@_fused
def relu6(x):
    r"""The rectifier that stops at 6: :math:`\min(\max(x, 0), 6)`."""
    return _nn.relu6(x)


@_fused
def leaky_relu(x, negative_slope=0.01):
    r"""The rectifier that lets a little through below zero: :math:`\max(ax, x)`."""
    return _nn.leaky_relu(x, negative_slope)


@_fused
def prelu(x: mx.array, alpha: mx.array) -> mx.array:
    r"""The rectifier with slopes below zero that are learnt: :math:`\max(0, x) + a \min(0, x)`."""
    return _nn.prelu(x, alpha)


@_fused
def elu(x, alpha=1.0):
    r"""The exponential linear unit: :math:`x` above zero and :math:`\alpha (e^x - 1)` below."""
    return _nn.elu(x, alpha)


@_fused
def celu(x, alpha=1.0):
    r"""The smooth exponential unit :math:`\max(0, x) + \alpha (e^{\min(0, x)/\alpha} - 1)`."""
    return _nn.celu(x, alpha)


@_fused
def selu(x):
    r"""The scaled exponential linear unit: 1.0507 times :func:`elu` with alpha 1.67326."""
    return _nn.selu(x)


@_fused
def silu(x):
    r"""The sigmoid linear unit, or swish: :math:`x \sigma(x)`."""
    return _nn.silu(x)


@_fused
def gelu(x) -> mx.array:
    r"""The Gaussian error linear unit :math:`x \Phi(x)`, where Phi is the normal distribution."""
    return _nn.gelu(x)


@_fused
def gelu_approx(x):
    r""":func:`gelu` by a tanh, off by less than 0.0005 within [-6, 6].

    :math:`x (1 + \tanh(\sqrt{2 / \pi} (x + 0.044715 x^3))) / 2`
    """
    return _nn.gelu_approx(x)


@_fused
def gelu_fast_approx(x):
    r""":func:`gelu` by a sigmoid, off by less than 0.015 in [-6, 6]: :math:`x \sigma(1.702 x)`."""
    return _nn.gelu_fast_approx(x)


@_fused
def mish(x: mx.array) -> mx.array:
    r"""Mish: :math:`x \tanh(\log(1 + e^x))`."""
    return _nn.mish(x)


@_fused
def softplus(x):
    r"""The smooth rectifier :math:`\log(1 + e^x)`."""
    return _nn.softplus(x)


@_fused
def softsign(x):
    r""":math:`x / (1 + |x|)`."""
    return _nn.softsign(x)


@_fused
def softshrink(x, lambd: float = 0.5):
    r"""Moves everything towards zero by lambda, and what is nearer than that to zero."""
    return _nn.softshrink(x, lambd)


@_fused
def hard_shrink(x, lambd=0.5):
    r"""Sets to zero what is no further than lambda from it."""
    return _nn.hard_shrink(x, lambd)


@_fused
def hard_tanh(x, min_val=-1.0, max_val=1.0):
    r"""Cuts off below ``min_val`` and above ``max_val``."""
    return _nn.hard_tanh(x, min_val, max_val)


@_fused
def hardswish(x):
    r"""A piecewise form of :func:`silu`: :math:`x \min(\max(x + 3, 0), 6) / 6`."""
    return _nn.hardswish(x)


@_fused
def step(x: mx.array, threshold: float = 0.0):
    r"""1 from the threshold on, 0 below it."""
    return _nn.step(x, threshold)


@_fused
def log_sigmoid(x):
    r""":math:`\log \sigma(x) = -\log(1 + e^{-x})`."""
    return _nn.log_sigmoid(x)


@_fused
def softmax(x, axis=-1):
    r""":math:`e^{x_i} / \sum_j e^{x_j}` along an axis."""
    return mx.softmax(x, axis=axis)


@_fused
def softmin(x, axis=-1):
    r""":math:`e^{-x_i} / \sum_j e^{-x_j}` along an axis."""
    return _nn.softmin(x, axis)


@_fused
def log_softmax(x, axis=-1):
    r""":math:`x_i - \log \sum_j e^{x_j}` along an axis."""
    return _nn.log_softmax(x, axis)


def glu(x: mx.array, axis: int = -1) -> mx.array:
    r"""The gated linear unit :math:`a \sigma(b)`; a and b are the halves of x along an axis."""
    return _nn.glu(x, axis)


def tanh(x):
    """The hyperbolic tangent."""
    return mx.tanh(x)


class GLU(Module):
    """Applies :func:`glu` along ``axis``."""

    def __init__(self, axis: int = -1):
        super().__init__()
        self.axis = axis

    def __call__(self, x):
        return glu(x, axis=self.axis)


class Sigmoid(Module):
    """Applies :func:`sigmoid`."""

    def __call__(self, x):
        return sigmoid(x)


class Mish(Module):
    """Applies :func:`mish`."""

    def __call__(self, x):
        return mish(x)


class ReLU(Module):
    """Applies :func:`relu`."""

    def __call__(self, x):
        return relu(x)


class ReLU2(Module):
    """Applies :func:`relu2`."""

    def __call__(self, x):
        return relu2(x)


class ReLU6(Module):
    """Applies :func:`relu6`."""

    def __call__(self, x):
        return relu6(x)


class LeakyReLU(Module):
    """Applies :func:`leaky_relu` with the given slope."""

    def __init__(self, negative_slope=0.01):
        super().__init__()
        self._negative_slope = negative_slope

    def __call__(self, x):
        return leaky_relu(x, self._negative_slope)


class ELU(Module):
    """Applies :func:`elu` with the given alpha."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self._alpha = alpha

    def __call__(self, x):
        return elu(x, self._alpha)


class CELU(Module):
    """Applies :func:`celu` with the given alpha."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self._alpha = alpha

    def __call__(self, x):
        return celu(x, self._alpha)


class SELU(Module):
    """Applies :func:`selu`."""

    def __call__(self, x):
        return selu(x)


class PReLU(Module):
    """Applies :func:`prelu` with slopes that are learnt.

    Args:
        num_parameters: How many slopes to learn: 1, or one for each channel.
        init: Where the slopes start.
    """

    def __init__(self, num_parameters=1, init=0.25):
        super().__init__()
        self.weight = mx.full([num_parameters], init)

    def __call__(self, x: mx.array):
        try:
            return prelu(x, self.weight)
        except ValueError:
            explain(self, x, self.weight.size)
            raise


class Softmax(Module):
    """Applies :func:`softmax` along the last axis."""

    def __call__(self, x):
        return softmax(x)


class Softmin(Module):
    """Applies :func:`softmin` along the last axis."""

    def __call__(self, x):
        return softmin(x)


class LogSoftmax(Module):
    """Applies :func:`log_softmax` along the last axis."""

    def __call__(self, x):
        return log_softmax(x)


class Softplus(Module):
    """Applies :func:`softplus`."""

    def __call__(self, x):
        return softplus(x)


class Softsign(Module):
    """Applies :func:`softsign`."""

    def __call__(self, x):
        return softsign(x)


class Softshrink(Module):
    """Applies :func:`softshrink` with the given lambda."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def __call__(self, x):
        return softshrink(x, self.lambd)


class HardShrink(Module):
    """Applies :func:`hard_shrink` with the given lambda."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def __call__(self, x):
        return hard_shrink(x, self.lambd)


class HardTanh(Module):
    """Applies :func:`hard_tanh` between -1 and 1."""

    def __call__(self, x):
        return hard_tanh(x)


class Hardswish(Module):
    """Applies :func:`hardswish`."""

    def __call__(self, x):
        return hardswish(x)


class LogSigmoid(Module):
    """Applies :func:`log_sigmoid`."""

    def __call__(self, x):
        return log_sigmoid(x)


class SiLU(Module):
    """Applies :func:`silu`."""

    def __call__(self, x):
        return silu(x)


class Step(Module):
    """Applies :func:`step` with the given threshold."""

    def __init__(self, threshold: float = 0.0):
        super().__init__()
        self.threshold = threshold

    def __call__(self, x: mx.array):
        return step(x, self.threshold)


class Tanh(Module):
    """Applies the hyperbolic tangent."""

    def __call__(self, x):
        return tanh(x)


_GELUS = {"none": gelu, "precise": gelu_approx, "tanh": gelu_approx, "fast": gelu_fast_approx}


class GELU(Module):
    """Applies the Gaussian error linear unit.

    Args:
        approx: How to compute it: ``"none"`` for :func:`gelu`, ``"precise"`` or ``"tanh"`` for
            :func:`gelu_approx`, ``"fast"`` for :func:`gelu_fast_approx`.
    """

    def __init__(self, approx="none"):
        super().__init__()
        if approx not in _GELUS:
            raise ValueError(
                f"The approximation should be in {list(_GELUS)} but '{approx}' was given"
            )
        self._approx = approx

    def __call__(self, x):
        return _GELUS[self._approx](x)
