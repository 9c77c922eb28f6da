"""Transposed convolutions over one, two and three spatial dimensions, channels last.

A transposed convolution is the gradient of a convolution with respect to its input: the stride
spreads the input out. ``weight`` has the shape (out_channels, kernel sizes..., in_channels).
"""

from __future__ import annotations

import heddle.core as mx

from .convolution import _Convolution, _spread

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_SETTINGS = ("stride", "padding", "dilation", "output_padding")


class ConvTranspose1d(_Convolution):
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

    _function = staticmethod(mx.conv_transpose1d)
    _settings = _SETTINGS

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
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=output_padding,
        )


class ConvTranspose2d(_Convolution):
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

    _function = staticmethod(mx.conv_transpose2d)
    _settings = _SETTINGS

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
            _spread(kernel_size, 2),
            bias,
            stride=_spread(stride, 2),
            padding=_spread(padding, 2),
            dilation=dilation,
            output_padding=_spread(output_padding, 2),
        )


class ConvTranspose3d(_Convolution):
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

    _function = staticmethod(mx.conv_transpose3d)
    _settings = _SETTINGS

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
            _spread(kernel_size, 3),
            bias,
            stride=_spread(stride, 3),
            padding=_spread(padding, 3),
            dilation=dilation,
            output_padding=_spread(output_padding, 3),
        )
