"""What layers say of inputs that do not fit them.

A layer tries first and looks for the reason when that fails, so that inputs that fit cost nothing.
"""

from __future__ import annotations

import re
from typing import Any

_AXES = {
    3: "(batch, length, channels)",
    4: "(batch, height, width, channels)",
    5: "(batch, depth, height, width, channels)",
}


def explain(layer: Any, x: Any, wanted: int, ndim: int | None = None) -> None:
    """Raise a ValueError that names the layer, if its input does not have the wanted shape.

    Args:
        layer: The layer.
        x: Its input.
        wanted: The size that the last axis should have.
        ndim: The number of axes that x should have; by default any but none.
    """
    fits = x.ndim > 0 if ndim is None else x.ndim == ndim
    if fits and x.shape[-1] == wanted:
        return
    axes = "" if ndim is None else f" {_AXES[ndim]},"
    raise ValueError(
        f"[{type(layer).__name__}] The layer takes {wanted} features in the last axis of its "
        f"input,{axes} which has the shape {tuple(x.shape)}."
    )


def explain_indices(layer: Any, x: Any) -> None:
    """Raise a ValueError that names the layer, if its input does not consist of integers."""
    kind = str(getattr(x, "dtype", type(x).__name__)).rpartition(".")[2]
    if "float" in kind or "complex" in kind:
        raise ValueError(
            f"[{type(layer).__name__}] The layer takes integers, the numbers of rows, but its "
            f"input is {kind}."
        )


def renamed(layer: Any, error: ValueError) -> ValueError:
    """What a function says of its arguments, as said by the layer that it computes."""
    return ValueError(re.sub(r"^\[\w+\]", f"[{type(layer).__name__}]", str(error)))
