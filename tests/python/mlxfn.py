"""`.mlxfn` files taken apart and put together, field by field, as their layout is documented.

Nothing of heddle is used: what its reader and writer do is checked against this. `parse` notes
where each field begins, so that tests can damage every one of them; `build` makes files that no CPU
can record.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "bfloat16", "complex64"),
)
SIZES = (1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 2, 8)

# The state of each primitive: i int32, f float32, d float64, b bool, u uint64, t dtype, s string,
# I vector of int32 (also shapes), U vector of uint64, L vector of int64.
STATELESS = """
Abs Add ArcCos ArcCosh ArcSin ArcSinh ArcTan ArcTan2 ArcTanh Ceil Conjugate Copy
Cos Cosh Depends Divide DivMod Erf ErfInv Exp Expm1 Floor FloorDivide Full
Greater GreaterEqual Imag Less LessEqual Log1p LogicalNot LogicalAnd LogicalOr
LogAddExp LogSumExp MaskedScatter Matmul Maximum Minimum Multiply Negative
NotEqual Power QRF Real Remainder Round Select Sigmoid Sign Sin Sinh Square
StopGradient Subtract Tan Tanh
"""
STATE = {
    **dict.fromkeys(
        STATELESS.split(),
        "",
    ),
    "AddMM": "ff",
    "Arange": "ddd",
    "ArgReduce": "ii",
    "ArgPartition": "ii",
    "Partition": "ii",
    "ArgSort": "i",
    "Sort": "i",
    "Concatenate": "i",
    "GatherAxis": "i",
    "AsStrided": "ILu",
    "AsType": "t",
    "View": "t",
    "BitwiseBinary": "i",
    "BlockMaskedMM": "i",
    "Broadcast": "I",
    "Reshape": "I",
    "BroadcastAxes": "I",
    "ExpandDims": "I",
    "Squeeze": "I",
    "Transpose": "I",
    "DynamicSliceUpdate": "I",
    "Cholesky": "b",
    "Convolution": "IIIIIib",
    "DynamicSlice": "II",
    "Eig": "b",
    "Eigh": "sb",
    "Equal": "b",
    "FFT": "Ubb",
    "Flatten": "ii",
    "Gather": "II",
    "GatherMM": "bb",
    "Hadamard": "f",
    "Inverse": "bb",
    "Log": "i",
    "NumberOfElements": "Ibt",
    "Pad": "III",
    "RandomBits": "Ii",
    "Reduce": "iI",
    "Scan": "iibb",
    "Scatter": "iI",
    "ScatterAxis": "ii",
    "SearchSorted": "b",
    "Slice": "III",
    "SliceUpdate": "iIII",
    "Softmax": "b",
    "Split": "Ii",
    "Sqrt": "b",
    "SVD": "b",
    "Unflatten": "iI",
    "QuantizedMatmul": "iiib",
    "GatherQMM": "iiibbb",
    "Quantize": "iiib",
    "RMSNorm": "f",
    "RMSNormVJP": "f",
    "LayerNorm": "f",
    "LayerNormVJP": "f",
    "RoPE": "ibffb",
    "ScaledDotProductAttention": "fbbbb",
}


def layout_of(name: str, version: str) -> str:
    """The state of a primitive as files of a version have it."""
    number = tuple(int(part) for part in version.split("."))
    if name == "FFT" and number >= (0, 32, 4):
        return "Ubbb"
    if name == "SliceUpdate" and number < (0, 31, 2):
        return "III"
    if name == "ScaledDotProductAttention" and number <= (0, 32, 1):
        return "fbbb"
    return STATE[name]


@dataclass
class Entry:
    """One entry of a tape. `name` None: an input (`value` None) or a constant."""

    ids: list[int]
    name: str | None = None
    inputs: list[int] = field(default_factory=list)
    state: list = field(default_factory=list)
    stream: tuple[int, int, int] = (0, 0, 0)
    outputs: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    constant: bool = False
    value: bytes | None = None  # of a constant, where the file has it first
    several: bool = False  # written in the form for several outputs


@dataclass
class Function:
    """One traced signature."""

    keywords: list[str] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    arguments: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    tape: list[Entry] = field(default_factory=list)


@dataclass
class File:
    """A whole file."""

    functions: list[Function]
    version: str = "0.32.4"
    shapeless: bool = False
    metadata: str = ""
    borders: list[int] = field(default_factory=list)  # where fields begin

    def names(self) -> list[str]:
        return [e.name for f in self.functions for e in f.tape if e.name]


def parse(data: bytes) -> File:
    """Takes a file apart; raises for what is not exactly one."""
    at = 0
    borders = []

    def take(form):
        nonlocal at
        borders.append(at)
        (value,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def vector(form):
        return [take(form) for _ in range(take("Q"))]

    def raw(count):
        nonlocal at
        borders.append(at)
        assert at + count <= len(data)
        at += count
        return data[at - count : at]

    def text():
        return raw(take("Q")).decode()

    def dtype():
        code, size = take("i"), take("B")
        assert SIZES[code] == size
        return DTYPES[code]

    def state(form):
        if form in "IUL":
            return vector({"I": "i", "U": "Q", "L": "q"}[form])
        if form == "s":
            return text()
        if form == "t":
            return dtype()
        return take({"b": "?", "u": "Q"}.get(form, form))

    version = text()
    count, shapeless = take("i"), take("?")
    late = tuple(int(part) for part in version.split(".")) >= (0, 32, 1)
    metadata = text() if late else ""
    functions, known = [], set()
    for _ in range(count):
        f = Function([text() for _ in range(take("Q"))], vector("Q"))
        f.arguments = [(tuple(vector("i")), dtype()) for _ in range(take("Q"))]
        f.outputs = vector("Q")
        for _ in range(take("Q")):
            e = Entry([take("Q")])
            if take("?"):
                e.inputs = vector("Q")
                e.stream = (take("i"), take("i"), take("i"))
                e.name = text()
                e.state = [state(form) for form in layout_of(e.name, version)]
                siblings = take("Q")
                if siblings:
                    e.several = True
                    e.ids = vector("Q")
                    assert len(e.ids) == siblings + 1
                    shapes = [tuple(vector("i")) for _ in range(take("Q"))]
                    dtypes = [dtype() for _ in range(take("Q"))]
                    e.outputs = list(zip(shapes, dtypes, strict=True))
                else:
                    e.outputs = [(tuple(vector("i")), dtype())]
            elif take("?"):
                e.constant = True
                if e.ids[0] not in known:
                    known.add(e.ids[0])
                    shape, kind = tuple(vector("i")), dtype()
                    size = SIZES[DTYPES.index(kind)]
                    for d in shape:
                        size *= d
                    e.outputs, e.value = [(shape, kind)], raw(size)
            f.tape.append(e)
        functions.append(f)
    assert at == len(data), "bytes follow the last function"
    return File(functions, version, shapeless, metadata, borders)


def build(file: File) -> bytes:
    """The bytes of a file."""
    out = bytearray()

    def put(form, *values):
        out.extend(struct.pack("<" + form * len(values), *values))

    def vector(form, values):
        put("Q", len(values))
        put(form, *values)

    def text(value):
        put("Q", len(value.encode()))
        out.extend(value.encode())

    def dtype(name):
        put("i", DTYPES.index(name))
        put("B", SIZES[DTYPES.index(name)])

    text(file.version)
    put("i", len(file.functions))
    put("?", file.shapeless)
    if tuple(int(part) for part in file.version.split(".")) >= (0, 32, 1):
        text(file.metadata)
    for f in file.functions:
        put("Q", len(f.keywords))
        for keyword in f.keywords:
            text(keyword)
        vector("Q", f.inputs)
        put("Q", len(f.arguments))
        for shape, kind in f.arguments:
            vector("i", shape)
            dtype(kind)
        vector("Q", f.outputs)
        put("Q", len(f.tape))
        for e in f.tape:
            put("Q", e.ids[0])
            put("?", e.name is not None)
            if e.name is None:
                put("?", e.constant)
                if e.value is not None:
                    vector("i", e.outputs[0][0])
                    dtype(e.outputs[0][1])
                    out.extend(e.value)
                continue
            vector("Q", e.inputs)
            put("i", *e.stream)
            text(e.name)
            for form, value in zip(layout_of(e.name, file.version), e.state, strict=True):
                if form in "IUL":
                    vector({"I": "i", "U": "Q", "L": "q"}[form], value)
                elif form == "s":
                    text(value)
                elif form == "t":
                    dtype(value)
                else:
                    put({"b": "?", "u": "Q"}.get(form, form), value)
            if e.several:
                put("Q", len(e.ids) - 1)
                vector("Q", e.ids)
                put("Q", len(e.outputs))
                for shape, _ in e.outputs:
                    vector("i", shape)
                put("Q", len(e.outputs))
                for _, kind in e.outputs:
                    dtype(kind)
            else:
                put("Q", 0)
                vector("i", e.outputs[0][0])
                dtype(e.outputs[0][1])
    return bytes(out)
