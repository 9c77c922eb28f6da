"""C++ programs written for MLX, in `tests/mlx_programs`: they are compiled against MLX's wheel and,
as they are, against an installed heddle at -O0 and -O2, and must print the same.

Between them they call every function that MLX's headers declare, unqualified and in braced forms.
"""

import math
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines import IS_HEDDLE
from test_mlx_headers import NOT_THERE, TREE, declared_functions

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own headers")

FOLDER = TREE / "tests" / "mlx_programs"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.cpp"))

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)$")


@pytest.fixture(scope="module")
def wheel():
    import mlx.core

    return Path(mlx.core.__file__).parent


def output(source: Path, folder: Path, include: Path, library: Path, *options: str) -> list[str]:
    """What the program prints, line by line."""
    folder.mkdir()
    program = folder / "program"
    command = ["g++", "-std=c++20", *options, "-I", include, source, "-o", program]
    command += [library, f"-Wl,-rpath,{library.parent}", "-pthread"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[:4000]
    ran = subprocess.run([program, folder], capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stdout[-500:]}\n{ran.stderr[-2000:]}"
    return ran.stdout.splitlines()


def same_word(wheels: str, ours: str) -> bool:
    if wheels == ours:
        return True
    if not (NUMBER.match(wheels) and NUMBER.match(ours)):
        return False
    return math.isclose(float(wheels), float(ours), rel_tol=2e-5, abs_tol=2e-6)


def same_line(wheels: str, ours: str) -> bool:
    words = wheels.split(), ours.split()
    return len(words[0]) == len(words[1]) and all(map(same_word, *words))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_it_prints_with_mlx(name, tmp_path, wheel, installed_library):
    prefix, library = installed_library
    source = FOLDER / f"{name}.cpp"
    theirs = (source, tmp_path / "wheel", wheel / "include", wheel / "lib" / "libmlx.so", "-O0")
    # What a call refuses does not depend on the compiler's work.
    levels = ["-O0"] if name == "refusals" else ["-O0", "-O2"]
    ours = [
        (source, tmp_path / level, prefix / "include", library, "-DON_HEDDLE", level)
        for level in levels
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        expected, printed, *optimized = pool.map(lambda run: output(*run), (theirs, *ours))
    assert all(printed == lines for lines in optimized)
    known = {line.partition(":")[0] for line in expected}
    printed = [line for line in printed if line.partition(":")[0] in known]
    assert [line.partition(":")[0] for line in printed] == [
        line.partition(":")[0] for line in expected
    ]
    wrong = [
        f"{line}\n  with MLX {wanted}"
        for line, wanted in zip(printed, expected, strict=True)
        if not same_line(wanted, line)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_programs_call_every_function_of_the_headers():
    text = "\n".join(path.read_text() for path in FOLDER.glob("*.cpp"))
    names = {name for name, *_ in declared_functions()} - set(NOT_THERE)
    assert len(names) > 250
    missing = sorted(n for n in names if not re.search(rf"\b{n}\(", text))
    assert not missing


def symbols(*command: str | Path) -> dict[str, str]:
    """The functions that `nm` lists, with their kind."""
    listed = subprocess.run(
        ["nm", "-C", "--defined-only", *command], capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stderr
    found = (line.split(" ", 2) for line in listed.stdout.splitlines())
    return {name: kind for _, kind, name in found if "(" in name}


def test_no_inline_function_has_the_name_of_an_exported_one(tmp_path, installed_library):
    prefix, library = installed_library
    source = tmp_path / "all.cpp"
    source.write_text('#include "heddle/heddle.h"\n#include "mlx/mlx.h"\n')
    subprocess.run(
        ["g++", "-std=c++20", "-O0", "-fkeep-inline-functions", "-c", source, "-I",
         prefix / "include", "-o", tmp_path / "all.o"],
        check=True,
    )  # fmt: skip
    ours = re.compile(r"^(?:\S+ )*(?:heddle|mlx::core)::")
    inline = {n for n, kind in symbols(tmp_path / "all.o").items() if ours.match(n)}
    exported = symbols("-D", library)
    strong = {n for n, kind in exported.items() if kind == "T"}
    # The lists see what they are to compare.
    assert any(n.startswith("mlx::core::exp(") for n in inline)
    assert any(n.startswith("heddle::exp(") for n in strong)
    assert not inline & strong
    foreign = {n for n in exported if not re.search(r"\bheddle::", n)}
    assert not foreign, sorted(foreign)[:10]


def test_a_function_of_a_programs_own_never_takes_the_place_of_the_librarys(
    tmp_path, installed_library
):
    prefix, library = installed_library
    source = tmp_path / "own.cpp"
    source.write_text("""
#include <cstdlib>
#include <iostream>
#include "heddle/heddle.h"
namespace heddle {
Shape broadcast_shapes(const Shape&, const Shape&) { std::abort(); }
Array reshape(const Array&, const Shape&, StreamOrDevice) { std::abort(); }
}
int main() {
  using namespace heddle;
  std::cout << flatten(Array({1.0f, 2.0f}, {2, 1}) + Array({1.0f, 2.0f}));
}
""")
    printed = output(source, tmp_path / "run", prefix / "include", library, "-O0")
    assert printed == ["array([2, 3, 3, 4], dtype=float32)"]
