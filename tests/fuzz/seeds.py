"""Writes the fuzzers' seeds: files of numpy, MLX, safetensors and gguf. usage: seeds.py CORPUS"""

import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import gguf
import heddle.core as hx
import mlx.core as mx
import numpy as np

corpus = Path(sys.argv[1])
rng = np.random.default_rng(0)


def seed(target, name, content):
    path = corpus / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def by_mlx(suffix, write):
    path = Path(f"/tmp/heddle-seed.{suffix}")
    write(str(path))
    content = path.read_bytes()
    path.unlink()
    return content


ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.int8),
    "flags": np.array([True, False, True]),
    "swapped": np.arange(3, dtype=">u4"),
    "complex": np.array([1j, 2], np.complex64),
    "wide": np.array([1j, 2], np.complex128),
}
for name, array in ARRAYS.items():
    seed("npy", name, npy(array))
seed("npy", "version2", npy(ARRAYS["matrix"], version=(2, 0)))
seed("npy", "version3", npy(ARRAYS["matrix"], version=(3, 0)))
bfloat = mx.array([1.5, 2], mx.bfloat16)
seed("npy", "mlx", by_mlx("npy", lambda p: mx.save(p, bfloat)))
seed("npy", "text", npy(np.array(["a"])))
seed(
    "npy",
    "object",
    b"\x93NUMPY\1\0v\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
)

for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
    file = io.BytesIO()
    save(file, **{key: ARRAYS[key] for key in ("matrix", "columns", "flags", "swapped")})
    seed("npz", name, file.getvalue())
seed("npz", "mlx", by_mlx("npz", lambda p: mx.savez(p, mx.ones((2,)), b=bfloat)))
streamed = io.BytesIO()
streamed.seekable = lambda: False  # sizes behind the data
with zipfile.ZipFile(streamed, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr(zipfile.ZipInfo("x.npy"), npy(np.zeros(100)), zipfile.ZIP_DEFLATED)
seed("npz", "streamed", streamed.getvalue())
seed("npz", "empty", b"PK\5\6" + bytes(18))


def safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


TYPES = [
    *("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"),
    *("F16", "BF16", "F32", "F64", "C64", "F8_E4M3", "F8_E5M2", "F8_E8M0"),
]
for dtype in TYPES:
    seed("safetensors", dtype, safetensors({"x": entry(dtype, [0, 2], 0, 0)}, b""))
mixed = {"__metadata__": {"k": "v"}, "b": entry("F32", [1, 2], 3, 11), "a": entry("I8", [3], 0, 3)}
seed("safetensors", "mixed", safetensors(mixed, bytes(range(11))))
seed("safetensors", "scalar", safetensors({"s": entry("F64", [], 0, 8) | {"x": [{}]}}, bytes(8)))
seed("safetensors", "null", safetensors(b'{"__metadata__":null}   ', b""))
seed(
    "safetensors",
    "escapes",
    safetensors(b'{"\\u00e9\\n":' + json.dumps(entry("U8", [1], 0, 1)).encode() + b"}", b"\0"),
)

WHOLE = {"x": "a.safetensors", "y": "a.safetensors", "z": "b.safetensors"}
for name, index in (
    ("whole", {"metadata": {"total_size": 22}, "weight_map": WHOLE}),
    ("part", {"weight_map": {"z": "b.safetensors"}}),
    ("wrong", {"weight_map": WHOLE | {"y": "b.safetensors"}}),
    ("missing", {"weight_map": {"x": "c.safetensors"}}),
    ("parent", {"weight_map": {"x": "../a.safetensors"}}),
    ("more", {"other": [{"weight_map": None}], "weight_map": {}}),
):
    seed("safetensors_index", name, json.dumps(index).encode())


def gguf_file(tensors, values=()):
    path = Path("/tmp/heddle-seed.gguf")
    writer = gguf.GGUFWriter(str(path), "test")
    for add, value in values:
        getattr(writer, add)(add, value)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    path.unlink()
    return content


for kind, (values, size) in gguf.GGML_QUANT_SIZES.items():
    if values > 1 and kind != gguf.GGMLQuantizationType.Q8_1:
        blocks = rng.integers(0, 256, (1, size), dtype=np.uint8)
        seed("gguf", kind.name, gguf_file({"x.weight": (blocks, kind)}))
plain = {
    f"t{i}": (np.arange(6).reshape(2, 3).astype(dtype), None)
    for i, dtype in enumerate(
        (np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64)
    )
}
INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
metadata = [(f"add_{name}", 3) for name in INTEGERS]
metadata += [("add_float32", 1.5), ("add_float64", 2.5), ("add_bool", True), ("add_string", "text")]
seed("gguf", "plain", gguf_file(plain))
seed("gguf", "values", gguf_file({}, metadata))
lists = [("add_array", ["a", "", "b"])]
seed("gguf", "list", gguf_file({}, lists))
fields = {
    "general.alignment": mx.array(64, mx.uint32),
    "n": mx.array([1, 2]),
    "s": ["a"],
    "b": mx.array([True]),
}
seed("gguf", "mlx", by_mlx("gguf", lambda p: mx.save_gguf(p, {"a": mx.ones((2,))}, fields)))


def by_heddle(suffix, fun, *args, **options):
    path = Path(f"/tmp/heddle-seed.{suffix}")
    hx.export_function(str(path), fun, *args, **options)
    content = path.read_bytes()
    path.unlink()
    return content


def follows(x):
    n = x.shape[0]
    return {"y": (x.reshape(2 * n, -1)[1 : n + 1] + n) * x.shape[1] ** -0.5, "n": hx.arange(n)}


def whole(x, *, w):
    y = hx.fast.layer_norm(x @ w, None, None, 1e-5)
    z = y[None, None]
    attended = hx.fast.scaled_dot_product_attention(z, z, z, scale=0.5).squeeze((0, 1))
    packed = hx.quantize(hx.concatenate([y] * 8, axis=1), group_size=32, bits=4)
    return [attended, hx.abs(hx.fft.fft(y)), hx.sort(y, axis=0), *packed]


def lookup(x, i):
    return x.at[i].add(1.0), x[i, :2], hx.take_along_axis(x, hx.argsort(x, axis=1), axis=1)


for shapeless in (False, True):
    kind = "any" if shapeless else "one"
    options = {"shapeless": shapeless}
    x, w = hx.ones((3, 4)), hx.ones((4, 4))
    seed("function", f"follows-{kind}.heddle", by_heddle("heddle", follows, x, **options))
    indices = hx.array([0, 2])
    seed("function", f"lookup-{kind}.heddle", by_heddle("heddle", lookup, x, indices, **options))
seed("function", "whole.heddle", by_heddle("heddle", whole, x, w=w))
