"""Schedules: functions that turn the array of the step into the value of a setting."""

from __future__ import annotations

import math
from collections.abc import Callable

import heddle.core as mx


def exponential_decay(init: float, decay_rate: float) -> Callable:
    """Starts at ``init`` and is multiplied by ``decay_rate`` at every step."""

    def schedule(step):
        return init * decay_rate**step

    return schedule


def step_decay(init: float, decay_rate: float, step_size: int) -> Callable:
    """Starts at ``init`` and is multiplied by ``decay_rate`` at every ``step_size`` steps."""
    if step_size <= 0:
        raise ValueError(f"step_size must be greater than 0, but got {step_size}.")

    def schedule(step):
        return init * (decay_rate ** (step // step_size))

    return schedule


def cosine_decay(init: float, decay_steps: int, end: float = 0.0) -> Callable:
    """Goes from ``init`` to ``end`` along half a cosine in ``decay_steps`` steps, and stays."""
    if decay_steps <= 0:
        raise ValueError(f"decay_steps must be greater than 0, but got {decay_steps}.")

    def schedule(step):
        progress = mx.minimum(step, decay_steps) / decay_steps
        return end + 0.5 * (init - end) * (1.0 + mx.cos(math.pi * progress))

    return schedule


def linear_schedule(init: float, end: float, steps: int) -> Callable:
    """Goes from ``init`` to ``end`` along a line in ``steps`` steps, and stays."""
    if steps < 1:
        raise ValueError(f"steps must be greater than 0, but got {steps}.")

    def schedule(step):
        return mx.minimum(step, steps) * ((end - init) / steps) + init

    return schedule


def join_schedules(schedules: list[Callable], boundaries: list[int]) -> Callable:
    """Follows one schedule after the other.

    Args:
        schedules: The schedules. Each counts its steps from where it begins.
        boundaries: The steps at which the second and all later schedules begin.
    """
    if not schedules:
        raise ValueError("Must provide at least 1 schedule to join.")
    if len(boundaries) != len(schedules) - 1:
        raise ValueError(
            f"Received {len(boundaries)} boundaries but expected {len(schedules) - 1}."
        )

    def schedule(step):
        value = schedules[0](step)
        for boundary, later in zip(boundaries, schedules[1:], strict=True):
            value = mx.where(step < boundary, value, later(step - boundary))
        return value

    return schedule
