"""Influence functions of a logistic regression on the features, with its exact Hessian.

Koh & Liang, "Understanding black-box predictions via influence functions", ICML 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lab.measure.attribution.case import Case, Unsuitable
from lab.measure.attribution.last_layer import features_of_both
from lab.measure.attribution.registry import register_attribution

DAMPING = 1e-3
"""Weight of the penalty: the regression minimizes mean loss + DAMPING / 2 * squared length of the
weights. It is added to the diagonal of the Hessian, which is why it is called damping. (On 500
faces and 300 networks of width 8, 0.1, 0.01, 0.001, 0.0001 and 0.00001 have linear datamodeling
scores of 0.09, 0.19, 0.25, 0.26 and 0.25.)"""

MOST = 6000
"""Weights of the regression at most: a Hessian of 6,000 takes 300 MB and some seconds."""

STEPS, EXACT = 100, 1e-9
"""Newton steps at most, and the largest entry of the gradient at which they end."""


@register_attribution("influence_functions", heading="influence functions, last layer")
def influence_functions(case: Case) -> Tensor:
    """By how much the training example raises the log odds of the other's label in a logistic
    regression on the trained network's features, to first order: with it and without it; the mean
    over the networks (N, M)."""
    total = torch.zeros(len(case.labels), len(case.other_labels), dtype=torch.float64)
    for network in case.networks:
        seen = features_of_both(
            network.trained(), case.images, case.other_images, to_input=case.to_input
        )
        one, others = (with_constant(each) for each in (seen.train, seen.others))
        if one.shape[1] * case.classes > MOST:
            raise Unsuitable(
                f"{one.shape[1]:,} features and {case.classes} classes make a Hessian of more than"
                f" {MOST:,} rows"
            )
        weights = regression(one, case.labels, classes=case.classes, damping=DAMPING)
        total += influences(weights, one, case.labels, others, case.other_labels, damping=DAMPING)
    return total / len(case.networks)


def with_constant(features: Tensor) -> Tensor:
    """Features (N, D) with a last one (N, D + 1) that is 1."""
    return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)


def regression(
    features: Tensor, labels: Tensor, *, classes: int, damping: float, weight: Tensor | None = None
) -> Tensor:
    """The weights (C, D), float64, of a multinomial logistic regression on features (N, D): they
    minimize sum of `weight` (N,) times cross-entropy, plus damping / 2 times their squared length.
    None: a weight of 1 / N each. By Newton's method, with halved steps where the whole one does not
    lower the objective."""
    count, size = features.shape
    weight = torch.full((count,), 1 / count, dtype=torch.float64) if weight is None else weight
    truth = one_hot(labels, classes).double()
    found = torch.zeros(classes, size, dtype=torch.float64)

    def objective(weights: Tensor) -> float:
        losses = -(torch.log_softmax(features @ weights.T, dim=1) * truth).sum(dim=1)
        return float(weight @ losses + damping / 2 * weights.square().sum())

    for _ in range(STEPS):
        away = torch.softmax(features @ found.T, dim=1) - truth  # (N, C)
        slope = (weight[:, None] * away).T @ features + damping * found
        if slope.abs().max() <= EXACT:
            break
        step = _solved(_hessian(found, features, weight, damping), slope.flatten()[:, None])
        direction, length, now = step[:, 0].view_as(found), 1.0, objective(found)
        while length > 1e-6 and objective(found - length * direction) > now:
            length /= 2
        found = found - length * direction
    return found


def influences(
    weights: Tensor,
    features: Tensor,
    labels: Tensor,
    others: Tensor,
    other_labels: Tensor,
    *,
    damping: float,
) -> Tensor:
    """For a regression's `weights` (C, D): by how much, to first order, each of its N training
    examples, weighted 1 / N, raises the log odds of the label of each of M others (N, M)."""
    count, classes = len(labels), len(weights)
    away = torch.softmax(features @ weights.T, dim=1) - one_hot(labels, classes)
    gradients = (away[:, :, None] * features[:, None, :]).flatten(1)  # (N, C * D), of the losses
    own = one_hot(other_labels, classes).bool()
    rest = torch.softmax((others @ weights.T).masked_fill(own, -torch.inf), dim=1)
    slopes = ((own.double() - rest)[:, :, None] * others[:, None, :]).flatten(1)  # of the log odds
    equal = torch.full((count,), 1 / count, dtype=torch.float64)
    moved = _solved(_hessian(weights, features, equal, damping), gradients.T)  # (C * D, N)
    return -(slopes @ moved).T / count


def _hessian(weights: Tensor, features: Tensor, weight: Tensor, damping: float) -> Tensor:
    """The exact Hessian (C * D, C * D) of the regression's objective."""
    classes, size = weights.shape
    chances = torch.softmax(features @ weights.T, dim=1)
    found = torch.empty(classes, size, classes, size, dtype=torch.float64)
    for one in range(classes):
        for other in range(one, classes):
            curve = chances[:, one] * (float(one == other) - chances[:, other]) * weight
            block = (curve[:, None] * features).T @ features
            found[one, :, other] = block
            found[other, :, one] = block
    hessian = found.reshape(classes * size, classes * size)
    hessian.diagonal().add_(damping)
    return hessian


def _solved(hessian: Tensor, right: Tensor) -> Tensor:
    return torch.cholesky_solve(right, torch.linalg.cholesky(hessian))
