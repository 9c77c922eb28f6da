"""What all optimizers share: the state, the application to trees, and several in one.

An optimizer's state is a tree: ``step`` (how many updates were made, uint64), the settings that may
follow a schedule (``learning_rate``), and at the place of every parameter a dictionary of what the
optimizer remembers about it.

What is remembered has the dtype of its parameter; a step computes in float32 and rounds what comes
out. An average of squared gradients needs more range than a float16 has, 6e-8 to 65504: train
float32 or bfloat16 parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import heddle.core as mx
from heddle.core import _optim

from ..nn.layers.base import Module
from ..utils import tree_flatten, tree_map, tree_merge, tree_unflatten

Schedulable = float | mx.array | Callable[[mx.array], mx.array]


class Optimizer:
    """The base of all optimizers.

    An optimizer says what it remembers of one parameter in :meth:`init_single` and how it changes
    one parameter in :meth:`apply_single`; applying this to whole trees happens here.

    Args:
        schedulers: Schedules of settings, by the names of these in the state.
    """

    def __init__(self, schedulers: dict[str, Callable] | None = None):
        self._initialized = False
        self._state = {"step": mx.array(0, mx.uint64)}
        self._schedulers = dict(schedulers or {})

    def update(self, model: Module, gradients: dict) -> None:
        """Change the parameters of ``model`` by their gradients.

        ``gradients`` is a tree as :func:`heddle.nn.value_and_grad` returns it.
        """
        model.update(self.apply_gradients(gradients, model))

    def init(self, parameters: dict) -> None:
        """Make the state of the parameters that have none yet.

        The first update does this too. It is needed earlier where the state must exist before, for
        instance to be loaded from a file.
        """
        # The dictionary of the state stays the same: a compiled function may have captured it.
        if parameters:
            self._state.update(self._extended(self._state, parameters))
        self._initialized = True

    def _extended(self, state: Any, parameters: Any) -> Any:
        """``state`` with what it lacks for a tree of parameters."""
        if isinstance(parameters, dict):
            known = state or {}
            added = {k: self._extended(known.get(k), p) for k, p in parameters.items()}
            return {**known, **added}
        if isinstance(parameters, (list, tuple)):
            known = list(state or [])
            known += [None] * (len(parameters) - len(known))
            added = [self._extended(s, p) for s, p in zip(known, parameters, strict=False)]
            return added + known[len(parameters) :]
        if not state:
            state = {}
            self.init_single(parameters, state)
        return state

    def init_single(self, parameter: mx.array, state: dict) -> None:
        """Write what is to be remembered about one parameter into ``state``."""
        raise NotImplementedError()

    def apply_gradients(self, gradients: dict, parameters: dict) -> dict:
        """The parameters after an update; the tree has the structure of ``gradients``.

        ``parameters`` may hold more than that, and may be a module.
        """
        if not self._initialized:
            self.init(gradients)
        for name, schedule in self._schedulers.items():
            self.state[name] = schedule(self.step)
        self.state["step"] = self.step + 1
        return self._apply(gradients, parameters)

    def _apply(self, gradients: dict, parameters: dict) -> dict:
        """The parameters after an update, by the settings and the step of the state."""
        return tree_map(self.apply_single, gradients, parameters, self.state)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        """The value of one parameter after an update; ``state`` is brought up to date."""
        raise NotImplementedError()

    @property
    def state(self) -> dict:
        """The optimizer's state, see the top of the module. It can be replaced as a whole."""
        return self._state

    @state.setter
    def state(self, state: dict) -> None:
        self._initialized = False
        self._state = state

    @property
    def step(self) -> mx.array:
        """How many updates were made."""
        return self.state["step"]

    @property
    def learning_rate(self) -> mx.array:
        """The learning rate of the coming update, an array.

        A number, an array or a schedule may be assigned.
        """
        return self.state["learning_rate"]

    @learning_rate.setter
    def learning_rate(self, learning_rate: Schedulable) -> None:
        self._maybe_schedule("learning_rate", learning_rate)

    def _maybe_schedule(self, name: str, param: Schedulable) -> None:
        """Set a setting of the state, or give it a schedule."""
        if callable(param):
            self._schedulers[name] = param
            self.state[name] = param(self.step)
        else:
            self.state[name] = mx.array(param)


class FormulaOptimizer(Optimizer):
    """An optimizer whose formula is the engine's.

    The engine applies it to all parameters of an update; a subclass or an instance with an
    ``apply_single`` of its own is asked for every parameter.
    """

    def _formula(self) -> _optim.Formula:
        """The formula with the present settings."""
        raise NotImplementedError()

    def _update(self) -> _optim.Update:
        return _optim.Update(self._formula(), self.state.get("learning_rate"), self.step)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        return self._update()(gradient, parameter, state)

    def _apply(self, gradients: dict, parameters: dict) -> dict:
        if getattr(self.apply_single, "__func__", None) is not FormulaOptimizer.apply_single:
            return super()._apply(gradients, parameters)
        return tree_map(self._update(), gradients, parameters, self.state)


class MultiOptimizer(Optimizer):
    """Several optimizers, each for some of the parameters.

    Args:
        optimizers: The optimizers.
        filters: A function ``filter(path, array)`` for every optimizer but the last. The first
            optimizer whose filter says yes takes the parameter, otherwise the last.
    """

    def __init__(self, optimizers, filters: list = []):  # noqa: B006
        super().__init__()
        self._state = {}
        if len(filters) != len(optimizers) - 1:
            raise ValueError(f"Given {len(filters)} filters but {len(optimizers) - 1} needed.")
        self.optimizers = optimizers
        self.filters = list(filters) + [lambda path, array: True]

    def _split(self, tree: dict) -> list[dict]:
        """The part of a tree that each optimizer takes."""
        if len(self.optimizers) == 1:
            return [tree]
        parts: list[list] = [[] for _ in self.optimizers]
        for path, value in tree_flatten(tree):
            chosen = next(i for i, takes in enumerate(self.filters) if takes(path, value))
            parts[chosen].append((path, value))
        return [tree_unflatten(part) for part in parts]

    def init(self, parameters: dict) -> None:
        for optimizer, part in zip(self.optimizers, self._split(parameters), strict=True):
            optimizer.init(part)
        self._initialized = True

    def apply_gradients(self, gradients: dict, parameters: dict) -> dict:
        merged: dict = {}
        for optimizer, part in zip(self.optimizers, self._split(gradients), strict=True):
            merged = tree_merge(merged, optimizer.apply_gradients(part, parameters))
        return merged

    @property
    def state(self) -> dict:
        """``{"states": [...]}`` with the states of the optimizers."""
        return {"states": [optimizer.state for optimizer in self.optimizers]}

    @state.setter
    def state(self, state: dict) -> None:
        if "states" not in state or len(state["states"]) != len(self.optimizers):
            raise ValueError("Invalid state provided")
        for optimizer, own in zip(self.optimizers, state["states"], strict=True):
            optimizer.state = own

    @property
    def learning_rate(self) -> mx.array:
        """The learning rate of the first optimizer; an assignment sets that of all."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Schedulable) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate = learning_rate
