"""The optimizers. Their formulas use the names of the papers; what they share is in ``base``."""

from __future__ import annotations

from typing import Any

import heddle.core as mx
from heddle.core import _optim

from ..nn.utils import clip_grad_norm_sharded
from .base import FormulaOptimizer, Schedulable
from .base import MultiOptimizer as MultiOptimizer
from .base import Optimizer as Optimizer


def _require(holds: bool, optimizer: str, name: str, wanted: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{optimizer} {name} should be {wanted}, {value} was provided instead")


def _check_betas(optimizer: str, betas: list[float]) -> None:
    for i, beta in enumerate(betas[:2], start=1):
        _require(0.0 <= beta < 1.0, optimizer, f"beta{i}", "in [0, 1)", beta)


class SGD(FormulaOptimizer):
    r"""Stochastic gradient descent.

    .. math::
        v_{t+1} &= \mu v_t + (1 - \tau) g_t \\
        w_{t+1} &= w_t - \lambda v_{t+1}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        momentum: :math:`\mu`.
        weight_decay: The L2 penalty: how much of the parameter is added to its gradient.
        dampening: :math:`\tau`.
        nesterov: Whether to look ahead by a further step of momentum.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
    ):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dampening = dampening
        self.nesterov = nesterov

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.sgd(self.momentum, self.weight_decay, self.dampening, self.nesterov)


class RMSprop(FormulaOptimizer):
    r"""RMSprop (Tieleman and Hinton, 2012).

    .. math::
        v_{t+1} &= \alpha v_t + (1 - \alpha) g_t^2 \\
        w_{t+1} &= w_t - \lambda \frac{g_t}{\sqrt{v_{t+1}} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        alpha: :math:`\alpha`.
        eps: :math:`\epsilon`.
    """

    def __init__(self, learning_rate: Schedulable, alpha: float = 0.99, eps: float = 1e-8):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _require(alpha >= 0.0, "RMSprop", "alpha", ">=0", alpha)
        _require(eps > 0.0, "RMSprop", "epsilon", ">0", eps)
        self.alpha = alpha
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.rmsprop(self.alpha, self.eps)


class Adagrad(FormulaOptimizer):
    r"""Adagrad (Duchi, Hazan and Singer, 2011).

    .. math::
        v_{t+1} &= v_t + g_t^2 \\
        w_{t+1} &= w_t - \lambda \frac{g_t}{\sqrt{v_{t+1}} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        eps: :math:`\epsilon`.
    """

    def __init__(self, learning_rate: Schedulable, eps: float = 1e-8):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _require(eps > 0.0, "Adagrad", "epsilon", ">0", eps)
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.adagrad(self.eps)


class AdaDelta(FormulaOptimizer):
    r"""AdaDelta (Zeiler, 2012) with a learning rate.

    .. math::
        v_{t+1} &= \rho v_t + (1 - \rho) g_t^2 \\
        \Delta w_{t+1} &= \frac{\sqrt{u_t + \epsilon}}{\sqrt{v_{t+1} + \epsilon}} g_t \\
        u_{t+1} &= \rho u_t + (1 - \rho) \Delta w_{t+1}^2 \\
        w_{t+1} &= w_t - \lambda \Delta w_{t+1}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        rho: :math:`\rho`.
        eps: :math:`\epsilon`.
    """

    def __init__(self, learning_rate: Schedulable, rho: float = 0.9, eps: float = 1e-6):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _require(rho >= 0.0, "AdaDelta", "rho", ">=0", rho)
        _require(eps > 0.0, "AdaDelta", "epsilon", ">0", eps)
        self.rho = rho
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)
        state["u"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.adadelta(self.rho, self.eps)


class Adam(FormulaOptimizer):
    r"""Adam (Kingma and Ba, 2015).

    .. math::
        m_{t+1} &= \beta_1 m_t + (1 - \beta_1) g_t \\
        v_{t+1} &= \beta_2 v_t + (1 - \beta_2) g_t^2 \\
        w_{t+1} &= w_t - \lambda \frac{m_{t+1}}{\sqrt{v_{t+1}} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: :math:`(\beta_1, \beta_2)`.
        eps: :math:`\epsilon`.
        bias_correction: Whether to make up for m and v starting at zero, as the paper does.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
        bias_correction: bool = False,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check_betas("Adam", betas)
        _require(eps >= 0.0, "Adam", "epsilon", ">=0", eps)
        self.betas = betas
        self.eps = eps
        self.bias_correction = bias_correction

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["m"] = mx.zeros_like(parameter)
        state["v"] = mx.zeros_like(parameter)

    def _decoupled_decay(self) -> float:
        """By how much parameters decay apart from their gradients, in units of the rate."""
        return 0.0

    def _formula(self) -> _optim.Formula:
        return _optim.adam(*self.betas, self.eps, self.bias_correction, self._decoupled_decay())


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    As :class:`Adam`, but :math:`w_{t+1} = w_t - \alpha (\frac{m_{t+1}}{\sqrt{v_{t+1}} + \epsilon} +
    \lambda w_t)` with the weight decay :math:`\lambda`.

    Args:
        learning_rate: :math:`\alpha`, a number or a schedule.
        betas, eps, bias_correction: As for :class:`Adam`.
        weight_decay: :math:`\lambda`.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
    ):
        super().__init__(learning_rate, betas, eps, bias_correction)
        self.weight_decay = weight_decay

    def _decoupled_decay(self) -> float:
        return self.weight_decay


class Adamax(Adam):
    r"""Adamax (Kingma and Ba, 2015): Adam with the infinity norm, without bias correction.

    .. math::
        m_{t+1} &= \beta_1 m_t + (1 - \beta_1) g_t \\
        v_{t+1} &= \max(\beta_2 v_t, |g_t|) \\
        w_{t+1} &= w_t - \lambda \frac{m_{t+1}}{v_{t+1} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: :math:`(\beta_1, \beta_2)`.
        eps: :math:`\epsilon`.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
    ):
        super().__init__(learning_rate, betas, eps)

    def _formula(self) -> _optim.Formula:
        return _optim.adamax(*self.betas, self.eps)


class Lion(FormulaOptimizer):
    r"""Lion (Chen et al., 2023), which goes by the sign of its update.

    It wants a learning rate 3 to 10 times smaller than that of AdamW, and a weight decay larger by
    as much.

    .. math::
        c_{t+1} &= \beta_1 m_t + (1 - \beta_1) g_t \\
        m_{t+1} &= \beta_2 m_t + (1 - \beta_2) g_t \\
        w_{t+1} &= w_t - \eta (\text{sign}(c_{t+1}) + \lambda w_t)

    Args:
        learning_rate: :math:`\eta`, a number or a schedule.
        betas: :math:`(\beta_1, \beta_2)`.
        weight_decay: :math:`\lambda`.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        betas: list[float] = [0.9, 0.99],  # noqa: B006
        weight_decay: float = 0.0,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check_betas("Lion", betas)
        self.betas = betas
        self.weight_decay = weight_decay

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["m"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.lion(*self.betas, self.weight_decay)


class Adafactor(FormulaOptimizer):
    """Adafactor (Shazeer and Stern, 2018), whose memory grows with rows and columns, not entries.

    Args:
        learning_rate: The learning rate, a number or a schedule; unused with ``relative_step``.
        eps: What is added to squared gradients, and the least scale of a parameter.
        clip_threshold: The root mean square to which updates are scaled down.
        decay_rate: The exponent by which the averages of squared gradients come to rest.
        beta_1: The decay of an average of the updates; None keeps no such average.
        weight_decay: The weight decay.
        scale_parameter: Whether to scale the rate by the root mean square of the parameter.
        relative_step: Whether the learning rate follows from the step alone.
        warmup_init: Whether that learning rate starts low, in proportion to the step.
    """

    def __init__(
        self,
        learning_rate: Schedulable | None = None,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0,
        decay_rate: float = -0.8,
        beta_1: float | None = None,
        weight_decay: float = 0.0,
        scale_parameter: bool = True,
        relative_step: bool = True,
        warmup_init: bool = False,
    ):
        super().__init__()
        if learning_rate is not None:
            self._maybe_schedule("learning_rate", learning_rate)
        self.eps = eps
        self.clip_threshold = clip_threshold
        self.decay_rate = decay_rate
        self.beta_1 = beta_1
        self.weight_decay = weight_decay
        self.scale_parameter = scale_parameter
        self.relative_step = relative_step
        self.warmup_init = warmup_init

    def init_single(self, parameter: mx.array, state: dict) -> None:
        if parameter.ndim >= 2:
            shape, dtype = parameter.shape, parameter.dtype
            state["exp_avg_sq_row"] = mx.zeros(shape[:-1], dtype=dtype)
            state["exp_avg_sq_col"] = mx.zeros(shape[:-2] + shape[-1:], dtype=dtype)
        else:
            state["exp_avg_sq"] = mx.zeros_like(parameter)
        if self.beta_1 is not None:
            state["exp_avg"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.adafactor(
            *self.eps,
            self.clip_threshold,
            self.decay_rate,
            self.beta_1,
            self.weight_decay,
            self.scale_parameter,
            self.relative_step,
            self.warmup_init,
        )


class Muon(FormulaOptimizer):
    """Muon (Jordan et al., 2024): momentum whose matrices are made orthogonal.

    It is meant for the weights of hidden layers; embeddings, the last layer and vectors do better
    with another optimizer, see :class:`MultiOptimizer`. Filters of convolutions are treated as
    matrices with one row for every output channel.

    Args:
        learning_rate: The learning rate, a number or a schedule.
        momentum: The decay of the average of the gradients.
        weight_decay: The L2 penalty: how much of the parameter is added to its gradient.
        nesterov: Whether to look ahead by a further step of momentum.
        ns_steps: The number of Newton-Schulz iterations of the orthogonalization.
    """

    def __init__(
        self,
        learning_rate: Schedulable,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        nesterov: bool = True,
        ns_steps: int = 5,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.ns_steps = ns_steps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def _formula(self) -> _optim.Formula:
        return _optim.muon(self.momentum, self.weight_decay, self.nesterov, self.ns_steps)


def clip_grad_norm(grads: Any, max_norm: float) -> tuple[Any, mx.array]:
    """Scale gradients down where their norm, taken over all of them together, exceeds a limit.

    Returns:
        The tree of gradients, which keep their dtypes, and the norm that they had, in float32.
    """
    return clip_grad_norm_sharded(grads, max_norm)
