"""Normalization layers."""

import math

import heddle.core as mx
from heddle.core import _nn

from .base import Module
from .fitting import explain

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


def _positive(layer: str, eps: float) -> float:
    if not eps > 0:
        raise ValueError(f"[{layer}] 'eps' must be positive but got {eps}.")
    return eps


class InstanceNorm(Module):
    """Normalizes every channel of every example over the spatial dimensions.

    Args:
        dims: The number of channels, the last dimension of the input.
        eps: What is added to the variance for stability.
        affine: Whether to learn a scale and a shift for every channel.
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = False):
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            self.bias = mx.zeros((dims,))
        self.dims = dims
        self.eps = _positive("InstanceNorm", eps)

    def _extra_repr(self):
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 3:
            raise ValueError(
                "InstanceNorm expects inputs with at least 3 dimensions (N, ..., C) but the "
                f"input has {x.ndim} dimensions."
            )
        try:
            return _nn.instance_norm(x, self.get("weight"), self.get("bias"), self.eps)
        except ValueError:
            explain(self, x, self.dims)
            raise


class LayerNorm(Module):
    """Normalizes every vector along the last dimension to mean 0 and variance 1.

    Args:
        dims: The number of features, the last dimension of the input.
        eps: What is added to the variance for stability.
        affine: Whether to learn a scale for every feature.
        bias: Whether to learn a shift too, where ``affine`` is set.
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = True, bias: bool = True):
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            if bias:
                self.bias = mx.zeros((dims,))
        self.eps = _positive("LayerNorm", eps)
        self.dims = dims

    def _extra_repr(self):
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x):
        try:
            return mx.fast.layer_norm(x, self.get("weight"), self.get("bias"), self.eps)
        except ValueError:
            explain(self, x, self.dims)
            raise


class RMSNorm(Module):
    """Divides every vector along the last dimension by its root mean square, and scales it.

    The mean is computed in 32 bits whatever the precision of the input.

    Args:
        dims: The number of features, the last dimension of the input.
        eps: What is added to the mean square for stability.
    """

    def __init__(self, dims: int, eps: float = 1e-5):
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = _positive("RMSNorm", eps)

    def _extra_repr(self):
        return f"{self.weight.shape[0]}, eps={self.eps}"

    def __call__(self, x):
        try:
            return mx.fast.rms_norm(x, self["weight"], self.eps)
        except ValueError:
            explain(self, x, self.weight.shape[0])
            raise


class GroupNorm(Module):
    """Normalizes groups of channels of every example, over the spatial dimensions as well.

    Args:
        num_groups: The number of groups, a divisor of ``dims``.
        dims: The number of channels, the last dimension of the input.
        eps: What is added to the variance for stability.
        affine: Whether to learn a scale and a shift for every channel.
        pytorch_compatible: Whether a group is a run of neighbouring channels, as in PyTorch.
            Otherwise channel ``c`` belongs to the group ``c % num_groups``.
    """

    def __init__(
        self,
        num_groups: int,
        dims: int,
        eps: float = 1e-5,
        affine: bool = True,
        pytorch_compatible: bool = False,
    ):
        super().__init__()
        for name, count in (("groups", num_groups), ("features", dims)):
            if count <= 0:
                raise ValueError(f"The number of {name} ({count}) must be a positive integer.")
        if dims % num_groups != 0:
            raise ValueError(
                f"The number of features ({dims}) must be evenly divisible by the number "
                f"of groups ({num_groups})."
            )
        if affine:
            self.bias = mx.zeros((dims,))
            self.weight = mx.ones((dims,))
        self.num_groups = num_groups
        self.dims = dims
        self.eps = _positive("GroupNorm", eps)
        self.pytorch_compatible = pytorch_compatible

    def _extra_repr(self):
        return (
            f"{self.num_groups}, {self.dims}, eps={self.eps}, "
            f"affine={'weight' in self}, pytorch_compatible={self.pytorch_compatible}"
        )

    def __call__(self, x):
        try:
            return _nn.group_norm(
                x,
                self.num_groups,
                self.get("weight"),
                self.get("bias"),
                self.eps,
                self.pytorch_compatible,
            )
        except ValueError:
            explain(self, x, self.dims)
            raise


class BatchNorm(Module):
    """Normalizes every channel over the batch and the spatial dimensions.

    In training the statistics are those of the batch; otherwise, if they are tracked, the running
    averages of those seen in training. The running averages are never trainable.

    Args:
        num_features: The number of channels, the last dimension of the input.
        eps: What is added to the variance for stability.
        momentum: The weight of the newest batch in the running averages.
        affine: Whether to learn a scale and a shift for every channel.
        track_running_stats: Whether to keep running averages.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = _positive("BatchNorm", eps)
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = mx.ones((num_features,))
            self.bias = mx.zeros((num_features,))
        if track_running_stats:
            self.running_mean = mx.zeros((num_features,))
            self.running_var = mx.ones((num_features,))
            self._set_frozen_here(True, ["running_mean", "running_var"])

    def _set_frozen_here(self, frozen, keys):
        super()._set_frozen_here(frozen, keys)
        if not frozen and self.track_running_stats:
            super()._set_frozen_here(True, ["running_mean", "running_var"])

    def _extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={'weight' in self}, track_running_stats={self.track_running_stats}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 2 or x.ndim > 4:
            raise ValueError(
                f"Expected input tensor to have 2, 3 or 4 dimensions, but got {x.ndim}"
            )
        tracked = self.track_running_stats
        if not tracked and "weight" not in self:
            explain(self, x, self.num_features)  # nothing else says how many there are
        running = (self.running_mean, self.running_var) if tracked else (None, None)
        try:
            y, *running = _nn.batch_norm(
                x,
                *running,
                self.get("weight"),
                self.get("bias"),
                self.training,
                self.momentum,
                self.eps,
            )
        except ValueError:
            explain(self, x, self.num_features)
            if self.training and math.prod(x.shape[:-1]) == 1:
                raise ValueError(
                    "BatchNorm training requires more than one value per channel."
                ) from None
            raise
        if self.training and tracked:
            self.running_mean, self.running_var = running
        return y
