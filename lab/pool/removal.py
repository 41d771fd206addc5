"""What the memorized examples are good for: networks without them, and without random ones.

Feldman & Zhang, "What neural networks memorize and why", NeurIPS 2020, figure 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.core.seeds import permutation
from lab.core.words import estimated, share, singular
from lab.measure import right
from lab.measure.memorization_scores import Averages
from lab.models import digest_of
from lab.pool.beside import Beside, like_those_of, without
from lab.pool.findings import Findings
from lab.pool.section import Section

FOLDER = "without"

MOST_RUNS = 1000
"""Networks of each kind, at most."""

MEMORIZED, RANDOM = "the most memorized", "random ones"
"""What is left out."""


def check_removal(faces: int, runs: int, *, num_train: int) -> None:
    """Raise `ValueError` for numbers of examples or networks that cannot be."""
    if not 0 <= faces <= num_train // 2:
        raise ValueError(
            f"--without-memorized must be 0 to {num_train // 2:,}, half of the training set, not"
            f" {faces}"
        )
    if not 2 <= runs <= MOST_RUNS:
        raise ValueError(f"--without-runs must be 2 to {MOST_RUNS:,}, not {runs}")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Accuracies on test examples, of networks without the most memorized training examples and
    without as many random ones, and the former minus the latter."""

    memorized: Estimate
    random: Estimate
    difference: Estimate
    networks: int

    @classmethod
    def of(cls, memorized: Tensor, random: Tensor) -> Removal:
        """From which networks are right on which of M test examples, (R, M) bool each; the
        networks in the same row have the same untrained weights. The intervals are for other
        networks and other examples."""
        one, other = Averages.of(memorized), Averages.of(random)
        return cls(
            memorized=one.mean_of_few().within(0, 1),
            random=other.mean_of_few().within(0, 1),
            difference=(one - other).mean_of_few().within(-1, 1),
            networks=len(memorized),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "networks_of_each_kind": self.networks,
            "without_memorized": self.memorized.as_dict(),
            "without_random": self.random.as_dict(),
            "difference": self.difference.as_dict(),
        }


def removal_section(
    findings: Findings, *, faces: int, runs: int, beside: Beside
) -> tuple[Section | None, list[str]]:
    """The comparison for so many `faces` left out by `runs` networks of each kind, and what is said
    of networks that failed; None if fewer than two pairs are left."""
    result = findings.result
    count, noun = len(result.train), result.run.world.noun
    check_removal(faces, runs, num_train=count)
    score = findings.scores.score.nan_to_num(-2.0)
    memorized = sorted(score.argsort(descending=True, stable=True)[:faces].tolist())
    told = digest_of(" ".join(map(str, memorized)).encode())[:8]
    hits, failed = {}, list[str]()
    for kind, place in ((MEMORIZED, f"{faces}-memorized-{told}"), (RANDOM, f"{faces}-random")):
        sets = [
            memorized if kind == MEMORIZED else _random(findings, faces, k) for k in range(runs)
        ]
        what = f"networks without {_named(kind, faces, noun)}"
        hits[kind], errors = _hits(findings, sets, place, what=what, beside=beside)
        failed += errors
    both = sorted(hits[MEMORIZED].keys() & hits[RANDOM].keys())
    if len(both) < 2:
        return None, failed
    found = Removal.of(*(torch.stack([hits[kind][k] for k in both]) for kind in hits))
    wrong = int(result.train.mislabeled[memorized].sum())
    return section_of(found, faces=faces, wrong=wrong, noun=noun, count=count), failed


def section_of(found: Removal, *, faces: int, wrong: int, noun: str, count: int) -> Section:
    """What is said of the comparison, where `faces` of `count` were left out, `wrong` of which have
    a wrong label."""
    low, high = found.difference.interval
    points = Estimate(100 * found.difference.value, 100 * low, 100 * high)
    if math.isinf(low):  # all are right on the same examples: nothing is known of the spread
        points = Estimate.point(points.value)
    if high < 0:
        verdict = "the memorized ones help more than others"
    elif low > 0:
        verdict = "the memorized ones help less than others, or hurt"
    else:
        verdict = f"no difference that {found.networks} networks of each kind could show"
    those = (
        f" ({wrong:,} of which {'has' if wrong == 1 else 'have'} a wrong label)" if wrong else ""
    )
    said = (
        f"Trained without the {faces:,} {noun} that are memorized most{those}, networks get"
        f" {share(found.memorized)} of unseen {noun} right, without {faces:,} random ones"
        f" {share(found.random)}. The difference is {estimated(points, 1, sign='+')} percentage"
        f" points: {verdict}."
    )
    header = ("trained without", "networks", f"accuracy on unseen {noun}")
    rows = [
        header,
        (f"the {faces:,} most memorized {noun}", f"{found.networks:,}", share(found.memorized)),
        (f"{faces:,} random {noun}", f"{found.networks:,}", share(found.random)),
        ("difference, in percentage points", "", estimated(points, 1, sign="+")),
    ]
    return Section(
        name="removal",
        heading=f"What the memorized {noun} are good for",
        sentences=[said],
        summary={"left_out": faces, "of": count, "wrong_labels": wrong, **found.as_dict()},
        rows=rows,
        note=(
            f"Each network was trained on the other {count - faces:,} {noun}; the random ones are"
            f" others for each. A {singular(noun)} is memorized most by its score."
        ),
    )


def _random(findings: Findings, faces: int, run: int) -> list[int]:
    """Positions of random training examples, others for each run."""
    result = findings.result
    order = permutation(len(result.train), result.run.config.seed, "pool without", run)
    return sorted(order[:faces].tolist())


def _named(kind: str, faces: int, noun: str) -> str:
    return f"the {faces:,} most memorized {noun}" if kind == MEMORIZED else f"{faces:,} {RANDOM}"


def _hits(
    findings: Findings, sets: Sequence[Sequence[int]], place: str, *, what: str, beside: Beside
) -> tuple[dict[int, Tensor], list[str]]:
    """Of a network without each of the `sets`, by its number: which test examples (M,) bool it is
    right on; and what is said of those that failed."""
    result = findings.result
    job = like_those_of(result)
    kept, failed = beside.kept_in(
        result,
        result.folder / FOLDER / place,
        [without(job, k, left_out) for k, left_out in enumerate(sets)],
        what=what,
    )
    labels = result.test.clean_labels
    return {k: right(each.test_logits, labels) for k, each in kept.items()}, failed
