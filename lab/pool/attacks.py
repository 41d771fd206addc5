"""Membership inference against a pool: each network is attacked with all others as shadow models.

Non-members are of two kinds: training examples that the attacked network was not trained on, and
fresh ones that no network was trained on. Of the latter there are as many as are drawn, which is
what low false positive rates need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.predictions import log_odds
from lab.measure.shadow_models import likelihood_ratios, relative_ratios, true_positive_rates
from lab.pool.membership import BLOCK
from lab.pool.run import PoolResult
from lab.pool.store import Pool

ONLINE, OFFLINE = "likelihood ratio (LiRA)", "likelihood ratio, offline"
RELATIVE, RELATIVE_OFFLINE = "relative to fresh ones (RMIA)", "relative to fresh ones, offline"
LOSS = "loss threshold"
"""Attacks."""

LEFT_OUT, FRESH = (0.1, 0.01, 0.001), (0.1, 0.01, 0.001, 0.0001)
"""False positive rates at which they are judged, by the kind of non-members."""

FEWEST = 10
"""False positives from which on a rate is given, and steps of a score that comes in steps."""

CURVE = tuple(10 ** (-4 + i / 8) for i in range(33))
"""False positive rates of the ROC curves."""

ATTACKED = 16
"""Networks from which on a pool is attacked: fewer shadow models are of no use."""

Rates = Mapping[float, Estimate]
"""True positive rates by false positive rate."""


@dataclass(frozen=True, kw_only=True)
class Attacks:
    """True positive rates by attack and false positive rate, and the same by number of networks.

    Args:
        left_out: non-members are the training examples that the network was not trained on.
        fresh: non-members are fresh examples.
        curves: of `fresh`, at the rates of `CURVE` that so many non-members can show.
        null: the offline attack on fresh examples, half of which are called members: what an attack
            finds where there is nothing to find.
        power: the attack `ONLINE` at 1 % false positives (training examples left out) by the number
            of networks, the attacked one among them.
        non_members: pairs of network and fresh example.
    """

    left_out: Mapping[str, Rates]
    fresh: Mapping[str, Rates]
    curves: Mapping[str, Rates]
    null: Rates
    power: Mapping[int, Estimate]
    non_members: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "left_out": {name: _plain(rates) for name, rates in self.left_out.items()},
            "fresh": {name: _plain(rates) for name, rates in self.fresh.items()},
            "null": _plain(self.null),
            "power_at_0.01": _plain(self.power),
            "fresh_non_members": self.non_members,
        }


def attack(result: PoolResult) -> Attacks | None:
    """Attack every network of a pool; None for a pool that is too small for it."""
    pool, train, test = result.pool, result.train, result.test
    if len(pool) < ATTACKED:
        return None
    # Labels of fresh examples are wrong as often as those of the training set.
    given = result.run.world.given_labels(test.clean_labels, "train", start=len(train))
    fresh = result.fresh.positions
    return attack_with(
        log_odds_of(pool.train_logits, train.labels),
        log_odds_of(pool.test_logits, given)[:, fresh],
        pool.members,
        blocks_of(pool),
    )


def attack_with(
    odds: Tensor, fresh: Tensor, members: Tensor, blocks: Tensor | None = None
) -> Attacks:
    """Attack each of K networks by the log odds that all give to the labels of N training examples,
    `odds` (K, N), of which each was trained on `members` (K, N) bool, and of F `fresh` ones (K, F).

    `blocks` (K,) are the numbers of the networks' blocks; None: their subsets do not depend on each
    other. Where non-members are training examples, shadow models are those of other blocks. Where
    they are fresh ones, each of which is compared with the same networks as a member is, they are
    all other networks.
    """
    networks, count = members.shape
    left_out = {
        ONLINE: likelihood_ratios(odds, members, groups=blocks),
        OFFLINE: likelihood_ratios(odds, members, online=False, groups=blocks),
        RELATIVE: relative_ratios(odds, members, fresh, groups=blocks),
        LOSS: odds,
    }
    # A fresh example stands for a member: it is compared with as many shadow models, too.
    as_members = members[:, torch.arange(fresh.shape[1]) % count]
    population, rest = torch.arange(fresh.shape[1]).chunk(2)
    both = torch.cat([odds, fresh], dim=1)
    masks = torch.cat([members, as_members], dim=1)
    positive = torch.cat([members, torch.zeros_like(as_members)], dim=1)

    def judged(scores: Tensor, columns: Tensor | None = None) -> Tensor:
        """The scores of members and of fresh examples in their place (those of `columns` only);
        NaN elsewhere."""
        judged = scores.where(masks, torch.nan)
        if columns is not None:
            judged[:, count + columns] = torch.nan
        return judged

    offline = likelihood_ratios(both, masks, online=False)
    relative = relative_ratios(both, masks, fresh[:, population], online=False)
    against = {
        OFFLINE: judged(offline),
        RELATIVE_OFFLINE: judged(relative, population),
        LOSS: judged(both),
    }
    non_members = int(as_members.sum())
    rates: dict[str, Rates] = {}
    for name, scores in against.items():
        steps = len(population) if name == RELATIVE_OFFLINE else non_members
        least = FEWEST / max(1, steps)
        rates[name] = _rates(scores, positive, [r for r in {*FRESH, *CURVE} if r >= least])

    def power(many: int) -> Estimate:
        """The online attack with so many networks."""
        some = None if blocks is None else blocks[:many]
        found = likelihood_ratios(odds[:many], members[:many], groups=some)
        return _rates(found, members[:many], (0.01,))[0.01]

    half = torch.zeros_like(as_members)
    half[:, rest] = True
    return Attacks(
        left_out={name: _rates(each, members, LEFT_OUT) for name, each in left_out.items()},
        fresh={n: {r: found[r] for r in FRESH if r in found} for n, found in rates.items()},
        curves={n: {r: found[r] for r in CURVE if r in found} for n, found in rates.items()},
        null=_rates(
            offline[:, count:].where(as_members, torch.nan),
            half,
            [rate for rate in FRESH if rate >= 2 * FEWEST / non_members],
        ),
        power={many: power(many) for many in _numbers(networks)},
        non_members=non_members,
    )


def blocks_of(pool: Pool) -> Tensor:
    """The number of each network's block (K,), within which subsets depend on each other."""
    return torch.tensor(pool.networks) // BLOCK


def log_odds_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The log odds (K, N) of the `labels` (N,) under each network's logits (K, N, C)."""
    return torch.stack([log_odds(each, labels) for each in logits])


def _rates(scores: Tensor, members: Tensor, rates: Sequence[float]) -> dict[float, Estimate]:
    ordered = sorted(rates)
    found = true_positive_rates(scores, members, false_positive_rates=ordered)
    return dict(zip(ordered, found, strict=True))


def _numbers(networks: int) -> list[int]:
    """How many of the networks are used to see what more of them are good for: powers of 2."""
    powers = [2**i for i in range(ATTACKED.bit_length() - 1, networks.bit_length())]
    return sorted({*powers, networks})


def _plain(rates: Mapping[Any, Estimate]) -> dict[str, Any]:
    return {f"{rate:g}": found.as_dict() for rate, found in rates.items()}
