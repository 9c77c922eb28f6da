"""Layers in C++ beside layers in Python: from one file of weights they compute values and gradients
of the same bits, with one seed they begin with the same weights, and they make the same graph, so
that exported files are the same bytes.

Every case of layer_cases has a row in cpp_layers.cpp, which is compiled against an installed
heddle. The classes are found by walking the package and the C++ headers: a layer that no case makes
fails the suite.
"""

import inspect
import re
import subprocess
from pathlib import Path

import heddle.core as mx
import numpy as np
import pytest

import heddle.nn as nn
from engines import IS_HEDDLE
from heddle.utils import tree_flatten, tree_unflatten
from layer_cases import CASES, PROGRAM

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own headers")

HEADERS = Path(__file__).parents[2] / "include" / "heddle" / "nn"
FLOATS = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}

# Classes without a case, and why.
ONLY_PYTHON = {"Module": "the base"}
ONLY_CPP = {
    "Module": "the base",
    "Layer": "the base",
    "QuantizableLayer": "the base of those that can be packed",
    "Function": "what Sequential makes of functions",
}


def classes_of_headers():
    """The layers that the headers declare; templates stand for their instances."""
    text = "\n".join(path.read_text() for path in sorted(HEADERS.glob("*.h")))
    bases = dict(re.findall(r"\n(?:class|struct) (\w+)(?: final)? : public (\w+)", text))
    templates = set(re.findall(r"\ntemplate <[^\n]*>\n(?:class|struct) (\w+)", text))
    bases |= dict(re.findall(r"\nusing (\w+) = (\w+)<", text))

    def is_layer(name):
        return name == "Module" or (name in bases and is_layer(bases[name]))

    return {name for name in bases if is_layer(name)} - templates


def layer_classes():
    return {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }


def test_every_layer_of_both_languages_has_a_case():
    named = set(re.findall(r"\b(\w+)\(", " ".join(expression for expression, _ in CASES)))
    assert layer_classes() - named == set(ONLY_PYTHON)
    in_cpp = classes_of_headers()
    assert len(in_cpp) > 60
    assert in_cpp - named == set(ONLY_CPP) - {"Module"}
    text = PROGRAM.read_text()
    assert {name for name in in_cpp - set(ONLY_CPP) if f"nn::{name}" not in text} == set()


def inputs_of(shapes, dtype):
    """Random numbers of the shapes, the integers of a list, or nothing."""
    random = np.random.default_rng(3)
    made = []
    for shape in shapes:
        if isinstance(shape, list):
            made.append(mx.array(shape))
        elif shape is None:
            made.append(None)
        else:
            values = random.standard_normal(shape).astype(np.float32)
            made.append(mx.array(values).astype(dtype))
    return made


def total(outputs):
    """A sum in float32 that weighs the elements differently."""
    result = mx.array(0.0)
    for y in outputs:
        weights = mx.cos(mx.arange(y.size).astype(mx.float32))
        result = result + (y.flatten().astype(mx.float32) * weights).sum()
    return result


def leaves(y):
    return list(y) if isinstance(y, tuple) else [y]


def in_python(expression, shapes, dtype, path):
    """Writes weights and inputs and reads them; what the layer begins with and makes of them."""
    mx.random.seed(7)
    layer = eval(f"nn.{expression}", {"nn": nn, "mx": mx})
    found = {f"initial.{path}": value for path, value in tree_flatten(layer.parameters())}
    random = np.random.default_rng(4)

    def drawn(value):
        """Other numbers than a layer begins with, where ones and zeros would hide something."""
        if value.dtype not in FLOATS.values() or "Q" in expression:
            return value
        numbers = np.abs(random.standard_normal(value.shape)) * 0.5 + 0.1
        return mx.array(numbers.astype(np.float32)).astype(dtype)

    weights = {path: drawn(value) for path, value in tree_flatten(layer.parameters())}
    arrays = inputs_of(shapes, dtype)
    held = {f"weight.{path}": value for path, value in weights.items()}
    held |= {f"in.{i}": x for i, x in enumerate(arrays) if x is not None}
    mx.save_safetensors(path, held, {"inputs": str(len(arrays))})
    held = mx.load(path)
    weights = {path: held[f"weight.{path}"] for path in weights}
    arrays = [held.get(f"in.{i}") for i in range(len(arrays))]

    def load():
        layer.update(tree_unflatten(list(weights.items())))

    load()
    mx.random.seed(5)
    outputs = leaves(layer(*arrays))
    mx.eval(outputs)
    found |= {f"out.{i}": value for i, value in enumerate(outputs)}
    found |= {f"after.{path}": value for path, value in tree_flatten(layer.parameters())}
    load()

    floating = [i for i, x in enumerate(arrays) if x is not None and x.dtype == dtype]

    def loss(parameters, *given):
        layer.update(parameters)
        values = list(arrays)
        for i, x in zip(floating, given, strict=True):
            values[i] = x
        return total(leaves(layer(*values)))

    mx.random.seed(5)
    flat = [
        (n, p) for n, p in tree_flatten(layer.trainable_parameters()) if p.dtype in FLOATS.values()
    ]
    trainable = tree_unflatten(flat)
    argnums = [0] * bool(flat) + [1 + i for i in range(len(floating))]
    if argnums:
        gradients = mx.grad(loss, argnums)(trainable, *(arrays[i] for i in floating))
        gradients = leaves(gradients)
        if argnums[0] == 0:
            found |= {f"grad.{path}": g for path, g in tree_flatten(gradients.pop(0))}
        found |= {f"grad.in.{i}": g for i, g in zip(floating, gradients, strict=True)}
    load()
    return layer, load, arrays, found


def export(layer, load, arrays, path):
    """The graph that the layer makes for fixed sizes and for any, or why there is none."""
    given = [i for i, x in enumerate(arrays) if x is not None]

    def function(*values):
        inputs = list(arrays)
        for i, x in zip(given, values, strict=True):
            inputs[i] = x
        y = leaves(layer(*inputs))
        return [*y, *(value for _, value in tree_flatten(layer.parameters()))]

    for sizes in ("fixed", "any"):
        load()
        mx.random.seed(5)
        file = f"{path}.{sizes}.mlxfn"
        try:
            mx.export_function(
                file, function, *(arrays[i] for i in given), shapeless=sizes == "any"
            )
        except ValueError as error:
            Path(file).write_text(str(error))


def same_bits(a, b):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == mx.bfloat16:
        a, b = a.astype(mx.float32), b.astype(mx.float32)
    return np.array_equal(np.array(a), np.array(b), equal_nan=a.dtype in FLOATS.values())


def shown(x):
    return f"{x.dtype} {x.shape} {x.flatten()[:4].tolist()}"


@pytest.fixture(scope="module")
def program(tmp_path_factory, installed_library):
    prefix, library = installed_library
    built = tmp_path_factory.mktemp("layers") / "cpp_layers"
    command = ["g++", "-std=c++20", "-O0", "-I", prefix / "include", PROGRAM]
    command += ["-o", built, library, f"-Wl,-rpath,{library.parent}", "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return built


@pytest.mark.parametrize("dtype", FLOATS)
def test_both_languages_compute_the_same(dtype, program, tmp_path):
    cases, expected = [], []
    for number, (expression, shapes) in enumerate(CASES):
        path = str(tmp_path / f"{number}.safetensors")
        layer, load, arrays, found = in_python(expression, shapes, FLOATS[dtype], path)
        cases.append(f"{number} {expression}\n")
        expected.append(found)
        export(layer, load, arrays, tmp_path / str(number))
    (tmp_path / "cases").write_text("".join(cases))
    ran = subprocess.run([program, tmp_path], capture_output=True, text=True)
    wrong = ran.stderr.splitlines()
    assert bool(wrong) == (ran.returncode != 0), ran.returncode
    for number, (expression, _) in enumerate(CASES):
        if not (tmp_path / f"{number}.out.safetensors").exists():
            continue
        for sizes in ("fixed", "any"):
            files = [tmp_path / f"{number}.{sizes}{word}.mlxfn" for word in (".cpp", "")]
            cpp, python = (path.read_bytes() for path in files)
            if cpp != python:
                wrong.append(f"{expression}: other files for {sizes} sizes")
        found = mx.load(str(tmp_path / f"{number}.out.safetensors"))
        wanted = expected[number]
        if set(found) != set(wanted):
            wrong.append(f"{expression}: only in one language: {sorted(set(found) ^ set(wanted))}")
        wrong += [
            f"{expression}: {name} is {shown(found[name])}, in Python {shown(wanted[name])}"
            for name in sorted(set(found) & set(wanted))
            if not same_bits(found[name], wanted[name])
        ]
    assert not wrong, "\n".join(wrong)
