"""Says what brings a library that the engine lacks when it is loaded."""

from __future__ import annotations

import sys
from importlib.machinery import ExtensionFileLoader, PathFinder

NAME = __name__.rpartition(".")[0] + ".core"
OWN = "it is a part of heddle that is missing here: pip install --force-reinstall heddle"
SYSTEM = "a package of the system brings it: {} (Debian, Ubuntu), {} (Fedora)"
BROUGHT_BY = {
    "libdnnl.so": OWN,
    "libgomp.so": SYSTEM.format("apt-get install libgomp1", "dnf install libgomp"),
    "libz.so": SYSTEM.format("apt-get install zlib1g", "dnf install zlib"),
    "libstdc++.so": SYSTEM.format("apt-get install libstdc++6", "dnf install libstdc++"),
    "libfmt.so": SYSTEM.format("apt-get install libfmt9", "dnf install fmt"),
    "libhwy": SYSTEM.format("apt-get install libhwy1", "dnf install highway"),
    "nanobind_backend": "a package of Python brings it: pip install nanobind-backend",
}


def explained(error: ImportError) -> str | None:
    text = str(error)
    return next((f"{text} ({how})" for what, how in BROUGHT_BY.items() if what in text), None)


class _Loader(ExtensionFileLoader):
    def create_module(self, spec):
        try:
            return super().create_module(spec)
        except ImportError as error:
            text = explained(error)
            if text is None:
                raise
            raise ImportError(text, name=error.name, path=error.path) from error


# No MetaPathFinder as its base: importlib.abc alone would double the time of `import heddle`.
class _Finder:
    def find_spec(self, fullname, path=None, target=None):
        if fullname != NAME:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    sys.meta_path.insert(0, _Finder())
