"""Unmodified programs for MLX on heddle: ``python -m heddle run`` and ``heddle.mlx.install()``."""

import os
import subprocess
import sys

import pytest

IMPORTS = """
import sys
import mlx.core as mx, mlx.nn as nn
from mlx import nn as also_nn, optimizers
import mlx.optimizers as optim
import mlx.core.random
import mlx.core.random as random
import mlx.core.fast as fast
import mlx.nn.layers.linear as linear
import mlx.optimizers.schedulers
import mlx.utils
import mlx
from mlx.core import array
"""
CHECKS = """
import heddle.core, heddle.nn, heddle.optimizers, heddle.utils
assert mx is heddle.core and mlx.core is mx and array is mx.array
assert nn is heddle.nn and also_nn is nn and mlx.nn is nn
assert optim is heddle.optimizers and optimizers is optim
assert random is mx.random and mlx.core.random is random and fast is mx.fast
assert linear.Linear is nn.Linear and mlx.utils is heddle.utils
assert mlx.optimizers.schedulers.cosine_decay is optim.cosine_decay
assert not any("site-packages/mlx/" in (getattr(m, "__file__", None) or "")
               for m in list(sys.modules.values()))
"""
PROGRAM = """
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(2, 16), nn.Linear(16, 1)]

    def __call__(self, x):
        return self.layers[1](nn.relu(self.layers[0](x)))

mx.random.seed(0)
model = MLP()
mx.eval(model.parameters())
print(sum(p.size for _, p in tree_flatten(model.parameters())))
x = mx.random.normal((64, 2))
y = (x[:, :1] * x[:, 1:])
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
optimizer = optim.Adam(learning_rate=0.02)
first = None
for _ in range(100):
    loss, grads = loss_and_grad(x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    first = first or loss.item()
print(loss.item() < first / 4)
print(model)
"""


def python(*arguments, cwd, **variables):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


WRONG = "raise SystemExit('the wrong mlx')"


@pytest.fixture(params=["package", "folder", "file"])
def folder(request, tmp_path):
    """A working directory with something called mlx in the way."""
    if request.param == "file":
        (tmp_path / "mlx.py").write_text(WRONG)
        return tmp_path
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.py").write_text(WRONG)
    if request.param == "package":
        (tmp_path / "mlx" / "__init__.py").write_text(WRONG)
    return tmp_path


@pytest.mark.parametrize("as_module", [False, True])
def test_imports_give_heddle(folder, as_module):
    (folder / "program.py").write_text(IMPORTS + CHECKS)
    run = python(
        "-m", "heddle", "run", *(["-m", "program"] if as_module else ["program.py"]), cwd=folder
    )
    assert run.returncode == 0, run.stderr


def test_heddle_does_not_look_for_mlx(folder):
    code = (
        "import heddle, heddle.core as mx, heddle.nn, heddle.optimizers, heddle.utils, heddle.mlx; "
        "print(mx.ones(2).sum().item())"
    )
    run = python("-c", code, cwd=folder)
    assert run.stdout == "2.0\n", run.stderr


def test_install_wins_over_what_was_imported(tmp_path):
    code = (
        "import mlx.core, mlx.nn\nimport heddle.mlx\nheddle.mlx.install()\nheddle.mlx.install()\n"
    )
    checks = CHECKS.partition("assert not any")[0]
    run = python("-c", code + IMPORTS + checks, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


def test_what_heddle_lacks_is_not_taken_from_mlx(tmp_path):
    code = "import heddle.mlx; heddle.mlx.install(); import mlx.no_such_module"
    run = python("-c", code, cwd=tmp_path)
    assert run.returncode == 1
    assert "No module named 'mlx.no_such_module': heddle stands in for mlx" in run.stderr


def test_a_program_trains_as_under_mlx(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    ours = python("-m", "heddle", "run", "program.py", cwd=tmp_path)
    theirs = python("program.py", cwd=tmp_path, MLX_DISABLE_COMPILE="1")
    assert ours.returncode == theirs.returncode == 0, ours.stderr
    assert ours.stdout == theirs.stdout
    assert "\nTrue\n" in ours.stdout


def test_the_program_sees_its_own_surroundings(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "neighbour.py").write_text("value = 42")
    (tmp_path / "inside" / "program.py").write_text(
        "import sys, neighbour\nprint(sys.argv, __name__, neighbour.value, flush=True)\nsys.exit(7)"
    )
    run = python("-m", "heddle", "run", "inside/program.py", "a", "--flag", "-m", "b", cwd=tmp_path)
    assert run.stdout == "['inside/program.py', 'a', '--flag', '-m', 'b'] __main__ 42\n"
    assert run.returncode == 7


def test_an_exception_in_the_program_is_shown(tmp_path):
    (tmp_path / "program.py").write_text("def f():\n    raise KeyError('mine')\nf()\n")
    run = python("-m", "heddle", "run", "program.py", cwd=tmp_path)
    assert run.returncode == 1
    assert "program.py" in run.stderr and run.stderr.endswith("KeyError: 'mine'\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.py"], 4, "cannot find the file 'nowhere.py'"),
        (["run", "-m", "no.where"], 4, "no module named 'no.where'"),
        (["run"], 2, "required: PROGRAM"),
        ([], 2, "required: COMMAND"),
        (["fly"], 2, "invalid choice: 'fly'"),
    ],
)
def test_wrong_use_is_told_in_a_few_words(tmp_path, arguments, code, message):
    run = python("-m", "heddle", *arguments, cwd=tmp_path)
    assert run.returncode == code
    assert message in run.stderr and "Traceback" not in run.stderr


def test_importing_the_package_loads_nothing_heavy(tmp_path):
    code = (
        "import sys; before = set(sys.modules); import heddle; "
        "print(sorted(m for m in set(sys.modules) - before if 'heddle' in m))"
    )
    run = python("-c", code, cwd=tmp_path)
    assert run.stdout == "['heddle', 'heddle._core_loader', 'heddle._reprlib_fix']\n", run.stderr


def test_reprlib_shows_arrays(tmp_path):
    code = (
        "import array, reprlib, {0}.core as mx\n"
        "print(reprlib.repr(mx.zeros(3)), reprlib.repr([mx.zeros((9, 9))]), "
        "reprlib.repr(array.array('i', [1, 2])))"
    )
    ours, theirs = (python("-c", code.format(name), cwd=tmp_path) for name in ("heddle", "mlx"))
    assert ours.stdout == theirs.stdout and ours.stdout.startswith("array([0, 0, ...")
