"""TracIn: products of gradients at the checkpoints of a training.

Pruthi, Liu, Kale & Sundararajan, "Estimating training data influence by tracing gradient descent",
NeurIPS 2020, TracInCP.
"""

import torch
from torch import Tensor

from lab.measure.attribution.case import Case
from lab.measure.attribution.gradients import gradient_blocks
from lab.measure.attribution.registry import register_attribution


@register_attribution("tracin", heading="TracIn")
def tracin(case: Case) -> Tensor:
    """The sum over the checkpoints of learning rate times the product of the gradients of the two
    losses with respect to all weights, the mean over the networks (N, M): by how much steps of
    gradient descent on the training example have lowered the other's loss, to first order.

    The lab's default optimizer is AdamW, whose steps are not those of gradient descent; the formula
    is used as it is.
    """
    total = torch.zeros(len(case.labels), len(case.other_labels), dtype=torch.float64)
    for network in case.networks:
        for rate, model in network.checkpoints():
            for here, own in gradient_blocks(
                model, case.images, case.labels, "loss", to_input=case.to_input
            ):
                for there, others in gradient_blocks(
                    model, case.other_images, case.other_labels, "loss", to_input=case.to_input
                ):
                    total[here, there] += rate * (own @ others.T).double().cpu()
    return total / len(case.networks)
