"""C++ programs written for MLX compile: every function that MLX's headers declare can be called
with just those parameters through heddle's `mlx/` headers, and so can what they use of `array`.

The declarations are read from the headers that the installed `mlx` wheel carries; each becomes a
call with `std::declval`, and the compiler says which of them do not compile.
"""

import os
import pathlib
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from engines import IS_HEDDLE

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own headers")

TREE = pathlib.Path(__file__).resolve().parents[2]
HEADERS = {
    "backend/cuda/cuda.h": "cu::", "backend/gpu/device_info.h": "gpu::",
    "backend/metal/metal.h": "metal::", "compile.h": "", "device.h": "",
    "distributed/ops.h": "distributed::", "dtype.h": "",
    "einsum.h": "", "export.h": "", "fast.h": "fast::", "fft.h": "fft::", "graph_utils.h": "",
    "io.h": "", "linalg.h": "linalg::", "memory.h": "", "ops.h": "", "random.h": "random::",
    "stream.h": "", "transforms.h": "", "utils.h": "", "version.h": "",
}  # fmt: skip

# name -> why no call of it is compiled
NOT_THERE = {
    "next": "a member of KeySequence: the programs of tests/mlx_programs call it",
    "default_": "a member of KeySequence",
    "ks": "a variable of MLX's inline code",
    "print": "a member of PrintFormatter",
    "get_name": "a member of NodeNamer",
    "set_name": "a member of NodeNamer",
}
# Functions of a namespace inside a header.
NESTED = dict.fromkeys(
    (
        *("get_var", "bfs_max_width", "max_ops_per_buffer", "max_mb_per_buffer", "metal_gpu_arch"),
        *("residency_set_max_pct", "residency_debug", "metal_fast_synch", "enable_tf32"),
        "nccl_timeout",
    ),
    "env::",
)
# Templates are asked with values, among the members and by the programs.
NOT_IN_THIS_FORM = ("&&",)

MEMBERS = """
std::declval<const array&>().itemsize()
std::declval<const array&>().size()
std::declval<const array&>().nbytes()
std::declval<const array&>().ndim()
std::declval<const array&>().shape()[0]
std::declval<const array&>().shape(-1)
std::declval<const array&>().strides()[0]
std::declval<const array&>().strides(-1)
std::declval<const array&>().dtype()
std::declval<const array&>().id()
std::declval<const array&>().is_available()
std::declval<const array&>().data<float>()[0]
std::declval<array&>().data<float>()[0] = 1.0f
std::declval<array&>().eval()
std::declval<array&>().item<float>()
std::declval<const array&>().item<int>()
std::declval<const array&>().begin()
std::declval<const array&>().flags().row_contiguous
std::declval<const array&>().data_size()
std::declval<const array&>().offset()
std::declval<const array&>().buffer().raw_ptr()
std::declval<const array&>().buffer_size()
std::declval<const array&>().has_primitive()
std::declval<const array&>().primitive().name()
std::declval<const array&>().primitive().stream()
std::declval<const array&>().primitive().device()
std::declval<const array&>().primitive_ptr().get()
std::declval<const array&>().primitive_id()
std::declval<const array&>().inputs()[0].id()
std::declval<array&>().inputs()[0].id()
std::declval<const array&>().siblings().size()
std::declval<array&>().siblings().size()
std::declval<const array&>().sibling_position()
std::declval<const array&>().outputs()
std::declval<const array&>().is_donatable()
std::declval<const array&>().is_tracer()
std::declval<array&>().set_tracer(false)
std::declval<array&>().detach()
std::declval<array&>().wait()
std::declval<const array&>().status() == array::Status::available
std::declval<array&>().set_data(allocator::malloc(4))
std::declval<array&>().set_data(allocator::malloc(4), 1, Strides{}, array::Flags{}, 0)
std::declval<array&>().copy_shared_buffer(std::declval<const array&>())
std::declval<array&>().overwrite_descriptor(std::declval<const array&>())
array::unsafe_weak_copy(std::declval<const array&>())
array(allocator::malloc(4), Shape{1}, float32)
array({2}, float32, std::declval<std::shared_ptr<Primitive>>(), {array(1.0f)})
array({2}, float32, nullptr, {})
array::make_arrays({{2}, {}}, {float32, int32}, std::declval<std::shared_ptr<Primitive>>(), {})
array(1.0f, bfloat16)
array({1.0f, 2.0f})
array({1, 2}, float32)
array({1, 2, 3, 4}, {2, 2})
array({1, 2, 3, 4}, {2, 2}, int64)
array(std::declval<std::vector<float>&>().begin(), {2, 2})
Device(Device::cpu) == Device::cpu
issubdtype(float32, floating)
set_default_device(Device::cpu)
eval(std::declval<array&>(), std::declval<array&>())
async_eval(std::declval<array&>(), std::declval<array&>())
compile([](const std::vector<array>& x) { return x; })
vmap([](const array& x) { return exp(x); })
grad([](const array& x) { return sum(x); })
export_to_dot(std::declval<std::ostream&>(), std::declval<array&>())
std::declval<array>() + 2.0f * std::declval<array>() - 1
-std::declval<array>() > array(0)
"""


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//.*|^\s*#.*$", "", text, flags=re.M)
    return text.replace("MLX_API", "")


def parts(parameters):
    """The parameters, split at the commas that are not inside brackets."""
    found, depth, current = [], 0, ""
    for letter in parameters:
        depth += (letter in "<({[") - (letter in ">)}]")
        if letter == "," and depth == 0:
            found.append(current)
            current = ""
        else:
            current += letter
    return [*found, current] if current.strip() else found


def type_of(parameter):
    declared = " ".join(parameter.split("=")[0].split())
    if "(*" in declared:
        return re.sub(r"\(\*\w+\)", "(*)", declared)
    named = re.match(r"(.*[\s&*>])(\w+)$", declared)
    basic = {"int", "float", "bool", "double", "char", "long"}
    return named[1].strip() if named and named[2] not in basic else declared


DECLARATION = re.compile(
    r"\n\s*((?:inline |constexpr )*[A-Za-z_](?:[\w:<>,\s&*]|\([^()]*\)>)*?)\s+&?([a-z_]\w*)"
    r"\(((?:[^();{}]|\([^()]*\)|\{[^{}]*\})*)\)\s*(?:;|\{|noexcept)"
)


def declared_functions():
    """(name of the function, its parameters, how it is called) of everything that is asked."""
    import mlx.core

    folder = pathlib.Path(mlx.core.__file__).parent / "include" / "mlx"
    for header, namespace in HEADERS.items():
        for result, name, parameters in DECLARATION.findall(
            without_comments((folder / header).read_text())
        ):
            if re.search(r"\b(template|return|namespace|else)\b", result) or name in {"if", "for"}:
                continue
            types = [type_of(p) for p in parts(parameters)]
            if name in NOT_THERE or any(f in t for f in NOT_IN_THIS_FORM for t in types):
                continue
            values = ", ".join(f"std::declval<{t}>()" for t in types)
            inside = NESTED.get(name, namespace)
            yield name, types, f"mlx::core::{inside}{name}({values})"


@pytest.fixture(scope="module")
def compiler():
    found = shutil.which("g++") or shutil.which("c++")
    assert found, "a C++ compiler builds heddle, so there must be one"
    return found


def failures(compiler, folder, calls):
    """Which of the expressions do not compile, with the compiler's first word on each."""
    lines = ['#include "mlx/mlx.h"', "#include <utility>", "using namespace mlx::core;"]
    lines += ["using namespace mlx::core::fft; using namespace mlx::core::fast;"]
    lines += ["using mlx::core::distributed::Group;"]
    first = len(lines) + 1
    lines += [f"using t{i} = decltype({call});" for i, call in enumerate(calls)]
    source = folder / "calls.cpp"
    source.write_text("\n".join(lines) + "\n")
    command = [compiler, "-std=c++20", "-fsyntax-only", "-fmax-errors=0", f"-I{TREE / 'include'}"]
    said = subprocess.run([*command, str(source)], capture_output=True, text=True).stderr
    found = {}
    for line, text in re.findall(r"calls\.cpp:(\d+):\d+: error: (.*)", said):
        found.setdefault(calls[int(line) - first], text)
    in_headers = re.findall(r"^(?!\S*calls\.cpp).*: error: .*", said, flags=re.M)
    assert not in_headers or found, "\n".join(in_headers)
    return found


def test_every_function_of_the_headers_can_be_called(compiler, tmp_path):
    functions = list(declared_functions())
    # The parser sees the headers: these are in them, and their number does not shrink unseen.
    assert {"matmul", "vmap", "save_safetensors", "rms_norm", "svd"} <= {f[0] for f in functions}
    assert len(functions) > 450
    found = failures(compiler, tmp_path, [call for *_, call in functions])
    assert not found, "\n".join(f"{call}: {text}" for call, text in found.items())


def test_members_and_constructors(compiler, tmp_path):
    calls = MEMBERS.strip().splitlines()
    found = failures(compiler, tmp_path, calls)
    assert not found, "\n".join(f"{call}: {text}" for call, text in found.items())
    # And the question can be answered with no.
    assert failures(compiler, tmp_path, ["std::declval<array&>().no_such_member()"])


REFUSED = {
    "a.set_siblings(std::vector<array>{}, 0)": "make_arrays",
    "a.set_status(array::Status::available)": "set_data",
    "a.data_shared_ptr()": "is_donatable",
    "a.event()": "results are complete when eval_cpu returns",
    "a.detach_event()": "results are complete when eval_cpu returns",
    "Event(s)": "no events",
    "Fence(s)": "no fences",
    "Compiled(s, 1, 2)": "heddle fuses when it evaluates",
    "CustomTransforms(s, 1)": "custom_function",
    "Load(s, 1)": "load",
    "distributed::init(true, std::string(), 1)": "heddle does not connect processes",
}


def test_what_heddle_cannot_do_is_refused_with_the_reason(compiler, tmp_path):
    lines = [f'#include "mlx/{name}.h"' for name in ("mlx", "primitives", "event", "fence")]
    lines += ["using namespace mlx::core;"]
    lines += [f"void f{i}(array& a, Stream s) {{ {code}; }}" for i, code in enumerate(REFUSED)]
    source = tmp_path / "refused.cpp"
    source.write_text("\n".join(lines) + "\n")
    command = [compiler, "-std=c++20", "-fsyntax-only", "-fmax-errors=0", f"-I{TREE / 'include'}"]
    said = subprocess.run([*command, str(source)], capture_output=True, text=True).stderr
    for code, reason in REFUSED.items():
        line = next(i for i, text in enumerate(lines, 1) if code in text)
        assert f"refused.cpp:{line}:" in said, code
        assert re.search(f"static assertion failed: .*{reason}", said), code


def test_each_header_stands_alone(compiler, tmp_path):
    include = TREE / "include"

    def said_of(header):
        command = [
            compiler,
            "-std=c++20",
            "-fsyntax-only",
            "-Wall",
            f"-I{include}",
            "-x",
            "c++",
            "-",
        ]
        text = f'#include "{header.relative_to(include)}"\n'
        return subprocess.run(command, input=text, capture_output=True, text=True).stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [*pool.map(said_of, sorted((include / "mlx").rglob("*.h")))]
    assert len(said) > 30
    assert not any(said), "\n".join(said)
