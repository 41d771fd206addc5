"""Group reweighting: every group has the same total weight, whatever its size."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lab.training.batches import Batch
from lab.training.objectives.objective import Objective, ObjectiveSpec
from lab.training.objectives.registry import register_objective


@register_objective("reweighting")
class Reweighting(Objective):
    """The mean over the batch of w_g · cross-entropy, where an example of group g weighs

        w_g = N / (G · n_g)

    with N training examples, n_g of them in group g, and G groups that have any. Over the training
    set each group has the total weight N / G, and the mean weight is 1: the batch's loss is an
    unbiased estimate of the mean over groups of each group's mean loss. The weights are those of
    the training set, not of the batch, and batches are drawn as usual.

    This is "upweighting", each loss over its group's frequency (Sagawa, Raghunathan, Koh & Liang,
    "An investigation of why overparameterization exacerbates spurious correlations", ICML 2020),
    scaled to a mean of 1; Idrissi et al., "Simple data balancing achieves competitive
    worst-group-accuracy", CLeaR 2022, get the same expectation by drawing examples of small groups
    more often (RWG). Both find that it helps for as long as the network does not fit every training
    example; regularization or early stopping keep it from doing so.

    A group without any training example, which online training may meet all the same, weighs as
    one with a single example would.
    """

    capturable = True

    def start(self, spec: ObjectiveSpec) -> None:
        """Compute the weights (G,)."""
        counts = torch.tensor(spec.groups.counts, dtype=torch.float64)
        weights = counts.sum() / ((counts > 0).sum() * counts.clamp(min=1))
        self._weights = weights.float().to(spec.device)

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The mean of the weighted losses."""
        losses = cross_entropy(logits, batch.labels, reduction="none")
        return (losses * self._weights[batch.groups]).mean()
