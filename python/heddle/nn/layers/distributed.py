"""Layers whose parameters are divided among the processes of a group.

This engine's groups have one process, which holds everything; programs for many processes run
unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import heddle.core as mx

from ...utils import tree_flatten, tree_map_with_path, tree_unflatten
from .base import Module
from .fitting import explain
from .linear import Linear, affine
from .quantized import _QuantizedWeight

__all__ = [
    "AllToShardedLinear",
    "FullyShardedModule",
    "QuantizedAllToShardedLinear",
    "QuantizedShardedToAllLinear",
    "ShardedToAllLinear",
    "fully_shard",
]

Group = mx.distributed.Group


@lru_cache
def sum_gradients(group: Group):
    """The identity function whose gradient is summed over the group."""
    if group.size() == 1:
        return lambda x: x

    @mx.custom_function
    def identity(x):
        return x

    @identity.vjp
    def identity_vjp(x, dx, _):
        return mx.distributed.all_sum(dx, group=group)

    return identity


def _split(weight: mx.array, segments: int | list, axis: int) -> list[mx.array]:
    """``weight`` in segments: how many, or where they end, as indices or parts of the whole."""
    if isinstance(segments, int) or isinstance(segments[0], int):
        return mx.split(weight, segments, axis=axis)
    length = weight.shape[axis]
    return mx.split(weight, [int(part * length) for part in segments], axis=axis)


def _shard(parameters: dict, sharding_predicate: Callable, group: Group | None = None):
    """This process's part of every parameter.

    ``sharding_predicate(path, weight)`` gives the axis to divide along, or the axis and the
    segments to divide one by one (as in a fused projection), or None for what every process keeps.
    """
    group = group or mx.distributed.init()
    size, rank = group.size(), group.rank()

    def part(path, weight):
        if not isinstance(weight, mx.array):
            return weight
        sharding = sharding_predicate(path, weight)
        if sharding is None:
            return weight
        axis, segments = sharding if isinstance(sharding, tuple) else (sharding, 1)
        parts = [mx.split(s, size, axis=axis)[rank] for s in _split(weight, segments, axis)]
        return mx.contiguous(mx.concatenate(parts, axis=axis))

    return tree_map_with_path(part, parameters)


def _all_to_sharded(segments: int | list) -> Callable:
    """Divides by the output features."""
    return lambda path, weight: (max(weight.ndim - 2, 0), segments)


def _sharded_to_all(segments: int | list) -> Callable:
    """Divides by the input features; the bias is added after the parts."""
    return lambda path, weight: None if path.endswith("bias") else (-1, segments)


def _check_sharding(sharding: str) -> None:
    if sharding not in ("all-to-sharded", "sharded-to-all"):
        raise ValueError(
            f"Sharding type {sharding=} not supported, choose one of 'all-to-sharded' or "
            "'sharded-to-all'"
        )


def shard_inplace(
    module: Module,
    sharding: str | Callable,
    *,
    segments: int | list = 1,
    group: Group | None = None,
):
    """Leave in a module only this process's part of its parameters.

    The module itself stays as it is: whatever communication is needed is its own affair.

    Args:
        module: The module, which is changed.
        sharding: ``"all-to-sharded"``, ``"sharded-to-all"``, or a function of path and weight that
            gives the axis, the axis and the segments, or None.
        segments: The segments for the named kinds.
        group: The processes; by default all.
    """
    if callable(sharding):
        predicate = sharding
    else:
        _check_sharding(sharding)
        kind = _all_to_sharded if sharding == "all-to-sharded" else _sharded_to_all
        predicate = kind(segments)
    module.update(_shard(module.parameters(), predicate, group))


def shard_linear(
    module: Module, sharding: str, *, segments: int | list = 1, group: Group | None = None
):
    """A linear layer of which each process has a part, made from a whole one.

    Args:
        module: The layer, quantized or not; it stays as it is.
        sharding: ``"all-to-sharded"`` or ``"sharded-to-all"``.
        segments: The segments of a fused projection.
        group: The processes; by default all.
    """
    _check_sharding(sharding)
    to_sharded = sharding == "all-to-sharded"
    if isinstance(module, Linear):
        kind = AllToShardedLinear if to_sharded else ShardedToAllLinear
        return kind.from_linear(module, segments=segments, group=group)
    kind = QuantizedAllToShardedLinear if to_sharded else QuantizedShardedToAllLinear
    return kind.from_quantized_linear(module, segments=segments, group=group)


def _part_of(what: str, dims: int, group: Group) -> int:
    if dims % group.size() != 0:
        raise ValueError(
            f"The {what} of size {dims} cannot be sharded across {group.size()} devices."
        )
    return dims // group.size()


class AllToShardedLinear(Module):
    """A linear layer of which each process computes some of the output features.

    Args:
        input_dims: The number of input features.
        output_dims: The number of output features of all processes together.
        bias: Whether to add a bias.
        group: The processes; by default all.
    """

    def __init__(
        self, input_dims: int, output_dims: int, bias: bool = True, group: Group | None = None
    ):
        super().__init__()
        scale = math.sqrt(1.0 / input_dims)
        self.group = group or mx.distributed.init()
        rows = _part_of("output", output_dims, self.group)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(rows, input_dims))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(rows,))

    def _extra_repr(self) -> str:
        rows, input_dims = self.weight.shape
        return (
            f"input_dims={input_dims}, output_dims={rows * self.group.size()}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        # Every process has the same input, so the input's gradient is the sum of theirs.
        return affine(self, sum_gradients(self.group)(x))

    @classmethod
    def from_linear(
        cls, linear_layer: Module, *, segments: int | list = 1, group: Group | None = None
    ):
        """This process's part of a linear layer."""
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, "bias" in linear_layer, group)
        layer.update(_shard(linear_layer.parameters(), _all_to_sharded(segments), layer.group))
        return layer


class ShardedToAllLinear(Module):
    """A linear layer whose input features are divided; all processes get the whole result.

    Args:
        input_dims: The number of input features of all processes together.
        output_dims: The number of output features.
        bias: Whether to add a bias.
        group: The processes; by default all.
    """

    def __init__(
        self, input_dims: int, output_dims: int, bias: bool = True, group: Group | None = None
    ):
        super().__init__()
        scale = math.sqrt(1.0 / input_dims)
        self.group = group or mx.distributed.init()
        columns = _part_of("input", input_dims, self.group)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, columns))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, columns = self.weight.shape
        return (
            f"input_dims={columns * self.group.size()}, output_dims={output_dims}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if self.group.size() == 1:
            return affine(self, x)
        explain(self, x, self["weight"].shape[1])
        x = mx.distributed.all_sum(x @ self["weight"].T, group=self.group)
        return x + self["bias"] if "bias" in self else x

    @classmethod
    def from_linear(
        cls, linear_layer: Module, *, segments: int | list = 1, group: Group | None = None
    ):
        """This process's part of a linear layer."""
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, "bias" in linear_layer, group)
        layer.update(_shard(linear_layer.parameters(), _sharded_to_all(segments), layer.group))
        return layer


class _QuantizedSharded(_QuantizedWeight):
    """What the quantized layers share; their parameters stay frozen."""

    def _set_up(self, rows: int, columns: int, scale: float, bias_dims: int | None) -> None:
        self._set_weight(mx.random.uniform(low=-scale, high=scale, shape=(rows, columns)))
        if bias_dims is not None:
            self.bias = mx.zeros((bias_dims,))
        self.freeze()

    def unfreeze(self, *args, **kwargs):
        """Unfreeze what the layer may contain, but not its own parameters."""
        super().unfreeze(*args, **kwargs)
        return self.freeze(recurse=False)

    def _columns(self) -> int:
        return self.weight.shape[1] * 32 // self.bits

    @classmethod
    def _part_of_layer(cls, layer: Module, sharding: Callable, group: Group | None):
        output_dims = layer.weight.shape[0]
        input_dims = layer.weight.shape[1] * 32 // layer.bits
        part = cls(
            input_dims,
            output_dims,
            "bias" in layer,
            group_size=layer.group_size,
            bits=layer.bits,
            mode=getattr(layer, "mode", "affine"),
            group=group,
        )
        part.update(_shard(layer.parameters(), sharding, part.group))
        return part


class QuantizedAllToShardedLinear(_QuantizedSharded):
    """An :class:`AllToShardedLinear` whose weight is quantized and stays frozen.

    Args:
        input_dims: The number of input features.
        output_dims: The number of output features of all processes together.
        bias: Whether to add a bias.
        group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
        group: The processes; by default all.
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int = 64,
        bits: int = 4,
        mode: str = "affine",
        group: Group | None = None,
    ):
        super().__init__()
        self._set_format(group_size, bits, mode)
        self.group = group or mx.distributed.init()
        rows = _part_of("output", output_dims, self.group)
        self._set_up(rows, input_dims, math.sqrt(1.0 / input_dims), rows if bias else None)

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self._columns()}, "
            f"output_dims={self.weight.shape[0] * self.group.size()}, "
            f"bias={'bias' in self}, {self._format_repr()}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        x = self._multiply(sum_gradients(self.group)(x))
        return x + self["bias"] if "bias" in self else x

    @classmethod
    def from_quantized_linear(
        cls,
        quantized_linear_layer: Module,
        *,
        segments: int | list = 1,
        group: Group | None = None,
    ):
        """This process's part of a quantized linear layer."""
        return cls._part_of_layer(quantized_linear_layer, _all_to_sharded(segments), group)


class QuantizedShardedToAllLinear(_QuantizedSharded):
    """A :class:`ShardedToAllLinear` whose weight is quantized and stays frozen.

    Args:
        input_dims: The number of input features of all processes together.
        output_dims: The number of output features.
        bias: Whether to add a bias.
        group_size, bits, mode: The format, see :func:`heddle.core.quantize`.
        group: The processes; by default all.
    """

    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int = 64,
        bits: int = 4,
        mode: str = "affine",
        group: Group | None = None,
    ):
        super().__init__()
        self._set_format(group_size, bits, mode)
        self.group = group or mx.distributed.init()
        columns = _part_of("input", input_dims, self.group)
        scale = math.sqrt(1.0 / input_dims)
        self._set_up(output_dims, columns, scale, output_dims if bias else None)

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self._columns() * self.group.size()}, "
            f"output_dims={self.weight.shape[0]}, bias={'bias' in self}, {self._format_repr()}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        x = mx.distributed.all_sum(self._multiply(x), group=self.group)
        return x + self["bias"] if "bias" in self else x

    @classmethod
    def from_quantized_linear(
        cls,
        quantized_linear_layer: Module,
        *,
        segments: int | list = 1,
        group: Group | None = None,
    ):
        """This process's part of a quantized linear layer."""
        return cls._part_of_layer(quantized_linear_layer, _sharded_to_all(segments), group)


def _make_gather_fn(group: Group, compute_dtype: mx.Dtype | None):
    """A function from parts of parameters to the whole ones, whose gradients are parts again."""

    @mx.custom_function
    def gather(parts):
        wholes = [mx.distributed.all_gather(part, group=group) for part in parts]
        if compute_dtype is not None:
            wholes = [
                w.astype(compute_dtype) if mx.issubdtype(w.dtype, mx.floating) else w
                for w in wholes
            ]
        return wholes

    @gather.vjp
    def gather_vjp(parts, cotangents, _):
        return [
            mx.distributed.sum_scatter(c.astype(part.dtype), group=group) / group.size()
            for part, c in zip(parts, cotangents, strict=True)
        ]

    return gather


class FullyShardedModule(Module):
    """A module of whose parameters each process holds, updates and saves only a part.

    The parameters are gathered for a call and their gradients averaged over the group and divided
    again. Every parameter is divided along its first axis, whose length must be a multiple of the
    size of the group. :func:`fully_shard` makes one where it is of use.

    Args:
        module: The module.
        group: The processes; by default all.
        compute_dtype: What to cast the gathered floating point parameters to.
    """

    def __init__(
        self,
        module: Module,
        group: Group | None = None,
        compute_dtype: mx.Dtype | None = None,
    ):
        super().__init__()
        group = group or mx.distributed.init()
        parameters = tree_flatten(module.parameters())
        for path, weight in parameters:
            if weight.ndim == 0:
                raise ValueError(f"Cannot shard parameter '{path}' because it is a scalar.")
            if weight.shape[0] % group.size() != 0:
                raise ValueError(
                    f"The parameter {path} of shape {weight.shape} cannot be sharded across "
                    f"{group.size()} devices."
                )
        if group.size() > 1:
            module.update(_shard(module.parameters(), lambda path, weight: 0, group))
        self.module = module
        self._paths = [path for path, _ in parameters]
        self._gather_fn = _make_gather_fn(group, compute_dtype)

    def _extra_repr(self) -> str:
        return f"num_sharded_params={len(self._paths)}"

    def _gathered_call(self, fn, *args, **kwargs):
        """Call ``fn`` while the module has its whole parameters."""
        if not self._paths:
            return fn(*args, **kwargs)
        parts = dict(tree_flatten(self.module.parameters()))
        wholes = self._gather_fn([parts[path] for path in self._paths])
        try:
            self.module.update(tree_unflatten(list(zip(self._paths, wholes, strict=True))))
            return fn(*args, **kwargs)
        finally:
            self.module.update(tree_unflatten(list(parts.items())))

    def __call__(self, *args, **kwargs):
        return self._gathered_call(self.module, *args, **kwargs)

    def as_linear(self, *args, **kwargs):
        """What ``as_linear`` of the module gives, for embeddings."""
        return self._gathered_call(self.module.as_linear, *args, **kwargs)


def fully_shard(
    module: Module, *, group: Group | None = None, compute_dtype: mx.Dtype | None = None
) -> Module:
    """The module as a :class:`FullyShardedModule`, or itself where there is nothing to divide.

    Args:
        module: The module.
        group: The processes; by default all.
        compute_dtype: What to cast the gathered floating point parameters to.
    """
    group = group or mx.distributed.init()
    if group.size() == 1 or isinstance(module, FullyShardedModule):
        return module
    return FullyShardedModule(module, group, compute_dtype)
