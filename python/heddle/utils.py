"""Trees: nested lists, tuples, named tuples and dictionaries with any values at the leaves.

Models, gradients and optimizer states are such trees. A path names a leaf by the keys that lead to
it, joined by dots: ``"layers.0.weight"``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "tree_flatten",
    "tree_map",
    "tree_map_with_path",
    "tree_merge",
    "tree_reduce",
    "tree_unflatten",
]

_LARGEST_GAP = 4096
"""How many missing list items ``tree_unflatten`` fills in before it calls a key nonsense."""


def _items(tree: Any, is_leaf: Callable | None = None) -> list[tuple[Any, Any]] | None:
    """The (key, child) pairs of a container; None for a leaf."""
    if is_leaf is not None and is_leaf(tree):
        return None
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, (list, tuple)):
        return list(enumerate(tree))
    return None


def _rebuild(tree: Any, children: list) -> Any:
    """A container of the kind of ``tree`` around other children."""
    if isinstance(tree, dict):
        return dict(zip(tree, children, strict=True))
    kind = type(tree)
    if isinstance(tree, list):
        return kind(children)
    try:
        # Not through the constructor of the class, which may take other arguments (named tuples).
        return tuple.__new__(kind, children)
    except TypeError:  # a class written in C
        return kind(children)


def tree_map(fn: Callable, tree: Any, *rest: Any, is_leaf: Callable | None = None) -> Any:
    """Apply ``fn`` to every leaf of ``tree`` and return a tree of the results.

    The leaves found at the same places of the trees in ``rest``, which may hold more than ``tree``
    does, are passed to ``fn`` as further arguments. ``is_leaf(node)`` may stop the descent early.
    Named tuples stay named tuples; every kind of dictionary becomes a plain one.

    >>> tree_map(lambda x, y: x + y, {"a": [1, 2]}, {"a": [10, 20]})
    {'a': [11, 22]}
    """
    items = _items(tree, is_leaf)
    if items is None:
        return fn(tree, *rest)
    return _rebuild(
        tree,
        [
            tree_map(fn, child, *[other[key] for other in rest], is_leaf=is_leaf)
            for key, child in items
        ],
    )


def tree_map_with_path(
    fn: Callable,
    tree: Any,
    *rest: Any,
    is_leaf: Callable | None = None,
    path: Any | None = None,
) -> Any:
    """Like :func:`tree_map`, but ``fn`` is given the path of the leaf first.

    ``path``, when given, is put in front of every path. The path of a tree that is a leaf itself is
    ``path``.
    """
    items = _items(tree, is_leaf)
    if items is None:
        return fn(path, tree, *rest)
    start = f"{path}." if path else ""
    return _rebuild(
        tree,
        [
            tree_map_with_path(
                fn,
                child,
                *[other[key] for other in rest],
                is_leaf=is_leaf,
                path=f"{start}{key}",
            )
            for key, child in items
        ],
    )


def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Callable | None = None,
    destination: list[tuple[str, Any]] | dict[str, Any] | None = None,
) -> list[tuple[str, Any]] | dict[str, Any]:
    """List the leaves of ``tree`` as (path, value) pairs; empty containers leave no trace.

    ``prefix`` goes in front of every path, its first character (a dot, usually) being dropped.
    ``destination`` is a list to append to or a dictionary to fill; it is also what is returned.

    >>> tree_flatten({"a": [1, {"b": 2}]})
    [('a.0', 1), ('a.1.b', 2)]
    >>> tree_flatten([[0]], prefix=".hello", destination={})
    {'hello.0.0': 0}
    """
    if destination is None:
        destination = []
    if isinstance(destination, list):
        add = destination.append
    elif isinstance(destination, dict):

        def add(pair):
            destination[pair[0]] = pair[1]
    else:
        raise ValueError("Destination should be either a list or a dictionary or None")

    def visit(node: Any, path: str) -> None:
        items = _items(node, is_leaf)
        if items is None:
            add((path[1:], node))
        else:
            for key, child in items:
                visit(child, f"{path}.{key}")

    visit(tree, prefix)
    return destination


def tree_unflatten(tree: list[tuple[str, Any]] | dict[str, Any]) -> Any:
    """Rebuild a tree from what :func:`tree_flatten` makes of it.

    Where all keys are indices as Python writes them (``2``, not ``02``) a list is built, with an
    empty dictionary in the place of every item that is missing; otherwise a dictionary.

    >>> tree_unflatten([("a.0", 1), ("a.1.b", 2)])
    {'a': [1, {'b': 2}]}
    """
    pairs = tree.items() if isinstance(tree, dict) else tree
    return _unflatten([(path.split("."), value) for path, value in pairs])


def _unflatten(entries: list[tuple[list[str], Any]]) -> Any:
    """A tree from leaves and the keys that are left on the way to each."""
    if not entries:
        return []
    if len(entries) == 1 and entries[0][0] in ([], [""]):
        return entries[0][1]
    groups: dict[str, list[tuple[list[str], Any]]] = {}
    for keys, value in entries:
        # A path that ends where others go on is kept under the empty key.
        groups.setdefault(keys[0] if keys else "", []).append((keys[1:], value))
    for key, group in groups.items():
        if sum(not keys for keys, _ in group) > 1:
            raise ValueError(f"[tree_unflatten] The key '{key}' is given more than once.")
    children = {key: _unflatten(group) for key, group in groups.items()}
    return _as_list(children) if all(map(_is_index, children)) else children


def _is_index(key: str) -> bool:
    """Whether a key is a number as tree_flatten writes it: no two keys stand for one index."""
    return key.isascii() and key.isdecimal() and (key == "0" or key[0] != "0")


def _as_list(children: dict[str, Any]) -> list:
    """The list whose items are given by their index."""
    indexed = {int(key): child for key, child in children.items()}
    length = max(indexed) + 1
    if length > len(indexed) + _LARGEST_GAP:
        raise ValueError(
            f"[tree_unflatten] The list index {length - 1} is out of proportion to the "
            f"{len(indexed)} items that are given."
        )
    return [indexed.get(index, {}) for index in range(length)]


def tree_reduce(
    fn: Callable, tree: Any, initializer: Any = None, is_leaf: Callable | None = None
) -> Any:
    """Combine all leaves of ``tree`` into one value by ``fn(value so far, leaf)``.

    Without an ``initializer`` the first leaf that is not None starts the chain.

    >>> tree_reduce(lambda total, x: total + x, {"a": [1, 2], "b": 3}, 0)
    6
    """
    value = initializer
    for _, leaf in tree_flatten(tree, is_leaf=is_leaf):
        value = leaf if value is None else fn(value, leaf)
    return value


def _is_empty(tree: Any) -> bool:
    return tree is None or (isinstance(tree, (dict, list, tuple)) and not tree)


def _alike(tree_a: Any, tree_b: Any) -> bool:
    """Whether two containers are of one kind."""
    return any(isinstance(tree_a, k) and isinstance(tree_b, k) for k in (dict, list, tuple))


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable | None = None) -> Any:
    """Merge two trees into one that holds what either of them holds.

    None and empty containers count as absent. Where both trees have a value at the same place,
    ``merge_fn(a, b)`` decides; without it this is a ValueError, as two empty containers of unlike
    kinds are.

    >>> tree_merge({"a": {"x": 1}}, {"a": {"y": 2}, "b": 3})
    {'a': {'x': 1, 'y': 2}, 'b': 3}
    """
    if _is_empty(tree_a):
        if tree_b is None:
            return tree_a
        if tree_a is not None and _is_empty(tree_b) and not _alike(tree_a, tree_b):
            raise ValueError(f"Cannot merge {type(tree_a).__name__} with {type(tree_b).__name__}")
        return tree_b
    if _is_empty(tree_b):
        return tree_a
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        keys = dict.fromkeys([*tree_a, *tree_b])
        return {key: tree_merge(tree_a.get(key), tree_b.get(key), merge_fn) for key in keys}
    if isinstance(tree_a, (list, tuple)) and isinstance(tree_b, (list, tuple)):
        shared = min(len(tree_a), len(tree_b))
        merged = [tree_merge(a, b, merge_fn) for a, b in zip(tree_a, tree_b, strict=False)]
        return _rebuild(tree_a, [*merged, *tree_a[shared:], *tree_b[shared:]])
    if merge_fn is None:
        raise ValueError(
            "Trees contain elements at the same locations but no merge function was provided"
        )
    return merge_fn(tree_a, tree_b)
