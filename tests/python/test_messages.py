"""Ordinary mistakes get one line: what was given, what is wanted, what to write instead."""

import inspect
import re

import numpy as np
import pytest

from checks import outcome
from engines import IS_HEDDLE, mx, reference
from samples import SAMPLES

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own words")

x = mx.arange(4.0)


def assign(index, value):
    def run(module):
        module_x = module.zeros((5,))
        module_x[index] = value(module) if callable(value) else value

    return run


# What is called, the class of the error, and what the line says.
MISTAKES = {
    "dim": (lambda m: m.ones(3).sum(dim=0), TypeError, "dim.*axis"),
    "keepdim": (lambda m: m.sum(m.ones(3), keepdim=True), TypeError, "keepdim.*keepdims"),
    "unknown": (
        lambda m: m.softmax(m.ones(3), along=0),
        TypeError,
        r"no argument 'along'.*softmax\(",
    ),
    "device": (lambda m: m.zeros(3, device="cpu"), TypeError, "device.*stream"),
    "dtype-string": (
        lambda m: m.zeros(3, dtype="float32"),
        TypeError,
        "dtype.*float32.*mx.float32",
    ),
    "dtype-numpy": (lambda m: m.zeros(3, dtype=np.float16), TypeError, "mx.float16"),
    "dtype-class": (lambda m: m.array([1], dtype=float), TypeError, r"\[array\].*mx.float32"),
    "astype": (lambda m: m.ones(3).astype("int8"), TypeError, "mx.int8"),
    "stream": (lambda m: m.zeros(3, stream="cpu"), TypeError, "stream.*mx.cpu"),
    "count": (lambda m: m.repeat(m.ones(3), 2**31), TypeError, "2147483648.*repeats"),
    "axis-wide": (lambda m: m.sum(m.ones(3), axis=2**40), TypeError, "1099511627776.*axis"),
    "axis-float": (lambda m: m.sum(m.ones(3), axis=1.0), TypeError, "axis.*1.0.*write 1"),
    "seed": (lambda m: m.random.seed(-1), TypeError, "-1"),
    "list": (lambda m: m.sum([1, 2]), TypeError, r"\[1, 2\].*mx.array"),
    "two-arrays": (lambda m: m.concatenate(m.ones(3), m.ones(3)), TypeError, "one list"),
    "missing": (lambda m: m.matmul(m.ones(3)), TypeError, r"'b' is missing.*matmul\(a, b\)"),
    "many": (lambda m: m.exp(m.ones(3), 1, 2), TypeError, "At most 1 argument "),
    "twice": (lambda m: m.sum(m.ones(3), 0, axis=0), TypeError, "'axis' is given twice"),
    "shape-int": (lambda m: m.random.uniform(shape=3), TypeError, r"write \(3,\)"),
    "class": (lambda m: m.Device(3), TypeError, r"\[Device\].*DeviceType"),
    "operand": (lambda m: m.ones(3) + "a", ValueError, "addition.*str.*an array or a number"),
    "operand-list": (lambda m: m.ones(3) * [1], ValueError, "list.*mx.array"),
    "function-operand": (lambda m: m.add(m.ones(3), "a"), ValueError, "str.*wanted"),
    "truth": (lambda m: bool(m.ones(3)), ValueError, r"\(3\).*any\(\) or all\(\)"),
    "if-equal": (lambda m: 1 if m.ones(3) == m.ones(3) else 0, ValueError, "array_equal"),
    "item": (lambda m: m.ones((2, 2)).item(), ValueError, r"\(2,2\).*tolist"),
    "ragged": (lambda m: m.array([[1, 2], [3]]), ValueError, r"non-uniform.*\[1\].*length of 1"),
    "ragged-deep": (lambda m: m.array([[[1], [2]], [[1], [2, 3]]]), ValueError, r"\[1\]\[1\]"),
    "number-and-list": (lambda m: m.array([1, [2]]), ValueError, r"extra dimension.*\[1\].*list"),
    "ragged-arrays": (lambda m: m.array([m.ones(2), m.ones(3)]), ValueError, r"\[1\].*\(3\)"),
    "no-number": (lambda m: m.array("abc"), ValueError, "str"),
    "assign": (assign(slice(0, 2), lambda m: m.ones(3)), ValueError, r"setitem.*\(3\).*\(2\)"),
    "assign-rows": (
        assign(Ellipsis, lambda m: m.ones((2, 5))),
        ValueError,
        r"setitem.*\(2,5\).*\(5\)",
    ),
    "assign-str": (assign(0, "a"), ValueError, "str"),
    "assign-list": (assign(slice(0, 1), [1.0]), ValueError, "list.*mx.array"),
    "mask": (lambda m: m.ones(3)[m.array([True, False, True])], ValueError, "where.*positions"),
    "mask-list": (lambda m: m.ones(3)[[True, False, True]], ValueError, "where.*positions"),
    "mask-numpy": (
        lambda m: m.ones(3)[np.array([True, False, True])],
        ValueError,
        "where.*positions",
    ),
    "index-str": (lambda m: m.ones(3)["a"], ValueError, "str.*int, a slice"),
    "index-numpy": (lambda m: m.ones(3)[np.array([0, 1])], ValueError, "mx.array"),
    "shape": (lambda m: m.ones("a"), TypeError, "shape.*str"),
    "shape-float": (lambda m: m.ones((2.0,)), TypeError, "2.0.*float"),
    "negative": (lambda m: m.ones(-1), ValueError, "Negative.*-1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_line(name):
    call, kind, says = MISTAKES[name]
    with pytest.raises(kind) as caught:
        call(mx)
    text = str(caught.value)
    assert re.search(says, text), text
    assert "\n" not in text and len(text) < 400, text
    assert text.startswith("["), text


@pytest.mark.parametrize("name", [n for n in MISTAKES if n not in ("index-numpy", "mask-numpy")])
def test_the_class_is_that_of_mlx(name):
    _, refusal = outcome(MISTAKES[name][0], reference)
    if "bad_cast" not in str(refusal):
        assert isinstance(refusal, MISTAKES[name][1]), refusal


FUNCTIONS = sorted({sample.function for sample in SAMPLES if sample.call is None})


def resolve(name):
    target = mx
    for part in name.split("."):
        target = getattr(target, part)
    return target


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_answers_with_a_page(name):
    """Every function of the registry, called with what none takes."""
    function = resolve(name)
    if inspect.isfunction(function):
        return  # Python says it
    for args, kwargs in (((), {}), ((object(),) * 9, {}), ((), {"nonsense": 1}), (("a",), {})):
        try:
            function(*args, **kwargs)
        except Exception as error:
            text = str(error)
            assert "\n" not in text and "incompatible function arguments" not in text, text
            assert text, repr(error)


def test_errors_of_called_functions_keep_their_text():
    page = "f(): incompatible function arguments. The following argument types are supported:\n  1"

    def fails(_):
        raise TypeError(page)

    with pytest.raises(TypeError) as caught:
        mx.grad(fails)(mx.array(1.0))
    assert str(caught.value) == page
    with pytest.raises(TypeError, match="no argument 'dim'"):
        mx.grad(lambda v: v.sum(dim=0))(mx.array(1.0))
    with pytest.raises(TypeError, match=r"(?s)incompatible function arguments.*1\. "):
        mx.grad(lambda v: reference.sum(v, dim=0))(mx.array(1.0))


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.safetensors", "a.gguf"])
def test_a_missing_file(name, tmp_path):
    path = tmp_path / "none" / name
    for file in (path, str(path)):
        with pytest.raises(FileNotFoundError) as caught:
            mx.load(file)
        assert isinstance(caught.value, (RuntimeError, ValueError))  # as MLX has it
        assert str(path) in str(caught.value) and caught.value.filename == str(path)
        assert caught.value.errno == 2
    _, refusal = outcome(reference.load, str(path))
    assert isinstance(caught.value, type(refusal)), refusal


def test_a_missing_function(tmp_path):
    for suffix in (".mlxfn", ".heddle"):
        with pytest.raises(FileNotFoundError) as caught:
            mx.import_function(str(tmp_path / f"f{suffix}"))
        assert isinstance(caught.value, RuntimeError)
    with pytest.raises(FileNotFoundError):
        mx.export_function(str(tmp_path / "none" / "f.mlxfn"), mx.exp, x)


def test_what_cannot_be_opened_is_an_error_of_the_system(tmp_path):
    for name in ("a.npz", "a.npy", "a.safetensors", "a.gguf"):
        (tmp_path / name).mkdir()
        with pytest.raises(OSError) as caught:
            mx.load(str(tmp_path / name))
        assert not isinstance(caught.value, FileNotFoundError)
