"""Few changes: of all that is different about a sample that fools, what does it take?"""

from __future__ import annotations

import torch
from torch import Tensor

from lab.robustness.oracle import Oracle, OracleAnswer, State, most_fooling
from lab.worlds import Samples

BLOCK = 4096
"""Samples that are put together at a time."""

WHAT = "fewer changes"
"""What the pictures are shown for."""


class Change:
    """Pairs of a sample and one that fools the network, and which nuisances (F, A) are changed."""

    def __init__(self, oracle: Oracle, before: State, after: State) -> None:
        self.names = oracle.world.nuisances
        self._asker, self._before, self._after = oracle, before, after
        self.all = torch.stack([before.samples[n] != after.samples[n] for n in self.names], dim=1)

    def samples(self, rows: Tensor, changed: Tensor) -> Samples:
        """The samples `rows` (R,) with those nuisances `changed` (R, A)."""
        old, new = self._before.samples[rows], self._after.samples[rows]
        columns = {
            name: torch.where(changed[:, k], new[name], old[name])
            for k, name in enumerate(self.names)
        }
        return old.redrawn(columns)

    def said(self, rows: Tensor, changed: Tensor) -> OracleAnswer:
        """What the network says of them."""
        answers = [
            self._asker(WHAT, self.samples(some, these), self._after.labels[some])
            for some, these in zip(
                torch.split(rows, BLOCK), torch.split(changed, BLOCK), strict=True
            )
        ]
        return OracleAnswer(*map(torch.cat, zip(*answers, strict=True)))

    def flipped(self, changed: Tensor, rows: Tensor, columns: Tensor) -> OracleAnswer:
        """What it says of the samples `rows` (R,) with `changed` (F, A) but for one attribute each,
        that of `columns` (R,)."""
        trial, each = changed[rows], torch.arange(len(rows))
        trial[each, columns] = ~trial[each, columns]
        return self.said(rows, trial)


def few_changes(oracle: Oracle, before: State, after: State) -> tuple[State, list[tuple[str, ...]]]:
    """Samples that fool the network with few attributes as `after` and all others as `before`; and
    the names of these few, for each sample those first that it needs most.

    From `before`, what brings it closest to an error is changed first, one attribute at a time;
    once it errs, attributes go back one at a time while it still does. In the end none can.
    """
    if len(after) == 0:
        return after, []
    change = Change(oracle, before, after)
    changed, need = take_back(oracle, change, _put_in(oracle, change))
    everyone = torch.arange(len(after))
    least = State(change.samples(everyone, changed), after.labels, change.said(everyone, changed))
    order = need.masked_fill(~changed, -torch.inf).argsort(dim=1, descending=True, stable=True)
    needed = [
        tuple(change.names[column] for column in row[:count])
        for row, count in zip(order.tolist(), changed.sum(dim=1).tolist(), strict=True)
    ]
    return least, needed


def _put_in(oracle: Oracle, change: Change) -> Tensor:
    """Changes (F, A) that are enough for an error, the most effective first."""
    changed = torch.zeros_like(change.all)
    count = len(changed)
    active = torch.ones(count, dtype=torch.bool)
    while bool(active.any()):
        oracle.progress(WHAT, count - int(active.sum()), 2 * count)
        rows, columns = (change.all & ~changed & active[:, None]).nonzero().T
        said = change.flipped(changed, rows, columns)
        margin = torch.full(changed.shape, torch.inf, dtype=torch.float64)
        margin[rows, columns] = said.margin.clamp(max=1e30)  # below what cannot be chosen
        wrong = torch.zeros_like(changed)
        wrong[rows, columns] = said.wrong
        chosen = most_fooling(margin, wrong)
        still = active.nonzero()[:, 0]
        changed[still, chosen[still]] = True
        active[still] = ~wrong[still, chosen[still]]
        active &= (change.all & ~changed).any(dim=1)
    return changed


def take_back(oracle: Oracle, change: Change, changed: Tensor) -> tuple[Tensor, Tensor]:
    """Changes of which none can go back any more, and the margin (F, A) without each of them."""
    count = len(changed)
    need = torch.full(changed.shape, torch.inf, dtype=torch.float64)
    rows, columns = changed.nonzero().T
    need[rows, columns] = change.flipped(changed, rows, columns).margin
    active = torch.ones(count, dtype=torch.bool)
    while bool(active.any()):
        oracle.progress(WHAT, 2 * count - int(active.sum()), 2 * count)
        went = torch.zeros_like(active)
        order = need.masked_fill(~changed, torch.inf).argsort(dim=1, stable=True)
        for column in order.T[: int(changed.sum(dim=1).max())]:
            rows = (active & changed.gather(1, column[:, None])[:, 0]).nonzero()[:, 0]
            if len(rows):
                said = change.flipped(changed, rows, column[rows])
                need[rows, column[rows]] = said.margin
                rows = rows[said.wrong]
                changed[rows, column[rows]] = False
                went[rows] = True
        active = went
    oracle.progress(WHAT, 2 * count, 2 * count)
    return changed, need
