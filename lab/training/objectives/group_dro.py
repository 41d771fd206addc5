"""GroupDRO: the worst group's loss, by weights that follow the groups' losses."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from lab.training.batches import Batch
from lab.training.objectives.objective import Objective, ObjectiveSpec
from lab.training.objectives.registry import register_objective


@register_objective("group_dro")
class GroupDRO(Objective):
    """Group distributionally robust optimization: Sagawa, Koh, Hashimoto & Liang, "Distributionally
    robust neural networks for group shifts", ICLR 2020, algorithm 1, for batches.

    Weights q (G,), equal at first, sum to 1. At each step, with ℓ_g the mean cross-entropy of the
    batch's examples of group g,

        q_g ← q_g · exp(η ℓ_g) for each group in the batch,  q ← q / Σ q,  loss = Σ_g q_g ℓ_g

    in which groups without an example in the batch take no part. Where some groups have no training
    examples, the loss is divided by the sum of the weights of the others, of which alone the
    algorithm knows. It draws the group of each example uniformly; here batches are drawn from the
    training set as usual (the authors' code without --reweight_groups), so a small group's weight
    grows only in steps that show it. In a distributed run, ℓ_g is that of the whole batch.

    The authors find no gain over empirical risk minimization for networks that fit all their
    training examples: it needs strong regularization or early stopping.
    """

    capturable = True

    step_size = 0.01
    """η, above 0: how fast weights follow losses. The authors' value."""

    def start(self, spec: ObjectiveSpec) -> None:
        """Begin with equal weights."""
        self._count = len(spec.groups.names)
        self._processes = spec.processes
        self.weights = torch.full((self._count,), 1 / self._count, device=spec.device)
        known = torch.tensor(spec.groups.counts, device=spec.device) > 0
        self._known = known.float() if 0 < int(known.sum()) < self._count else None

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """Update the weights, then the weighted sum of the groups' losses."""
        losses = cross_entropy(logits, batch.labels, reduction="none").float()  # (B,)
        members = one_hot(batch.groups, self._count).to(losses.dtype)  # (B, G)
        counts, sums = members.sum(dim=0), losses.detach() @ members  # (G,)
        self._processes.all_reduce_sum_([counts, sums])
        present = counts.clamp(min=1)
        weights = self.weights * torch.exp(self.step_size * sums / present)
        self.weights.copy_(weights / weights.sum())
        # As a mean over this process's examples: each has the weight q_g / n_g of its group, and
        # the whole batch's size takes back the division by it.
        each = (self.weights / present)[batch.groups] * counts.sum()
        if self._known is not None:
            each = each / (self.weights * self._known).sum()
        return (losses * each).mean()

    def state(self) -> dict[str, Any]:
        """The weights."""
        return {"weights": self.weights.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue with these weights."""
        if state["weights"].shape != self.weights.shape:
            raise ValueError(
                f"it has weights for {len(state['weights'])} groups, not {self._count}"
            )
        self.weights.copy_(state["weights"])
