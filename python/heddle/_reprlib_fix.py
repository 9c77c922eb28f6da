"""Teaches ``reprlib``, which debuggers show values with, about arrays.

It chooses a method by the name of a value's type, so it would take our arrays for those of the
standard module ``array`` and fail.
"""

import reprlib

_repr_standard_array = reprlib.Repr.repr_array


def _repr_array(self: reprlib.Repr, x: object, level: int) -> str:
    if type(x).__module__ == "array":
        return _repr_standard_array(self, x, level)
    return self.repr_instance(x, level)


reprlib.Repr.repr_array = _repr_array
