"""Says in one line why a call of a function of ``heddle.core`` fits none of its signatures.

``explain`` gets the page that nanobind writes about such a call, which lists the signatures, and
the arguments. It finds the argument that is wrong and says what was given, what is wanted and,
where the call is spelled as in another library, how it is spelled here.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DTYPES = [
    "bool_",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "bfloat16",
    "complex64",
]

# What other libraries call a parameter, and what it may be called here.
KEYWORDS = {
    "dim": ("axis", "axes"),
    "dims": ("axis", "axes"),
    "axis": ("axes",),
    "axes": ("axis",),
    "keepdim": ("keepdims",),
    "size": ("shape", "slice_size"),
    "unbiased": ("ddof",),
    "device": ("stream",),
    "fill_value": ("vals",),
    "object": ("val",),
    "data": ("val",),
    "min": ("a_min",),
    "max": ("a_max",),
    "end": ("stop",),
    "steps": ("num",),
    "diagonal": ("k",),
    "offset": ("k",),
    "indices": ("indices_or_sections",),
    "split_size_or_sections": ("indices_or_sections",),
    "index": ("indices",),
    "mean": ("loc",),
    "std": ("scale",),
}
LARGEST_INT = 2**31 - 1


@dataclass
class Parameter:
    name: str
    annotation: ast.expr | None
    required: bool
    kind: str  # "positional", "any", "keyword", "rest", "keywords"


@dataclass
class Problem:
    text: str
    depth: int  # how many arguments were fine before it: of several signatures the nearest speaks
    wanted: str = ""
    about: str = ""


def explain(page: str, args: list, kwargs: dict) -> str:
    name, signatures = read(page)
    forms = []
    for text in signatures:
        try:
            forms.append(parameters(text))
        except SyntaxError:
            continue
    if args and forms and all(form and form[0].name == "self" for form in forms):
        if name in ("__init__", "__new__"):
            name = type(args[0]).__name__
        forms, args = [form[1:] for form in forms], args[1:]
    problems = [problem(form, args, kwargs) for form in forms]
    calls = " or ".join(dict.fromkeys(call(name, form) for form in forms)) or signatures[0]
    return f"[{name}] {reason(problems, args, kwargs)} Write {calls}."


def read(page: str) -> tuple[str, list[str]]:
    """The function's name and its signatures."""
    name = page.partition("(")[0]
    signatures = re.findall(r"^    \d+\. (.*)$", page, re.MULTILINE)
    return name, [re.sub(r"\A\w+", name, text) for text in signatures]


def parameters(signature: str) -> list[Parameter]:
    stated = ast.parse(f"def {signature}: ...").body[0].args
    found = []
    plain = stated.posonlyargs + stated.args
    first_default = len(plain) - len(stated.defaults)
    for i, arg in enumerate(plain):
        kind = "positional" if i < len(stated.posonlyargs) else "any"
        found.append(Parameter(arg.arg, arg.annotation, i < first_default, kind))
    if stated.vararg:
        found.append(Parameter(stated.vararg.arg, stated.vararg.annotation, False, "rest"))
    for arg, default in zip(stated.kwonlyargs, stated.kw_defaults, strict=True):
        found.append(Parameter(arg.arg, arg.annotation, default is None, "keyword"))
    if stated.kwarg:
        found.append(Parameter(stated.kwarg.arg, None, False, "keywords"))
    return found


def call(name: str, form: list[Parameter]) -> str:
    """How the function is called: without types, and without the stream that all have."""
    shown, starred = [], False
    for p in form:
        if p.name == "stream":
            continue
        if p.kind == "keyword" and not starred:
            shown.append("*")
            starred = True
        starred = starred or p.kind == "rest"
        star = {"rest": "*", "keywords": "**"}.get(p.kind, "")
        shown.append(f"{star}{p.name}" if p.required or star else f"{p.name}=...")
    return f"{name}({', '.join(shown)})"


def problem(form: list[Parameter], args: list, kwargs: dict) -> Problem | None:
    """Why these arguments do not fit a form; None if that is not seen from outside."""
    places = [p for p in form if p.kind in ("positional", "any")]
    rest = next((p for p in form if p.kind == "rest"), None)
    given: list[tuple[Parameter, Any]] = list(zip(places, args, strict=False))
    if len(args) > len(places):
        if rest is None:
            few = len(places)
            count = "no argument" if few == 0 else f"at most {few} argument{'s' * (few > 1)}"
            return Problem(f"{count} can be given by position, got {len(args)}.", few)
        given += [(rest, value) for value in args[len(places) :]]
    named = {p.name: p for p in form if p.kind in ("any", "keyword")}
    open_ended = any(p.kind == "keywords" for p in form)
    for key, value in kwargs.items():
        if key not in named:
            if not open_ended:
                return Problem(unknown(key, value, form), len(given), about=key)
        elif any(p is named[key] for p, _ in given):
            return Problem(f"argument '{key}' is given twice.", len(given), about=key)
        else:
            given.append((named[key], value))
    for p in form:
        if p.required and not any(q is p for q, _ in given):
            return Problem(f"argument '{p.name}' is missing.", len(given), about=p.name)
    for depth, (p, value) in enumerate(given):
        if p.annotation is not None and not matches(p.annotation, value):
            return Problem(
                f"argument '{p.name}' is {shown(value)}{advice(p, value)}.",
                depth,
                wanted(p.annotation),
                p.name,
            )
    return None


def reason(problems: list[Problem | None], args: list, kwargs: dict) -> str:
    seen = [p for p in problems if p is not None]
    if not seen or len(seen) < len(problems):
        # A form fits as far as its types say: an int may still be too large.
        for value in (*flat(args), *flat(kwargs.values())):
            if isinstance(value, int) and not -LARGEST_INT - 1 <= value <= LARGEST_INT:
                return f"The number {value} is out of the range of this argument."
            if isinstance(value, int) and value < 0 and not seen:
                return f"The number {value} is negative."
        given = ", ".join([shown(v) for v in args] + [f"{k}={shown(v)}" for k, v in kwargs.items()])
        return f"These arguments do not fit: {given}."
    nearest = max(seen, key=lambda p: p.depth)
    text = nearest.text[0].upper() + nearest.text[1:]
    kinds = [p.wanted for p in seen if p.about == nearest.about and p.wanted]
    if kinds:
        text = text[:-1] + f"; wanted: {' or '.join(dict.fromkeys(kinds))}."
    return text


def unknown(key: str, value: Any, form: list[Parameter]) -> str:
    names = [p.name for p in form if p.kind in ("any", "keyword")]
    here = next((name for name in KEYWORDS.get(key, ()) if name in names), None)
    if here is None:
        here = next(iter(difflib.get_close_matches(key, names, 1, 0.7)), None)
    if here == "stream":
        return f"there is no argument '{key}': where to compute is given as 'stream'."
    if here:
        return f"there is no argument '{key}': here it is '{here}'."
    places = [p.name for p in form if p.kind == "positional"]
    if key in places:
        return f"argument '{key}' is given by position only."
    return f"there is no argument '{key}'."


def flat(values: Any):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


# ------------------------------------------------------------------------------------------------
# Values and annotations


def core() -> Any:
    from . import core as module

    return module


def shown(value: Any) -> str:
    """A value as a message names it."""
    if isinstance(value, core().array):
        return f"an array of shape {tuple(value.shape)}"
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:37]}..."
    if isinstance(value, (list, tuple)):
        inside = ", ".join(shown(v) for v in value[:3]) + (", ..." if len(value) > 3 else "")
        text = f"[{inside}]" if isinstance(value, list) else f"({inside})"
        return text if len(text) <= 80 else f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = type(value).__name__
    return f"{'an' if text[:1].lower() in 'aeiou' else 'a'} {text}"


def dtype_like(value: Any) -> str | None:
    """The dtype that another library's name stands for."""
    name = value if isinstance(value, str) else None
    if isinstance(value, type):
        name = {bool: "bool_", int: "int32", float: "float32", complex: "complex64"}.get(
            value, value.__name__
        )
    elif name is None and type(value).__name__.lower().endswith("dtype"):
        name = str(value)
    if name is None:
        return None
    name = name.rpartition(".")[2]
    names = {"bool": "bool_", "half": "float16", "float": "float32", "double": "float64"}
    names |= {"int": "int32", "long": "int64"}
    name = names.get(name, name)
    return name if name in DTYPES else None


def advice(p: Parameter, value: Any) -> str:
    """What to write instead, if that is plain."""
    text = ast.unparse(p.annotation)
    dtype = dtype_like(value)
    if "Dtype" in text and dtype:
        return f" (write mx.{dtype})"
    if "Device" in text and isinstance(value, str) and value.partition(":")[0] in ("cpu", "gpu"):
        return f" (write mx.{value.partition(':')[0]})"
    if text.startswith("list[") and isinstance(value, core().array):
        return " (put the arrays into one list)"
    if re.search(r"\bint\b", text) and isinstance(value, float) and value.is_integer():
        return f" (write {int(value)})"
    if text.endswith("Sequence[int]") and isinstance(value, int):
        return f" (write ({value},))"
    if re.search(r"\barray\b", text) and (
        isinstance(value, (bool, int, float, complex, list, tuple)) or hasattr(value, "__array__")
    ):
        return " (write mx.array(...))"
    return ""


def wanted(annotation: ast.expr) -> str:
    text = ast.unparse(annotation).replace("heddle.core.", "").replace("collections.abc.", "")
    parts = [part for part in text.split(" | ") if part]
    if any(part in ("Stream", "ThreadLocalStream") for part in parts):
        return "a stream, a device or None"
    return " or ".join(parts)


def matches(annotation: ast.expr, value: Any) -> bool:
    """Whether a value is of an annotated type; True where that cannot be told."""
    if isinstance(annotation, ast.BinOp):
        return matches(annotation.left, value) or matches(annotation.right, value)
    if isinstance(annotation, ast.Constant):
        return value is None if annotation.value is None else True
    if isinstance(annotation, ast.Subscript):
        return fills(ast.unparse(annotation.value).rpartition(".")[2], annotation.slice, value)
    name = ast.unparse(annotation).rpartition(".")[2]
    if name == "int":
        # As the bindings have it: an array is no count, even where Python takes it for an index.
        return hasattr(value, "__index__") and not isinstance(value, core().array)
    if name == "float":
        return hasattr(value, "__float__") or hasattr(value, "__index__")
    plain = {"str": str, "dict": dict, "list": list, "tuple": tuple, "bool": bool}
    if name in plain:
        return isinstance(value, plain[name])
    if name in ("Callable", "callable"):
        return callable(value)
    if name in ("list", "Sequence"):
        return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    known = getattr(core(), name, None)
    return isinstance(value, known) if isinstance(known, type) else True


def fills(container: str, inside: ast.expr, value: Any) -> bool:
    if container in ("list", "Sequence"):
        if not isinstance(value, (list, tuple)):
            return (
                container == "Sequence" and isinstance(value, Sequence) and type(value) is not str
            )
        return all(matches(inside, part) for part in value)
    if container == "tuple":
        if not isinstance(value, (list, tuple)):
            return False
        wanted_parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if len(wanted_parts) == 2 and ast.unparse(wanted_parts[1]) == "...":
            return all(matches(wanted_parts[0], part) for part in value)
        return len(value) == len(wanted_parts) and all(map(matches, wanted_parts, value))
    if container == "dict":
        return isinstance(value, dict)
    if container == "Callable":
        return callable(value)
    return True
