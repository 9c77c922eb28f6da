# ruff: noqa: F401, F403
"""Neural networks: modules, layers, activations, losses and initializers."""

from . import init, layers, losses, utils
from .layers import *
from .layers import (
    activations,
    base,
    containers,
    convolution,
    convolution_transpose,
    distributed,
    dropout,
    embedding,
    linear,
    normalization,
    pooling,
    positional_encoding,
    quantized,
    recurrent,
    transformer,
    upsample,
)
from .utils import average_gradients, value_and_grad
