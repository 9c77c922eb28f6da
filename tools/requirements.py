"""Prints the packages that pyproject.toml asks for, so that they are written down once.

usage: requirements.py build           what a build without isolation needs (with cmake and ninja)
       requirements.py EXTRA...        what an optional extra needs, extras of our own resolved
       requirements.py --bare EXTRA... of that, what is installed without its dependencies
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())


def extra(name: str) -> list[str]:
    found = []
    for requirement in project["project"]["optional-dependencies"][name]:
        own = re.fullmatch(r"heddle\[(.*)\]", requirement)
        found += [p for n in own[1].split(",") for p in extra(n.strip())] if own else [requirement]
    return found


def requirements(name: str) -> list[str]:
    if name == "build":
        return [*project["build-system"]["requires"], "cmake>=3.24", "ninja"]
    return extra(name)


bare = "--bare" in sys.argv
without_dependencies = project["tool"]["heddle"]["without-dependencies"]
for name in sys.argv[1:]:
    if name != "--bare":
        for requirement in requirements(name):
            if (requirement in without_dependencies) == bare:
                print(requirement)
