"""Transposed convolutions over one, two and three spatial dimensions, channels last."""

from __future__ import annotations

import heddle.core as mx

from .base import Module
from .convolution import draw_filters, spread


class _ConvTranspose(Module):
    """What the transposed convolutions share: everything but the number of dimensions.

    A transposed convolution is the gradient of a convolution with respect to its input: the stride
    spreads the input out. ``weight`` has the shape (out_channels, kernel sizes..., in_channels).
    """

    def _set_up(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        output_padding,
        bias,
    ):
        """Make the parameters and take the settings; the kernel size is a tuple here."""
        self.weight = draw_filters((out_channels, *kernel_size, in_channels))
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = padding
        self.stride = stride
        self.dilation = dilation
        self.output_padding = output_padding

    def _extra_repr(self):
        out_channels, *kernel_size, in_channels = self.weight.shape
        kernel_size = tuple(kernel_size) if len(kernel_size) > 1 else kernel_size[0]
        return (
            f"{in_channels}, {out_channels}, kernel_size={kernel_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"output_padding={self.output_padding}, bias={'bias' in self}"
        )

    def _convolve(self, function, x):
        y = function(x, self.weight, self.stride, self.padding, self.dilation, self.output_padding)
        return y + self.bias if "bias" in self else y


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of sequences of shape (batch, length, channels).

    ``weight`` has the shape (out_channels, kernel_size, in_channels).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The length of the filters.
        stride: How far apart the input is spread.
        padding: How many positions to cut from both sides of the output.
        dilation: The distance between neighbouring entries of the filter.
        output_padding: How many positions to add at the end of the output.
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
        output_padding: int = 0,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            in_channels,
            out_channels,
            (kernel_size,),
            stride,
            padding,
            dilation,
            output_padding,
            bias,
        )

    def __call__(self, x):
        return self._convolve(mx.conv_transpose1d, x)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images of shape (batch, height, width, channels).

    ``weight`` has the shape (out_channels, kernel height, kernel width, in_channels).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The size of the filters, one number or (height, width).
        stride: How far apart the input is spread, one number or a pair.
        padding: How many positions to cut from both sides of each spatial dimension of the output,
            one number or a pair.
        dilation: The distance between neighbouring entries of the filter, one number or a pair.
        output_padding: How many positions to add at the end of each spatial dimension of the
            output, one number or a pair.
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
        output_padding: int | tuple = 0,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            in_channels,
            out_channels,
            spread(kernel_size, 2),
            spread(stride, 2),
            spread(padding, 2),
            dilation,
            spread(output_padding, 2),
            bias,
        )

    def __call__(self, x):
        return self._convolve(mx.conv_transpose2d, x)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes of shape (batch, depth, height, width, channels).

    ``weight`` has the shape (out_channels, kernel depth, height, width, in_channels).

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The size of the filters, one number or (depth, height, width).
        stride: How far apart the input is spread, one number or three.
        padding: How many positions to cut from both sides of each spatial dimension of the output,
            one number or three.
        dilation: The distance between neighbouring entries of the filter, one number or three.
        output_padding: How many positions to add at the end of each spatial dimension of the
            output, one number or three.
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
        output_padding: int | tuple = 0,
        bias: bool = True,
    ):
        super().__init__()
        self._set_up(
            in_channels,
            out_channels,
            spread(kernel_size, 3),
            spread(stride, 3),
            spread(padding, 3),
            dilation,
            spread(output_padding, 3),
            bias,
        )

    def __call__(self, x):
        return self._convolve(mx.conv_transpose3d, x)
