"""The trial of per-example scores of single trainings against what the pool knows: the causes, and
the memorization scores."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lab.core.estimate import Estimate
from lab.core.words import NOTHING, estimated, share
from lab.measure import intervals
from lab.measure.example_scores import by_heading
from lab.measure.rank_correlation import rank_correlation, spearman
from lab.measure.second_split import ALL_SCORES
from lab.pool.beside import Beside
from lab.pool.causes import ORDINARY
from lab.pool.findings import Findings
from lab.pool.scored import Scored, scored_runs
from lab.pool.second_split import others
from lab.pool.section import Section
from lab.pool.words import WHOSE
from lab.worlds import COPIED

NAME, CSV = "score_trial", "score_trial.csv"
"""Of the section: its key in `findings.json`, and its file."""

MEMORIZATION = "memorization"
"""The row of the memorization score itself."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a score is worth.

    Args:
        name: its column in the tables, or `MEMORIZATION`.
        heading: its name in words.
        areas: for each cause, P(it is higher for one of its examples than for an ordinary one).
        agreement: its rank correlation with the memorization score; for that score itself between
            those by one half of the networks and by the other.
        over: for each cause and each later one, P(it is higher for an example of the former).
        each: mean of the areas, by cause, and of the agreement (`MEMORIZATION`) over the trainings
            alone; none of the memorization score.
    """

    name: str
    heading: str
    areas: Mapping[str, Estimate]
    agreement: Estimate
    over: Mapping[str, Mapping[str, Estimate]]
    each: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ScoreTrial:
    """The table of scores, each the mean over `runs` trainings on the whole training set; `best`
    has for each cause, and for `MEMORIZATION`, the row of a cheap score with the highest value, and
    that value with an interval that holds though it is the best of several (Bonferroni).
    `second_epochs`: of each training, those of the second one that follows it. `left_out`: headings
    of scores that the networks do not have, with the reasons."""

    runs: int
    second_epochs: tuple[int, ...]
    noun: str
    rows: tuple[Row, ...]
    best: Mapping[str, tuple[Row, Estimate]]
    left_out: Mapping[str, str]

    @classmethod
    def of(cls, findings: Findings, scored: Scored) -> ScoreTrial:
        """Compare the scores on all examples that have a memorization score."""
        memorized = findings.scores.score
        known = memorized.isfinite()
        usual = findings.causes[ORDINARY].members & known
        causes = {
            name: part.members & known
            for name, part in findings.causes.items()
            if name != ORDINARY and bool(usual.any()) and bool((part.members & known).any())
        }

        def area(values: Tensor, cause: str, among: int = 1) -> Estimate:
            return intervals.area(values[usual], values[causes[cause]], among=among)

        def over(values: Tensor) -> dict[str, dict[str, Estimate]]:
            names = list(causes)
            return {
                cause: {
                    other: intervals.area(values[causes[other]], values[causes[cause]])
                    for other in names[place + 1 :]
                }
                for place, cause in enumerate(names[:-1])
            }

        def agreement(values: Tensor, among: int = 1) -> Estimate:
            return rank_correlation(values[known], memorized[known], among=among)

        rows = [
            Row(
                name=MEMORIZATION,
                heading="memorization score",
                areas={cause: area(memorized, cause) for cause in causes},
                agreement=_halves(findings),
                over=over(memorized),
                each={},
            )
        ]
        means = {}
        measured = [score for score in ALL_SCORES if score.name in scored.scores]
        for score in measured:
            runs = scored.scores[score.name]
            means[score.name] = values = runs.mean(dim=0)
            each = {c: sum(area(run, c).value for run in runs) / len(runs) for c in causes}
            alone = [spearman(run[known], memorized[known]) for run in runs]
            rows.append(
                Row(
                    name=score.name,
                    heading=score.heading,
                    areas={cause: area(values, cause) for cause in causes},
                    agreement=agreement(values),
                    over=over(values),
                    each={**each, MEMORIZATION: sum(alone) / len(alone)},
                )
            )
        best = {}
        for cause in causes:
            row = max(rows[1:], key=lambda row: _or_least(row.areas[cause]))
            best[cause] = (row, area(means[row.name], cause, among=len(measured)))
        row = max(rows[1:], key=lambda row: _or_least(row.agreement))
        best[MEMORIZATION] = (row, agreement(means[row.name], among=len(measured)))
        return cls(
            runs=len(scored),
            second_epochs=tuple(scored.second_epochs.tolist()),
            noun=findings.result.run.world.noun,
            rows=tuple(rows),
            best=best,
            left_out=by_heading(scored.left_out),
        )

    def sentences(self) -> list[str]:
        """Which score finds each cause best, and which agrees most with memorization."""
        said, memorization = [], self.rows[0]
        count = len(self.rows) - 1
        over = f"{self.runs:,} trainings" if self.runs > 1 else "one training"
        for cause, (row, found) in self.best.items():
            if cause in (MEMORIZATION, COPIED) or math.isnan(found.value):
                continue
            said.append(
                f"Of {count} scores of {over}, the one that finds {self.noun} {WHOSE[cause]} best"
                f" is {row.heading}: it puts them above ordinary {self.noun} in {share(found)} of"
                f" pairs (interval for the best of {count}), the memorization score in"
                f" {share(memorization.areas[cause])}:"
                f" {_compared(found, memorization.areas[cause], self.noun)}."
            )
        row, found = self.best[MEMORIZATION]
        if not math.isnan(found.value):
            said.append(
                f"The one of {count} that agrees most with the memorization score is"
                f" {row.heading}: rank correlation {estimated(found)}. Two halves of the pool agree"
                f" by {estimated(memorization.agreement)}."
            )
        said += [f"Left out: {heading}, because {why}." for heading, why in self.left_out.items()]
        return said

    def table(self) -> list[tuple[str, ...]]:
        """The table below a header, as texts; beside the figures of several trainings together
        those of one of them, on average."""
        figures = [(f"AUROC, {cause}", cause) for cause in self.rows[0].areas]
        figures.append(("rank correlation", MEMORIZATION))
        several = self.runs > 1
        rows = [["score"]]
        for title, _ in figures:
            rows[0] += [title, "one training"] if several else [title]
        for row in self.rows:
            rows.append([row.heading])
            for _, what in figures:
                found = row.agreement if what == MEMORIZATION else row.areas[what]
                rows[-1].append(estimated(found))
                if several:
                    rows[-1].append(f"{row.each[what]:.2f}" if row.each else NOTHING)
        return [tuple(row) for row in rows]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as `findings.json` holds them."""
        return {
            "runs": self.runs,
            "second_epochs": list(self.second_epochs),
            "scores": {
                row.name: {
                    "auroc": {cause: area.as_dict() for cause, area in row.areas.items()},
                    "rank_correlation": row.agreement.as_dict(),
                    "auroc_over": {
                        cause: {other: area.as_dict() for other, area in others.items()}
                        for cause, others in row.over.items()
                    },
                    "mean_of_single_trainings": dict(row.each),
                }
                for row in self.rows
            },
            "best": {
                what: {"score": row.name, **found.as_dict()}
                for what, (row, found) in self.best.items()
            },
            "left_out": dict(self.left_out),
        }

    def to_csv(self) -> str:
        """A line for each score and what it is compared with, as CSV text."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        header = ("score", "figure", "cause", "value", "low", "high", "examples",
                  "mean_of_single_trainings")  # fmt: skip
        table.writerow(header)
        for row in self.rows:
            figures = [("auroc", cause, area) for cause, area in row.areas.items()]
            for figure, cause, found in [*figures, ("rank_correlation", "", row.agreement)]:
                alone = row.each.get(cause or MEMORIZATION)
                numbers = (found.value, found.low, found.high)
                table.writerow(
                    [row.name, figure, cause, *map(_number, numbers), found.count, _number(alone)]
                )
        return text.getvalue()


def trial_section(
    findings: Findings, *, runs: int, beside: Beside
) -> tuple[Section | None, list[str]]:
    """The trial of the scores of `runs` trainings, made `beside` the pool where they are not there
    yet; and what is said of those that failed. None: all did."""
    scored, failed = scored_runs(findings.result, runs=runs, beside=beside)
    if scored is None:
        return None, failed
    trial = ScoreTrial.of(findings, scored)
    return Section(
        name=NAME,
        heading="Scores of single trainings, with 95 % intervals",
        sentences=trial.sentences(),
        fine=True,
        summary=trial.as_dict(),
        rows=trial.table(),
        note=(
            "AUROC: how likely the score is higher for one of these than for an ordinary one (0.5:"
            " a guess). Rank correlation: Spearman's, with the memorization score; in that score's"
            " own row between two halves of the pool. Both are of means over the trainings; “one"
            " training” is the mean of what each gives alone. Second-split forgetting is that of a"
            f" second training, on {others(findings.result.run.world)}"
            f" ({min(trial.second_epochs):,} to {max(trial.second_epochs):,} epochs)."
        ),
        files={CSV: trial.to_csv()},
    ), failed


def _halves(findings: Findings) -> Estimate:
    """The rank correlation of the memorization scores by the first half of the networks and by the
    second."""
    one, other = findings.halves()
    both = one.isfinite() & other.isfinite()
    return rank_correlation(one[both], other[both])


def _compared(found: Estimate, other: Estimate, noun: str) -> str:
    """How a share is beside another one, by whether their intervals are apart."""
    if found.interval[0] > other.interval[1]:
        return "more often"
    if found.interval[1] < other.interval[0]:
        return "less often"
    return f"no difference that this many {noun} could show"


def _or_least(found: Estimate) -> float:
    return -math.inf if math.isnan(found.value) else found.value


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"
