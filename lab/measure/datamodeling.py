"""The linear datamodeling score: how well attributions predict networks trained on subsets.

Park et al., "TRAK: Attributing model behavior at scale", ICML 2023, section 2. An attribution
(N, M) says what each of N training examples does to the output on each of M others; the sum over a
subset predicts the output of a network trained on it. Throughout, `members` (K, N) bool are K
subsets and `outputs` (K, M) what the networks trained on them gave: the log odds of the label.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.influence import mean_differences
from lab.measure.memorization_scores import Averages


def datamodeling_scores(attributions: Tensor, members: Tensor, outputs: Tensor) -> Tensor:
    """For each of the M examples the rank correlation (Spearman's) over the K subsets between
    outputs and sums of attributions: float64 (M,), -1 to 1; NaN where either is constant."""
    return _rank_correlations(members.double() @ attributions.double(), outputs.double())


def datamodeling_score(
    attributions: Tensor, members: Tensor, outputs: Tensor, groups: Tensor
) -> Estimate:
    """The mean score over the examples, for other subsets and other examples of the same kind: the
    jackknife leaves out the subsets with the same number in `groups` (K,) together."""
    sums = members.double() @ attributions.double()
    without = [_rank_correlations(sums[rest], outputs[rest].double()) for rest in _left_out(groups)]
    values = _rank_correlations(sums, outputs.double())
    return Averages(values, torch.stack(without)).mean().within(-1, 1)


def empirical_attributions(members: Tensor, outputs: Tensor) -> Tensor:
    """The influence of each training example on each output, by the networks themselves (N, M); 0
    for an example that all or none were trained on."""
    return mean_differences(outputs, members).nan_to_num(0.0)


def halves_score(members: Tensor, outputs: Tensor, groups: Tensor) -> Estimate:
    """The mean score of the influences that are estimated from one half of the networks, as
    attributions, on the other half: the mean of both ways. Networks with the same number in
    `groups` (K,) are in the same half, every second group in the first.

    It is what the networks say of each other: attributions without any error of their own would
    have a higher score, since these have that of half of the networks.
    """

    halves = torch.isin(groups, torch.tensor(_numbers(groups)[::2]))

    def scores(rest: Tensor) -> Tensor:
        first, inside, there = halves[rest], members[rest], outputs[rest]
        both = [
            datamodeling_scores(
                empirical_attributions(inside[half], there[half]), inside[~half], there[~half]
            )
            for half in (first, ~first)
        ]
        return (both[0] + both[1]) / 2

    values = scores(torch.ones(len(groups), dtype=torch.bool))
    without = [scores(rest) for rest in _left_out(groups)]
    return Averages(values, torch.stack(without)).mean().within(-1, 1)


def repeat_score(outputs: Tensor, repeated: Tensor) -> Estimate:
    """The mean over the examples of the rank correlation between the `outputs` (K, M) of K networks
    and those of K others that were trained on the same subsets with other weights and batches,
    `repeated` (K, M): the share of their variance that the subset decides.

    A prediction from the subset alone correlates with the outputs by the root of it at most.
    """
    one, other = outputs.double(), repeated.double()
    without = [
        _rank_correlations(one[rest], other[rest]) for rest in _left_out(torch.arange(len(one)))
    ]
    return Averages(_rank_correlations(one, other), torch.stack(without)).mean().within(-1, 1)


def _left_out(groups: Tensor) -> list[Tensor]:
    """Of each group: which (K,) bool are not of it."""
    return [groups != group for group in _numbers(groups)]


def _numbers(groups: Tensor) -> list[int]:
    """The numbers of the groups, in rising order."""
    return sorted(set(groups.tolist()))


def _rank_correlations(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's correlation of the columns of two matrices (K, M): (M,)."""
    x, y = _ranks(one), _ranks(other)
    found: Tensor = (x * y).sum(dim=0) / (x.norm(dim=0) * y.norm(dim=0))
    return found


def _ranks(values: Tensor) -> Tensor:
    """The ranks in each column (K, M), less their mean; equal values have the same."""
    rows = values.T.contiguous()
    ordered = rows.sort(dim=1).values
    below = torch.searchsorted(ordered, rows)
    at_most = torch.searchsorted(ordered, rows, right=True)
    ranks = (below + at_most).double()
    return (ranks - ranks.mean(dim=1, keepdim=True)).T
