"""What other libraries get of an array and give for one: strides, capsules, buffers, copies."""

import copy
import ctypes
import pickle

import ml_dtypes
import numpy as np
import pytest
import torch

from engines import DTYPES, IS_HEDDLE, mx

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX ends the process on some")

grid = mx.arange(24).reshape(2, 3, 4)
VIEWS = {
    "reversed": lambda a: a[::-1],
    "reversed-inner": lambda a: a[..., ::-1],
    "reversed-all": lambda a: a[::-1, ::-1, ::-1],
    "transposed": lambda a: a.T,
    "strided": lambda a: a[:, ::2, 1::2],
    "broadcast": lambda a: (
        mx.broadcast_to(a[:1], (3, 3, 4))
        if isinstance(a, mx.array)
        else np.broadcast_to(a[:1], (3, 3, 4))
    ),
    "one-row": lambda a: a[:1, ::-1],
    "one-element-reversed": lambda a: a[:1, :1, :1][::-1],
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_reach_other_libraries(view):
    given, wanted = VIEWS[view](grid), VIEWS[view](np.arange(24).reshape(2, 3, 4))
    mx.eval(given)
    assert torch.from_dlpack(given).tolist() == wanted.tolist()
    assert np.from_dlpack(given).tolist() == wanted.tolist()
    assert np.array(given).tolist() == wanted.tolist()
    assert memoryview(given).tolist() == wanted.tolist()


def test_negative_strides_are_not_exported_without_a_copy():
    with pytest.raises(BufferError, match="negative strides"):
        grid[::-1].__dlpack__(copy=False)
    with pytest.raises(ValueError, match="negative"):
        mx.asarray(np.arange(3)[::-1], copy=False)


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_numpy_are_taken(view):
    source = VIEWS[view](np.arange(24, dtype=np.int32).reshape(2, 3, 4))
    for take in (mx.array, mx.asarray, mx.from_dlpack, lambda v: mx.array([v])[0]):
        if take is mx.from_dlpack and not source.flags.writeable:
            continue  # NumPy refuses
        assert take(source).tolist() == source.tolist()


def test_lists_of_arrays_and_numbers():
    a, b = np.arange(3, dtype=np.int32), np.ones(3, np.float32)
    assert mx.array([a, b]).tolist() == [[0, 1, 2], [1, 1, 1]]
    assert mx.array([a, b]).dtype == mx.float32
    assert mx.array([[a, a], [b, b]]).shape == (2, 2, 3)
    assert mx.array([a, mx.arange(3), [7, 8, 9]]).tolist() == [[0, 1, 2], [0, 1, 2], [7, 8, 9]]
    assert mx.array([mx.array(1.5), 2, np.float32(3), np.array(4)]).tolist() == [1.5, 2, 3, 4]
    assert mx.array([torch.ones(2), [2, 3]]).tolist() == [[1, 1], [2, 3]]
    assert mx.array([np.array([2**53 + 1])], dtype=mx.int64).tolist() == [[2**53 + 1]]
    assert mx.array([np.array([0.1])], dtype=mx.float64).tolist() == [[0.1]]
    assert mx.array([np.ones(2, ml_dtypes.bfloat16)]).dtype == mx.bfloat16


def test_lists_without_end():
    endless = []
    endless.append(endless)
    deep = 1.0
    for _ in range(100_000):
        deep = [deep]
    for nest in (endless, deep, [[1.0], endless]):
        with pytest.raises((RecursionError, ValueError)):
            mx.array(nest)
    while isinstance(deep, list):
        deep = deep.pop()  # or Python frees it by recursion


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_are_pickled_and_copied(dtype):
    t = getattr(mx, dtype)
    for made in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy([t])[0]):
        assert made is t


def test_devices_are_pickled_and_copied():
    for device in (mx.cpu, mx.Device(mx.cpu, 0), mx.default_device()):
        for made in (copy.copy(device), copy.deepcopy(device), pickle.loads(pickle.dumps(device))):
            assert made == device and type(made) is type(device)


def test_foreign_dtypes_are_value_errors():
    for foreign in (torch.ones(2, dtype=torch.float8_e5m2), np.array(["a"]), np.array([object()])):
        with pytest.raises(ValueError):
            mx.array(foreign)
    with pytest.raises(ValueError):
        mx.from_dlpack(torch.ones(2, dtype=torch.float8_e5m2))


# ------------------------------------------------------------------------------------------------
# Capsules that lie


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("dtype", DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


lent = {}  # what a capsule's memory belongs to, by address, until the one who took it gives it back


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def given_back(address):
    del lent[address]


class Producer:
    """An object whose capsule says what it is told to.

    What a capsule shows has to live until the one who took it calls the capsule's deleter, which
    may be long after the producer itself is gone.
    """

    def __init__(self, values, shape, strides=None, offset=0, null=False):
        self.memory = np.asarray(values, np.float32)
        self.shape = (ctypes.c_int64 * len(shape))(*shape)
        self.strides = None if strides is None else (ctypes.c_int64 * len(shape))(*strides)
        self.managed = Managed()
        t = self.managed.tensor
        t.data = None if null else self.memory.ctypes.data
        t.device_type, t.device_id, t.ndim = 1, 0, len(shape)
        t.dtype = DataType(2, 32, 1)
        t.shape = self.shape
        t.strides = self.strides
        t.byte_offset = offset
        self.managed.deleter = ctypes.cast(given_back, ctypes.c_void_p)

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
        )
        address = ctypes.addressof(self.managed)
        lent[address] = self
        return new(address, b"dltensor", None)


def test_a_capsule_is_given_back_once():
    lent.clear()
    for copied in (None, False, True):
        made = mx.from_dlpack(Producer(range(6), (2, 3)), copy=copied)
        assert made.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert len(lent) == (not copied)
        del made
        assert not lent


def test_a_plain_capsule_is_taken():
    producer = Producer(range(6), (2, 3))
    assert mx.array(mx.from_dlpack(producer)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert mx.from_dlpack(Producer(range(6), (2,), offset=8)).tolist() == [2, 3]


@pytest.mark.parametrize("copied", [True, None])
def test_capsules_that_lie_are_refused(copied):
    for lies in (
        {"shape": (4,), "null": True},
        {"shape": (4,), "offset": 2**64 - 4096},
        {"shape": (4,), "offset": 2**64 - 1},
        {"shape": (2,), "strides": (2**62,)},
        {"shape": (2, 2), "strides": (2**61 - 1, 2**61 - 1)},
        {"shape": (3,), "strides": (-(2**61),)},
        {"shape": (2**31 - 1,) * 3, "strides": (2**60,) * 3},
        {"shape": (-1,)},
        {"shape": (2**31,)},
    ):
        with pytest.raises((ValueError, OverflowError)):
            mx.from_dlpack(Producer(range(6), **lies), copy=copied)


@pytest.mark.parametrize("stride", [0, 1, -7, 12345, 2**62])
def test_strides_of_one_element_mean_nothing(stride):
    for copied in (None, True, False):
        made = mx.from_dlpack(Producer(range(6), (1, 3), (stride, 1)), copy=copied)
        assert made.tolist() == [[0, 1, 2]]
        made = mx.from_dlpack(Producer(range(6), (0, 3), (stride, stride)), copy=copied)
        assert made.tolist() == []
    assert mx.from_dlpack(Producer([], (0,), null=True)).tolist() == []


def test_the_cpu_has_no_streams():
    for stream in (1, 2, 0, "a"):
        with pytest.raises(BufferError, match="stream"):
            grid.__dlpack__(stream=stream)
    assert grid.__dlpack__(stream=None) and grid.__dlpack__(stream=-1)


# ------------------------------------------------------------------------------------------------
# The buffer protocol

SIMPLE, WRITABLE, FORMAT, ND, STRIDES = 0, 1, 4, 8, 0x18
C_CONTIGUOUS, F_CONTIGUOUS, ANY_CONTIGUOUS = 0x38, 0x58, 0x98


def grants(array, flags):
    """Whether a request of the buffer protocol with these flags is granted."""
    view = (ctypes.c_char * 256)()
    request = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)(
        ("PyObject_GetBuffer", ctypes.pythonapi)
    )
    try:
        request(array, ctypes.addressof(view), flags)
    except (BufferError, ValueError):  # NumPy raises ValueError
        return False
    release = ctypes.pythonapi.PyBuffer_Release
    release.argtypes = [ctypes.c_void_p]
    release(ctypes.addressof(view))
    return True


@pytest.mark.parametrize("flags", [SIMPLE, ND, STRIDES, C_CONTIGUOUS, F_CONTIGUOUS, ANY_CONTIGUOUS])
@pytest.mark.parametrize("view", VIEWS)
def test_buffers_are_granted_where_numpy_grants_them(view, flags):
    # A copy, so that the strides are NumPy's own; a broadcast array of heddle is made dense.
    given = VIEWS[view](grid)
    mx.eval(given)
    like = np.array(memoryview(given), copy=False)
    assert grants(given, flags | FORMAT) == grants(like, flags | FORMAT)
