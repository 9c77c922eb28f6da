"""Resizing of the spatial dimensions."""

from __future__ import annotations

from typing import Literal

import heddle.core as mx
from heddle.core import _nn

from .base import Module
from .fitting import renamed

__all__ = ["PixelShuffle", "Upsample"]


def upsample_nearest(x: mx.array, scale_factor: tuple):
    """Resize the spatial dimensions by the nearest samples; one factor for each."""
    return _nn.upsample(x, scale_factor, "nearest", False, False)


def upsample_linear(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
):
    """Resize the spatial dimensions by linear interpolation; one factor for each."""
    return _nn.upsample(x, scale_factor, "linear", align_corners, antialias)


def upsample_cubic(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
):
    """Resize the spatial dimensions by cubic interpolation; one factor for each."""
    return _nn.upsample(x, scale_factor, "cubic", align_corners, antialias)


class PixelShuffle(Module):
    """Turns channels into space, as torch's layer of that name; channels come last.

    The input of shape (..., height, width, channels * factor ** 2) gives (..., height * factor,
    width * factor, channels).

    Args:
        upscale_factor: By how much height and width grow.

    Raises:
        ValueError: The number of channels is no multiple of the square of the factor.
    """

    def __init__(self, upscale_factor: int):
        super().__init__()
        self.upscale_factor = upscale_factor

    def _extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"

    def __call__(self, x: mx.array) -> mx.array:
        try:
            return _nn.pixel_shuffle(x, self.upscale_factor)
        except ValueError as error:
            raise renamed(self, error) from None


class Upsample(Module):
    """Resizes the spatial dimensions, which are those between the first and the last.

    Args:
        scale_factor: By how much to multiply the sizes, one number or one for each dimension.
        mode: ``"nearest"``, ``"linear"`` or ``"cubic"``.
        align_corners: For linear and cubic interpolation, whether the outermost samples of output
            and input coincide. Otherwise samples stand for areas, whose borders coincide.
        antialias: For linear and cubic interpolation with a factor below 1, whether to smooth
            before leaving out samples, as PyTorch and PIL do.
    """

    def __init__(
        self,
        scale_factor: float | tuple,
        mode: Literal["nearest", "linear", "cubic"] = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ):
        super().__init__()
        if mode not in ("nearest", "linear", "cubic"):
            raise ValueError(f"[Upsample] Got unsupported upsampling algorithm: {mode}")
        if antialias and mode == "nearest":
            raise ValueError(
                "[Upsample] Antialiasing is not supported for nearest neighbor upsampling"
            )
        if antialias and align_corners:
            raise ValueError(
                "[Upsample] antialias=True with align_corners=True is not supported. "
                "Use align_corners=False for antialiased interpolation."
            )
        if isinstance(scale_factor, (list, tuple)):
            self.scale_factor = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.antialias = antialias

    def _extra_repr(self) -> str:
        antialias = f", antialias={self.antialias}" if self.antialias else ""
        return (
            f"scale_factor={self.scale_factor}, mode={self.mode!r}, "
            f"align_corners={self.align_corners}{antialias}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        dims = x.ndim - 2
        if dims <= 0:
            raise ValueError(
                "[Upsample] The input should have at least 1 spatial dimension which means it "
                f"should be at least 3D but {x.ndim}D was provided"
            )
        scales = self.scale_factor
        if not isinstance(scales, tuple):
            scales = (scales,) * dims
        elif len(scales) != dims:
            raise ValueError(
                "[Upsample] One scale per spatial dimension is required but "
                f"scale_factor={scales} and the number of spatial dimensions were {dims}"
            )
        if self.mode == "nearest":
            return upsample_nearest(x, scales)
        interpolate = upsample_linear if self.mode == "linear" else upsample_cubic
        return interpolate(x, scales, self.align_corners, self.antialias)
