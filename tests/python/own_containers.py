"""Classes that hold arrays as those of a user do: what transformations are called with."""

import dataclasses
from collections import namedtuple


class Sequence(list):
    """A list with attributes and a constructor of its own."""

    def __init__(self, *items, scale=2):
        super().__init__(items)
        self.scale = scale


class Mapping(dict):
    """A dict whose methods do not say what it holds."""

    def __init__(self, items=(), scale=2):
        super().__init__(items)
        self.scale = scale

    def __iter__(self):
        return iter(("nothing",))

    def items(self):
        return []


class Values(tuple):
    """A tuple with attributes."""

    scale = 2


class Two(tuple):
    """A tuple whose constructor takes its items one by one."""

    def __new__(cls, first, second):
        return super().__new__(cls, (first, second))


Pair = namedtuple("Pair", "first second")


class Frozen(dict):
    """A dict that refuses to be written to."""

    def __setitem__(self, key, value):
        raise TypeError("frozen")


@dataclasses.dataclass
class Box:
    value: object
