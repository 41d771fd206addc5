"""The pools of lessons on memorized faces, and the names of what they measure.

One kind of pool serves several lessons, which find it trained after the first. Of its 500 faces
about 50 have a wrong label, a tenth are hard to see, and scrambled ones are 5 % of their class, so
that they are rare. The names are those of `findings.json` (`lab.pool`).
"""

from __future__ import annotations

import csv

import numpy as np

from lab.core.config import DataConfig, ModelConfig, RunConfig
from lab.experiments.lessons.claims import Numbers
from lab.experiments.plan import PoolPlan, Tables
from lab.experiments.table import Cell, Run

NETWORKS, SCORED = 20, 3
"""Networks of each pool, of which six are trained without a face, and trainings on all faces. The
score of a single face is rough then (standard error 0.2 at most), a mean over faces is not: more
seeds decide more than more networks."""

RARE_SHARE, COMMON_SHARE = 0.05, 0.5
"""Shares of their class that scrambled faces have, where they are rare and where they are not."""

ORDINARY, WRONG, HARD, RARE = "ordinary", "wrong label", "hard to see", "rare"
"""Causes."""

LIRA, OFFLINE, LOSS = "likelihood ratio (LiRA)", "likelihood ratio, offline", "loss threshold"
"""Attacks."""

LEFT_OUT, FRESH = "left_out", "fresh"
"""Non-members: training faces that the attacked network was not trained on, or fresh faces."""

LOW, MIDDLE, HIGH = "score below 0.1", "0.1 to 0.5", "0.5 or more"
"""Bands of memorization scores."""


def faces(*, scrambled: float = RARE_SHARE) -> RunConfig:
    """The settings of a pool in which scrambled faces are such a share of their class."""
    return RunConfig(
        data=DataConfig(
            num_train=500, label_noise=0.2, obscured=0.1, subpopulations=(f"scrambled:{scrambled}",)
        ),
        model=ModelConfig(width=8),
    )


TAIL = PoolPlan(faces(), {}, networks=NETWORKS, score_runs=SCORED)
"""The pools that lessons share."""


def only(tables: Tables, plan: str) -> Cell:
    """The cell of a plan that varies nothing."""
    (cell,) = tables[plan].cells
    return cell


def mean_score(cell: Cell, cause: str) -> Numbers:
    """The mean memorization score (S,) of the faces of a cause."""
    return cell.values(f"causes/{cause}/mean_score")


def score_of_kind(cell: Cell, subpopulation: str) -> Numbers:
    """The mean score (S,) of the faces of a subpopulation with right labels."""
    return cell.values(f"subpopulations/{subpopulation}/mean_score")


def found(cell: Cell, attack: str, rate: float, *, among: str = LEFT_OUT) -> Numbers:
    """The true positive rate (S,) of an attack at a false positive rate."""
    return cell.values(f"true_positive_rates/{among}/{attack}/{rate:g}")


def found_in(cell: Cell, band: str, rate: float, *, own: bool = False) -> Numbers:
    """That of LiRA (S,) among the faces of a band of scores, at one threshold for all faces, or at
    the band's `own`."""
    kind = "false positives among its own" if own else "false positives among all"
    return cell.values(f"true_positive_rates_by_score/{band}/{kind}/{rate:g}")


def share_of_members(cell: Cell, band: str) -> Numbers:
    """The share (S,) of all members that are in a band of scores."""
    return cell.values(f"true_positive_rates_by_score/{band}/members")


def by_face(run: Run, column: str) -> Numbers:
    """A column of numbers (N,) of a pool's `scores.csv`, which has a row for each training face;
    NaN where it has none."""
    with (run.folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        return np.array([float(row[column] or "nan") for row in csv.DictReader(file)])
