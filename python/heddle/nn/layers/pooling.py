"""Pooling over one, two and three spatial dimensions, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import heddle.core as mx
from heddle.core import _nn

from .base import Module
from .fitting import renamed

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]


def _sizes(owner: str, name: str, value: Any, count: int, least: int = 1) -> list[int]:
    """``value`` as one size, not below ``least``, for each spatial dimension."""
    sizes = [value] * count if isinstance(value, int) else value
    if not isinstance(sizes, (list, tuple)) or len(sizes) != count:
        plural = "s" if count > 1 else ""
        raise ValueError(
            f"[{owner}] '{name}' must be an integer or a tuple containing {count} integer{plural}"
        )
    if min(sizes) < least:
        wanted = "positive" if least > 0 else "non-negative"
        raise ValueError(f"[{owner}] '{name}' must be {wanted} but got {tuple(sizes)}.")
    return list(sizes)


_FUNCTIONS = {mx.max: _nn.max_pool, mx.mean: _nn.average_pool}
"""What reduces all windows at once, by what reduces one."""


class _Pool(Module):
    """Reduces windows of the input, moved by a stride, with one function."""

    def __init__(
        self,
        pooling_function: Callable,
        padding_value: float,
        dims: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
    ):
        super().__init__()
        name = type(self).__name__
        self._kernel_size = _sizes(name, "kernel_size", kernel_size, dims)
        self._stride = self._kernel_size if stride is None else _sizes(name, "stride", stride, dims)
        self._padding = [(p, p) for p in _sizes(name, "padding", padding, dims, least=0)]
        self._pooling_function = pooling_function
        self._padding_value = padding_value  # for those who look; the function knows it

    def _extra_repr(self):
        padding = tuple(before for before, _ in self._padding)
        return (
            f"kernel_size={tuple(self._kernel_size)}, stride={tuple(self._stride)}, "
            f"padding={padding}"
        )

    def __call__(self, x):
        try:
            pool = _FUNCTIONS[self._pooling_function]
            return pool(x, self._kernel_size, self._stride, self._padding)
        except ValueError as error:
            raise renamed(self, error) from None


class MaxPool1d(_Pool):
    """Takes the maximum over windows of sequences of shape (batch, length, channels).

    Args:
        kernel_size: The length of the windows.
        stride: The step from one window to the next, by default their length.
        padding: How much of minus infinity to put on both sides of the input.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] = 0,
    ):
        super().__init__(mx.max, -math.inf, 1, kernel_size, stride, padding)


class AvgPool1d(_Pool):
    """Takes the mean over windows of sequences of shape (batch, length, channels).

    Args:
        kernel_size: The length of the windows.
        stride: The step from one window to the next, by default their length.
        padding: How many zeros to put on both sides of the input; they count in the mean.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] = 0,
    ):
        super().__init__(mx.mean, 0, 1, kernel_size, stride, padding)


class MaxPool2d(_Pool):
    """Takes the maximum over windows of images of shape (batch, height, width, channels).

    Args:
        kernel_size: The size of the windows, one number or (height, width).
        stride: The step from one window to the next, by default their size.
        padding: How much of minus infinity to put on both sides of each spatial dimension.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | None = 0,
    ):
        super().__init__(mx.max, -math.inf, 2, kernel_size, stride, padding)


class AvgPool2d(_Pool):
    """Takes the mean over windows of images of shape (batch, height, width, channels).

    Args:
        kernel_size: The size of the windows, one number or (height, width).
        stride: The step from one window to the next, by default their size.
        padding: How many zeros to put on both sides of each spatial dimension; they count in the
            mean.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | None = 0,
    ):
        super().__init__(mx.mean, 0, 2, kernel_size, stride, padding)


class MaxPool3d(_Pool):
    """Takes the maximum over windows of volumes of shape (batch, depth, height, width, channels).

    Args:
        kernel_size: The size of the windows, one number or (depth, height, width).
        stride: The step from one window to the next, by default their size.
        padding: How much of minus infinity to put on both sides of each spatial dimension.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | None = 0,
    ):
        super().__init__(mx.max, -math.inf, 3, kernel_size, stride, padding)


class AvgPool3d(_Pool):
    """Takes the mean over windows of volumes of shape (batch, depth, height, width, channels).

    Args:
        kernel_size: The size of the windows, one number or (depth, height, width).
        stride: The step from one window to the next, by default their size.
        padding: How many zeros to put on both sides of each spatial dimension; they count in the
            mean.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] | None = None,
        padding: int | tuple[int, int, int] | None = 0,
    ):
        super().__init__(mx.mean, 0, 3, kernel_size, stride, padding)
