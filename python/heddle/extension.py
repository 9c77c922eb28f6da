"""Operations of a program's own: Python code that runs in the graph.

>>> class Clip(Primitive):
...     def eval_cpu(self, inputs, outputs):
...         numpy.clip(inputs[0], 0, 1, out=numpy.asarray(outputs[0]))
>>> y = Clip().make_array(x.shape, x.dtype, [x])

C++ programs derive from ``heddle::Primitive`` (or ``mlx::core::Primitive``) in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import core as mx

__all__ = ["Primitive"]

_NO_EXTENSION_MODULES = {
    "BuildExtension": "Metal",
    "CMakeBuild": "a shared libmlx",
    "CMakeExtension": "a shared libmlx",
    "MetalExtension": "Metal",
}


class Primitive:
    """An operation with Python code of its own, as one node of the lazy graph.

    Derive from it, define ``eval_cpu``, and make arrays with :meth:`make_array` or
    :meth:`make_arrays`. They are computed when something needs them, and transformations ask the
    rules below; a rule that stays ``None`` is refused by name where a transformation needs it.
    Objects must not change once an array is made with them.

    ``vjp(primals, cotangents, argnums, outputs)``
        gives a list with the cotangent of each input in ``argnums``, of that input's shape, or
        ``None`` for zero.
    ``jvp(primals, tangents, argnums)``
        gives a list with the tangent of each output, from those of the inputs in ``argnums``; the
        other inputs are constant. Without it, it is derived from ``vjp``.
    ``vmap(inputs, axes)``
        gives the outputs for all examples at once, and the axis of each along which they lie.
        ``axes[i]`` is that of input i, or ``None`` if it is the same for all.
    ``output_shapes(inputs)``
        gives the shapes of the outputs for inputs of other sizes: a shapeless compiled function
        asks, and is traced for each size without it.

    ``eval_cpu`` runs on whichever thread evaluates, beside what other threads compute: it must not
    wait for a thread that needs its outputs. It may evaluate arrays, but none that depends on its
    outputs. What it raises comes out of ``mx.eval``, or of ``mx.synchronize`` after
    ``mx.async_eval``. ``mx.export_function`` refuses primitives.
    """

    vjp: Callable[..., Sequence[mx.array | None]] | None = None
    jvp: Callable[..., Sequence[mx.array | None]] | None = None
    vmap: Callable[..., tuple[Sequence[mx.array], Sequence[int | None]]] | None = None
    output_shapes: Callable[..., Sequence[Sequence[int]]] | None = None

    @property
    def name(self) -> str:
        """What messages and pictures of graphs call it: the name of the class."""
        return type(self).__name__

    def eval_cpu(self, inputs: list[mx.array], outputs: list[mx.array]) -> None:
        """Compute the outputs.

        Args:
            inputs: evaluated arrays. ``numpy.asarray`` shows their memory, which must not be
                written.
            outputs: arrays of the shapes and dtypes that were asked for, not initialised. Fill
                the memory that ``numpy.asarray(outputs[k])`` shows, or put another array of the
                same shape and dtype into the list.
        """
        raise NotImplementedError(f"[{self.name}] eval_cpu is not defined.")

    def is_equivalent(self, other: Primitive) -> bool:
        """Whether ``other``, of the same class, computes the same of the same inputs.

        Compiled functions compute equal operations once. The answer is no unless a class says
        otherwise.
        """
        return False

    def make_array(
        self,
        shape: Sequence[int],
        dtype: mx.Dtype,
        inputs: Sequence[mx.array],
        *,
        stream: mx.Stream | mx.Device | mx.DeviceType | None = None,
    ) -> mx.array:
        """The output, of this shape and dtype, for the inputs: lazy.

        Raises:
            ValueError: for a shape that none can have.
        """
        return self.make_arrays([shape], [dtype], inputs, stream=stream)[0]

    def make_arrays(
        self,
        shapes: Sequence[Sequence[int]],
        dtypes: Sequence[mx.Dtype],
        inputs: Sequence[mx.array],
        *,
        stream: mx.Stream | mx.Device | mx.DeviceType | None = None,
    ) -> list[mx.array]:
        """All outputs, each of its shape and dtype, for the inputs: lazy.

        Raises:
            ValueError: for another number of shapes than of dtypes.
        """
        return mx._make_arrays(self, list(shapes), list(dtypes), list(inputs), stream)


def __getattr__(name: str):
    if name in _NO_EXTENSION_MODULES:
        raise AttributeError(
            f"heddle.extension has no {name}: it builds extension modules with "
            f"{_NO_EXTENSION_MODULES[name]}, which heddle does not have. Derive from "
            "heddle.extension.Primitive, which may call C++ through ctypes or numpy."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
