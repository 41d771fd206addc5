"""Networks that are trained on a pool's whole training set, with checkpoints of their training."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from lab.core.atomic import replace_file
from lab.measure.attribution import Network
from lab.pool.beside import Beside, like_those_of, whole
from lab.pool.run import PoolResult
from lab.pool.train import Job, Report, do
from lab.runs.network import build_model
from lab.training.schedule import evaluation_steps, learning_rate

FOLDER = "whole"

FORMAT = 1
"""Version of the files."""

MOST = 10
"""Checkpoints that are kept of a training, at most: as evenly spaced among its evaluations as their
number allows, the trained network among them."""


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The state of a network at some `steps` of its training, the last one that of the trained
    network."""

    steps: Sequence[int]
    weights: Sequence[Mapping[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class WholeReport(Report):
    """The end of a training on the whole set."""

    checkpoints: Checkpoints | None = None


@dataclass
class _Collector:
    """Keeps the weights that it is shown, at even distances."""

    weights: list[dict[str, Tensor]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    seen: int = 0
    stride: int = 1

    def __call__(self, model: nn.Module) -> None:
        if self.numbers and self.numbers[-1] % self.stride:  # the last one is kept for the end
            self.weights.pop()
            self.numbers.pop()
        state = {
            name: value.detach().cpu().clone() if isinstance(value, Tensor) else deepcopy(value)
            for name, value in model.state_dict().items()
        }
        self.weights.append(state)
        self.numbers.append(self.seen)
        self.seen += 1
        if len(self.numbers) > MOST:
            self.stride *= 2
            kept = [k for k, n in enumerate(self.numbers) if n % self.stride == 0]
            kept = sorted({*kept, len(self.numbers) - 1})
            self.weights = [self.weights[k] for k in kept]
            self.numbers = [self.numbers[k] for k in kept]


def do_whole(job: Job) -> WholeReport:
    """Train a network, with checkpoints of all that its evaluations see but the untrained one."""
    collector = _Collector()
    report = do(job, look=collector)
    checkpoints = None
    if report.trained is not None:
        schedule = evaluation_steps(job.config.train.max_steps, job.config.train.eval_every)
        steps = [schedule[min(number, len(schedule) - 1)] for number in collector.numbers[:-1]]
        found = list(zip(steps, collector.weights[:-1], strict=True))
        last = report.trained.weights_of
        found = [(s, w) for s, w in found if 0 < s < last]
        checkpoints = Checkpoints(
            steps=[*(step for step, _ in found), last],
            weights=[*(weights for _, weights in found), collector.weights[-1]],
        )
    return WholeReport(**vars(report), checkpoints=checkpoints)


def whole_networks(
    result: PoolResult, *, runs: int, beside: Beside
) -> tuple[list[Network], list[str]]:
    """Networks number 0 to `runs` - 1 on the whole training set, kept in the pool's folder or
    trained now, and what is said of those that failed."""
    job = like_those_of(result)
    kept = {k: each for k in range(runs) if (each := _read(_file(result.folder, k))) is not None}

    def keep(report: WholeReport) -> None:
        assert report.checkpoints is not None, "it was trained"
        _write(_file(result.folder, report.network), report.checkpoints)
        kept[report.network] = report.checkpoints

    failed = beside.train(
        result,
        [whole(job, k) for k in range(runs) if k not in kept],
        do_whole,
        keep=keep,
        what=f"network{'s' if runs > 1 else ''} trained on all {len(result.train):,}"
        f" {result.run.world.noun}",
        there=len(kept),
    )
    run, networks = result.run, []
    for k in sorted(kept):
        config = replace(run.config, seed=whole(job, k).seed)
        model = build_model(config, run.spec, finished=job.unfinished).to(run.device)
        train = config.train
        networks.append(
            Network(
                model=model,
                weights=kept[k].weights,
                rates=[
                    learning_rate(max(0, s - 1), steps=train.max_steps, peak=train.learning_rate)
                    for s in kept[k].steps
                ],
            )
        )
    return networks, failed


def _file(folder: Path, network: int) -> Path:
    return folder / FOLDER / f"{network:05d}.pt"


def _write(place: Path, checkpoints: Checkpoints) -> None:
    """Keep a training, in one step: its file is complete or absent."""
    content = io.BytesIO()
    weights = [dict(each) for each in checkpoints.weights]
    torch.save({"format": FORMAT, "steps": list(checkpoints.steps), "weights": weights}, content)
    place.parent.mkdir(exist_ok=True)
    replace_file(place, content.getvalue())


def _read(place: Path) -> Checkpoints | None:
    """A training that is kept; None if there is none, or its file is damaged or outdated."""
    try:
        content = io.BytesIO(place.read_bytes())
        found = torch.load(content, map_location="cpu", weights_only=True)
        if found["format"] != FORMAT:
            return None
        return Checkpoints(steps=found["steps"], weights=found["weights"])
    except (OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError,
            pickle.UnpicklingError):  # fmt: skip
        return None
