"""Convolutions over one, two and three spatial dimensions, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable

import heddle.core as mx

from .base import Module
from .fitting import explain

__all__ = ["Conv1d", "Conv2d", "Conv3d"]


def _spread(value: int | tuple, count: int) -> tuple:
    """``value`` as a tuple with one entry for each of ``count`` spatial dimensions."""
    if isinstance(value, int):
        return (value,) * count
    if len(value) != count:
        raise ValueError(
            f"Expected an integer or {count} integers, one for each spatial dimension, "
            f"but got {value}."
        )
    return tuple(value)


def _in_channels_per_group(in_channels: int, groups: int) -> int:
    if in_channels % groups != 0:
        raise ValueError(
            f"The number of input channels ({in_channels}) must be "
            f"divisible by the number of groups ({groups})"
        )
    return in_channels // groups


class _Convolution(Module):
    """What all convolutions share, transposed ones too.

    A layer names the function that it applies and the attributes that this takes after the weight.
    """

    _function: Callable
    _settings: tuple[str, ...]

    def _set_up(
        self, in_channels: int, out_channels: int, kernel_size: tuple, bias: bool, **settings
    ):
        """Make the parameters, filters uniform by their fan-in, and take the settings."""
        bound = math.sqrt(1 / (math.prod(kernel_size) * in_channels))
        shape = (out_channels, *kernel_size, in_channels)
        self.weight = mx.random.uniform(low=-bound, high=bound, shape=shape)
        if bias:
            self.bias = mx.zeros((out_channels,))
        for name, value in settings.items():
            setattr(self, name, value)

    def _extra_repr(self):
        out_channels, *kernel_size, group_channels = self.weight.shape
        kernel_size = tuple(kernel_size) if len(kernel_size) > 1 else kernel_size[0]
        settings = [f"{name}={getattr(self, name)}" for name in self._settings]
        return ", ".join(
            [
                f"{group_channels * getattr(self, 'groups', 1)}",
                f"{out_channels}",
                f"kernel_size={kernel_size}",
                *settings,
                f"bias={'bias' in self}",
            ]
        )

    def __call__(self, x):
        settings = [getattr(self, name) for name in self._settings]
        try:
            y = type(self)._function(x, self.weight, *settings)
        except ValueError:
            channels = self.weight.shape[-1] * getattr(self, "groups", 1)
            explain(self, x, channels, self.weight.ndim)
            raise
        return y + self.bias if "bias" in self else y


class Conv1d(_Convolution):
    """Convolves sequences of shape (batch, length, channels).

    ``weight`` has the shape (out_channels, kernel_size, in_channels / groups).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The length of the filters.
        stride: The step from one position of the filter to the next.
        padding: How many zeros to put on both sides of the input.
        dilation: The distance between neighbouring entries of the filter.
        groups: In how many independent groups to divide the channels.
        bias: Whether to add a bias.
    """

    _function = staticmethod(mx.conv1d)
    _settings = ("stride", "padding", "dilation", "groups")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            _in_channels_per_group(in_channels, groups),
            out_channels,
            (kernel_size,),
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )


class Conv2d(_Convolution):
    """Convolves images of shape (batch, height, width, channels).

    ``weight`` has the shape (out_channels, kernel height, kernel width, in_channels / groups).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The size of the filters, one number or (height, width).
        stride: The step from one position of the filter to the next, one number or a pair.
        padding: How many zeros to put on both sides of each dimension, one number or a pair.
        dilation: The distance between neighbouring entries of the filter, one number or a pair.
        groups: In how many independent groups to divide the channels.
        bias: Whether to add a bias.
    """

    _function = staticmethod(mx.conv2d)
    _settings = ("stride", "padding", "dilation", "groups")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            _in_channels_per_group(in_channels, groups),
            out_channels,
            _spread(kernel_size, 2),
            bias,
            stride=_spread(stride, 2),
            padding=_spread(padding, 2),
            dilation=dilation,
            groups=groups,
        )


class Conv3d(_Convolution):
    """Convolves volumes of shape (batch, depth, height, width, channels).

    ``weight`` has the shape (out_channels, kernel depth, height, width, in_channels).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The size of the filters, one number or (depth, height, width).
        stride: The step from one position of the filter to the next, one number or three.
        padding: How many zeros to put on both sides of each spatial dimension, one number or three.
        dilation: The distance between neighbouring entries of the filter, one number or three.
        bias: Whether to add a bias.
    """

    _function = staticmethod(mx.conv3d)
    _settings = ("stride", "padding", "dilation")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            in_channels,
            out_channels,
            _spread(kernel_size, 3),
            bias,
            stride=_spread(stride, 3),
            padding=_spread(padding, 3),
            dilation=dilation,
        )
