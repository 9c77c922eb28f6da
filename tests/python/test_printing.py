"""Printing: every repr is MLX's, character for character."""

import numpy as np
import pytest

from checks import assert_agrees
from engines import DTYPES, IS_HEDDLE, mx

VALUES = {
    "floats": [1.0, 0.1, -0.0, 1e6, 123456.7, 1e-7, 3.0],
    "specials": [float("inf"), float("-inf"), float("nan")],
    "long": list(range(20)),
    "seven": list(range(7)),
    "six": list(range(6)),
    "matrix": np.arange(12.0).reshape(3, 4),
    "tall": np.arange(40).reshape(20, 2),
    "cube": np.arange(8).reshape(2, 2, 2),
    "large": np.arange(1000).reshape(10, 10, 10),
    "scalar": 3.25,
    "bools": [True, False],
    "complex": np.array([1 - 2j, 0.5 + 0j, complex(0, -0.0)], np.complex64),
    "empty": np.zeros((0,), np.float32),
    "empty-first": np.zeros((0, 2), np.float32),
    "empty-last": np.zeros((2, 0), np.float32),
    "empty-deep": np.zeros((2, 0, 3), np.float32),
    "one": [[[1]]],
}


@pytest.mark.parametrize("label", VALUES)
def test_repr(label):
    for show in (repr, str, lambda x: f"{x}"):
        assert_agrees(lambda m, s=show: s(m.array(VALUES[label])))


@pytest.mark.parametrize("dtype", DTYPES)
def test_repr_of_dtypes(dtype):
    assert_agrees(lambda m: repr(m.array([0, 1, 3]).astype(getattr(m, dtype))))
    assert_agrees(lambda m: repr(m.array([[1.5], [-2.25]]).astype(getattr(m, dtype))))


def test_as_written():
    assert repr(mx.array([1, 0.1])) == "array([1, 0.1], dtype=float32)"
    assert repr(mx.array([True])) == "array([True], dtype=bool)"
    assert repr(mx.float32) == "mlx.core.float32"
    assert repr(mx.bool_) == "mlx.core.bool"
    assert repr(mx.array([-0.0, 1e6, float("nan")])) == "array([-0, 1e+06, nan], dtype=float32)"


@pytest.mark.parametrize("precision", [-1, 0, 3, 8])
def test_printoptions(precision):
    values = [1 / 3, 1e-9, 123456.789, 2.0]

    def call(m):
        with m.printoptions(precision=precision):
            inside = repr(m.array(values)), m.get_printoptions().precision
        return inside, repr(m.array(values))

    assert_agrees(call)


def test_set_printoptions_restores():
    def call(m):
        m.set_printoptions(precision=2)
        shown = repr(m.array([1 / 3]))
        m.set_printoptions(precision=-1)
        return shown, repr(m.array([1 / 3]))

    assert_agrees(call)


@pytest.mark.parametrize("text", ["{:.3f}", "{:>10.2e}", "{}", "{!r}"])
def test_format(text):
    for value in (2.5, 7, [1.0, 2.0], True):
        assert_agrees(lambda m, v=value: text.format(m.array(v)))


@pytest.mark.skipif(not IS_HEDDLE, reason="MLX ends the process")
def test_format_of_integers():
    assert f"{mx.array(255):x} {mx.array(7):3d}" == "ff   7"
    with pytest.raises(ValueError):
        format(mx.array(2.5), "d")


def test_objects():
    assert_agrees(lambda m: repr(m.default_device()))
    assert_agrees(lambda m: repr(m.cpu))
    assert_agrees(lambda m: repr(m.Device(m.cpu, 0)))
    assert_agrees(lambda m: str(m.new_stream(m.cpu))[:22])
    assert_agrees(lambda m: [repr(m.float16), str(m.bfloat16), repr(m.floating)])
