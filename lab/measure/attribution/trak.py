"""TRAK: a linear model in random projections of all gradients.

Park, Georgiev, Ilyas, Leclerc & Madry, "TRAK: Attributing model behavior at scale", ICML 2023,
section 3, without the final soft-thresholding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lab.measure.attribution.case import Case
from lab.measure.attribution.gradients import gradient_blocks
from lab.measure.attribution.registry import register_attribution
from lab.measure.predict import predict
from lab.measure.predictions import log_odds

SHARE, MOST = 0.2, 4096
"""Dimensions of the projection: this share of the number of training examples, and so many at most.
(Park et al. take 0.4 of those of CIFAR-10. On 500 faces and 300 networks of width 8, 0.1, 0.2, 0.4
and 0.7 have linear datamodeling scores of 0.165, 0.162, 0.141 and 0.100.)"""

ROWS = 2**14
"""Rows of the random projection that are made at a time."""


@register_attribution("trak", heading="TRAK")
def trak(case: Case) -> Tensor:
    """The attributions (N, M) by the networks together: the mean over them of
    phi(z)' (Phi' Phi)^-1 Phi', times the mean of 1 - p, where phi are projected gradients of the
    log odds of the label, Phi those of all training examples, and p is the probability of a
    training example's label."""
    size = max(1, min(round(SHARE * len(case.labels)), MOST))
    total = torch.zeros(len(case.labels), len(case.other_labels), dtype=torch.float64)
    missing = torch.zeros(len(case.labels), dtype=torch.float64)
    for number, network in enumerate(case.networks):
        model = network.trained()
        own, others = (
            _projected(model, images, labels, case, size=size, seed=number)
            for images, labels in (
                (case.images, case.labels), (case.other_images, case.other_labels)
            )
        )  # fmt: skip
        gram = own.T @ own
        gram.diagonal().add_(1e-9 * gram.diagonal().mean().clamp(min=1e-30))
        total += own @ torch.linalg.solve(gram, others.T)
        missing += torch.sigmoid(-_log_odds(model, case))
    total *= missing[:, None] / len(case.networks) ** 2
    return total


def _projected(
    model: nn.Module, images: Tensor, labels: Tensor, case: Case, *, size: int, seed: int
) -> Tensor:
    """The gradients of the log odds, projected to `size` dimensions by a matrix of ±1: (B, size)
    float64."""
    found = torch.zeros(len(labels), size, dtype=torch.float64)
    for here, gradients in gradient_blocks(
        model, images, labels, "log odds", to_input=case.to_input
    ):
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, gradients.shape[1], ROWS):
            some = gradients[:, start : start + ROWS].cpu()
            shape = (some.shape[1], size)
            signs = torch.randint(2, shape, generator=generator, dtype=torch.int8).to(some) * 2 - 1
            found[here] += (some @ signs).double()
    return found / math.sqrt(size)


def _log_odds(model: nn.Module, case: Case) -> Tensor:
    """The log odds that the network gives to the labels of the training examples (N,)."""
    logits = predict(model, case.images, to_input=case.to_input)
    return log_odds(logits, case.labels)
