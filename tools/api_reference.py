"""Writes the API reference of the installed heddle with pdoc, into the folder that is named.

    python tools/api_reference.py build/docs/api

To pdoc the functions of an extension are values without documentation, and its submodules are not
there. So heddle.core is documented from its type stubs, which are Python.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import heddle.core
import pdoc

STUBS = Path(heddle.__file__).parent / "core"


def run_stub(name: str, stub: Path) -> None:
    """Puts what a stub describes in the place of the module of this name."""
    spec = spec_from_file_location(name, stub, loader=SourceFileLoader(name, str(stub)))
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def main(folder: Path) -> None:
    warnings.simplefilter("error", UserWarning)
    for name in pdoc.extract.walk_specs(["heddle"]):
        importlib.import_module(name)  # while heddle.core still computes
    run_stub("heddle.core", STUBS / "__init__.pyi")
    submodules = [f"heddle.core.{stub.stem}" for stub in sorted(STUBS.glob("[a-z]*.pyi"))]
    for name in submodules:
        run_stub(name, STUBS / f"{name.rpartition('.')[2]}.pyi")
    pdoc.render.configure(docformat="google")
    pdoc.pdoc("heddle", *submodules, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
