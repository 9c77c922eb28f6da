"""Transforms of functions that use a module."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import heddle.core as mx
from heddle.core import _optim

from ..utils import tree_flatten, tree_map, tree_unflatten
from .layers.base import Module


def _transform_with_parameters(transform: Callable, module: Module, fn: Callable) -> Callable:
    """Apply a transform to ``fn`` as a function of the module's trainable parameters as well."""

    def with_parameters(parameters, *args, **kwargs):
        module.update(parameters)
        return fn(*args, **kwargs)

    transformed = transform(with_parameters)

    @wraps(fn)
    def call(*args, **kwargs):
        parameters = module.trainable_parameters()
        try:
            return transformed(parameters, *args, **kwargs)
        except BaseException:
            # Leave no traced arrays behind.
            module.update(parameters)
            raise

    return call


def value_and_grad(model: Module, fn: Callable):
    """A function that returns ``fn``'s value and its gradients.

    The gradients are with respect to the trainable parameters of ``model``, as a tree like
    ``model.trainable_parameters()``.
    """
    return _transform_with_parameters(mx.value_and_grad, model, fn)


def checkpoint(module: Module, fn: Callable | None = None):
    """A function that computes ``fn`` and keeps none of its intermediate results.

    They are recomputed in the backward pass, for gradients with respect to the arguments and the
    trainable parameters of ``module``. By default ``fn`` is the module itself.
    """
    return _transform_with_parameters(mx.checkpoint, module, module if fn is None else fn)


def _by_size(gradients: list[tuple[str, mx.array]], limit: int) -> list[list]:
    """Runs of gradients of one dtype that have together up to ``limit`` bytes, or one each."""
    runs: list[list] = []
    dtype, room = None, 0
    for path, gradient in gradients:
        if not runs or gradient.dtype != dtype or gradient.nbytes > room:
            runs.append([])
            dtype, room = gradient.dtype, limit
        runs[-1].append((path, gradient))
        room -= gradient.nbytes
    return runs


def average_gradients(
    gradients: Any,
    group: mx.distributed.Group | None = None,
    all_reduce_size: int = 32 * 1024**2,
    communication_stream: mx.Stream | None = None,
):
    """The average of the gradients of all processes.

    Args:
        gradients: A tree of arrays, of the same structure in every process.
        group: The processes; by default all.
        all_reduce_size: Small gradients travel together, up to this number of bytes; with 0 every
            one for itself.
        communication_stream: Where the communication runs.
    """
    group = group or mx.distributed.init()
    if group.size() == 1:
        return gradients

    def average(x):
        total = mx.distributed.all_sum(x, group=group, stream=communication_stream)
        return total / group.size()

    if all_reduce_size <= 0:
        return tree_map(average, gradients)
    averaged = []
    for run in _by_size(tree_flatten(gradients), all_reduce_size):
        joined = average(mx.concatenate([gradient.reshape(-1) for _, gradient in run]))
        ends = [0]
        for path, gradient in run:
            ends.append(ends[-1] + gradient.size)
            averaged.append((path, joined[ends[-2] : ends[-1]].reshape(gradient.shape)))
    return tree_unflatten(averaged)


def clip_grad_norm_sharded(
    gradients: Any, max_norm: float, group: mx.distributed.Group | None = None
):
    """Scale gradients that are divided among processes down to a norm, taken over all of them.

    Args:
        gradients: A tree with this process's parts.
        max_norm: The largest norm to leave.
        group: The processes; by default all.

    Returns:
        The tree of gradients, which keep their dtypes, and the norm that they had, in float32.
    """
    arrays: list[mx.array] = []
    tree_map(arrays.append, gradients)
    scaled, norm = _optim.clipped(arrays, max_norm, group or mx.distributed.init())
    following = iter(scaled)
    return tree_map(lambda _: next(following), gradients), norm
