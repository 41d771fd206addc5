"""Empirical risk minimization: every training example has the same weight."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from lab.training.batches import Batch
from lab.training.objectives.objective import Objective
from lab.training.objectives.registry import register_objective


@register_objective("erm")
class ERM(Objective):
    """The mean cross-entropy of the batch (Vapnik, "Principles of risk minimization for learning
    theory", NIPS 1991)."""

    capturable = True

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The mean of -log softmax(logits)[label]."""
        return cross_entropy(logits, batch.labels)
