"""Layers that hold other layers."""

from .base import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Calls modules, or any functions, one after the other, each on the result of the one before.

    Args:
        modules: What to call, in this order. Functions with parameters of their own should be
            modules, so that the parameters are found.
    """

    def __init__(self, *modules):
        super().__init__()
        self.layers = list(modules)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
