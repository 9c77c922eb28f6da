# Type stubs of what nanobind's generator cannot see into: operators are slots of the C API, the two exceptions belong to
# the package.

# The names that signatures use. They may follow the signature, so whoever runs a stub
# must not evaluate them.
heddle\.core\.__prefix__$:
    \from __future__ import annotations
    \from collections.abc import Callable, Sequence
    \from contextlib import AbstractContextManager
    \from typing import NoReturn, Optional, ParamSpec, Tuple, TypeAlias, TypeVar, Union
    P = ParamSpec("P")
    R = TypeVar("R")
    StreamOrDevice: TypeAlias = "Stream | ThreadLocalStream | Device | DeviceType | None"

heddle\.core\.(cuda|distributed|fast|fft|linalg|metal|random)\.__prefix__$:
    \from __future__ import annotations
    \from collections.abc import Sequence
    \from typing import Optional, Union
    \from heddle.core import Device, DeviceType, Dtype, Stream, StreamOrDevice, ThreadLocalStream, array, float32, int32

heddle\.core\.printoptions$:
    def printoptions(precision: int = -1) -> AbstractContextManager[object]:
        \doc

heddle\.core\.random\.state$:
    state: Sequence[array] = ...

heddle\.core\.Dtype\.__reduce__$:
    def __reduce__(self) -> NoReturn: ...

heddle\.core\.array\.(__[ir]?(?:add|sub|mul|truediv|floordiv|mod|and|or|xor|lshift|rshift)__)$:
    def \1(self, other: array | bool | int | float | complex, /) -> array: ...

heddle\.core\.array\.(__[ir]?pow__)$:
    def \1(self, other: array | bool | int | float | complex, mod: None = None, /) -> array: ...

heddle\.core\.array\.(__[ir]?matmul__)$:
    def \1(self, other: array, /) -> array: ...

heddle\.core\.array\.(__(?:lt|le|gt|ge)__)$:
    def \1(self, other: array | bool | int | float | complex, /) -> array: ...

heddle\.core\.array\.(__(?:eq|ne)__)$:
    def \1(self, other: object, /) -> array | bool: ...  # type: ignore[override]

heddle\.core\.array\.(__(?:neg|pos|abs|invert)__)$:
    def \1(self, /) -> array: ...

heddle\.core\.array\.__(bool|float)__$:
    def __\1__(self, /) -> \1: ...

heddle\.core\.array\.__(index|len|hash)__$:
    def __\1__(self, /) -> int: ...

heddle\.core\.array\.__iter__$:
    def __iter__(self, /) -> ArrayIterator: ...

heddle\.core\.array\.__getitem__$:
    def __getitem__(self, index: object, /) -> array: ...

heddle\.core\.array\.__setitem__$:
    def __setitem__(self, index: object, value: array | bool | int | float | complex, /) -> None: ...

heddle\.core\.array\.__delitem__$:

heddle\.core\.(AxisError)$:
    class \1(ValueError, IndexError):
        \doc

heddle\.core\.(OutOfMemoryError)$:
    class \1(MemoryError, RuntimeError):
        \doc

heddle\.core\.(UnsafeFileError)$:
    class \1(ValueError, RuntimeError):
        \doc

heddle\.core\.(FileError)$:
    class \1(OSError, RuntimeError, ValueError):
        \doc

heddle\.core\.(MissingFileError)$:
    class \1(FileError, FileNotFoundError):
        \doc
