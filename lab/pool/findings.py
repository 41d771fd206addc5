"""What a pool says of its training examples: scores, means by cause, and the identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.core.config import to_json
from lab.core.estimate import Estimate
from lab.core.words import singular
from lab.measure import intervals, right
from lab.measure.memorization_scores import (
    Identity,
    MemorizationScores,
    identity,
    mean_score,
    memorization_scores,
)
from lab.pool.attacks import Attacks, attack
from lab.pool.causes import ORDINARY, causes, subpopulations
from lab.pool.exposed import Band, exposed
from lab.pool.run import PoolResult
from lab.worlds import COPIED


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of the training examples.

    Args:
        members: which they are, (N,) bool.
        mean: their mean score.
        by_heart: the share of them that is known by heart, by their scores.
        opposite: the share of them whose score is as far on the other side of 0, which is noise.
        above: P(the score of one of them is above that of an ordinary example), ties counting half:
            how well the score finds them (a ROC's area).
    """

    members: Tensor
    mean: Estimate
    by_heart: Estimate
    opposite: Estimate
    above: Estimate

    @property
    def count(self) -> int:
        """How many they are."""
        return int(self.members.sum())

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "count": self.count,
            "mean_score": self.mean.as_dict(),
            "by_heart": self.by_heart.as_dict(),
            "opposite": self.opposite.as_dict(),
            "above_ordinary": self.above.as_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that is read off a pool.

    Args:
        result: the pool.
        scores: of each training example.
        all: of all training examples.
        causes: of those of each cause.
        subpopulations: of those of each subpopulation with right labels.
        identity: the mean score against accuracies on members, non-members, and fresh examples,
            of examples that are not copied.
        attacks: membership inference, each network attacked by means of all others; None for a pool
            too small for it.
    """

    result: PoolResult
    scores: MemorizationScores
    all: Part
    causes: Mapping[str, Part]
    subpopulations: Mapping[str, Part]
    identity: Identity
    attacks: Attacks | None
    exposed: Mapping[str, Band] | None

    def halves(self) -> tuple[Tensor, Tensor]:
        """The scores (N,) by the first half of the networks, and by the second."""
        pool, labels = self.result.pool, self.result.train.labels
        hits = torch.stack([right(logits, labels) for logits in pool.train_logits])
        middle = len(pool) // 2
        one, other = (
            memorization_scores(hits[half], pool.members[half]).score
            for half in (slice(0, middle), slice(middle, None))
        )
        return one, other

    @property
    def tells(self) -> bool:
        """Whether `by_heart` says what networks know: there are enough of them, and it is 0 or more
        than noise makes."""
        return self.scores.firm and (self.all.by_heart.value == 0 or self.beyond_noise)

    @property
    def beyond_noise(self) -> bool:
        """Whether more examples are known by heart than are `opposite`, by intervals that are
        apart, with a mean score above 0 by its own, which is for other networks, too."""
        there, other = self.all.by_heart.interval, self.all.opposite.interval
        return there[0] > other[1] and self.all.mean.interval[0] > 0

    @classmethod
    def of(cls, result: PoolResult) -> Findings:
        """Measure a pool; `ValueError` if it is too small for any score."""
        pool, train, test = result.pool, result.train, result.test
        hits = torch.stack([right(logits, train.labels) for logits in pool.train_logits])
        unseen = torch.stack([right(logits, test.clean_labels) for logits in pool.test_logits])
        scores = memorization_scores(hits, pool.members)
        if not bool(scores.score.isfinite().any()):
            noun = result.run.world.noun
            raise ValueError(
                f"{result.folder}: {len(pool)} networks are too few for any score: each"
                f" {singular(noun)} must be among the training {noun} of one and not of another;"
                " raise --networks"
            )

        cues = result.run.world.cues
        by_cause = causes(train, cues, result.run.world.planted("train", len(train)))
        known = scores.score.isfinite()
        usual = scores.score[by_cause[ORDINARY] & known]

        # Of a copied example that is left out, a copy may be among the others.
        alone = ~by_cause.get(COPIED, torch.zeros(len(train), dtype=torch.bool))

        def part(members: Tensor) -> Part:
            return Part(
                members=members,
                mean=mean_score(hits, pool.members, members),
                by_heart=scores.by_heart(members),
                opposite=scores.opposite(members),
                above=intervals.area(usual, scores.score[members & known]),
            )

        return cls(
            result=result,
            scores=scores,
            all=part(torch.ones(len(train), dtype=torch.bool)),
            causes={name: part(members) for name, members in by_cause.items()},
            subpopulations={name: part(m) for name, m in subpopulations(train).items()},
            identity=identity(
                hits[:, alone],
                pool.members[:, alone],
                unseen[:, result.fresh.positions],
                wrong=train.mislabeled[alone],
                classes=len(train.classes),
            ),
            attacks=attack(result),
            exposed=exposed(result),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as `findings.json` holds them."""
        pool, same = self.result.pool, self.identity
        error = self.scores.standard_error
        fresh = self.result.fresh
        return {
            "config": json.loads(to_json(self.result.run.config)),
            "world": self.result.run.world.version,
            "share": self.result.share,
            "networks": len(pool),
            "failed": {str(network): said for network, said in self.result.failed},
            "fitted": int(pool.fitted.sum()),
            "tells_by_heart": self.tells,
            "steps": _ends(pool.steps),
            "weights_of": _ends(pool.weights_of) if pool.notes_weights else None,
            "training_loss": {"mean": pool.losses.mean().item(), "most": pool.losses.max().item()},
            "median_standard_error": error[error.isfinite()].median().item(),
            "all": self.all.as_dict(),
            "causes": {name: part.as_dict() for name, part in self.causes.items()},
            "subpopulations": {n: part.as_dict() for n, part in self.subpopulations.items()},
            "identity": {
                "members": same.members.as_dict(),
                "others": same.others.as_dict(),
                "members_minus_others": same.members.value - same.others.value,
                "fresh": same.fresh.as_dict(),
                "expected_others": same.expected.as_dict(),
                "others_minus_expected": same.off.as_dict(),
                "holds": same.holds,
            },
            **({"fresh": fresh.as_dict()} if fresh.said else {}),
            "true_positive_rates": self.attacks.as_dict() if self.attacks else None,
            "true_positive_rates_by_score": {n: band.as_dict() for n, band in self.exposed.items()}
            if self.exposed
            else None,
        }


def _ends(steps: Tensor) -> dict[str, int]:
    return {"least": int(steps.min()), "most": int(steps.max())}
