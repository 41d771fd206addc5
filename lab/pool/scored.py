"""Trainings on a pool's whole training set, which score its examples.

They are trained by the code that trains the pool's networks, and kept in the pool's folder:
`scored/00000.npz`, … have the scores of `lab.measure.example_scores`, and those of
`lab.measure.second_split`, for which each network goes on with other examples.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.core.atomic import replace_file
from lab.measure.second_split import ALL_SCORES
from lab.pool.beside import Beside, WholeJob, like_those_of
from lab.pool.run import PoolResult
from lab.pool.store import Trained
from lab.pool.train import Report, do
from lab.runs.network import missing_scores

FOLDER = "scored"

FORMAT = 2
"""Version of the definitions of the scores; files of another one are made anew."""

MOST = 1000
"""Trainings at most."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """R trainings on the whole training set of N examples: `scores` (R, N) float64 by name, and of
    each training its `steps` (R,) and the `second_epochs` (R,) of the second training after it.
    `left_out` are the scores that not all of them have, by name with the reason."""

    scores: dict[str, Tensor]
    steps: Tensor
    second_epochs: Tensor
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.steps)


def check_runs(runs: int) -> None:
    """Raise `ValueError` for a number of trainings that cannot be."""
    if not 0 <= runs <= MOST:
        raise ValueError(f"--score-runs must be 0 to {MOST:,}, not {runs}")


@dataclass(frozen=True, kw_only=True)
class ScoredJob(WholeJob):
    """A training on the whole training set that scores it."""

    @property
    def scores(self) -> bool:
        """It does."""
        return True


def scored_runs(
    result: PoolResult, *, runs: int, beside: Beside
) -> tuple[Scored | None, list[str]]:
    """Trainings number 0 to `runs` - 1 on the whole training set of a pool: those that are kept in
    its folder, and the others made now `beside` it. Also what is said of those that failed. None:
    there are no trainings."""
    folder, count = result.folder, len(result.train)
    kept = {k: each for k in range(runs) if (each := _read(_file(folder, k), count)) is not None}
    missing = [k for k in range(runs) if k not in kept]
    failed: list[str] = []
    if missing:
        first = like_those_of(result)
        for line in missing_scores(
            first.config,
            result.run.spec,
            device=result.run.device,
            of="--score-runs",
            finished=first.unfinished,
        ):
            beside.say(f"warning: {line}")
        like = vars(first)

        def keep(report: Report) -> None:
            assert report.trained is not None
            _write(_file(folder, report.network), report.trained)
            kept[report.network] = report.trained

        failed = beside.train(
            result,
            [ScoredJob(**{**like, "network": k}) for k in missing],
            do,
            keep=keep,
            what=f"training{'s' if runs > 1 else ''} on all {count:,} {result.run.world.noun},"
            " to score each",
            there=len(kept),
        )
    if not kept:
        return None, failed
    found = [kept[k] for k in sorted(kept)]
    left_out = {name: why for each in reversed(found) for name, why in each.left_out.items()}
    names = [score.name for score in ALL_SCORES if score.name not in left_out]
    return Scored(
        scores={name: torch.stack([each.scores[name] for each in found]) for name in names},
        left_out=left_out,
        steps=torch.tensor([each.step for each in found]),
        second_epochs=torch.tensor([each.second_epochs for each in found]),
    ), failed


def _file(folder: Path, run: int) -> Path:
    return folder / FOLDER / f"{run:05d}.npz"


def _write(place: Path, trained: Trained) -> None:
    """Keep a training, in one step: its file is complete or absent."""
    content = io.BytesIO()
    values: dict[str, Any] = {
        "format": np.int64(FORMAT),
        "step": np.int64(trained.step),
        "weights_of": np.int64(trained.weights_of),
        "second_epochs": np.int64(trained.second_epochs),
        "fitted": np.bool_(trained.fitted),
        "loss": np.float64(trained.loss),
        "left_out": np.str_(json.dumps(dict(trained.left_out))),
        **{name: scores.numpy() for name, scores in trained.scores.items()},
    }
    np.savez(content, **values)
    place.parent.mkdir(exist_ok=True)
    replace_file(place, content.getvalue())


def _read(place: Path, count: int) -> Trained | None:
    """A training that is kept; None if there is none, or its file is damaged or outdated."""
    nothing = torch.zeros(0)
    try:
        with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as kept:
            left_out = json.loads(str(kept.get("left_out", "{}")))
            names = [each.name for each in ALL_SCORES if each.name not in left_out]
            scores = {name: torch.from_numpy(kept[name]) for name in names}
            if kept["format"] != FORMAT or any(s.shape != (count,) for s in scores.values()):
                return None
            return Trained(
                train_logits=nothing,
                test_logits=nothing,
                step=int(kept["step"]),
                weights_of=int(kept.get("weights_of", -1)),
                second_epochs=int(kept["second_epochs"]),
                fitted=bool(kept["fitted"]),
                loss=float(kept["loss"]),
                scores=scores,
                left_out=left_out,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
