"""Whose membership an attack tells: true positives by memorization score.

For each attacked network the scores are those by all other networks, so that neither its own
predictions nor whether it was trained on an example decide in which band the example is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure import right
from lab.measure.memorization_scores import BY_HEART, Averages
from lab.measure.shadow_models import likelihood_ratios, true_positive_rates
from lab.pool.attacks import ATTACKED, LEFT_OUT, Rates, blocks_of, log_odds_of
from lab.pool.run import PoolResult

LOW = 0.1
"""The score below which an example counts as not memorized."""

BANDS = {
    f"score below {LOW:g}": (-math.inf, LOW),
    f"{LOW:g} to {BY_HEART:g}": (LOW, BY_HEART),
    f"{BY_HEART:g} or more": (BY_HEART, math.inf),
}
"""Least score and the one above the highest of each band."""

ALL, OWN = "false positives among all", "false positives among its own"
"""Of a band: the non-members among which a share is wrongly named."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """The examples of a band of scores, as the likelihood-ratio attack finds them.

    Args:
        rates: true positive rates by false positive rate, for the non-members `ALL` (one threshold
            for all bands) and `OWN` (one of the band's own). Their `count` is the number of pairs
            of network and member in the band.
        members: share of all pairs of network and member that are in the band.
    """

    rates: Mapping[str, Rates]
    members: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "members": Estimate(self.members).as_dict(),
            **{
                kind: {f"{rate:g}": found.as_dict() for rate, found in rates.items()}
                for kind, rates in self.rates.items()
            },
        }


def exposed(result: PoolResult) -> dict[str, Band] | None:
    """The bands of a pool; None for one that is too small to be attacked."""
    pool, labels = result.pool, result.train.labels
    if len(pool) < ATTACKED:
        return None
    hits = torch.stack([right(logits, labels) for logits in pool.train_logits])
    odds = log_odds_of(pool.train_logits, labels)
    return exposed_with(odds, hits, pool.members, blocks_of(pool))


def exposed_with(
    odds: Tensor, hits: Tensor, members: Tensor, blocks: Tensor | None = None
) -> dict[str, Band]:
    """The bands, of the log odds (K, N) that K networks give to the labels of N examples, and which
    they get right (`hits`, bool) and were trained on (`members`, bool); `blocks` as in
    `lab.pool.attacks.attack_with`. A band without members or without non-members has NaN for a
    rate."""
    ratios = likelihood_ratios(odds, members, groups=blocks)
    scores = (Averages.of(hits, members) - Averages.of(hits, ~members)).without  # (K, N)
    found = {}
    for name, (low, high) in BANDS.items():
        # 5/6 - 1/3 is a little less than 1/2
        inside = (scores >= low - 1e-9) & (scores < high - 1e-9)
        kinds = {ALL: ratios.where(inside | ~members, torch.nan),
                 OWN: ratios.where(inside, torch.nan)}  # fmt: skip
        rates = {
            kind: dict(
                zip(
                    LEFT_OUT,
                    true_positive_rates(kept, members, false_positive_rates=LEFT_OUT),
                    strict=True,
                )
            )
            for kind, kept in kinds.items()
        }
        share = (inside & members).sum() / members.sum()
        found[name] = Band(rates=rates, members=share.item())
    return found
