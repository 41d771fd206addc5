"""Influence of training examples on other examples, from networks trained on random subsets.

Feldman & Zhang, "What neural networks memorize and why", NeurIPS 2020: the influence of training
example i on example j is P(right on j | i was trained on) - P(right on j | it was not), over
networks trained on random subsets of one training set. (The memorization score of i is its
influence on itself.) Throughout, `members` (K, N) bool says which of K networks were trained on
which of N training examples, and `right` (K, M) bool which are right on which of M other examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BEYOND = 0.05
"""The share of shuffles in which the strongest of all pairs may be beyond noise."""

SHUFFLES, LEAST, PAIRS = 100, 20, 400_000_000
"""Shuffles of the memberships; at least so many where they would have more pairs than that in all,
which takes some ten seconds."""

SAME = 1e-6
"""A difference of probabilities that is no more than rounding."""


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The influence of each of N training examples on each of M others, float32 (N, M) each; NaN
    for a training example that all networks or none were trained on.

    Args:
        values: share of right predictions among the networks that were trained on the training
            example, minus the share among the other networks: -1 to 1.
        standard_error: of `values`, over networks; above 0, as that of a memorization score
            (`lab.measure.memorization_scores.MemorizationScores`).
        strength: `values` in standard errors as they are without any influence: the root of the
            chi-squared statistic of the two shares, with the sign of `values`. 0 where all networks
            are right, or all are wrong.
    """

    values: Tensor
    standard_error: Tensor
    strength: Tensor


def influence(right: Tensor, members: Tensor) -> Influence:
    """The influences (N, M)."""
    inside, hits = members.float(), right.float()  # counts below 2^24 are exact in float32
    counts, together, whole = inside.sum(dim=0)[:, None], inside.T @ hits, hits.sum(dim=0)
    shares, variance = [], torch.zeros_like(together)
    for count, found in ((counts, together), (len(members) - counts, whole - together)):
        cautious = (found + 1) / (count + 2)  # Agresti & Caffo 2000
        variance += cautious * (1 - cautious) / (count + 2)
        shares.append(found / count)
    values = shares[0] - shares[1]
    return Influence(
        values=values,
        standard_error=torch.where(values.isfinite(), variance.sqrt(), math.nan),
        strength=_strength(right, members),
    )


def mean_differences(outputs: Tensor, members: Tensor) -> Tensor:
    """The same for numbers `outputs` (K, M), such as the log odds that the networks give to the
    label of each example: mean over the networks that were trained on the training example, minus
    the mean over the others; float64 (N, M), NaN where there are none of either."""
    inside, values = members.double(), outputs.double()
    values = values - values.mean(dim=0)  # against rounding
    means = [(each.T @ values) / each.sum(dim=0)[:, None] for each in (inside, 1 - inside)]
    return means[0] - means[1]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The strength of influences, as it is and without any influence: with memberships that are
    shuffled among the networks, each time anew.

    Args:
        bound: the absolute strength that no pair exceeds in 95 % of the shuffles. Pairs that exceed
            it are beyond noise.
        mean_square: of the strength of all pairs, as it is: about 1 where there is no influence.
        shuffled: the same in each shuffle (S,).
    """

    bound: float
    mean_square: float
    shuffled: Tensor

    @property
    def share(self) -> float:
        """How much of the mean square noise is, 0 to 1 or little more: the mean of the shuffles
        over it."""
        return self.shuffled.mean().item() / self.mean_square if self.mean_square else math.nan

    @property
    def p_value(self) -> float:
        """Of the hypothesis that no prediction depends on the subset: the share of shuffles, the
        order as it is among them, with a mean square as large as that observed."""
        as_large = int((self.shuffled >= self.mean_square).sum())
        return (as_large + 1) / (len(self.shuffled) + 1)


def noise(right: Tensor, members: Tensor, blocks: Tensor, *, shuffles: int | None = None) -> Noise:
    """The noise of `influence(right, members)`, by a permutation test.

    The rows of `members` change places among the networks with the same number in `blocks` (K,),
    which rise: these are whole subsets, so that each example stays in as many networks. If no
    prediction depends on the subset, all such orders are equally likely. `shuffles`: how many, 20
    or more; None: as many as `SHUFFLES` says.
    """
    pairs = max(1, members.shape[1] * right.shape[1])
    count = shuffles or max(LEAST, min(SHUFFLES, PAIRS // pairs))
    generator = torch.Generator().manual_seed(0)
    most, squares = [], []
    for _ in range(count):
        strength = _known(_strength(right, members[shuffled(blocks, generator)]))
        most.append(strength.abs().max().item() if strength.numel() else 0.0)
        squares.append(strength.square().mean().item())
    place = math.ceil((1 - BEYOND) * (count + 1))  # of the values in rising order, from 1
    return Noise(
        bound=sorted(most)[min(place, count) - 1],
        mean_square=_known(_strength(right, members)).square().mean().item(),
        shuffled=torch.tensor(squares, dtype=torch.float64),
    )


@dataclass(frozen=True, kw_only=True)
class Causes:
    """The F training examples that an output depends on, beyond noise.

    Args:
        found: their positions, in the order in which they were found.
        effects: of each (F,) float64 the mean output of the networks that were trained on it, minus
            that of the others; of several the differences that are not due to the others (least
            squares).
        standard_error: of `effects`, over networks, whose variances may differ (of one example it
            is Welch's; of several "HC2", MacKinnon & White 1985).
        noise: the absolute effect that no example exceeds in 95 % of the shuffles, where only noise
            is left, if a typical number of networks were trained on it.
    """

    found: tuple[int, ...]
    effects: Tensor
    standard_error: Tensor
    noise: float


def causes(
    outputs: Tensor,
    members: Tensor,
    blocks: Tensor,
    *,
    most: int,
    least: float = 0.0,
    shuffles: int = 2 * SHUFFLES,
) -> Causes:
    """Which training examples an output of each of K networks (K,) depends on: `most` of them at
    most, and none with an absolute effect below `least`.

    By forward selection: the strongest is found if it is stronger than the strongest of all in 95 %
    of `shuffles` shuffles of the outputs among networks with the same number in `blocks` (K,),
    which rise. What it explains is then taken out, so that another example on which almost the same
    networks were trained by accident is not found for its sake; and so on.
    """
    count = len(members)
    counts = members.sum(dim=0)
    known = ((counts > 1) & (counts < count - 1)).nonzero()[:, 0]
    inside = members[:, known].double()
    shares = inside.mean(dim=0)
    inside = (inside - shares) / (count * shares * (1 - shares)).sqrt()  # of length 1
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([shuffled(blocks, generator) for _ in range(shuffles)])  # (S, K)
    place = min(math.ceil((1 - BEYOND) * (shuffles + 1)), shuffles)
    found: list[int] = []
    fit, noise = _Fit.of(outputs, members[:, found]), 0.0
    while len(known):
        if float(fit.left.abs().max()) < SAME:
            noise = 0.0
            break
        strongest = (fit.left[orders] @ inside).abs().amax(dim=1)
        bound = float(strongest.sort().values[place - 1])
        noise = bound / float((count * shares * (1 - shares)).sqrt().median())
        strength = (fit.left @ inside).abs()
        new = int(known[strength.argmax()])
        if len(found) == most or float(strength.max()) <= bound:
            break
        more = _Fit.of(outputs, members[:, [*found, new]])
        if abs(float(more.effects[-1])) < least:
            break
        found, fit = [*found, new], more
    return Causes(
        found=tuple(found), effects=fit.effects, standard_error=fit.standard_error, noise=noise
    )


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Outputs (K,) as a constant and effects (F,) of memberships, by least squares; what is `left`
    (K,)."""

    effects: Tensor
    standard_error: Tensor
    left: Tensor

    @classmethod
    def of(cls, outputs: Tensor, members: Tensor) -> _Fit:
        """The fit to the memberships (K, F)."""
        table = torch.cat([torch.ones(len(members), 1), members], dim=1).double()
        inverse = torch.linalg.pinv(table)
        found = inverse @ outputs.double()
        left = outputs.double() - table @ found
        leverage = (table * inverse.T).sum(dim=1)
        variance = inverse.square() @ (left.square() / (1 - leverage).clamp(min=1e-9))
        return cls(effects=found[1:], standard_error=variance[1:].sqrt(), left=left)


def shuffled(blocks: Tensor, generator: torch.Generator) -> Tensor:
    """A random order (K,) of rows in which each stays within its block; `blocks` (K,) rise."""
    return (blocks.double() + torch.rand(len(blocks), generator=generator).double()).argsort()


def _strength(right: Tensor, members: Tensor) -> Tensor:
    """The strength (N, M): the correlation over networks times the root of their number."""
    inside, hits = (each.float() - each.float().mean(dim=0) for each in (members, right))
    inside = inside / inside.norm(dim=0)
    inside[:, (members == members[0]).all(dim=0)] = math.nan
    found: Tensor = inside.T @ (hits / hits.norm(dim=0).clamp(min=1e-6))
    return found * math.sqrt(len(members))


def _known(strength: Tensor) -> Tensor:
    """The rows of the examples that some networks were trained on and others were not."""
    return strength[strength[:, :1].isfinite()[:, 0]]
