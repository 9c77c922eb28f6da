"""Dropout of single elements and of whole channels."""

from heddle.core import _nn

from .base import Module

__all__ = ["Dropout", "Dropout2d", "Dropout3d"]


class _Dropout(Module):
    """What the three kinds of dropout share: the probability and the masking."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        if p < 0 or p >= 1:
            raise ValueError(f"The dropout probability {p} is not in [0, 1)")
        self._p_1 = 1 - p

    def _extra_repr(self):
        return f"p={1 - self._p_1}"

    def _drop(self, x, spatial_dims):
        if not self.training or self._p_1 == 1:
            return x
        return _nn.dropout(x, 1 - self._p_1, spatial_dims)


class Dropout(_Dropout):
    """In training, sets elements to zero at random and scales the others by 1 / (1 - p).

    Args:
        p: The probability of an element to become zero.
    """

    def __call__(self, x):
        return self._drop(x, 0)


class Dropout2d(_Dropout):
    """In training, sets whole channels of images to zero and scales the others by 1 / (1 - p).

    The input has the shape (batch, height, width, channels) or (height, width, channels).

    Args:
        p: The probability of a channel to become zero.
    """

    def __call__(self, x):
        if x.ndim not in (3, 4):
            raise ValueError(
                f"Received input with {x.ndim} dimensions. Expected 3 or 4 dimensions."
            )
        return self._drop(x, 2)


class Dropout3d(_Dropout):
    """In training, sets whole channels of volumes to zero and scales the others by 1 / (1 - p).

    The input has the shape (batch, depth, height, width, channels), with or without the batch.

    Args:
        p: The probability of a channel to become zero.
    """

    def __call__(self, x):
        if x.ndim not in (4, 5):
            raise ValueError(
                f"Received input with {x.ndim} dimensions. Expected 4 or 5 dimensions."
            )
        return self._drop(x, 3)
