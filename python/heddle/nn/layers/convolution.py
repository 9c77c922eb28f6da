"""Convolutions over one, two and three spatial dimensions, channels last."""

from __future__ import annotations

import math

import heddle.core as mx

from .base import Module


def spread(value: int | tuple, count: int) -> tuple:
    """``value`` as a tuple with one entry for each of ``count`` spatial dimensions."""
    return (value,) * count if isinstance(value, int) else tuple(value)


def draw_filters(shape: tuple) -> mx.array:
    """Initial filters of ``shape`` (out, spatial..., in per group), uniform by their fan-in."""
    bound = math.sqrt(1 / math.prod(shape[1:]))
    return mx.random.uniform(low=-bound, high=bound, shape=shape)


def _in_channels_per_group(in_channels: int, groups: int) -> int:
    if in_channels % groups != 0:
        raise ValueError(
            f"The number of input channels ({in_channels}) must be "
            f"divisible by the number of groups ({groups})"
        )
    return in_channels // groups


class Conv1d(Module):
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
        group_channels = _in_channels_per_group(in_channels, groups)
        self.weight = draw_filters((out_channels, kernel_size, group_channels))
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups

    def _extra_repr(self):
        out_channels, kernel_size, group_channels = self.weight.shape
        return (
            f"{group_channels * self.groups}, {out_channels}, kernel_size={kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"groups={self.groups}, bias={'bias' in self}"
        )

    def __call__(self, x):
        y = mx.conv1d(x, self.weight, self.stride, self.padding, self.dilation, self.groups)
        return y + self.bias if "bias" in self else y


class Conv2d(Module):
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
        group_channels = _in_channels_per_group(in_channels, groups)
        kernel_size = spread(kernel_size, 2)
        self.weight = draw_filters((out_channels, *kernel_size, group_channels))
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = spread(padding, 2)
        self.stride = spread(stride, 2)
        self.dilation = dilation
        self.groups = groups

    def _extra_repr(self):
        out_channels, *kernel_size, group_channels = self.weight.shape
        return (
            f"{group_channels * self.groups}, {out_channels}, kernel_size={tuple(kernel_size)}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"groups={self.groups}, bias={'bias' in self}"
        )

    def __call__(self, x):
        y = mx.conv2d(x, self.weight, self.stride, self.padding, self.dilation, self.groups)
        return y + self.bias if "bias" in self else y


class Conv3d(Module):
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
        kernel_size = spread(kernel_size, 3)
        self.weight = draw_filters((out_channels, *kernel_size, in_channels))
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = spread(padding, 3)
        self.stride = spread(stride, 3)
        self.dilation = dilation

    def _extra_repr(self):
        out_channels, *kernel_size, in_channels = self.weight.shape
        return (
            f"{in_channels}, {out_channels}, kernel_size={tuple(kernel_size)}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x):
        y = mx.conv3d(x, self.weight, self.stride, self.padding, self.dilation)
        return y + self.bias if "bias" in self else y
