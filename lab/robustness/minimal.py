"""Minimal changes: few attributes in which a misclassified variant must differ from the original
(a sparse counterfactual, found greedily)."""

from __future__ import annotations

import torch
from torch import Tensor

from lab.robustness.oracle import Oracle, OraclePredictions, State, worst_in_rows
from lab.worlds import Samples

BLOCK = 4096
"""Samples per batch of predictions."""

WHAT = "fewer changes"
"""The name of this stage in `Oracle.shown` and in the progress."""


class Change:
    """F pairs of a sample and its misclassified variant; `all` bool (F, A): the nuisances in which
    they differ."""

    def __init__(self, oracle: Oracle, before: State, after: State) -> None:
        self.names = oracle.world.nuisances
        self._oracle, self._before, self._after = oracle, before, after
        self.all = torch.stack([before.samples[n] != after.samples[n] for n in self.names], dim=1)

    def samples(self, rows: Tensor, changed: Tensor) -> Samples:
        """The samples `rows` (R,), with the variant's values of the nuisances that are True in
        `changed` (R, A)."""
        old, new = self._before.samples[rows], self._after.samples[rows]
        columns = {
            name: torch.where(changed[:, k], new[name], old[name])
            for k, name in enumerate(self.names)
        }
        return old.redrawn(columns)

    def predict(self, rows: Tensor, changed: Tensor) -> OraclePredictions:
        """The predictions on `samples(rows, changed)`."""
        answers = [
            self._oracle(WHAT, self.samples(some, these), self._after.labels[some])
            for some, these in zip(
                torch.split(rows, BLOCK), torch.split(changed, BLOCK), strict=True
            )
        ]
        return OraclePredictions(*map(torch.cat, zip(*answers, strict=True)))

    def predict_toggled(self, changed: Tensor, rows: Tensor, columns: Tensor) -> OraclePredictions:
        """The predictions on the samples `rows` (R,) with `changed` (F, A), where in each row one
        attribute, that of `columns` (R,), is toggled."""
        trial, each = changed[rows], torch.arange(len(rows))
        trial[each, columns] = ~trial[each, columns]
        return self.predict(rows, trial)


def minimal_changes(
    oracle: Oracle, before: State, after: State
) -> tuple[State, list[tuple[str, ...]]]:
    """Misclassified samples with few attributes as in `after` and all others as in `before`; and
    the names of these attributes, for each sample the one with the largest effect first.

    Greedy: from `before`, the change that lowers the log odds of the true label most is added, one
    at a time, until the sample is misclassified; then changes are undone one at a time as long as
    it stays so. In the end no single change can be undone.
    """
    if len(after) == 0:
        return after, []
    change = Change(oracle, before, after)
    changed, need = undo_changes(oracle, change, _add_changes(oracle, change))
    everyone = torch.arange(len(after))
    least = State(
        change.samples(everyone, changed), after.labels, change.predict(everyone, changed)
    )
    order = need.masked_fill(~changed, -torch.inf).argsort(dim=1, descending=True, stable=True)
    needed = [
        tuple(change.names[column] for column in row[:count])
        for row, count in zip(order.tolist(), changed.sum(dim=1).tolist(), strict=True)
    ]
    return least, needed


def _add_changes(oracle: Oracle, change: Change) -> Tensor:
    """Changes bool (F, A) that suffice for an error, added greedily."""
    changed = torch.zeros_like(change.all)
    count = len(changed)
    active = torch.ones(count, dtype=torch.bool)
    while bool(active.any()):
        oracle.progress(WHAT, count - int(active.sum()), 2 * count)
        rows, columns = (change.all & ~changed & active[:, None]).nonzero().T
        predictions = change.predict_toggled(changed, rows, columns)
        margin = torch.full(changed.shape, torch.inf, dtype=torch.float64)
        margin[rows, columns] = predictions.margin.clamp(max=1e30)  # below what cannot be chosen
        wrong = torch.zeros_like(changed)
        wrong[rows, columns] = predictions.wrong
        chosen = worst_in_rows(margin, wrong)
        still = active.nonzero()[:, 0]
        changed[still, chosen[still]] = True
        active[still] = ~wrong[still, chosen[still]]
        active &= (change.all & ~changed).any(dim=1)
    return changed


def undo_changes(oracle: Oracle, change: Change, changed: Tensor) -> tuple[Tensor, Tensor]:
    """Changes bool (F, A) of which none can be undone without losing the error, and the margin
    (F, A) without each of them."""
    count = len(changed)
    need = torch.full(changed.shape, torch.inf, dtype=torch.float64)
    rows, columns = changed.nonzero().T
    need[rows, columns] = change.predict_toggled(changed, rows, columns).margin
    active = torch.ones(count, dtype=torch.bool)
    while bool(active.any()):
        oracle.progress(WHAT, 2 * count - int(active.sum()), 2 * count)
        went = torch.zeros_like(active)
        order = need.masked_fill(~changed, torch.inf).argsort(dim=1, stable=True)
        for column in order.T[: int(changed.sum(dim=1).max())]:
            rows = (active & changed.gather(1, column[:, None])[:, 0]).nonzero()[:, 0]
            if len(rows):
                predictions = change.predict_toggled(changed, rows, column[rows])
                need[rows, column[rows]] = predictions.margin
                rows = rows[predictions.wrong]
                changed[rows, column[rows]] = False
                went[rows] = True
        active = went
    oracle.progress(WHAT, 2 * count, 2 * count)
    return changed, need
