"""The array as a Python object: properties, protocols, operators in place, interchange."""

import copy
import gc
import importlib
import operator
import pickle
import weakref

import numpy as np
import pytest

from checks import assert_agrees
from engines import DTYPES, IS_HEDDLE, NUMPY, mx, to_numpy
from samples.scope import NOT_YET

heddle_only = pytest.mark.skipif(not IS_HEDDLE, reason="an addition of heddle")


def ramp(m, *shape, dtype="float32"):
    count = int(np.prod(shape))
    return m.array(np.arange(count).reshape(shape)).astype(getattr(m, dtype))


@pytest.mark.parametrize(
    "name", ["size", "ndim", "itemsize", "nbytes", "shape", "dtype", "T", "mT", "real", "imag"]
)
def test_properties(name):
    for shape in ((2, 3), (2, 3, 4), (0, 2)):
        for dtype in ("float32", "int8", "complex64", "bool_", "bfloat16"):
            assert_agrees(lambda m, s=shape, d=dtype: getattr(m.zeros(s, getattr(m, d)), name))
    with pytest.raises(AttributeError):
        setattr(mx.zeros((2, 2)), name, 1)


CONVERSIONS = {
    "float": float,
    "int": int,
    "bool": bool,
    "complex": complex,
    "index": operator.index,
    "len": len,
    "iter": lambda x: list(x),
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "contains": lambda x: 2 in x,
    "hashable": lambda x: isinstance(hash(x), int),
    "numpy": np.array,
    "namespace": lambda x: x.__array_namespace__().__name__.rpartition(".")[2],
    "device": lambda x: tuple(map(int, x.__dlpack_device__())),
    "getstate": lambda x: x.__getstate__()[0],
    "round": round,
    "divmod": lambda x: divmod(x, 2),
    "bytes": bytes,
    "reversed": lambda x: list(reversed(x)),
}
OBJECTS = {
    "scalar": 2.5,
    "integer": 7,
    "bool": True,
    "one": [3],
    "vector": [1, 2, 3],
    "matrix": [[1.5, 2], [3, 4]],
    "empty": [],
    "complex": 1 + 2j,
}
# Python's own protocol works on heddle where MLX has no method: no MLX program relies on that.
BEYOND_MLX = {"round", "divmod"}


@pytest.mark.parametrize("label", CONVERSIONS)
def test_conversions(label):
    if label in BEYOND_MLX and IS_HEDDLE:
        pytest.skip("heddle may have what MLX lacks")
    for value in OBJECTS.values():
        assert_agrees(lambda m, v=value: CONVERSIONS[label](m.array(v)))


def test_items_of_each_dtype():
    for dtype in DTYPES:
        assert_agrees(lambda m, d=dtype: m.array([0, 1]).astype(getattr(m, d)).tolist())
        assert_agrees(lambda m, d=dtype: m.array(1).astype(getattr(m, d)).item())


COMPARED = ["x", [1, 2], (1, 2), None, {}, object(), 1, 1.0, True, np.array([1, 2])]


@pytest.mark.parametrize("operation", [operator.eq, operator.ne, operator.lt, operator.ge])
def test_comparison_with_anything(operation):
    for other in COMPARED:
        assert_agrees(lambda m, o=other: operation(m.array([1, 2]), o))


BINARY = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
]


@pytest.mark.parametrize("name", BINARY)
def test_operators_with_wrong_operands(name):
    for other in ("x", [1, 2], None, {}):
        assert_agrees(lambda m, o=other: getattr(operator, name)(m.array([1, 2]), o))
        if IS_HEDDLE and name in ("matmul", "and_", "or_", "xor", "lshift", "rshift"):
            continue  # Reflected forms that only heddle has.
        assert_agrees(lambda m, o=other: getattr(operator, name)(o, m.array([1, 2])))


INPLACE = "iadd isub imul itruediv ifloordiv imod ipow imatmul iand ior ixor ilshift irshift"


@pytest.mark.parametrize("name", INPLACE.split())
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool_", "float16"])
def test_in_place_operators_rebind_the_object(name, dtype):
    for other in (2, 1.5, [[1.0, 2], [3, 4]], [[1, 1], [1, 1]]):

        def call(m, other=other):
            x = ramp(m, 2, 2, dtype=dtype)
            alias, before = x, x[:]
            operand = m.array(other) if isinstance(other, list) else other
            x = getattr(operator, name)(x, operand)
            return x is alias, alias, before

        assert_agrees(call)


def test_in_place_may_change_dtype_and_shape():
    x = mx.array([1.0, 2.0], mx.float16)
    alias = x
    x += mx.ones((2, 2))
    assert alias.dtype == mx.float32 and alias.shape == (2, 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_and_copies(dtype):
    if dtype == "float64" and not IS_HEDDLE:
        pytest.skip("MLX unpickles float64 as float32")
    x = ramp(mx, 3, 4, dtype=dtype)
    for made in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert made.dtype == x.dtype and made.shape == x.shape and made is not x
        np.testing.assert_array_equal(to_numpy(made), to_numpy(x))
    made += made
    assert np.array_equal(to_numpy(x), to_numpy(ramp(mx, 3, 4, dtype=dtype)))


FORMATS = {
    "bool_": "?",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "Zf",
}


@pytest.mark.parametrize("dtype", FORMATS)
def test_buffer_protocol(dtype):
    x = ramp(mx, 2, 3, dtype=dtype)
    view = memoryview(x)
    assert (view.format, view.shape, view.readonly) == (FORMATS[dtype], (2, 3), False)
    assert view.strides == tuple(size * x.itemsize for size in (3, 1))
    shared = np.array(x, copy=False)
    assert shared.dtype == NUMPY[dtype]
    shared[1, 2] = 1
    assert to_numpy(x)[1, 2] == 1
    strided = np.array(mx.transpose(x), copy=False)
    assert strided.shape == (3, 2) and strided[2, 1] == 1


def test_numpy_views_keep_the_array_alive():
    x = mx.arange(1000) * 2
    view = np.array(x, copy=False)
    reference = weakref.ref(x)
    del x
    gc.collect()
    assert view[999] == 1998
    del view
    gc.collect()
    assert reference() is None


def test_array_protocol():
    x = ramp(mx, 2, 2)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.array(x, copy=True).ctypes.data != np.array(x, copy=False).ctypes.data
    assert_agrees(lambda m: np.array(m.ones((2,), m.bfloat16)))


def address(array) -> int:
    return np.array(array, copy=False).ctypes.data


@pytest.mark.parametrize("share", ["numpy.asarray", "numpy.from_dlpack", "torch.from_dlpack"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: mx.zeros((2, 3)),
        lambda: mx.zeros((4, 3))[:2],
        lambda: mx.broadcast_to(mx.array(1.5), (2, 3)),
    ],
)
def test_a_constant_is_dense_for_others(make, share):
    """Programs take the address and the size of zeros, and write into them."""
    x = make()
    first = x[0, 0].item()
    library, _, name = share.partition(".")
    shared = getattr(importlib.import_module(library), name)(x)
    assert np.asarray(shared).strides == (12, 4)
    shared[0, 1] = 7
    assert x.tolist() == [[first, 7, first], [first] * 3]


def test_dlpack_to_numpy_and_torch_shares_memory():
    import torch

    x = ramp(mx, 3, 4)
    mx.eval(x)
    assert np.from_dlpack(x).ctypes.data == address(x)
    assert torch.from_dlpack(x).data_ptr() == address(x)
    row = x[1]
    mx.eval(row)
    np.testing.assert_array_equal(torch.from_dlpack(row).numpy(), to_numpy(row))
    half = torch.from_dlpack(mx.ones((2,), mx.bfloat16))
    assert half.dtype == torch.bfloat16


def test_dlpack_to_jax():
    import jax

    x = ramp(mx, 64, 64)
    mx.eval(x)
    made = jax.dlpack.from_dlpack(x)
    np.testing.assert_array_equal(np.asarray(made), to_numpy(x))


@pytest.mark.parametrize("dtype", ["float32", "int8", "float16", "complex64", "bool_", "int64"])
def test_dlpack_from_others(dtype):
    import jax
    import torch

    values = (np.arange(6).reshape(2, 3) % 2).astype(NUMPY[dtype])
    sources = [values, torch.from_numpy(values.copy())]
    if dtype != "int64":
        sources.append(jax.numpy.asarray(values))
    for source in sources:
        for made in (mx.from_dlpack(source), mx.asarray(source)):
            assert made.dtype == getattr(mx, dtype) and made.shape == (2, 3)
            np.testing.assert_array_equal(to_numpy(made), values)
    transposed = mx.from_dlpack(torch.from_numpy(values).T)
    np.testing.assert_array_equal(to_numpy(transposed), values.T)


def test_array_copies_its_source():
    source = np.ones((4,), np.float32)
    made = mx.array(source)
    source[0] = 9
    assert made.tolist() == [1, 1, 1, 1]
    first = mx.array([1.0])
    second = mx.array(first)
    second += 1
    assert first.item() == 1


@heddle_only
def test_asarray_without_copy_shares_memory():
    import torch

    for source in (np.ones((64,), np.float32), torch.ones(64)):
        made = mx.asarray(source, copy=False)
        start = source.ctypes.data if isinstance(source, np.ndarray) else source.data_ptr()
        assert address(made) == start
        source[1] = 5
        assert made[1].item() == 5


@heddle_only
def test_shared_memory_outlives_its_source_and_is_not_donated():
    source = np.ones((1 << 16,), np.float32)
    made = mx.asarray(source, copy=False)
    result = mx.exp(made)
    del made
    mx.eval(result)
    assert source.min() == source.max() == 1
    kept = mx.asarray(np.full((1 << 16,), 3.0, np.float32), copy=False)
    gc.collect()
    assert kept.sum().item() == 3 << 16


CONTAINERS = {
    "split": lambda m, x: m.split(x, 2),
    "divmod": lambda m, x: m.divmod(x, 2),
    "broadcast_arrays": lambda m, x: m.broadcast_arrays(x, x),
    "atleast": lambda m, x: m.atleast_2d(x, x),
    "meshgrid": lambda m, x: m.meshgrid(x, x),
    "unstack": lambda m, x: m.unstack(x),
    "minmax": lambda m, x: m.minmax(x),
    "unique": lambda m, x: m.unique(x, size=2, return_index=True),
    "vjp": lambda m, x: m.vjp(m.exp, [x], [x]),
    "jvp": lambda m, x: m.jvp(m.exp, [x], [x]),
    "value_and_grad": lambda m, x: m.value_and_grad(lambda x: x.sum())(x),
    "einsum_path": lambda m, x: type(m.einsum_path("i,i", x, x)).__name__,
    "broadcast_shapes": lambda m, x: m.broadcast_shapes((2, 1), (3,)),
    "shape": lambda m, x: x.shape,
    "unflatten": lambda m, x: x.reshape(2, 1, 1).tolist(),
}


@pytest.mark.parametrize("label", CONTAINERS)
def test_containers(label):
    assert_agrees(lambda m: CONTAINERS[label](m, m.array([0.0, 1.0])))


def test_missing_and_present_names():
    for name in ("__rmatmul__", "__rand__", "nonzero"):
        if not IS_HEDDLE:
            assert not hasattr(mx.array(1), name)
    import mlx.core

    missing = [name for name in dir(mlx.core.array) if not hasattr(mx.array, name)]
    assert not missing


def test_module_has_every_name():
    import mlx.core

    for prefix in ("", "random.", "fast.", "metal.", "cuda.", "distributed."):
        theirs, ours = (getattr(m, prefix[:-1]) if prefix else m for m in (mlx.core, mx))
        public = {name for name in dir(theirs) if not name.startswith("__")}
        later = {name for name in public if prefix + name in NOT_YET}
        missing = {name for name in public - later if not hasattr(ours, name)}
        assert not missing, f"names without a counterpart: {sorted(missing)}"
        if IS_HEDDLE:
            present = {name for name in later if hasattr(ours, name)}
            assert not present, f"no longer to be listed as missing: {sorted(present)}"
