"""Initializers: each function here returns one that makes an array of the shape of its argument.

>>> init_fn = nn.init.he_normal()
>>> layer.weight = init_fn(layer.weight)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import heddle.core as mx
from heddle.core import _nn


def constant(value: float, dtype: mx.Dtype = mx.float32) -> Callable[[mx.array], mx.array]:
    """Fills with ``value``."""

    def initializer(a: mx.array) -> mx.array:
        return mx.full(a.shape, value, dtype=dtype)

    return initializer


def normal(
    mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32
) -> Callable[[mx.array], mx.array]:
    """Draws from the normal distribution."""

    def initializer(a: mx.array) -> mx.array:
        return mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)

    return initializer


def uniform(
    low: float = 0.0, high: float = 1.0, dtype: mx.Dtype = mx.float32
) -> Callable[[mx.array], mx.array]:
    """Draws evenly from ``low`` to ``high``."""

    def initializer(a: mx.array) -> mx.array:
        return mx.random.uniform(low, high, a.shape, dtype=dtype)

    return initializer


def identity(dtype: mx.Dtype = mx.float32) -> Callable[[mx.array], mx.array]:
    """Makes identity matrices."""

    def initializer(a: mx.array) -> mx.array:
        return _nn.init_identity(a, dtype)

    return initializer


def glorot_normal(dtype: mx.Dtype = mx.float32) -> Callable[[mx.array, float], mx.array]:
    r"""Draws from the normal distribution of deviation
    :math:`\text{gain} \sqrt{2 / (\text{fan in} + \text{fan out})}` (Glorot and Bengio, 2010)."""

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        return _nn.init_glorot_normal(a, gain, dtype)

    return initializer


def glorot_uniform(dtype: mx.Dtype = mx.float32) -> Callable[[mx.array, float], mx.array]:
    r"""Draws evenly within :math:`\pm \text{gain} \sqrt{6 / (\text{fan in} + \text{fan out})}`
    (Glorot and Bengio, 2010)."""

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        return _nn.init_glorot_uniform(a, gain, dtype)

    return initializer


def he_normal(
    dtype: mx.Dtype = mx.float32,
) -> Callable[[mx.array, Literal["fan_in", "fan_out"], float], mx.array]:
    r"""Draws from the normal distribution of deviation :math:`\text{gain} / \sqrt{\text{fan}}`
    (He et al., 2015)."""

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        return _nn.init_he_normal(a, mode, gain, dtype)

    return initializer


def he_uniform(
    dtype: mx.Dtype = mx.float32,
) -> Callable[[mx.array, Literal["fan_in", "fan_out"], float], mx.array]:
    r"""Draws evenly within :math:`\pm \text{gain} \sqrt{3 / \text{fan}}` (He et al., 2015)."""

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        return _nn.init_he_uniform(a, mode, gain, dtype)

    return initializer


def sparse(
    sparsity: float, mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32
) -> Callable[[mx.array], mx.array]:
    """Draws from the normal distribution and sets a part of every row to zero.

    Args:
        sparsity: How much of each row is to be zero, from 0 to 1.
        mean, std: The parameters of the distribution.
        dtype: The dtype of the result.
    """

    def initializer(a: mx.array) -> mx.array:
        return _nn.init_sparse(a, sparsity, mean, std, dtype)

    return initializer


def orthogonal(gain: float = 1.0, dtype: mx.Dtype = mx.float32) -> Callable[[mx.array], mx.array]:
    """Makes matrices whose rows or columns, whichever are fewer, are orthogonal, times ``gain``."""

    def initializer(a: mx.array) -> mx.array:
        return _nn.init_orthogonal(a, gain, dtype)

    return initializer
