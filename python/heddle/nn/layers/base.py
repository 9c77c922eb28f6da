"""Module, the base of every layer and model."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from reprlib import recursive_repr
from typing import Any

import heddle.core as mx

from ...utils import tree_flatten, tree_unflatten

__all__ = ["Module"]


class Module(dict):
    """A neural network, or a part of one.

    A module is a dictionary. What is assigned to its attributes goes into the dictionary if it can
    hold parameters (arrays, modules, and lists, tuples or dictionaries of anything); everything
    else stays an ordinary attribute. The arrays whose path has no leading underscore are the
    module's parameters, and the modules among its values are its children.

    Parameters are trainable unless they have been frozen, see :meth:`freeze`.

    .. code-block:: python

        class MLP(nn.Module):
            def __init__(self, dims: int, hidden: int):
                super().__init__()
                self.up = nn.Linear(dims, hidden)
                self.down = nn.Linear(hidden, dims)

            def __call__(self, x):
                return self.down(nn.relu(self.up(x)))

        model = MLP(16, 64)
        mx.eval(model.parameters())
    """

    __call__: Callable

    def __init__(self):
        self._no_grad = set()
        self._training = True

    # Attributes

    def __getattr__(self, key: str) -> Any:
        # Only called where the ordinary look-up failed.
        if key in self:
            return self[key]
        return super().__getattribute__(key)

    def __setattr__(self, key: str, val: Any) -> None:
        if isinstance(val, (mx.array, dict, list, tuple)):
            # An ordinary attribute of that name would hide it. A property whose getter raises
            # AttributeError does not: looking it up goes on to the dictionary.
            if key not in self and hasattr(self, key):
                delattr(self, key)
            self[key] = val
        else:
            super().__setattr__(key, val)
            self.pop(key, None)

    def __delattr__(self, name: str) -> None:
        if name in self:
            del self[name]
        else:
            super().__delattr__(name)

    def _extra_repr(self) -> str:
        """What the repr shows between the parentheses, before the children."""
        return ""

    @recursive_repr()
    def __repr__(self) -> str:
        text = f"{type(self).__name__}({self._extra_repr()}"
        children = tree_flatten(self.children(), is_leaf=self.is_module)
        for name, child in children:
            text += "\n" + textwrap.indent(f"({name}): {child!r}", "  ")
        return text + ("\n)" if children else ")")

    @property
    def training(self) -> bool:
        """Whether the module is in training mode, see :meth:`train`."""
        return self._training

    @property
    def state(self) -> Module:
        """The module itself: the dictionary of everything that its computations may read.

        Unlike :meth:`parameters` this is no copy, so it can be given to ``mx.compile`` as captured
        ``inputs`` and ``outputs``.
        """
        return self

    # Looking inside

    @staticmethod
    def is_module(value: Any) -> bool:
        """Whether ``value`` is a module."""
        return isinstance(value, Module)

    @staticmethod
    def valid_child_filter(module: Module, key: str, value: Any) -> bool:
        """A filter that keeps what is a module or may contain one."""
        return isinstance(value, (dict, list))

    @staticmethod
    def valid_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """A filter that keeps what is a parameter or may contain one."""
        return isinstance(value, (mx.array, dict, list)) and not key.startswith("_")

    @staticmethod
    def trainable_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """A filter that keeps what is a trainable parameter or may contain one."""
        return Module.valid_parameter_filter(module, key, value) and key not in module._no_grad

    def filter_and_map(
        self,
        filter_fn: Callable[[Module, str, Any], bool],
        map_fn: Callable | None = None,
        is_leaf_fn: Callable[[Module, str, Any], bool] | None = None,
    ) -> dict:
        """The part of the module's contents that ``filter_fn(module, key, value)`` keeps.

        ``module`` is the module that holds the value, directly or in nested lists and dictionaries,
        and ``key`` the path inside it. Values that are left out of a nested list or dictionary are
        replaced by empty dictionaries, so that the others keep their places.

        Args:
            filter_fn: Tells what to keep.
            map_fn: Turns each leaf that is kept into what is returned for it.
            is_leaf_fn: Tells which values are leaves. By default all that are neither modules nor
                lists nor dictionaries.

        Raises:
            RecursionError: a module, list or dictionary contains itself.
        """
        map_fn = map_fn or (lambda value: value)
        holders: list[Module] = []
        is_leaf_fn = is_leaf_fn or (lambda module, key, value: not _is_container(value))

        def contents(module: Module) -> dict:
            if any(module is holder for holder in holders):
                raise RecursionError(
                    f"A {type(module).__name__} contains itself: there is no tree of its contents."
                )
            holders.append(module)
            tree = {
                key: member(module, key, value)
                for key, value in module.items()
                if filter_fn(module, key, value)
            }
            holders.pop()
            return tree

        def nested(module: Module, key: str, value: Any) -> Any:
            return member(module, key, value) if filter_fn(module, key, value) else {}

        def member(module: Module, key: str, value: Any) -> Any:
            if is_leaf_fn(module, key, value):
                return map_fn(value)
            if isinstance(value, Module):
                return contents(value)
            if isinstance(value, dict):
                return {k: nested(module, f"{key}.{k}", v) for k, v in value.items()}
            if isinstance(value, list):
                return [nested(module, f"{key}.{i}", v) for i, v in enumerate(value)]
            raise RuntimeError("Unexpected leaf found while traversing the module")

        return contents(self)

    def parameters(self) -> dict:
        """All arrays of this module and its children, as a tree of dictionaries and lists."""
        return self.filter_and_map(self.valid_parameter_filter)

    def trainable_parameters(self) -> dict:
        """The parameters that are not frozen."""
        return self.filter_and_map(self.trainable_parameter_filter)

    def children(self) -> dict:
        """The modules that this one holds, without those inside them."""
        return self.filter_and_map(
            self.valid_child_filter, is_leaf_fn=lambda module, key, value: self.is_module(value)
        )

    def leaf_modules(self) -> dict:
        """The modules inside this one that hold no further modules."""

        def is_leaf_module(module: Module, key: str, value: Any) -> bool:
            return self.is_module(value) and not tree_flatten(
                value.children(), is_leaf=self.is_module
            )

        return self.filter_and_map(self.valid_child_filter, is_leaf_fn=is_leaf_module)

    def _walk(self) -> Iterator[tuple[str, Module]]:
        """This module and all inside it with their paths, every one before its own children.

        A module may be changed while it is visited: its children are looked up afterwards. One that
        occurs at several places is visited at each, but not inside itself.
        """
        ahead = [("", self, None)]
        seen = {id(self)}
        while ahead:
            path, module, holder = ahead.pop()
            yield path, module
            here = (module, holder)
            children = tree_flatten(
                module.children(), prefix=f".{path}" if path else "", is_leaf=self.is_module
            )
            for child_path, child in children:
                if id(child) not in seen or not _is_among(child, here):
                    ahead.append((child_path, child, here))
                seen.add(id(child))

    def modules(self) -> list[Module]:
        """This module and all modules inside it."""
        return [module for _, module in self._walk()]

    def named_modules(self) -> list[tuple[str, Module]]:
        """Like :meth:`modules`, each with its path; the path of this module is ``""``."""
        return list(self._walk())

    def apply_to_modules(self, apply_fn: Callable[[str, Module], Any]) -> Module:
        """Call ``apply_fn(path, module)`` for this module and all inside it; returns the module."""
        for path, module in self._walk():
            apply_fn(path, module)
        return self

    # Changing what is inside

    def update(self, parameters: dict, strict: bool = True) -> Module:
        """Put new arrays into the places that the tree ``parameters`` names; returns the module.

        The tree may be partial. With ``strict`` it must not name anything that the module does not
        have, and only arrays can take the place of arrays.
        """

        def is_slot(old: Any, new: Any) -> bool:
            return isinstance(old, mx.array)

        def accepts(old: Any, new: Any) -> bool:
            return not strict or isinstance(new, mx.array)

        _replace(self, parameters, strict, "parameter", is_slot, accepts)
        return self

    def apply(
        self,
        map_fn: Callable[[mx.array], mx.array],
        filter_fn: Callable[[Module, str, Any], bool] | None = None,
    ) -> Module:
        """Replace every parameter by ``map_fn`` of it; returns the module.

        ``filter_fn`` selects what to replace, as in :meth:`filter_and_map`; by default it is
        :meth:`valid_parameter_filter`.
        """
        return self.update(self.filter_and_map(filter_fn or self.valid_parameter_filter, map_fn))

    def update_modules(self, modules: dict, strict: bool = True) -> Module:
        """Put other modules into the places that the tree ``modules`` names; returns the module.

        The tree may be partial. With ``strict`` it must not name anything that the module does not
        have, and only modules can take the place of modules.
        """

        def is_slot(old: Any, new: Any) -> bool:
            return (self.is_module(old) and self.is_module(new)) or not isinstance(
                old, (dict, list)
            )

        def accepts(old: Any, new: Any) -> bool:
            return self.is_module(old) and self.is_module(new)

        _replace(self, modules, strict, "sub-module", is_slot, accepts, skip_empty=True)
        return self

    def set_dtype(
        self,
        dtype: mx.Dtype,
        predicate: Callable[[mx.Dtype], bool] | None = lambda x: mx.issubdtype(x, mx.floating),
    ) -> None:
        """Cast the parameters whose dtype satisfies ``predicate`` to ``dtype``.

        By default that is every floating point parameter; None casts all.
        """
        if predicate is None:
            self.apply(lambda x: x.astype(dtype))
        else:
            self.apply(lambda x: x.astype(dtype) if predicate(x.dtype) else x)

    # Files

    def load_weights(
        self, file_or_weights: str | list[tuple[str, mx.array]], strict: bool = True
    ) -> Module:
        """Set parameters from a file or from (path, array) pairs; returns the module.

        Args:
            file_or_weights: The path of a ``.npz`` or ``.safetensors`` file, or a list of pairs.
            strict: Whether to insist that the names and shapes are those of the module's
                parameters. Otherwise whatever fits is taken, shapes unchecked.
        """
        weights = file_or_weights
        if isinstance(weights, (str, os.PathLike)):
            weights = mx.load(os.fspath(weights))
        weights = dict(weights)
        if strict:
            _check_weights(weights, tree_flatten(self.parameters(), destination={}))
        if weights:
            self.update(tree_unflatten(weights), strict=False)
        return self

    def save_weights(self, file: str) -> None:
        """Save the parameters to a file, ``.npz`` or ``.safetensors`` as its name says."""
        file = os.fspath(file)
        weights = tree_flatten(self.parameters(), destination={})
        if file.endswith(".npz"):
            mx.savez(file, **weights)
        elif file.endswith(".safetensors"):
            mx.save_safetensors(file, weights)
        else:
            raise ValueError(
                f"Unsupported file extension for {file}. Use '.npz' or '.safetensors'."
            )

    # Training

    def _require_members(self, keys: list[str], recurse: bool) -> None:
        modules = self.modules() if recurse else [self]
        for key in keys:
            if not any(key in module for module in modules):
                raise KeyError(f"Module doesn't contain member {key}.")

    def freeze(
        self,
        *,
        recurse: bool = True,
        keys: str | list[str] | None = None,
        strict: bool = False,
    ) -> Module:
        """Make parameters not trainable; returns the module.

        Args:
            recurse: Whether to do the same in all modules inside.
            keys: The names of the parameters to freeze; by default all.
            strict: Whether it is an error if a name of ``keys`` does not occur.
        """
        return self._set_frozen(True, recurse, keys, strict)

    def unfreeze(
        self,
        *,
        recurse: bool = True,
        keys: str | list[str] | None = None,
        strict: bool = False,
    ) -> Module:
        """Undo :meth:`freeze`, wholly or for some parameters; returns the module."""
        return self._set_frozen(False, recurse, keys, strict)

    def _set_frozen(
        self, frozen: bool, recurse: bool, keys: str | list[str] | None, strict: bool
    ) -> Module:
        if keys is not None:
            keys = list(keys) if isinstance(keys, (list, tuple, set)) else [keys]
            if strict:
                self._require_members(keys, recurse)
        for module in self.modules() if recurse else [self]:
            module._set_frozen_here(frozen, keys)
        return self

    def _set_frozen_here(self, frozen: bool, keys: list[str] | None) -> None:
        """(Un)freeze the named parameters, or all if None, of this module alone."""
        if frozen:
            self._no_grad.update(self._own_parameter_names() if keys is None else keys)
        elif keys is None:
            self._no_grad.clear()
        else:
            self._no_grad.difference_update(keys)

    def _own_parameter_names(self) -> list[str]:
        own = self.filter_and_map(
            lambda module, key, value: (
                not self.is_module(value) and self.valid_parameter_filter(module, key, value)
            )
        )
        return [name for name, _ in tree_flatten(own)]

    def _set_training_mode(self, mode: bool) -> None:
        self._training = mode

    def train(self, mode: bool = True) -> Module:
        """Put the module and all inside it into training mode, or out of it; returns the module.

        The mode matters to layers such as :class:`Dropout` and :class:`BatchNorm`.
        """
        return self.apply_to_modules(lambda _, module: module._set_training_mode(mode))

    def eval(self) -> Module:
        """Leave training mode, see :meth:`train`; returns the module."""
        return self.train(False)


def _is_among(module: Module, holders: tuple | None) -> bool:
    """Whether a module is one of a chain of (module, those that hold it)."""
    while holders is not None:
        if holders[0] is module:
            return True
        holders = holders[1]
    return False


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _replace(
    target: Any,
    updates: Any,
    strict: bool,
    noun: str,
    is_slot: Callable[[Any, Any], bool],
    accepts: Callable[[Any, Any], bool],
    skip_empty: bool = False,
) -> None:
    """Write the leaves of the tree ``updates`` into the same places of ``target``.

    Args:
        noun: What the leaves are called in errors.
        is_slot: Whether ``old`` is to be replaced by ``new``; otherwise the descent goes on.
        accepts: Whether ``new`` may take the place of ``old``.
        skip_empty: Whether an empty dictionary says "nothing here" even in a slot.
    """
    if isinstance(updates, dict):
        entries = [(key, new, key in target) for key, new in updates.items()]
    elif isinstance(updates, list):
        entries = [(i, new, i < len(target)) for i, new in enumerate(updates)]
    elif strict:
        raise ValueError(f"Received invalid type: {type(updates).__name__}.")
    else:
        return

    for key, new, exists in entries:
        if not exists:
            if not strict:
                continue
            if isinstance(updates, list):
                raise ValueError(
                    f"List index {key} is out of bounds for destination of length {len(target)}."
                )
            raise ValueError(f'Module does not have {noun} named "{key}".')
        old = target[key]
        if skip_empty and isinstance(new, dict) and not new and not Module.is_module(new):
            continue
        if not is_slot(old, new):
            _replace(old, new, strict, noun, is_slot, accepts, skip_empty)
        elif accepts(old, new):
            target[key] = new
        elif strict:
            raise ValueError(f"Received invalid type: {type(new).__name__}.")


def _check_weights(weights: dict[str, Any], parameters: dict[str, mx.array]) -> None:
    """Raise ValueError unless the weights have the names and shapes of the parameters."""
    if extra := weights.keys() - parameters.keys():
        names = ",\n".join(sorted(extra))
        raise ValueError(f"Received {len(extra)} parameters not in model: \n{names}.")
    if missing := parameters.keys() - weights.keys():
        names = ",\n".join(sorted(missing))
        raise ValueError(f"Missing {len(missing)} parameters: \n{names}.")
    for name, parameter in parameters.items():
        weight = weights[name]
        if not isinstance(weight, mx.array):
            raise ValueError(f"Expected mx.array but received {type(weight)} for parameter {name}")
        if weight.shape != parameter.shape:
            raise ValueError(
                f"Expected shape {parameter.shape} but received shape {weight.shape} "
                f"for parameter {name}"
            )
