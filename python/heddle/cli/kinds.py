"""Kinds of files, told by their content; a name says nothing."""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import zipfile

from .messages import Failure

KNOWN = "safetensors (also their index), npy, npz, GGUF, .mlxfn and .heddle files"
HEADER = 64
MOST_HEADER = 100 << 20  # of safetensors, by its specification

NOT_READ = {
    "torch": "a PyTorch checkpoint",
    "torchscript": "a TorchScript archive, which holds code",
    "pt2": "a program of torch.export",
    "pickle": "a pickle, as of an old PyTorch checkpoint",
}


def open_regular(path: str):
    """The file opened; a Failure for what is no regular file or cannot be read."""
    try:
        # Opening a pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Failure(f"cannot read {path!r}: {error.strerror}", "is the path right?") from None
    except ValueError as error:
        raise Failure(f"cannot read {path!r}: {error}", "is the path right?") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Failure(f"{path!r} is not a regular file", "name the file itself, not its folder")
    return os.fdopen(descriptor, "rb")


def safetensors_header(file) -> dict:
    """The JSON at the start; what it says is the engine's to check."""
    file.seek(0)
    (size,) = struct.unpack("<Q", file.read(8))
    if size > min(MOST_HEADER, os.fstat(file.fileno()).st_size - 8):
        raise ValueError("its header is longer than the file, or than 100 MB")
    header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return header


def kind_of_archive(file) -> str:
    names = zipfile.ZipFile(file).namelist()
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        code = any("/code/" in name for name in names) or "constants.pkl" in last
        return "torchscript" if code else "torch"
    if "archive_format" in last or any("/models/" in name for name in names):
        return "pt2"
    return "npz" if all(name.endswith(".npy") for name in names) else "zip"


def kind_of(file) -> str:
    """One of the kinds above, or "" for another."""
    head = file.read(HEADER)
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return kind_of_archive(file)
    if len(head) >= 9:
        (size,) = struct.unpack_from("<Q", head)
        if head[8:9] == b"{":
            metadata = safetensors_header(file).get("__metadata__")
            is_program = isinstance(metadata, dict) and metadata.get("format") == "heddle"
            return "heddle" if is_program else "safetensors"
        if size < HEADER - 8 and re.fullmatch(rb"\d+(\.\d+)*[-+.\w]*", head[8 : 8 + size]):
            return "mlxfn"
    if head[:1] == b"\x80" and head[1:2] in b"\x01\x02\x03\x04\x05":
        return "pickle"
    if head.lstrip()[:1] == b"{":
        return "safetensors index"
    return ""
