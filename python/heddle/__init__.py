"""heddle: a tensor engine that speaks MLX. Write ``import heddle.core as mx``."""

from . import _reprlib_fix as _reprlib_fix
from .core import AxisError as AxisError
from .core import UnsafeFileError as UnsafeFileError
