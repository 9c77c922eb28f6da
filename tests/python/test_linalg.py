"""Linear algebra beyond the samples: refusals, singular and odd matrices, derivatives of higher
order and against torch, threads and processes. Values are checked in test_registry.py."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import checks
from engines import IS_HEDDLE, mx

linalg = mx.linalg
RNG = np.random.default_rng(3)

REFUSED = {
    "vector": lambda m, f: f(m.zeros((3,))),
    "integers": lambda m, f: f(m.zeros((3, 3), dtype=m.int32)),
    "half": lambda m, f: f(m.zeros((3, 3), dtype=m.float16)),
    "list": lambda m, f: f([[1.0, 2.0], [3.0, 4.0]]),
}
SQUARE = [
    "inv",
    "tri_inv",
    "cholesky",
    "cholesky_inv",
    "eig",
    "eigvals",
    "eigh",
    "eigvalsh",
    "det",
    "slogdet",
]
ANY = ["qr", "lu", "lu_factor", "svd", "pinv"]


def on(name):
    return lambda module: getattr(module.linalg, name)


def random(*shape):
    return mx.array(RNG.standard_normal(shape), dtype=mx.float64)


def to_torch(x):
    return torch.tensor(np.array(x))


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("name", SQUARE[:8] + ANY)
def test_refuses_what_mlx_refuses(name, refused):
    checks.assert_agrees(lambda m: REFUSED[refused](m, on(name)(m)))


@pytest.mark.parametrize("name", SQUARE)
def test_refuses_matrices_that_are_not_square(name):
    checks.assert_agrees(lambda m: on(name)(m)(m.zeros((2, 3))), like=f"[linalg::{name}]"[:9])


COMPLEX_REFUSED = [
    "inv",
    "tri_inv",
    "cholesky",
    "cholesky_inv",
    "qr",
    "lu",
    "lu_factor",
    "pinv",
    "det",
    "slogdet",
]


@pytest.mark.parametrize("name", COMPLEX_REFUSED)
def test_refuses_complex_matrices_as_mlx_does(name):
    checks.assert_agrees(lambda m: on(name)(m)(m.zeros((2, 2), dtype=m.complex64)))


SYSTEMS = {
    "vector": ((2,), (2,)),
    "wide": ((2, 3), (3, 2)),
    "rows": ((2, 2), (3, 2)),
    "long": ((2, 2), (3,)),
    "scalar": ((2, 2), ()),
}


@pytest.mark.parametrize("shapes", SYSTEMS.values(), ids=list(SYSTEMS))
@pytest.mark.parametrize("name", ["solve", "solve_triangular"])
def test_refuses_systems_that_do_not_fit(name, shapes):
    checks.assert_agrees(lambda m: on(name)(m)(*(m.ones(shape) for shape in shapes)))


NORMS = {
    "three axes": lambda m: m.linalg.norm(m.ones((2, 2, 2)), ord=2),
    "fro of a vector": lambda m: m.linalg.norm(m.ones((3,)), "fro"),
    "text": lambda m: m.linalg.norm(m.ones((3, 3)), "foo"),
    "order": lambda m: m.linalg.norm(m.ones((3, 3)), 3),
    "axis": lambda m: m.linalg.norm(m.ones((3, 3)), axis=5),
    "two equal axes": lambda m: m.linalg.norm(m.ones((3, 3)), axis=(1, 1)),
    "singular values of integers": lambda m: m.linalg.norm(m.ones((3, 3), dtype=m.int32), 2),
    "scalar": lambda m: m.linalg.norm(m.array(3.0), 2),
    "by keyword": lambda m: m.linalg.norm(a=m.ones((3,))),
    "cross of four": lambda m: m.linalg.cross(m.ones((2, 4)), m.ones((2, 4))),
    "cross axis": lambda m: m.linalg.cross(m.ones((2, 3)), m.ones((2, 3)), axis=4),
    "cross shapes": lambda m: m.linalg.cross(m.ones((4, 3)), m.ones((5, 3))),
}


@pytest.mark.parametrize("call", NORMS.values(), ids=list(NORMS))
def test_refuses_norms_and_products_as_mlx_does(call):
    checks.assert_agrees(call)


DRAWS = {
    "sizes": lambda m: m.random.multivariate_normal(m.zeros((2,)), m.eye(3)),
    "not square": lambda m: m.random.multivariate_normal(m.zeros((2,)), m.ones((2, 3))),
    "no matrix": lambda m: m.random.multivariate_normal(m.zeros((2,)), m.ones((2,))),
    "no vector": lambda m: m.random.multivariate_normal(m.array(1.0), m.ones((2, 2))),
    "shape": lambda m: m.random.multivariate_normal(m.zeros((4, 2)), m.eye(2), [3]),
    "dtype": lambda m: m.random.multivariate_normal(m.zeros((2,)), m.eye(2), dtype=m.float16),
}


@pytest.mark.parametrize("call", DRAWS.values(), ids=list(DRAWS))
def test_refuses_draws_as_mlx_does(call):
    checks.assert_agrees(call)


SINGULAR = {
    "inv": lambda m: m.linalg.inv(m.zeros((3, 3))),
    "tri_inv": lambda m: m.linalg.tri_inv(m.array([[0.0, 1.0], [2.0, 3.0]])),
    "cholesky_inv": lambda m: m.linalg.cholesky_inv(m.array([[0.0, 1.0], [2.0, 3.0]])),
    "solve": lambda m: m.linalg.solve(m.zeros((2, 2)), m.ones((2,))),
    "solve_triangular": lambda m: m.linalg.solve_triangular(m.zeros((2, 2)), m.ones((2,))),
    "svd": lambda m: m.linalg.svd(m.array([[float("nan"), 1.0], [1.0, 2.0]])),
}


@pytest.mark.parametrize("call", SINGULAR.values(), ids=list(SINGULAR))
def test_singular_matrices_are_refused_at_evaluation(call):
    checks.assert_agrees(call)


def test_one_singular_matrix_in_a_stack_is_refused():
    stack = mx.stack([mx.eye(3), mx.zeros((3, 3)), mx.eye(3)])
    with pytest.raises(RuntimeError, match="singular"):
        mx.eval(linalg.inv(stack))


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_of_semidefinite_matrices(upper):
    for rank in (1, 2, 3):
        x = random(5, rank)
        a = x @ x.T
        factor = linalg.cholesky(a, upper=upper)
        product = factor.T @ factor if upper else factor @ factor.T
        assert np.abs(np.array(product - a)).max() < 1e-7
    assert np.array(linalg.cholesky(mx.zeros((3, 3)))).tolist() == np.zeros((3, 3)).tolist()


def test_cholesky_of_an_indefinite_matrix_is_nan():
    a = mx.array([[4.0, 2.0, 2.0], [2.0, -1.0, 0.0], [2.0, 0.0, 3.0]])
    factor = np.array(linalg.cholesky(mx.stack([a, 4 * mx.eye(3), float("nan") * a])))
    assert np.isnan(factor[[0, 2]][:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]).all()
    assert np.array_equal(factor[1], 2 * np.eye(3))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["eig", "eigvals", "eigh", "eigvalsh"])
def test_eigenvalues_of_matrices_that_are_not_finite_are_nan(name, value):
    stack = mx.stack([mx.array([[1.0, value], [value, 2.0]]), mx.eye(2)])
    for part in checks.flatten(getattr(linalg, name)(stack)):
        assert np.isnan(np.array(part)[0]).all()
        assert np.isfinite(np.array(part)[1]).all()


def test_nan_spreads_through_inverses_and_solutions():
    a = mx.array([[float("nan"), 1.0], [1.0, 2.0]])
    assert np.isnan(np.array(linalg.inv(a))).all()
    assert np.isnan(np.array(linalg.solve(a, mx.ones((2,))))).all()
    assert np.isnan(linalg.det(a).item())


def test_solve_broadcasts_stacks():
    a, b = random(3, 1, 4, 4), random(2, 4, 5)
    x = linalg.solve(a, b)
    assert x.shape == (3, 2, 4, 5)
    assert np.abs(np.array(a @ x - b)).max() < 1e-10
    assert linalg.solve(random(3, 4, 4), random(4)).shape == (3, 4)


def test_lu_gives_the_matrix_back():
    for shape in ((4, 4), (6, 3), (3, 6), (2, 5, 4)):
        a = random(*shape)
        p, lower, upper = linalg.lu(a)
        product = mx.take_along_axis(lower, p[..., None], axis=-2) @ upper
        assert p.dtype == mx.uint32
        assert np.abs(np.array(product - a)).max() < 1e-12


@pytest.mark.parametrize("shape", [(300, 300), (400, 150), (150, 400), (3, 280, 280)])
def test_large_matrices(shape):
    a = random(*shape)
    u, s, vt = linalg.svd(a)
    k = s.shape[-1]
    assert np.abs(np.array((u[..., :k] * s[..., None, :]) @ vt[..., :k, :] - a)).max() < 1e-10
    q, r = linalg.qr(a)
    assert np.abs(np.array(q @ r - a)).max() < 1e-10
    if shape[-1] == shape[-2]:
        assert np.abs(np.array(linalg.inv(a) @ a - mx.eye(shape[-1]))).max() < 1e-8
        w, v = linalg.eigh(a + mx.swapaxes(a, -1, -2))
        left = (a + mx.swapaxes(a, -1, -2)) @ v
        assert np.abs(np.array(left - v * w[..., None, :])).max() < 1e-10


def test_complex_eigenvectors_belong_to_their_values():
    a = mx.array(RNG.standard_normal((5, 5)) + 1j * RNG.standard_normal((5, 5)))
    for matrix in (a, mx.real(a)):
        w, v = linalg.eig(matrix)
        assert np.abs(np.array(matrix @ v - v * w)).max() < 1e-5


# Losses that do not depend on the signs of vectors.
LOSSES = {
    "inv": lambda m, x: m.linalg.inv(x),
    "pinv": lambda m, x: m.linalg.pinv(x[:, :3]),
    "det": lambda m, x: m.linalg.det(x),
    "slogdet": lambda m, x: m.linalg.slogdet(x)[1],
    "cholesky": lambda m, x: m.linalg.cholesky(x @ x.T),
    "qr": lambda m, x: m.linalg.qr(x)[0] ** 2,
    "svd": lambda m, x: m.linalg.svd(x)[0] ** 2,
    "values": lambda m, x: m.linalg.svd(x)[1],
    "eigh": lambda m, x: m.linalg.eigh(x + x.T)[1] ** 2,
    "eigvalsh": lambda m, x: m.linalg.eigvalsh(x + x.T),
    "solve": lambda m, x: m.linalg.solve(x, x[0]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_first_and_second_order_like_torch(name):
    x = random(4, 4) + 3 * mx.eye(4, dtype=mx.float64)
    weights = RNG.standard_normal(64)

    def total(module, values, scale):
        flat = values.reshape(-1)
        return (flat * scale[: flat.shape[0]]).sum()

    def loss(value):
        return total(mx, LOSSES[name](mx, value), mx.array(weights, dtype=mx.float64))

    def torch_loss(value):
        return total(torch, LOSSES[name](torch, value), torch.tensor(weights))

    first = mx.grad(loss)
    direction = random(4, 4)
    second = mx.grad(lambda value: (first(value) * direction).sum())(x)
    given = to_torch(x).requires_grad_()
    (right,) = torch.autograd.grad(torch_loss(given), given, create_graph=True)
    (right_second,) = torch.autograd.grad((right * to_torch(direction)).sum(), given)
    for mine, theirs in ((first(x), right), (second, right_second)):
        theirs = theirs.detach().numpy()
        assert np.abs(np.array(mine) - theirs).max() <= 1e-8 * max(np.abs(theirs).max(), 1)


def test_gradients_of_general_eigenvectors_like_torch():
    def loss(module, x, weights):
        w, v = module.linalg.eig(x)
        sizes = module.abs(v) ** 2
        return module.real((w * w).sum()) + (sizes * module.real(w)[None, :] * weights).sum()

    for _ in range(3):
        x, weights = RNG.standard_normal((5, 5)), RNG.standard_normal((5, 1))
        mine = mx.grad(loss, argnums=1)(mx, mx.array(x), mx.array(weights))
        given = torch.tensor(x, requires_grad=True)
        loss(torch, given, torch.tensor(weights)).backward()
        right = given.grad.numpy()
        assert np.abs(np.array(mine) - right).max() < 1e-3 * np.abs(right).max()


def test_gradient_of_a_determinant_of_a_singular_matrix():
    a = mx.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]], dtype=mx.float64)
    cofactors = [[4.0, 4.0, -4.0], [-2.0, -2.0, 2.0], [0.0, 0.0, 0.0]]
    assert np.abs(np.array(mx.grad(linalg.det)(a)) - cofactors).max() < 1e-12


def test_values_keep_their_gradients_where_vectors_are_not_unique():
    eye = mx.eye(3)
    for loss in (
        lambda x: linalg.svd(x)[1].sum(),
        lambda x: linalg.svd(x, False).sum(),
        lambda x: linalg.eigh(x)[0].sum(),
        lambda x: linalg.norm(x, "nuc"),
    ):
        assert np.abs(np.array(mx.grad(loss)(eye)) - np.eye(3)).max() < 1e-6
    # The pseudo-inverse of equal singular values is smooth.
    direction = mx.array(RNG.standard_normal((3, 3)))
    moved = mx.jvp(linalg.pinv, [eye], [direction])[1][0]
    assert np.abs(np.array(moved + direction)).max() < 1e-5


def test_functions_compile_and_map():
    def whole(x):
        q, r = linalg.qr(x)
        return linalg.inv(r) @ q.T + linalg.pinv(x), linalg.svd(x)[1], linalg.eigh(x @ x.T)[0]

    stack = random(3, 4, 4)
    mapped = mx.compile(mx.vmap(whole))(stack)
    for i in range(3):
        for part, alone in zip(mapped, mx.compile(whole)(stack[i]), strict=True):
            assert np.abs(np.array(part[i] - alone)).max() < 1e-10


def run_python(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.skipif(not IS_HEDDLE, reason="how heddle loads OpenBLAS")
def test_openblas_is_loaded_by_the_first_use_only():
    loaded = "'openblas' in open('/proc/self/maps').read()"
    code = f"""
import heddle.core as mx
before = {loaded}
mx.eval(mx.linalg.inv(mx.eye(3)))
print(before, {loaded})
"""
    assert run_python(code) == "False True"


def test_small_matrices_do_not_depend_on_the_number_of_threads():
    code = f"""
import {mx.__name__} as mx
x = mx.random.normal((50, 20, 20), key=mx.random.key(1))
parts = [*mx.linalg.svd(x), *mx.linalg.qr(x), mx.linalg.inv(x), *mx.linalg.eigh(x)]
import hashlib, numpy
print(hashlib.sha256(b"".join(numpy.array(p).tobytes() for p in parts)).hexdigest())
"""
    assert run_python(code, HEDDLE_NUM_THREADS="1") == run_python(code, HEDDLE_NUM_THREADS="4")


def test_a_forked_child_goes_on():
    code = f"""
import os, {mx.__name__} as mx
x = mx.random.normal((300, 300), key=mx.random.key(1))
mx.eval(mx.linalg.inv(x))
child = os.fork()
if child == 0:
    mx.eval(mx.linalg.inv(x), mx.linalg.svd(x)[0])
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code) == "7"
