"""What a pickle would call if it were loaded. Nothing is: its instructions are only read."""

from __future__ import annotations

import pickletools

MOST_BYTES = 64 << 20

# What PyTorch writes for tensors and their containers. Anything else may run code of its own.
_MODULES_OF_TENSORS = ("torch.storage", "torch._utils", "torch._tensor")
_CONTAINERS = {
    "collections.OrderedDict", "collections.Counter", "collections.defaultdict",
    "builtins.set", "builtins.bytearray", "builtins.complex", "__builtin__.set",
    "__builtin__.bytearray", "__builtin__.complex", "_codecs.encode",
    "torch.Size", "torch.device", "torch.strided", "torch.serialization._get_layout",
    "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer",
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
}  # fmt: skip
_TORCH_TYPES = ("Storage", "Tensor")  # torch.FloatStorage, torch.HalfTensor
_TORCH_DTYPES = {
    "float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
    "uint16", "uint32", "uint64", "bool", "complex32", "complex64", "complex128",
}  # fmt: skip
COMPUTED = "(a name that the pickle computes)"


def is_of_tensors(name: str) -> bool:
    """Whether a global is one of those that tensors are stored with."""
    module, _, last = name.rpartition(".")
    if name in _CONTAINERS:
        return True
    if module == "torch":
        return last.endswith(_TORCH_TYPES) or last in _TORCH_DTYPES
    if module == "torch._utils":
        return last.startswith("_rebuild_")
    return module in _MODULES_OF_TENSORS and last in (
        "UntypedStorage",
        "TypedStorage",
        "_rebuild_from_type_v2",
    )


def global_names(stream: bytes) -> list[str]:
    """The functions and classes that a pickle names, in the order in which it first does.

    Raises ValueError for what is no pickle.
    """
    names: dict[str, None] = {}
    texts: list[str | None] = []  # pushed lately; None for what is no text
    memo: dict[int, str | None] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        code = opcode.name
        if code in ("GLOBAL", "INST"):
            names[str(argument).replace(" ", ".", 1)] = None
            texts.append(None)
        elif code == "STACK_GLOBAL":
            pair = texts[-2:]
            known = len(pair) == 2 and None not in pair
            names[f"{pair[0]}.{pair[1]}" if known else COMPUTED] = None
            texts.append(None)
        elif code in ("EXT1", "EXT2", "EXT4"):
            names[COMPUTED] = None
            texts.append(None)
        elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument)] = texts[-1] if texts else None
        elif code == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else None
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            texts.append(memo.get(int(argument)))
        else:
            texts.append(argument if isinstance(argument, str) else None)
        del texts[:-8]
    return list(names)
