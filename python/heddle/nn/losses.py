"""Loss functions.

Each takes ``reduction``: ``"none"`` returns the losses one by one, ``"mean"`` and ``"sum"`` combine
them.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import heddle.core as mx

Reduction = Literal["none", "mean", "sum"]


def _reduce(loss: mx.array, reduction: Reduction) -> mx.array:
    if reduction == "mean":
        return mx.mean(loss)
    if reduction == "sum":
        return mx.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"Invalid reduction. Must be one of {get_args(Reduction)}.")


def _require_same_shape(name: str, x: mx.array, other_name: str, other: mx.array) -> None:
    if x.shape != other.shape:
        raise ValueError(f"{name} shape {x.shape} does not match {other_name} shape {other.shape}.")


def _weigh(loss: mx.array, weights: mx.array | None) -> mx.array:
    if weights is None:
        return loss
    if weights.shape != loss.shape:
        raise ValueError(
            f"Weights with shape {weights.shape} is not the same as output loss with "
            f"shape {loss.shape}."
        )
    return loss * weights


def cross_entropy(
    logits: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    """The cross entropy between the targets and the softmax of the logits.

    Args:
        logits: Scores of the classes, not normalized.
        targets: The indices of the true classes, of the shape of ``logits`` without ``axis``; or
            the probabilities of all classes, of the shape of ``logits``.
        weights: Factors for the losses.
        axis: The axis of the classes.
        label_smoothing: How much of the probability to spread evenly over all classes, from 0 to
            below 1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"Label smoothing must be in [0, 1), got {label_smoothing}.")
    as_probabilities = targets.ndim == logits.ndim
    wanted = list(logits.shape)
    if not as_probabilities:
        wanted.pop(axis)
    if list(targets.shape) != wanted:
        raise ValueError(
            f"Targets shape {targets.shape} does not match logits shape {logits.shape}."
        )

    # The softmax does not change; sums in half precision lose less when the largest logit is 0.
    logits = logits - mx.stop_gradient(mx.max(logits, axis=axis, keepdims=True))
    if as_probabilities:
        score = mx.sum(logits * targets, axis=axis)
    else:
        score = mx.take_along_axis(logits, mx.expand_dims(targets, axis), axis).squeeze(axis)
    if label_smoothing > 0:
        even_score = mx.mean(logits, axis=axis)
        score = (1 - label_smoothing) * score + label_smoothing * even_score
    loss = mx.logsumexp(logits, axis=axis) - score
    return _reduce(_weigh(loss, weights), reduction)


def binary_cross_entropy(
    inputs: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    with_logits: bool = True,
    reduction: Reduction = "mean",
) -> mx.array:
    """The cross entropy between binary targets and predictions.

    Args:
        inputs: Logits or, without ``with_logits``, probabilities; of these the logarithms are cut
            off at -100.
        targets: The true values, 0 or 1.
        weights: Factors for the losses.
        with_logits: Whether the inputs are logits, which is quicker and more exact.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    _require_same_shape("Inputs", inputs, "targets", targets)
    if with_logits:
        loss = mx.logaddexp(0.0, inputs) - inputs * targets
    else:
        log_true = mx.clip(mx.log(inputs), a_min=-100, a_max=None)
        log_false = mx.clip(mx.log(1 - inputs), a_min=-100, a_max=None)
        loss = -(targets * log_true + (1 - targets) * log_false)
    return _reduce(_weigh(loss, weights), reduction)


def l1_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The absolute difference between predictions and targets."""
    _require_same_shape("Predictions", predictions, "targets", targets)
    return _reduce(mx.abs(predictions - targets), reduction)


def mse_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The squared difference between predictions and targets."""
    _require_same_shape("Predictions", predictions, "targets", targets)
    return _reduce(mx.square(predictions - targets), reduction)


def nll_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none"
) -> mx.array:
    """The negative log likelihood of the target classes.

    Args:
        inputs: The logarithms of the probabilities of the classes.
        targets: The indices of the true classes.
        axis: The axis of the classes.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    loss = -mx.take_along_axis(inputs, mx.expand_dims(targets, axis), axis).squeeze(axis)
    return _reduce(loss, reduction)


def gaussian_nll_loss(
    inputs: mx.array,
    targets: mx.array,
    vars: mx.array,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> mx.array:
    r"""The negative log likelihood of targets that are normally distributed.

    :math:`\frac{1}{2} (\log v + (x - y)^2 / v)` with the variance v cut off below ``eps``.

    Args:
        inputs: The predicted means.
        targets: The values that were drawn.
        vars: The predicted variances.
        full: Whether to add the constant term.
        eps: The least variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    _require_same_shape("Inputs", inputs, "targets", targets)
    _require_same_shape("Inputs", inputs, "vars", vars)
    vars = mx.maximum(vars, eps)
    loss = 0.5 * (mx.log(vars) + mx.square(targets - inputs) / vars)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, reduction)


def kl_div_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none"
) -> mx.array:
    """The Kullback-Leibler divergence of the predicted distribution from that of the targets.

    Args:
        inputs: The logarithms of the predicted probabilities.
        targets: The logarithms of the true probabilities.
        axis: The axis to sum over.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    return _reduce(mx.sum(mx.exp(targets) * (targets - inputs), axis), reduction)


def smooth_l1_loss(
    predictions: mx.array, targets: mx.array, beta: float = 1.0, reduction: Reduction = "mean"
) -> mx.array:
    r"""The absolute difference, made smooth below ``beta``.

    :math:`d^2 / 2\beta` for differences d below beta and :math:`d - \beta / 2` from there on.
    """
    _require_same_shape("Predictions", predictions, "targets", targets)
    difference = mx.abs(predictions - targets)
    loss = difference - 0.5 * beta
    if beta > 0:
        loss = mx.where(difference < beta, 0.5 * mx.square(difference) / beta, loss)
    return _reduce(loss, reduction)


def triplet_loss(
    anchors: mx.array,
    positives: mx.array,
    negatives: mx.array,
    axis: int = -1,
    p: int = 2,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: Reduction = "none",
) -> mx.array:
    r"""How much nearer the negatives are to the anchors than the positives, plus a margin.

    :math:`\max(\|a - b\|_p - \|a - c\|_p + \alpha, 0)` for anchor a, positive b and negative c.

    Args:
        anchors, positives, negatives: The samples.
        axis: The axis of their features.
        p: The degree of the norm.
        margin: By how much the positives should be nearer.
        eps: What is added to the sums before taking the root.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """

    def distance(x: mx.array, y: mx.array) -> mx.array:
        return mx.power(mx.sum(mx.power(mx.abs(x - y), p), axis) + eps, 1 / p)

    loss = mx.maximum(distance(anchors, positives) - distance(anchors, negatives) + margin, 0)
    return _reduce(loss, reduction)


def hinge_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r"""The hinge loss :math:`\max(0, 1 - xy)`; the targets are -1 or 1."""
    return _reduce(mx.maximum(1 - inputs * targets, 0), reduction)


def huber_loss(
    inputs: mx.array, targets: mx.array, delta: float = 1.0, reduction: Reduction = "none"
) -> mx.array:
    r"""Quadratic for differences d up to ``delta``, linear beyond.

    :math:`d^2 / 2` and :math:`\delta (d - \delta / 2)`.
    """
    difference = mx.abs(inputs - targets)
    quadratic = 0.5 * mx.square(difference)
    linear = delta * (difference - 0.5 * delta)
    return _reduce(mx.where(difference <= delta, quadratic, linear), reduction)


def log_cosh_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    """The logarithm of the hyperbolic cosine of the difference.

    Like the squared difference for small errors and like the absolute one for large ones.
    """
    errors = inputs - targets
    # log cosh e = log(exp(e) + exp(-e)) - log 2, without overflow.
    return _reduce(mx.logaddexp(errors, -errors) - math.log(2), reduction)


def cosine_similarity_loss(
    x1: mx.array,
    x2: mx.array,
    axis: int = 1,
    eps: float = 1e-8,
    reduction: Reduction = "none",
) -> mx.array:
    """The cosine of the angle between two sets of vectors.

    Args:
        x1, x2: The vectors.
        axis: The axis of their features.
        eps: The least value of the product of their norms.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    norms = mx.sqrt(mx.sum(mx.square(x1), axis)) * mx.sqrt(mx.sum(mx.square(x2), axis))
    return _reduce(mx.sum(x1 * x2, axis) / mx.maximum(norms, eps), reduction)


def margin_ranking_loss(
    inputs1: mx.array,
    inputs2: mx.array,
    targets: mx.array,
    margin: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    r"""How far two scores are from the order that the target asks for.

    :math:`\max(0, -y (x_1 - x_2) + \text{margin})`: 1 asks for the first to be higher, -1 for the
    second.
    """
    if not inputs1.shape == inputs2.shape == targets.shape:
        raise ValueError(
            "The shapes of the arguments do not match. The provided shapes are "
            f"inputs1.shape={inputs1.shape}, inputs2.shape={inputs2.shape}, and "
            f"targets.shape={targets.shape}."
        )
    return _reduce(mx.maximum(0, -targets * (inputs1 - inputs2) + margin), reduction)
