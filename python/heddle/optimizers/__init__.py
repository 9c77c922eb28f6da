# ruff: noqa: F401
"""Optimizers and schedules for their settings."""

from ..nn.layers.base import Module
from ..utils import tree_flatten, tree_map, tree_merge, tree_reduce, tree_unflatten
from . import optimizers, schedulers
from .optimizers import (
    SGD,
    AdaDelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    MultiOptimizer,
    Muon,
    Optimizer,
    RMSprop,
    clip_grad_norm,
)
from .schedulers import (
    cosine_decay,
    exponential_decay,
    join_schedules,
    linear_schedule,
    step_decay,
)
