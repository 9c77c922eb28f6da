"""heddle: a tensor engine that speaks MLX. Write ``import heddle.core as mx``."""

from . import _core_loader
from . import _reprlib_fix as _reprlib_fix

_core_loader.install()

# What `typing` would say, which takes longer to import than the engine.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .core import AxisError as AxisError
    from .core import FileError as FileError
    from .core import MissingFileError as MissingFileError
    from .core import OutOfMemoryError as OutOfMemoryError
    from .core import UnsafeFileError as UnsafeFileError
    from .core import __version__ as __version__

_FROM_CORE = (
    "AxisError",
    "FileError",
    "MissingFileError",
    "OutOfMemoryError",
    "UnsafeFileError",
    "__version__",
)


def __getattr__(name: str):
    # The engine is loaded when it is first asked for: the command line does without.
    if name in _FROM_CORE:
        from . import core

        return getattr(core, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM_CORE})
