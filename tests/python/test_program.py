"""Programs of functions and files: called, looked at, compared, saved; what is refused, and how."""

import json
import pickle
import threading

import heddle.core as mx
import numpy as np
import pytest

import heddle
import heddle.nn as nn
from engines import IS_HEDDLE

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="heddle's own functions")


def halves(x, scale=None):
    n = x.shape[0]
    y = mx.reshape(x, (2 * n, -1))[1 : n + 1]
    return y if scale is None else y * scale


def rows(*shape):
    return mx.arange(int(np.prod(shape)), dtype=mx.float32).reshape(shape)


def test_a_program_is_called_as_its_function_was():
    def f(x, state, *, weights):
        y = x @ weights["w"] + weights["b"]
        return {"y": y, "state": [state[0] + 1, (y.sum(), None)], "kind": "sum"}

    weights = {"w": rows(4, 2), "b": rows(2)}
    program = heddle.convert(f, (rows(3, 4), [mx.array(0)]), {"weights": weights})
    assert [v.name for v in program.inputs] == ["x", "state.0", "weights.w", "weights.b"]
    assert [v.shape for v in program.inputs] == [(3, 4), (), (4, 2), (2,)]
    x = rows(3, 4) * 0.5
    wanted = f(x, [mx.array(4)], weights=weights)
    given = program(x, [mx.array(4)], weights=weights)
    assert given["kind"] == "sum" and given["state"][1][1] is None
    assert isinstance(given["state"][1], tuple)
    assert given["y"].tolist() == wanted["y"].tolist()
    assert given["state"][0].item() == 5
    # Arrays of others are taken where they are.
    others = {"w": np.array(weights["w"]), "b": np.array(weights["b"])}
    again = program(np.array(x), [np.array(4, np.int32)], weights=others)
    assert again["y"].tolist() == given["y"].tolist()
    with pytest.raises(ValueError, match="The arguments have the structure"):
        program(x, (mx.array(4),), weights=weights)
    with pytest.raises(ValueError, match=r"\[Program\] The arguments do not fit. Wanted are 4"):
        program(rows(4, 4), [mx.array(4)], weights=weights)


def test_values_beside_arrays_are_part_of_the_program():
    program = heddle.convert(halves, (rows(2, 4), 3.0))
    assert program(rows(2, 4), 3.0).tolist() == halves(rows(2, 4), 3.0).tolist()
    with pytest.raises(ValueError, match="the program was made for"):
        program(rows(2, 4), 4.0)


@pytest.mark.parametrize(
    "dynamic_shapes", [({0: "n"},), (["n", None],), {"x": ("n",)}, {"x": {-2: "n"}}]
)
def test_named_sizes_may_be_others(dynamic_shapes, tmp_path):
    program = heddle.convert(halves, (rows(3, 4),), dynamic_shapes=dynamic_shapes)
    assert program.inputs[0].shape == ("n", 4)
    assert repr(program).startswith("Program(x: mlx.core.float32['n', 4])")
    path = tmp_path / "halves.heddle"
    program.save(path)
    for each in (program, heddle.convert(path)):
        for n in (3, 1, 8):
            assert each(rows(n, 4)).tolist() == halves(rows(n, 4)).tolist()
        with pytest.raises(ValueError, match="Axis 1 of input x has size 6; the program was made"):
            each(rows(3, 6))
        assert [s.op for s in each.steps] == ["Reshape", "Slice"]
        assert each.inputs == program.inputs


def test_sizes_in_containers_have_names():
    def f(pair, key):
        return mx.concatenate([pair["a"], pair["b"]]) + key.shape[0]

    shapes = {"pair": {"a": ["n"], "b": ["m"]}, "key": ["m"]}
    args = ({"a": rows(2), "b": rows(3)}, rows(3))
    program = heddle.convert(f, args, dynamic_shapes=shapes)
    other = ({"a": rows(5), "b": rows(4)}, rows(4))
    assert program(*other).tolist() == f(*other).tolist()
    with pytest.raises(ValueError, match="they had one size, m"):
        program({"a": rows(5), "b": rows(4)}, rows(5))


def test_a_size_that_a_number_depends_on_otherwise_is_refused_by_name():
    def root(x):
        return x * x.shape[0] ** 0.5

    with pytest.raises(heddle.ConversionError, match="The size n cannot change: constant") as error:
        heddle.convert(root, (rows(4),), dynamic_shapes=(["n"],))
    report = error.value.report
    assert [issue.code for issue in report.issues] == ["R-CAP-SHAPE"]
    assert heddle.check(root, (rows(4),), dynamic_shapes=(["n"],)) == report
    assert heddle.check(root, (rows(4),)).runnable
    again = pickle.loads(pickle.dumps(error.value))
    assert again.report == report and str(again) == str(error.value)
    assert json.loads(report.to_json())["runnable"] is False
    assert heddle.Report.from_json(report.to_json()) == report


def test_all_that_a_format_cannot_hold_is_told(tmp_path):
    program = heddle.convert(halves, (rows(3, 4),), dynamic_shapes=(["n"],))
    report = program.check("mlxfn")
    assert not report.runnable
    assert [i.op for i in report.issues] == ["Reshape", "Slice"]
    assert report.coverage == 0
    path = tmp_path / "halves.mlxfn"
    with pytest.raises(heddle.ConversionError, match="follows a size") as error:
        program.save(path)
    assert error.value.report == report
    assert not path.exists()
    with pytest.raises(ValueError, match=r"there are heddle \(.heddle\), mlxfn"):
        program.save(tmp_path / "halves.onnx")


def test_a_size_that_has_to_stay_is_not_lost_on_the_way(tmp_path):
    def scaled(x):
        return x * x.shape[1] ** -0.5

    program = heddle.convert(scaled, (rows(3, 4),), dynamic_shapes=(["n"],))
    program.save(tmp_path / "f.heddle")
    mx.export_function(str(tmp_path / "g.heddle"), scaled, rows(3, 4), shapeless=True)
    for name in ("f.heddle", "g.heddle"):
        loaded = heddle.convert(tmp_path / name)
        assert loaded(rows(5, 4)).tolist() == scaled(rows(5, 4)).tolist()
        with pytest.raises(ValueError, match="Axis 1"):
            loaded(rows(5, 9))
        (issue,) = loaded.check("mlxfn").issues
        assert (issue.code, issue.op) == ("R-CAP-SHAPE", loaded.inputs[0].name)
        assert "axis 1 has to stay 4" in issue.message
    # One on which nothing depends is no hindrance.
    program = heddle.convert(lambda x: x + 1, (rows(3, 4),), dynamic_shapes=(["n"],))
    program.save(tmp_path / "f.mlxfn")
    (result,) = heddle.convert(tmp_path / "f.mlxfn")(rows(5, 4))
    assert result.tolist() == (rows(5, 4) + 1).tolist()


def test_files_of_functions_are_programs(tmp_path):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    model.eval()
    mx.eval(model.parameters())
    x = rows(5, 4)

    def first(results):
        return results[0] if isinstance(results, tuple) else results

    for suffix, other in (("mlxfn", "heddle"), ("heddle", "mlxfn")):
        path, again = tmp_path / f"model.{suffix}", tmp_path / f"again.{other}"
        mx.export_function(str(path), model, rows(1, 4), shapeless=True)
        program = heddle.convert(path)
        assert program.inputs[0].shape == ("input_0.0", "input_0.1")
        assert program.report.runnable and program.report.coverage == 1
        assert len(program.constants) >= 4
        assert first(program(x)).tolist() == model(x).tolist()
        program.save(again)
        assert first(heddle.convert(again)(x)).tolist() == model(x).tolist()


def test_a_comparison_names_the_first_step_that_differs():
    def f(x):
        return mx.exp(mx.sin(x) * 2.0)

    program = heddle.convert(f, (rows(3),))
    assert program.verify(f, (rows(3),)) == heddle.Verification(True, 0.0, 0.0)
    by_numpy = program.verify(lambda x: np.exp(np.sin(np.array(x)) * np.float32(2)), (rows(3),))
    assert by_numpy.ok and by_numpy.max_rel < 1e-6
    x = rows(3)
    values = {
        program.steps[0].outputs[0]: mx.sin(x),
        program.steps[1].outputs[0]: mx.sin(x) * 2.5,
    }
    found = program.verify(lambda x: mx.exp(mx.sin(x) * 2.5), (x,), values=values)
    assert not found.ok and found.first_diverging_op == "Multiply"
    assert found.problem.startswith("result 0: element 1 is")
    assert program.verify(lambda x: f(x) * 1.001, (x,), tolerance=0.01).ok
    assert not program.verify(lambda x: f(x) * 1.001, (x,)).ok
    assert "float16" in program.verify(lambda x: f(x).astype(mx.float16), (x,)).problem
    with pytest.raises(ValueError, match="The reference gives the structure"):
        program.verify(lambda x: [f(x)], (x,))
    with pytest.raises(ValueError, match="A tolerance is not negative"):
        program.verify(f, (x,), tolerance=-1)
    with pytest.raises(ZeroDivisionError):
        program.verify(lambda x: 1 / 0, (x,))


def test_comparisons_are_exact_where_they_have_to_be():
    x = mx.array([1.0, np.nan, np.inf])
    program = heddle.convert(lambda x: (x, mx.isnan(x)), (x,))
    assert program.verify(lambda x: (x, mx.isnan(x)), (x,)).ok
    for wrong in ([1.0, 0.0, np.inf], [1.0, np.nan, -np.inf], [1.0, np.nan, 3e38]):
        assert not program.verify(lambda x, w=wrong: (mx.array(w), mx.isnan(x)), (x,)).ok
    assert not program.verify(lambda x: (x, mx.array([True, True, False])), (x,), tolerance=9).ok
    big = mx.array([2**61 + 1], mx.int64)
    integers = heddle.convert(lambda x: x * 2, (big,))
    assert integers.verify(lambda x: x + x, (big,)).ok
    assert not integers.verify(lambda x: x + x - 1, (big,), tolerance=9).ok
    pair = heddle.convert(lambda x: x * 2, (mx.array([1 + 2j]),))
    assert pair.verify(lambda x: x + x, (mx.array([1 + 2j]),)).ok
    assert not pair.verify(lambda x: mx.array([2 + 4.1j]), (mx.array([1 + 2j]),)).ok


def test_what_fails_while_tracing_passes_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        heddle.convert(broken, (rows(3),))
    with pytest.raises(ValueError, match="cannot hold a object"):
        heddle.convert(lambda x: object(), (rows(3),))
    with pytest.raises(ValueError):
        heddle.convert(lambda x: x.item() + x, (rows(1),))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"source": 3}, TypeError, "A function of arrays or a path is wanted; given was a int"),
        ({"source": halves, "args": mx.ones(3)}, TypeError, "args is the tuple"),
        ({"source": "f.heddle", "args": (1,)}, TypeError, "A file has its arguments"),
        ({"source": "none.heddle"}, RuntimeError, "none.heddle"),
        ({"dynamic_shapes": ()}, ValueError, "has 0 entries; there are 1 arguments"),
        ({"dynamic_shapes": {"y": ["n"]}}, ValueError, "names y; the arguments are x"),
        ({"dynamic_shapes": ({2: "n"},)}, ValueError, r"names axis 2; its shape is \(3, 4\)"),
        ({"dynamic_shapes": ({0: 5},)}, TypeError, "a size has a name or None; given was 5"),
        ({"dynamic_shapes": (["n", "n"],)}, ValueError, "The size n is 3 in axis 0"),
    ],
)
def test_what_does_not_fit_is_told(arguments, error, text):
    defaults = {} if "source" in arguments else {"source": halves, "args": (rows(3, 4),)}
    with pytest.raises(error, match=text):
        heddle.convert(**defaults, **arguments)


def test_programs_under_transformations_and_threads():
    program = heddle.convert(halves, (rows(3, 4),), dynamic_shapes=(["n"],))
    x = rows(5, 4)
    gradient = mx.grad(lambda a: (program(a) ** 2).sum())(x)
    assert gradient.tolist() == mx.grad(lambda a: (halves(a) ** 2).sum())(x).tolist()
    batch = mx.vmap(program)(rows(2, 3, 4))
    assert batch.tolist() == mx.vmap(halves)(rows(2, 3, 4)).tolist()
    compiled = mx.compile(program, shapeless=True)
    for n in (3, 6):
        assert compiled(rows(n, 4)).tolist() == halves(rows(n, 4)).tolist()
    right = []

    def run(k):
        for n in range(1, 30):
            right.append(program(rows(n + k, 4)).tolist() == halves(rows(n + k, 4)).tolist())

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(right) == 4 * 29 and all(right)
