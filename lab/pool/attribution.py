"""Attribution methods on trial: what they say of a few networks, against a pool's networks."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from lab.core.estimate import Estimate, Z
from lab.core.words import NOTHING, estimated, percent, singular
from lab.measure.attribution import Case, Unsuitable, attribution, list_attributions
from lab.measure.datamodeling import (
    datamodeling_score,
    empirical_attributions,
    halves_score,
    repeat_score,
)
from lab.measure.predictions import log_odds
from lab.pool.attacks import ATTACKED
from lab.pool.beside import Beside, again, like_those_of
from lab.pool.findings import Findings
from lab.pool.membership import BLOCK
from lab.pool.run import PoolResult
from lab.pool.section import Section, reason
from lab.pool.whole import whole_networks

TABLE, FOLDER = "attribution.csv", "again"

MOST_RUNS = 1000
"""Networks on the whole training set, at most."""

REPEATED = 20
"""Networks of the pool that are trained once more, on the same subsets."""

BLOCKS = 6
"""Blocks of ten networks from which on the jackknife leaves out whole ones; below, single
networks."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: the score of an attribution, and the processor seconds that it took (0
    where nothing was computed for it)."""

    name: str
    heading: str
    score: Estimate
    seconds: float = 0.0


def check_runs(runs: int, *, networks: int) -> None:
    """Raise `ValueError` for a number of networks that cannot be; `networks` are the pool's."""
    if not 0 <= runs <= MOST_RUNS:
        raise ValueError(f"--attribution-runs must be 0 to {MOST_RUNS:,}, not {runs}")
    if runs and networks < ATTACKED:
        raise ValueError(
            f"--attribution-runs {runs} needs --networks {ATTACKED} or more to judge attributions"
            f" by, not {networks}"
        )


def attribution_section(
    findings: Findings, *, runs: int, beside: Beside
) -> tuple[Section | None, list[str]]:
    """The trial of all methods with `runs` networks on the whole training set, and what is said of
    networks that failed; None if that leaves none."""
    result, pool = findings.result, findings.result.pool
    networks, failed = whole_networks(result, runs=runs, beside=beside)
    numbers, repeated, failed_again = _again(result, beside)
    failed += failed_again
    if not networks or len(pool) < ATTACKED:
        return None, failed
    train, test = result.train, result.test
    case = Case(
        networks=networks,
        images=train.images,
        labels=train.labels,
        other_images=test.images,
        other_labels=test.clean_labels,
        classes=len(train.classes),
    )
    odds = _odds(result, pool.test_logits)
    blocks = torch.tensor(pool.networks) // BLOCK
    groups = blocks if len(set(blocks.tolist())) >= BLOCKS else torch.arange(len(pool))
    beside.say(f"{len(list_attributions())} attribution methods: {', '.join(list_attributions())}")
    rows, left_out = list[Row](), dict[str, str]()
    for name in list_attributions():
        method, began = attribution(name), time.process_time()
        try:
            found = method.method(case)
            seconds = time.process_time() - began
            _refuse_empty(found, noun=result.run.world.noun)
            score = datamodeling_score(found, pool.members, odds, groups)
        except Exception as error:  # whatever it is: the networks are trained, and others go on
            left_out[method.heading] = reason(error)
            continue
        rows.append(Row(name=name, heading=method.heading, score=score, seconds=seconds))
    rows.sort(key=lambda row: -row.score.value if math.isfinite(row.score.value) else math.inf)
    own = datamodeling_score(empirical_attributions(pool.members, odds), pool.members, odds, groups)
    ceilings = [
        Row(
            name="influence_of_half",
            heading="influence by half of the pool, on the other half",
            score=halves_score(pool.members, odds, groups),
        ),
        Row(
            name="influence_in_sample",
            heading="influence by the pool, on itself",
            score=own,
        ),
    ]
    if len(numbers) > 2:
        place = {network: row for row, network in enumerate(pool.networks)}
        first = odds[[place[number] for number in numbers]]
        shared = repeat_score(first, _odds(result, repeated))
        ceilings.append(
            Row(name="ceiling", heading="ceiling, by networks trained again", score=_root(shared))
        )
    trial = _Trial(
        noun=result.run.world.noun,
        networks=len(pool),
        runs=len(networks),
        rows=rows,
        ceilings=ceilings,
        left_out=left_out,
    )
    return trial.section(), failed


def _refuse_empty(attributions: Tensor, *, noun: str) -> None:
    """Raise `Unsuitable` for attributions (N, M) that say nothing of any example."""
    if not attributions.isfinite().all():
        raise Unsuitable("some of what it says are no finite numbers")
    if bool((attributions == attributions[:1]).all()):
        raise Unsuitable(f"it says the same of all training {noun}")


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """The scores of the methods, the best first, and what they can be compared with."""

    noun: str
    networks: int
    runs: int
    rows: Sequence[Row]
    ceilings: Sequence[Row]
    left_out: Mapping[str, str]

    @property
    def ceiling(self) -> Estimate | None:
        """The score that no attribution exceeds, but by its error."""
        found = [row.score for row in self.ceilings if row.name == "ceiling"]
        return found[0] if found and found[0].value > 0 else None

    def section(self) -> Section:
        """What is said of it."""
        return Section(
            name="attribution",
            heading="Attribution methods on trial",
            sentences=self._sentences(),
            fine=True,
            summary=self._summary(),
            rows=self._table(),
            note=(
                "Linear datamodeling score: the rank correlation, over the pool's networks, of the"
                f" log odds of an unseen {singular(self.noun)}'s label with the sum of the"
                f" attributions of the {self.noun} that a network was trained on; the mean over the"
                f" unseen {self.noun}. A random attribution has 0."
            ).replace("'", "’"),
            files={TABLE: self._csv()},
        )

    def _sentences(self) -> list[str]:
        said = []
        one = singular(self.noun)
        if self.rows and math.isfinite(self.rows[0].score.value):
            best = self.rows[0]
            score = _wider(best.score, len(self.rows))
            over = f"{self.runs:,} networks" if self.runs > 1 else "one network"
            said.append(
                f"Of {len(self.rows)} ways to tell from {over} which training {self.noun} decide"
                f" on an unseen {one}, the best is {best.heading}: what it says of subsets has a"
                f" rank correlation of {estimated(score)} with what {self.networks:,} networks"
                " trained on subsets answer (0: a guess)."
            )
        half = self.ceilings[0].score
        rest = (
            f"Influences that are measured with half of the pool predict the other half with"
            f" {estimated(half)}"
        )
        if self.ceiling is not None:
            rest += (
                f"; nothing can do so with more than about {estimated(self.ceiling)}, because"
                " networks trained again on the same subset differ, too"
            )
        said.append(f"{rest}.")
        for heading, why in self.left_out.items():
            said.append(f"Left out: {heading}, because {why}.")
        return said

    def _table(self) -> list[tuple[str, ...]]:
        header = ("attribution", "linear datamodeling score", "of the ceiling", "processor seconds")
        rows: list[tuple[str, ...]] = [header]
        return rows + [
            (
                row.heading,
                estimated(row.score, 3),
                self._share(row),
                f"{row.seconds:.1f}" if row.seconds else NOTHING,
            )
            for row in [*self.rows, *self.ceilings]
        ]

    def _share(self, row: Row) -> str:
        if self.ceiling is None or row in self.ceilings[1:] or math.isnan(row.score.value):
            return NOTHING
        return percent(max(0.0, row.score.value / self.ceiling.value), 0)

    def _summary(self) -> dict[str, Any]:
        return {
            "networks": self.networks,
            "runs": self.runs,
            "methods": {row.name: row.score.as_dict() for row in self.rows},
            "compared_with": {row.name: row.score.as_dict() for row in self.ceilings},
            "left_out": dict(self.left_out),
        }

    def _csv(self) -> str:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        header = ("attribution", "score", "low", "high", "networks", "processor_seconds")
        table.writerow(header)
        for row in [*self.rows, *self.ceilings]:
            numbers = (row.score.value, row.score.low, row.score.high)
            table.writerow([
                row.name,
                *("" if n is None or math.isnan(n) else f"{n:.4f}" for n in numbers),
                self.networks,
                f"{row.seconds:.1f}" if row.seconds else "",
            ])  # fmt: skip
        return text.getvalue()


def _again(result: PoolResult, beside: Beside) -> tuple[list[int], Tensor, list[str]]:
    """Numbers of networks of the pool that were trained again on their subsets, the logits that
    they then gave to the test examples (R, M, C), and what is said of those that failed."""
    job = like_those_of(result)
    kept, failed = beside.kept_in(
        result,
        result.folder / FOLDER,
        [again(job, k) for k in result.pool.networks[:REPEATED]],
        what="networks of the pool once more, with other weights and batches",
    )
    numbers = sorted(kept)
    logits = [kept[k].test_logits for k in numbers]
    return numbers, torch.stack(logits) if logits else torch.zeros(0), failed


def _odds(result: PoolResult, test_logits: Tensor) -> Tensor:
    """The log odds (K, M) of the test examples' labels."""
    return torch.stack([log_odds(logits, result.test.clean_labels) for logits in test_logits])


def _root(shared: Estimate) -> Estimate:
    """The root of a share of variance, with its interval."""
    if shared.low is None or shared.high is None:
        return Estimate.point(math.sqrt(max(0.0, shared.value)), count=shared.count)
    value, low, high = (math.sqrt(max(0.0, x)) for x in (shared.value, shared.low, shared.high))
    return Estimate(value, low, high, shared.count)


def _wider(score: Estimate, among: int) -> Estimate:
    """A normal interval that holds together with those of so many others (Bonferroni's
    correction)."""
    if score.low is None or score.high is None:
        return score
    factor = NormalDist().inv_cdf(1 - 0.025 / among) / Z
    low, high = (score.value + factor * (end - score.value) for end in (score.low, score.high))
    return Estimate(score.value, low, high, score.count).within(-1, 1)
