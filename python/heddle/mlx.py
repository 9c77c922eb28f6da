"""Lets programs that are written for MLX run on heddle as they are.

>>> import heddle.mlx
>>> heddle.mlx.install()
>>> import mlx.core as mx  # heddle.core
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_OURS = __name__.rpartition(".")[0]
"""The package that stands in for ``mlx``."""


def _counterpart(name: str) -> str:
    """Our name of a module of MLX: ``mlx.nn.layers`` is ``heddle.nn.layers``."""
    return _OURS + name.removeprefix("mlx")


class _AliasLoader(Loader):
    """Loads a module of MLX by importing our module and giving it MLX's name as well."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        ours = importlib.import_module(_counterpart(name))
        # The import system takes from here what it returns and binds to the parent package.
        sys.modules[name] = ours
        if not hasattr(ours, "__path__"):
            # Modules inside an extension are not searched for; they have to be there.
            for key, value in vars(ours).items():
                if isinstance(value, ModuleType):
                    sys.modules[f"{name}.{key}"] = value


class _AliasFinder(MetaPathFinder):
    """Finds all modules of MLX, before any other finder looks into folders."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "mlx" and not fullname.startswith("mlx."):
            return None
        ours = _counterpart(fullname)
        if importlib.util.find_spec(ours) is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: heddle stands in for mlx and has no {ours!r}",
                name=fullname,
            )
        return ModuleSpec(fullname, _AliasLoader(), is_package=True)


def install() -> None:
    """Make ``import mlx...`` give heddle's modules in this process from now on.

    This goes for every module of MLX, whether or not MLX itself is installed or a folder called
    ``mlx`` is near. What was imported from MLX before is forgotten, but stays what it is where it
    is in use.
    """
    if any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        return
    for name in [key for key in sys.modules if key == "mlx" or key.startswith("mlx.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _AliasFinder())
