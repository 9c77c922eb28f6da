"""Dtypes: promotion, weak Python scalars, NumPy operands, what the constructor makes of things."""

import itertools

import numpy as np
import pytest

from checks import assert_agrees
from engines import DTYPES, FLOATS, INTEGERS, REALS, mx

SCALARS = (True, 0, 1, -1, 127, 128, 255, 300, 2**15, 2**31 - 1, 2**31, -(2**31), 1.5, 1j)


@pytest.mark.parametrize("left", DTYPES)
def test_promotion_table(left):
    for right in DTYPES:
        assert_agrees(lambda m, b=right: m.result_type(getattr(m, left), getattr(m, b)))
        assert_agrees(
            lambda m, b=right: (
                m.zeros((2,), getattr(m, left)) + m.ones((2,), getattr(m, b)),
                m.maximum(m.zeros((2,), getattr(m, left)), m.ones((1,), getattr(m, b))),
            )
        )
        assert_agrees(lambda m, b=right: m.can_cast(getattr(m, left), getattr(m, b)))


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        ("uint8", "int8", "int16"),
        ("uint32", "int8", "int64"),
        ("uint64", "int8", "float32"),
        ("float16", "bfloat16", "float32"),
        ("int64", "float16", "float16"),
        ("float64", "complex64", "complex64"),
        ("bool_", "int8", "int8"),
    ],
)
def test_promotion_as_written(left, right, result):
    for a, b in ((left, right), (right, left)):
        total = mx.zeros((1,), getattr(mx, a)) + mx.zeros((1,), getattr(mx, b))
        assert total.dtype == getattr(mx, result)


def lossy(scalar, dtype):
    """Whether MLX loses a Python int beside this dtype without a word."""
    if type(scalar) is not int:
        return False
    wide = not -(2**31) <= scalar < 2**31
    return (dtype == "bool_" and wide) or (dtype == "uint64" and scalar < 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weak_scalars(dtype):
    for scalar in SCALARS:
        if lossy(scalar, dtype):
            continue  # MLX cuts or wraps it: test_python_numbers.py
        for operation in (
            lambda m, x, s: x + s,
            lambda m, x, s: s * x,
            lambda m, x, s: m.maximum(x, s),
            lambda m, x, s: m.where(x == x, x, s),
        ):
            assert_agrees(
                lambda m, s=scalar, op=operation: op(m, m.ones((2,), getattr(m, dtype)), s).dtype
            )


@pytest.mark.parametrize("dtype", ("uint8", "int8", "int16", "int32", "uint32"))
def test_a_scalar_that_does_not_fit_is_refused(dtype):
    limits = mx.iinfo(getattr(mx, dtype))
    for scalar in (limits.max + 1, limits.min - 1):
        with pytest.raises(ValueError, match="overflow"):
            mx.ones((2,), getattr(mx, dtype)) + scalar


def test_scalars_alone():
    for a, b in itertools.product((True, 2, 2.5, 1j), repeat=2):
        assert_agrees(lambda m, a=a, b=b: m.add(a, b))


NUMPY_OPERANDS = {
    "float32": np.float32(1.5),
    "float64": np.float64(1.5),
    "int64": np.int64(3),
    "uint8": np.uint8(3),
    "bool": np.bool_(True),
    "array": np.array([1.5, 2.5]),
    "int-array": np.array([1, 2]),
    "half-array": np.array([1, 2], np.float16),
}


@pytest.mark.parametrize("label", NUMPY_OPERANDS)
def test_numpy_operands(label):
    """They take the dtype beside them where it holds their kind; MLX cuts them to it always."""
    operand = NUMPY_OPERANDS[label]
    kind = np.asarray(operand).dtype.kind
    for dtype in ("float16", "float32", "int32", "bool_", "bfloat16"):
        if kind == "b" or "float" in dtype or (kind in "iu" and dtype == "int32"):
            assert_agrees(lambda m, d=dtype: m.ones((2,), getattr(m, d)) * operand)
        else:
            given = mx.ones((2,), getattr(mx, dtype)) * operand
            assert given.tolist() == (np.ones(2) * operand).tolist()
            assert given.dtype == mx.array(operand).dtype


def test_numpy_on_the_left_gives_numpy():
    result = np.array([1.0, 2.0]) + mx.array([1.0, 2.0])
    assert isinstance(result, np.ndarray)
    assert isinstance(np.eye(2) @ mx.eye(2), np.ndarray)


CONSTRUCTED = {
    "floats": [1.0, 2.0],
    "ints": [1, 2],
    "wide": [1, 2**40],
    "mixed": [1, 2.5],
    "bools": [True, False],
    "empty": [],
    "nested-empty": [[], []],
    "tuple": ((1, 2), (3, 4)),
    "complex": [1j, 2],
    "numpy-f64": np.array([1.5]),
    "numpy-f16": np.array([1.5], np.float16),
    "numpy-i64": np.array([1]),
    "numpy-u8": np.array([[1, 2]], np.uint8),
    "numpy-c128": np.array([1j]),
    "numpy-bool": np.array([True]),
    "numpy-0d": np.array(2.5),
    "numpy-fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "numpy-strided": np.arange(10)[::3],
    "numpy-scalars": [np.float64(1.5), np.float64(2)],
    "bytes": b"ab",
    "bytearray": bytearray(b"ab"),
    "string": "abc",
    "ragged": [[1, 2], [3]],
    "ragged-depth": [1, [2]],
    "object": object(),
    "none": None,
    "strings": np.array(["a"]),
    "range": range(3),
    "set": {1, 2},
    "dict": {"a": 1},
}


@pytest.mark.parametrize("label", CONSTRUCTED)
def test_constructor(label):
    assert_agrees(lambda m: m.array(CONSTRUCTED[label]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_constructor_with_dtype(dtype):
    for value in (1, 1.7, True, [1, 2], [1.5, 2.5], np.array([1.5, 2]), [True]):
        assert_agrees(lambda m, v=value: m.array(v, getattr(m, dtype)))
        assert_agrees(lambda m, v=value: m.array(m.array(v), getattr(m, dtype)))


def test_narrow_integers_wrap():
    assert mx.array(300).astype(mx.int8).item() == 44
    assert mx.array(np.array(300), mx.int8).item() == 44
    with pytest.raises(ValueError, match="300 to int8"):
        mx.array(300, mx.int8)


def test_an_object_with_mlx_array():
    class Wrapped:
        def __mlx_array__(self):
            return self.value

    for module_call in (lambda m, w: m.array(w), lambda m, w: m.array([1.0, 2.0]) + w):

        def call(m, module_call=module_call):
            wrapped = Wrapped()
            wrapped.value = m.array([3.0, 4.0])
            return module_call(m, wrapped)

        assert_agrees(call)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, 2**64, -(2**63) - 1])
def test_integers_beyond_int64(value):
    """An OverflowError or a working uint64; MLX raises RuntimeError."""
    try:
        made = mx.array(value)
    except (OverflowError, RuntimeError):
        return
    assert made.dtype == mx.uint64 and made.item() == value


def test_limits():
    for dtype in FLOATS:
        for field in ("bits", "eps", "max", "min", "smallest_normal", "dtype"):
            assert_agrees(lambda m, d=dtype, f=field: getattr(m.finfo(getattr(m, d)), f))
    for dtype in INTEGERS:
        for field in ("dtype", "max", "min"):
            assert_agrees(lambda m, d=dtype, f=field: getattr(m.iinfo(getattr(m, d)), f))
    assert_agrees(lambda m: m.finfo(m.complex64).dtype)
    assert_agrees(lambda m: m.finfo(m.int32))
    assert_agrees(lambda m: m.iinfo(m.float32))


CATEGORIES = [
    "generic",
    "number",
    "integer",
    "signedinteger",
    "unsignedinteger",
    "inexact",
    "floating",
    "complexfloating",
]


def test_categories():
    for dtype, category in itertools.product(DTYPES, CATEGORIES):
        assert_agrees(lambda m, d=dtype, c=category: m.issubdtype(getattr(m, d), getattr(m, c)))
    for left, right in itertools.product(CATEGORIES, repeat=2):
        assert_agrees(lambda m, a=left, b=right: m.issubdtype(getattr(m, a), getattr(m, b)))
    kinds = (
        "bool",
        "signed integer",
        "unsigned integer",
        "integral",
        "real floating",
        "complex floating",
        "numeric",
    )
    for dtype, kind in itertools.product(DTYPES, kinds):
        assert_agrees(lambda m, d=dtype, k=kind: m.isdtype(getattr(m, d), k))
    assert_agrees(lambda m: m.isdtype(m.int8, ("bool", m.int8)))
    assert_agrees(lambda m: m.isdtype(m.int8, "nonsense"))


def test_dtype_objects():
    for dtype in DTYPES:
        assert_agrees(lambda m, d=dtype: getattr(m, d))
        assert_agrees(lambda m, d=dtype: getattr(m, d).size)
        assert_agrees(lambda m, d=dtype: hash(getattr(m, d)) == hash(getattr(m, d)))
        assert_agrees(lambda m, d=dtype: getattr(m, d) == "float32")
    with pytest.raises(TypeError):
        mx.float32(1)


@pytest.mark.parametrize("dtype", REALS)
def test_reductions_promote(dtype):
    for name in ("sum", "prod", "mean", "max", "cumsum", "argmax", "var"):
        assert_agrees(lambda m, n=name: getattr(m, n)(m.ones((3,), getattr(m, dtype))).dtype)
