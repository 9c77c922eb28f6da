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
    from .program import ConversionError as ConversionError
    from .program import Issue as Issue
    from .program import Program as Program
    from .program import Report as Report
    from .program import Verification as Verification
    from .program import check as check
    from .program import convert as convert

_FROM_CORE = (
    "AxisError",
    "FileError",
    "MissingFileError",
    "OutOfMemoryError",
    "UnsafeFileError",
    "__version__",
)
_FROM_PROGRAM = (
    "ConversionError",
    "Issue",
    "Program",
    "Report",
    "Verification",
    "check",
    "convert",
)


def __getattr__(name: str):
    # The engine is loaded when it is first asked for: the command line does without.
    if name in _FROM_CORE:
        from . import core

        return getattr(core, name)
    if name in _FROM_PROGRAM:
        from . import program

        return getattr(program, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM_CORE, *_FROM_PROGRAM})
