"""Transforms of functions that use a module."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import heddle.core as mx

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
