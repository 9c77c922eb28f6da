"""C++ programs written for MLX compile: every function that MLX's headers declare can be called
with just those parameters through heddle's `mlx/` headers, and so can what they use of `array`.

The declarations are read from the headers that the installed `mlx` wheel carries; each becomes a
call with `std::declval`, and the compiler says which of them do not compile.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

from engines import IS_HEDDLE

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own headers")

TREE = pathlib.Path(__file__).resolve().parents[2]
HEADERS = {
    "compile.h": "", "device.h": "", "dtype.h": "", "einsum.h": "", "export.h": "",
    "fast.h": "fast::", "fft.h": "fft::", "graph_utils.h": "", "io.h": "", "linalg.h": "linalg::",
    "memory.h": "", "ops.h": "", "random.h": "random::", "stream.h": "", "transforms.h": "",
    "utils.h": "",
}  # fmt: skip

# name -> why heddle has no such function
NOT_THERE = {
    "next": "a member of MLX's KeySequence",
    "default_": "a member of MLX's KeySequence",
    "ks": "a variable of MLX's inline code",
    "precompiled_cuda_kernel": "no GPU",
    "print": "a member of MLX's PrintFormatter",
    "get_global_formatter": "MLX's PrintFormatter",
    "is_main_thread": "MLX's own use",
    "is_power_of_2": "MLX's own use",
    "next_power_of_2": "MLX's own use",
    "get_var": "the settings of MLX's environment",
    "bfs_max_width": "the settings of MLX's environment",
    "max_ops_per_buffer": "the settings of MLX's environment",
    "max_mb_per_buffer": "the settings of MLX's environment",
    "residency_set_max_pct": "the settings of MLX's environment",
    "residency_debug": "the settings of MLX's environment",
    "metal_fast_synch": "the settings of MLX's environment",
    "metal_gpu_arch": "the settings of MLX's environment",
    "enable_tf32": "the settings of MLX's environment",
    "nccl_timeout": "the settings of MLX's environment",
    "get_array_buffer_size": "arrays share buffers whose sizes are the engine's matter",
    "device_info": "in Python only",
    "peek_default_stream": "MLX's own use",
    "get_streams": "streams belong to threads",
    "kindof": "a class inside Dtype, which is an enumeration here",
    "get_name": "a member of MLX's NodeNamer",
    "set_name": "a member of MLX's NodeNamer",
    "print_graph": "export_to_dot shows graphs",
}
# The same for one of several forms of a function: a parameter that says which. Templates (&&) are
# asked with values, among the members.
NOT_IN_THIS_FORM = ("Dtype::Category", "ExportCallback", "NodeNamer", "CompileOptions", "&&")

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
begin(std::declval<const array&>())
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
            yield name, types, f"mlx::core::{namespace}{name}({values})"


@pytest.fixture(scope="module")
def compiler():
    found = shutil.which("g++") or shutil.which("c++")
    assert found, "a C++ compiler builds heddle, so there must be one"
    return found


def failures(compiler, folder, calls):
    """Which of the expressions do not compile, with the compiler's first word on each."""
    lines = ['#include "mlx/mlx.h"', "#include <utility>", "using namespace mlx::core;"]
    lines += ["using namespace mlx::core::fft; using namespace mlx::core::fast;"]
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


def test_each_header_stands_alone(compiler, tmp_path):
    headers = sorted((TREE / "include" / "mlx").glob("*.h"))
    # One of those that only include all the others will do.
    own = [h for h in headers if '"mlx/mlx.h"' not in h.read_text()]
    for header in [*own, TREE / "include" / "mlx" / "random.h"]:
        source = tmp_path / "one.cpp"
        source.write_text(f'#include "mlx/{header.name}"\n')
        command = [compiler, "-std=c++20", "-fsyntax-only", f"-I{TREE / 'include'}", str(source)]
        said = subprocess.run(command, capture_output=True, text=True)
        assert said.returncode == 0, f"{header.name}\n{said.stderr}"
