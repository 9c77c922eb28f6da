"""Resizing of the spatial dimensions.

Interpolation is separable: each spatial dimension in turn becomes a weighted sum of a few samples
of its input, the taps.
"""

from __future__ import annotations

import math
from typing import Literal

import heddle.core as mx

from .base import Module


def _positions(size: int, scale: float, align_corners: bool) -> mx.array:
    """Where the samples of the output lie in the input, as fractional indices."""
    count = int(scale * size)
    if align_corners:
        return mx.arange(count, dtype=mx.float32) * ((size - 1) / max(count - 1, 1))
    # Spread evenly around the middle of the input.
    step = 1 / scale
    start = ((count - 1) * step - size + 1) / 2
    return mx.arange(count, dtype=mx.float32) * step - start


def _nearest_indices(size: int, scale: float) -> mx.array:
    """The input sample that is nearest to each sample of the output."""
    count = int(scale * size)
    index = mx.arange(count, dtype=mx.float32)
    if count > size:
        index = mx.round((index + 0.5) * (size / count) - 0.5)
    else:
        index = index * (size / count)
    return index.astype(mx.uint32)


def _triangle(distance: mx.array) -> mx.array:
    """The kernel of linear interpolation."""
    return mx.maximum(1 - mx.abs(distance), 0)


def _cubic(distance: mx.array, a: float) -> mx.array:
    """The kernel of cubic convolution with the free parameter ``a`` (R. Keys, 1981)."""
    d = mx.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = (((d - 5) * d + 8) * d - 4) * a
    return mx.where(d <= 1, near, mx.where(d < 2, far, 0))


def _interpolate(
    x: mx.array, axis: int, scale: float, mode: str, align_corners: bool, antialias: bool
) -> mx.array:
    """Resize one dimension by linear or cubic interpolation."""
    size = x.shape[axis]
    positions = _positions(size, scale, align_corners)
    # To smooth before samples are left out the kernel is made wider by the factor of reduction.
    stretch = max(1 / scale, 1.0) if antialias else 1.0
    if mode == "linear":
        radius, kernel = 1, _triangle
        if not antialias:
            positions = mx.clip(positions, 0, size - 1)
    else:
        # -0.75 is OpenCV's choice; -0.5, with antialiasing, that of PIL.
        a = -0.5 if antialias else -0.75
        radius, kernel = 2, lambda distance: _cubic(distance, a)

    reach = math.ceil(radius * stretch)
    taps = mx.floor(positions)[:, None] + mx.arange(1 - reach, reach + 1, dtype=mx.float32)
    weights = kernel((taps - positions[:, None]) / stretch)
    if antialias:
        # Nothing lies beyond the border; without antialiasing the border repeats.
        weights = mx.where((taps >= 0) & (taps < size), weights, 0)
        weights = weights / mx.sum(weights, axis=1, keepdims=True)
    indices = mx.clip(taps, 0, size - 1).astype(mx.uint32)

    after = (1,) * (x.ndim - axis - 1)
    return sum(
        mx.take(x, indices[:, tap], axis=axis) * weights[:, tap].reshape(-1, *after)
        for tap in range(indices.shape[1])
    )


def upsample_nearest(x: mx.array, scale_factor: tuple):
    """Resize the spatial dimensions by the nearest samples; one factor for each."""
    for axis, scale in enumerate(scale_factor, start=1):
        if scale == 1:
            continue
        if float(scale).is_integer():
            x = mx.repeat(x, int(scale), axis=axis)
        else:
            x = mx.take(x, _nearest_indices(x.shape[axis], scale), axis=axis)
    return x


def upsample_linear(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
):
    """Resize the spatial dimensions by linear interpolation; one factor for each."""
    for axis, scale in enumerate(scale_factor, start=1):
        if scale != 1:
            x = _interpolate(x, axis, scale, "linear", align_corners, antialias)
    return x


def upsample_cubic(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
):
    """Resize the spatial dimensions by cubic interpolation; one factor for each."""
    for axis, scale in enumerate(scale_factor, start=1):
        if scale != 1:
            x = _interpolate(x, axis, scale, "cubic", align_corners, antialias)
    return x


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
