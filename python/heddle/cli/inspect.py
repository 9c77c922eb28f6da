"""``heddle inspect``: what is in a file, without computing or executing anything of it."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import zipfile
from collections import Counter

from . import kinds, pickles
from .messages import EXIT_DIFFERENT, EXIT_REFUSED, EXIT_UNREADABLE, Failure, human

# What readers raise: the engine's, zipfile's, json's, pickletools'.
UNREADABLE = (
    *(ValueError, RuntimeError, OSError, KeyError, EOFError, TypeError, OverflowError, IndexError),
    *(MemoryError, RecursionError, NotImplementedError, zipfile.BadZipFile),
)


def _entry(name: str, array) -> dict:
    dtype = str(array.dtype).rpartition(".")[2]
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "bytes": array.nbytes}


def _arrays(path: str, kind: str) -> dict:
    from .. import core as mx

    if kind == "npy":
        return {"tensors": [_entry("", mx.load(path, "npy"))]}
    if kind == "npz":
        return {"tensors": [_entry(*item) for item in mx.load(path, "npz").items()]}
    if kind == "safetensors index":
        if not path.endswith(".safetensors.index.json"):
            raise Failure(
                f"{path!r} is JSON, but not called *.safetensors.index.json",
                f"heddle reads {kinds.KNOWN}",
            )
        return {"tensors": [_entry(*item) for item in mx.load(path).items()]}
    arrays, metadata = mx.load(path, kind, return_metadata=True)
    tensors = [_entry(*item) for item in arrays.items()]
    if kind == "safetensors":
        with kinds.open_regular(path) as file:
            header = kinds.safetensors_header(file)
        for tensor in tensors:  # as the file has them: float8 has no dtype here
            tensor["stored"] = header[tensor["name"]]["dtype"]
    return {"tensors": tensors, "metadata": {k: _plain(v) for k, v in metadata.items()}}


def _plain(value):
    """Metadata as JSON has it; long lists, as of tokenizers, by their length."""
    most = 8
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return value if len(value) <= most else f"{len(value)} texts"
    return value.tolist() if value.size <= most else f"{value.size} numbers"


def _named(value: tuple) -> dict:
    name, shape, dtype = value
    return {"name": name, "shape": list(shape), "dtype": str(dtype).rpartition(".")[2]}


def _function(path: str) -> dict:
    from .. import core as mx

    traces: list[dict] = []

    def see(record: dict) -> None:
        kind = record["type"]
        if kind == "inputs":
            traces.append({"inputs": [_named(v) for v in record["inputs"]]})
        elif kind == "keyword_inputs":
            traces[-1]["keywords"] = {name: value for name, value in record["keywords"]}
        elif kind == "outputs":
            traces[-1]["outputs"] = [_named(v) for v in record["outputs"]]
        elif kind == "constants":
            traces[-1]["constants"] = [_entry(*pair) for pair in record["constants"]]
            traces[-1]["operations"] = Counter()
        else:
            traces[-1]["operations"][record["name"]] += 1

    about = mx._describe_function(path, see)
    about["metadata"] = about["metadata"].decode(errors="replace")
    return {"graph": {**about, "traces": traces}}


def _globals(file, kind: str) -> list[str]:
    """What the pickles of a checkpoint would call."""
    if kind == "pickle":
        return pickles.global_names(file.read(pickles.MOST_BYTES))
    names: dict[str, None] = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".pkl"):
                continue
            with archive.open(member) as stream:
                content = stream.read(pickles.MOST_BYTES + 1)
            if len(content) > pickles.MOST_BYTES:
                raise ValueError(f"{member.filename!r} has more than {pickles.MOST_BYTES} bytes")
            names.update(dict.fromkeys(pickles.global_names(content)))
    return list(names)


def _risks(found: dict) -> list[dict]:
    risks = []
    for name in found.get("globals", []):
        if not pickles.is_of_tensors(name):
            risks.append({"code": "global", "text": f"loading it with pickle would call {name}"})
    if found["kind"] == "torchscript":
        risks.append({"code": "code", "text": "it holds TorchScript code"})
    if "tokenizer.chat_template" in found.get("metadata", {}):
        text = "it holds a chat template, a program in Jinja that others may run"
        risks.append({"code": "template", "text": text})
    return risks


def describe(path: str) -> dict:
    """What ``--json`` prints. Raises Failure."""
    with kinds.open_regular(path) as file:
        try:
            found: dict = {"path": path, "bytes": os.fstat(file.fileno()).st_size}
            kind = found["kind"] = kinds.kind_of(file)
            found["readable"] = kind not in kinds.NOT_READ
            if kind in kinds.NOT_READ:
                file.seek(0)
                found["globals"] = _globals(file, kind)
            elif kind in ("mlxfn", "heddle"):
                found |= _function(path)
            elif kind and kind != "zip":
                found |= _arrays(path, kind)
            else:
                what = "an archive without arrays" if kind else "not of a kind that heddle knows"
                raise Failure(f"{path!r} is {what}", f"heddle reads {kinds.KNOWN}")
        except UNREADABLE as error:
            text = str(error) or type(error).__name__
            raise Failure(f"{path!r}: {text}", "the file is damaged, or not what it says") from None
    found.get("tensors", []).sort(key=lambda t: t["name"])
    found["risks"] = _risks(found)
    return found


def _shape(value: dict) -> str:
    return f"{value['dtype']} ({', '.join(map(str, value['shape']))})"


def as_text(found: dict) -> str:
    title = kinds.NOT_READ.get(found["kind"], found["kind"])
    lines = [f"{found['path']}: {title}, {human(found['bytes'])}"]
    tensors = found.get("tensors")
    if tensors is not None:
        total = sum(t["bytes"] for t in tensors)
        lines.append(f"{len(tensors)} array{'s' * (len(tensors) != 1)}, {human(total)}")
        wide = max((len(t["name"]) for t in tensors), default=0)
        for t in tensors:
            stored = f", stored as {t['stored']}" if t.get("stored", "").startswith("F8") else ""
            lines.append(f"  {t['name']:{wide}}  {_shape(t)}  {human(t['bytes'])}{stored}".rstrip())
    for key, value in found.get("metadata", {}).items():
        text = " ".join(str(value).split())
        lines.append(f"  {key} = {text if len(text) <= 100 else text[:97] + '...'}")
    if graph := found.get("graph"):
        sizes = "any sizes" if graph["shapeless"] else "the sizes below"
        lines.append(f"format {graph['version']}, functions of {sizes}")
        for trace in graph["traces"]:
            keywords = {array: name for name, array in trace["keywords"].items()}
            inputs = (
                (f"{keywords[v['name']]}: " if v["name"] in keywords else "") + _shape(v)
                for v in trace["inputs"]
            )
            constants = trace["constants"]
            lines.append(
                f"  ({', '.join(inputs)}) -> ({', '.join(map(_shape, trace['outputs']))}): "
                f"{sum(trace['operations'].values())} operations, {len(constants)} constants of "
                f"{human(sum(c['bytes'] for c in constants))}"
            )
            for name, count in sorted(trace["operations"].items(), key=lambda p: (-p[1], p[0])):
                lines.append(f"    {count:6} {name}")
    lines += [f"global: {name}" for name in found.get("globals", [])]
    lines += [f"risk: {risk['text']}" for risk in found["risks"]]
    return "\n".join(lines)


def _surface(options: argparse.Namespace) -> int:
    from .. import surface

    try:
        entries = surface.compare()
    except ModuleNotFoundError as error:
        hint = "pip install 'mlx[cpu]' brings what to compare"
        raise Failure(f"cannot import {error.name}", hint) from None
    if options.samples:
        folder = pathlib.Path(options.samples)
        if not (folder / "samples").is_dir():
            hint = "they lie in heddle's tests/python"
            raise Failure(f"no sample inputs in {options.samples!r}", hint)
        surface.add_samples(entries, folder)
    if options.json:
        print(json.dumps(surface.as_json(entries), indent=1))
    else:
        print(surface.as_text(entries))
    same = all(entry.status not in ("missing", "differs") for entry in entries)
    return 0 if same else EXIT_DIFFERENT


def inspect(options: argparse.Namespace) -> int:
    if options.mlx_surface == (options.file is not None):
        options.parser.error("name a FILE, or give --mlx-surface")
    if options.mlx_surface:
        return _surface(options)
    found = describe(options.file)
    print(json.dumps(found, indent=1) if options.json else as_text(found))
    if found["readable"]:
        return 0
    if found["risks"]:
        hint = "do not load it with torch.load or pickle unless you trust where it comes from"
        raise Failure(f"{options.file!r} may run code when it is loaded", hint, EXIT_UNREADABLE)
    hint = "save its tensors with safetensors.torch.save_file, and load those"
    raise Failure(f"heddle does not read {kinds.NOT_READ[found['kind']]} yet", hint, EXIT_REFUSED)
