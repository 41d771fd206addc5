"""Label doubts: which training examples most likely have a wrong label.

A network that fits every label gives wrong ones small losses, too; but in its features examples
with a wrong label still lie among those of their true class. So examples are ranked by how many of
their nearest neighbors have another label (as in Zhu, Dong & Liu, "Detecting Corrupted Labels
Without Training a Model to Predict", ICML 2022), and by their loss where that is equal. On 300 to
1,000 handwritten digits, 5 to 20 % of them with a wrong label that the network had fitted, of the
first 15 by loss 67 to 93 % were wrong, and by neighbors 93 to 100 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from lab.measure.predict import BATCH
from lab.models import device_of, features, to_input

NEIGHBORS = 10
"""Nearest examples that are asked."""

MOST = 20_000
"""Examples among which neighbors are looked for, at most: those of 20,000 with 64 features take 2.5
seconds, those of 100,000 five times as long."""

_BLOCK = 2**22
"""Similarities that are held at a time."""


@dataclass(frozen=True, kw_only=True)
class LabelDoubts:
    """Of N examples: `against` (N,) float, the share of the nearest neighbors that have another
    label, 0 to 1; `said` (N,) int64, their most frequent label; `order` (N,) int64, positions of
    the examples, the likeliest wrong label first. Without features `against` is NaN and `said` -1,
    and the order is that of the losses."""

    against: Tensor
    said: Tensor
    order: Tensor

    @property
    def ranks(self) -> Tensor:
        """Each example's place in the order (N,) int64, from 1."""
        ranks = torch.empty_like(self.order)
        ranks[self.order] = torch.arange(1, len(self.order) + 1)
        return ranks


Features = Callable[[slice], Tensor | None]
"""Makes the features (K, D) float32 of a range of examples, a new tensor each time; None: there are
none. It is asked for ranges that follow each other, from the first example on."""


def label_doubts(seen: Tensor | Features | None, labels: Tensor, losses: Tensor) -> LabelDoubts:
    """The doubts about the `labels` (N,) int64 of examples with features `seen` (N, D), compared by
    the angle between them, and `losses` (N,); all on the CPU. `seen` None: there are none. Of
    features that are made when they are needed, no more than `MOST` are held."""
    by_loss = losses.argsort(descending=True, stable=True)
    count = min(NEIGHBORS, min(len(labels), MOST) - 1)
    made = seen if callable(seen) else None

    def features_at(where: slice) -> Tensor | None:
        if made is not None:
            return made(where)
        return seen[where].clone() if isinstance(seen, Tensor) else None

    known = features_at(slice(0, MOST)) if count >= 1 else None
    nothing = torch.full((len(labels),), float("nan"))
    losses_alone = LabelDoubts(against=nothing, said=torch.full_like(labels, -1), order=by_loss)
    if known is None:
        return losses_alone
    normalize(known.nan_to_num_(), out=known)
    given = labels[:MOST]
    against, said = torch.empty(len(labels)), torch.empty_like(labels)
    step = max(1, _BLOCK // len(known))
    for start in range(0, len(labels), step):
        stop = min(start + step, len(labels))
        here = slice(start, stop)
        some = known[here]
        if stop > len(known):
            later = features_at(slice(max(start, len(known)), stop))
            if later is None:
                return losses_alone
            some = torch.cat([some, normalize(later.nan_to_num_())])
        near = some @ known.T
        own = torch.arange(start, start + len(near))
        within = own < len(known)
        near[within.nonzero()[:, 0], own[within]] = -2.0  # nobody is asked about itself
        told = given[near.topk(count).indices]  # (B, count)
        against[here] = (told != labels[here, None]).float().mean(dim=1)
        said[here] = told.mode(dim=1).values
    order = by_loss[against[by_loss].argsort(descending=True, stable=True)]
    return LabelDoubts(against=against, said=said, order=order)


def features_of(
    model: nn.Module, images: Tensor, *, to_input: Callable[[Tensor], Tensor] = to_input
) -> Tensor | None:
    """`lab.models.features` of pictures as they are stored, some at a time: (N, D) on the CPU."""
    device, whole = device_of(model), None
    for start in range(0, len(images), BATCH):
        part = features(model, to_input(images[start : start + BATCH].to(device)))
        if part is None:
            return None
        if whole is None:
            whole = torch.empty(len(images), part.shape[1])
        whole[start : start + len(part)] = part
    return whole
