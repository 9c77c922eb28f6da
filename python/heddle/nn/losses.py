"""Loss functions.

Each takes ``reduction``: ``"none"`` returns the losses one by one, ``"mean"`` and ``"sum"`` combine
them.
"""

from __future__ import annotations

from typing import Literal

import heddle.core as mx
from heddle.core import _nn

Reduction = Literal["none", "mean", "sum"]


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
    return _nn.cross_entropy(logits, targets, weights, axis, label_smoothing, reduction)


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
    return _nn.binary_cross_entropy(inputs, targets, weights, with_logits, reduction)


def l1_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The absolute difference between predictions and targets."""
    return _nn.l1_loss(predictions, targets, reduction)


def mse_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The squared difference between predictions and targets."""
    return _nn.mse_loss(predictions, targets, reduction)


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
    return _nn.nll_loss(inputs, targets, axis, reduction)


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
    return _nn.gaussian_nll_loss(inputs, targets, vars, full, eps, reduction)


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
    return _nn.kl_div_loss(inputs, targets, axis, reduction)


def smooth_l1_loss(
    predictions: mx.array, targets: mx.array, beta: float = 1.0, reduction: Reduction = "mean"
) -> mx.array:
    r"""The absolute difference, made smooth below ``beta``.

    :math:`d^2 / 2\beta` for differences d below beta and :math:`d - \beta / 2` from there on.
    """
    return _nn.smooth_l1_loss(predictions, targets, beta, reduction)


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
    return _nn.triplet_loss(anchors, positives, negatives, axis, p, margin, eps, reduction)


def hinge_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r"""The hinge loss :math:`\max(0, 1 - xy)`; the targets are -1 or 1."""
    return _nn.hinge_loss(inputs, targets, reduction)


def huber_loss(
    inputs: mx.array, targets: mx.array, delta: float = 1.0, reduction: Reduction = "none"
) -> mx.array:
    r"""Quadratic for differences d up to ``delta``, linear beyond.

    :math:`d^2 / 2` and :math:`\delta (d - \delta / 2)`.
    """
    return _nn.huber_loss(inputs, targets, delta, reduction)


def log_cosh_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    """The logarithm of the hyperbolic cosine of the difference.

    Like the squared difference for small errors and like the absolute one for large ones.
    """
    return _nn.log_cosh_loss(inputs, targets, reduction)


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
    return _nn.cosine_similarity_loss(x1, x2, axis, eps, reduction)


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
    return _nn.margin_ranking_loss(inputs1, inputs2, targets, margin, reduction)
