"""Attribution by similarity: cosines of the features."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lab.measure.attribution.case import Case
from lab.measure.attribution.last_layer import features_of_both
from lab.measure.attribution.registry import register_attribution


@register_attribution("neighbors", heading="nearest neighbors in features")
def neighbors(case: Case) -> Tensor:
    """The cosine of the angle between the features of the trained network, the inputs of its last
    linear layer, with a minus where the labels differ; the mean over the networks (N, M).

    The sign is what makes it an attribution: a similar example of another label lowers the log
    odds.
    """
    signs = 2.0 * (case.labels[:, None] == case.other_labels) - 1  # (N, M)
    total = torch.zeros_like(signs, dtype=torch.float64)
    for network in case.networks:
        seen = features_of_both(
            network.trained(), case.images, case.other_images, to_input=case.to_input
        )
        total += normalize(seen.train) @ normalize(seen.others).T
    return signs * total / len(case.networks)
