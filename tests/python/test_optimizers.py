"""Optimizers and schedules beside mlx.optimizers."""

from functools import partial

import heddle.core as mx
import pytest

import heddle.nn as nn
import heddle.optimizers as optim
from side_by_side import HEDDLE, MLX, assert_same, draws, plain, same

OPTIMIZERS = """
SGD(0.1)
SGD(0.1, 0.9)
SGD(0.1, 0.9, 0.05, 0.1)
SGD(0.1, 0.9, 0.05, 0, True)
RMSprop(0.1)
Adagrad(0.1)
AdaDelta(0.1)
Adam(0.1)
Adam(0.1, bias_correction=True)
AdamW(0.1)
AdamW(0.1, weight_decay=0.1, bias_correction=True)
Adamax(0.1)
Lion(0.1)
Lion(0.1, weight_decay=0.1)
Adafactor()
Adafactor(warmup_init=True)
Adafactor(0.1, relative_step=False, beta_1=0.9, weight_decay=0.1)
Adafactor(0.1, relative_step=False, scale_parameter=False)
Muon(0.1)
Muon(0.1, nesterov=False, ns_steps=3)
Adam(optim.cosine_decay(0.1, 4))
SGD(optim.step_decay(0.1, 0.5, 2))
Adam(optim.join_schedules([optim.linear_schedule(0, 0.1, 2), optim.exponential_decay(0.1, 0.9)], [2]))
MultiOptimizer([optim.Adam(0.1), optim.SGD(0.1)], [lambda path, w: 'c' in path or w.ndim == 1])
""".strip().splitlines()  # noqa: E501


def tree(side, seed, half):
    """Parameters or gradients in dictionaries and lists."""
    matrix, vector, filters, block = map(
        side.mx.array, draws((4, 3), (5,), (3, 2, 2, 3), (2, 3, 5), seed=seed)
    )
    values = {"a": matrix, "b": [vector, {"c": filters}]}
    if half:
        values["d"] = block.astype(side.mx.float16)
    return values


def five_updates(side, optimizer, half):
    optimizer = eval(f"optim.{optimizer}", side.names())
    parameters = tree(side, 0, half)
    for seed in range(1, 6):
        parameters = optimizer.apply_gradients(tree(side, seed, half), parameters)
    return plain(parameters), plain(optimizer.state)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_five_updates(optimizer):
    ours, theirs = (five_updates(side, optimizer, half=False) for side in (HEDDLE, MLX))
    same(ours, theirs, 2e-5)


@pytest.mark.parametrize("optimizer", ["SGD(0.1, 0.9)", "Adam(0.1)", "AdamW(0.1)", "Lion(0.1)"])
def test_half_precision_stays(optimizer):
    ours, theirs = (five_updates(side, optimizer, half=True) for side in (HEDDLE, MLX))
    same(ours, theirs, 5e-3)


STATE = """
optim.Adam(0.1).state
optim.Adafactor().state
optim.Optimizer().state
vars(optim.AdamW(0.1)).keys()
(o.init({'a': mx.zeros(2)}), o.state)[1]
(o.init({'a': mx.zeros(2)}), o.init({'a': mx.zeros(2), 'b': [mx.zeros(1)]}), o.state)[2]
o.step, o.learning_rate
(setattr(o, 'learning_rate', 0.5), o.learning_rate)[1]
(setattr(o, 'learning_rate', mx.array(3)), o.learning_rate)[1]
setattr(o, 'step', 3)
(setattr(o, 'state', {'q': mx.zeros(1)}), o.state, o._initialized)[1:]
o.apply_gradients({'a': mx.ones(1)}, {'a': mx.ones(1), 'b': mx.ones(1)})
o.apply_gradients({'a': mx.ones(1), 'b': mx.ones(1)}, {'a': mx.ones(1)})
o.apply_gradients({}, {})
optim.Optimizer().apply_gradients({'a': mx.ones(1)}, {'a': mx.ones(1)})
optim.Optimizer().learning_rate
two.state
two.learning_rate
(setattr(two, 'learning_rate', 0.7), two.state)[1]
setattr(two, 'state', {'states': [{}]})
two.step
(two.init({'a': mx.zeros(2), 'b': mx.zeros(1)}), two.state)[1]
(two.update(layer, {'weight': mx.ones((3, 2)), 'bias': mx.ones(3)}), two.state, layer.parameters())[1:]
(o.update(layer, {'bias': mx.ones(3)}), o.state, layer.parameters())[1:]
optim.MultiOptimizer([optim.Adam(0.1)], [lambda path, w: True])
optim.MultiOptimizer([optim.Adam(0.1), optim.SGD(0.2)], [])
optim.SGD(0.1, nesterov=True)
optim.SGD(0.1, 0.9, dampening=0.1, nesterov=True)
optim.Lion(0.1, betas=[0.1, 1])
optim.Adam(0.1, betas=[1, 2])
optim.Adam(0.1, eps=-1)
optim.Adamax(0.1, eps=-1)
optim.Adagrad(0.1, eps=0)
optim.RMSprop(0.1, alpha=-1)
optim.RMSprop(0.1, eps=0)
optim.AdaDelta(0.1, rho=-1)
optim.AdaDelta(0.1, eps=0)
""".strip().splitlines()  # noqa: E501

SCHEDULES = """
optim.exponential_decay(0.1, 0.9)(mx.array(3))
optim.step_decay(0.1, 0.9, 2)(mx.array(5))
optim.cosine_decay(0.1, 10)(mx.array(5))
optim.cosine_decay(0.1, 10, 0.05)(mx.array(50))
optim.linear_schedule(0, 1, 10)(mx.array(5))
optim.linear_schedule(0, 1, 10)(mx.array(50))
optim.join_schedules([optim.exponential_decay(0.1, 0.9)], [])(mx.array(2))
[joined(mx.array(i, mx.uint64)) for i in (0, 4, 5, 6, 9, 10, 40)]
optim.cosine_decay(0.1, 0)
optim.step_decay(0.1, 0.9, 0)
optim.linear_schedule(0, 1, 0)
optim.join_schedules([], [])
optim.join_schedules([optim.exponential_decay(0.1, 0.9)], [1])
""".strip().splitlines()

CLIPPING = """
optim.clip_grad_norm({'a': mx.array([3.0, 4.0]), 'b': [mx.array([2.0])]}, 1.0)
optim.clip_grad_norm({'a': mx.array([3.0, 4.0])}, 10.0)
optim.clip_grad_norm({'a': mx.array([3, 4])}, 1)
optim.clip_grad_norm({}, 1.0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", STATE + SCHEDULES + CLIPPING)
def test_states_schedules_and_errors(expression):
    def names(side):
        optim = side.optim
        return {
            "o": optim.Adam(0.1),
            "two": optim.MultiOptimizer(
                [optim.Adam(0.1), optim.SGD(0.2)], [lambda path, w: "b" in path]
            ),
            "layer": side.nn.Linear(2, 3),
            "joined": optim.join_schedules(
                [
                    optim.linear_schedule(0, 1, 5),
                    optim.cosine_decay(1, 5),
                    optim.exponential_decay(0.5, 0.9),
                ],
                [5, 10],
            ),
        }

    assert_same(expression, names, tolerance=1e-6)


def test_a_schedule_can_be_assigned():
    optimizer = optim.SGD(0.1)
    optimizer.learning_rate = lambda step: 0.5 * step
    rates = []
    for _ in range(3):
        optimizer.apply_gradients({"a": mx.ones(1)}, {"a": mx.ones(1)})
        rates.append(optimizer.learning_rate.item())
    assert rates == [0, 0.5, 1]


def train(compiled):
    """Ten steps of Adam with a schedule, on one small problem."""
    mx.random.seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optim.Adam(optim.cosine_decay(0.1, 10))
    x = mx.random.normal((16, 4))
    y = mx.sum(x, axis=1, keepdims=True)
    grad = nn.value_and_grad(model, lambda: nn.losses.mse_loss(model(x), y))

    def step():
        loss, gradients = grad()
        optimizer.update(model, gradients)
        return loss

    state = [model.state, optimizer.state]
    if compiled:
        step = partial(mx.compile, inputs=state, outputs=state)(step)
    losses = []
    for _ in range(10):
        losses.append(step())
        mx.eval(losses[-1], state)
    return [loss.item() for loss in losses], optimizer.step.item(), optimizer.learning_rate.item()


def test_a_compiled_step_keeps_its_state():
    losses, step, rate = train(compiled=True)
    eager_losses, eager_step, eager_rate = train(compiled=False)
    assert losses == pytest.approx(eager_losses, rel=1e-4)
    assert losses[-1] < losses[0] / 2
    assert step == eager_step == 10
    assert rate == pytest.approx(eager_rate)
