"""The loop's state besides weights and optimizer: last metrics, best evaluation, seconds spent."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from lab.core.estimate import Estimate
from lab.core.finite import ONE_COLOR, not_finite
from lab.core.run_dir import BEST, LAST, PREVIOUS
from lab.core.words import in_steps
from lab.models import deep_copy
from lab.training.checkpoint import (
    Checkpoint,
    give_state,
    load_checkpoint,
    save_checkpoint,
)
from lab.training.plain_state import Unkept
from lab.training.train_step import Diverged, TrainStep

Metrics = Mapping[str, Estimate | float]
"""Metrics: tag -> value."""


class Collector(Protocol):
    """What measures the network along its training, more often than evaluators do."""

    def due(self, step: int) -> bool:
        """Whether it measures the network after `step` steps, 1 or more."""
        ...

    def collect(self, model: nn.Module) -> None:
        """Measure the network, and leave it and all random states as they are."""
        ...

    def state(self) -> dict[str, Any]:
        """What it has measured, as tensors and plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from such a state."""
        ...


CRITERION = "loss/validation"
"""The metric that early stopping and the choice of the best weights minimize. Never one on the test
set. Where no evaluator measures it, no best weights are kept."""


@dataclass
class Best:
    """The evaluation with the lowest `CRITERION`, and the number of evaluations since; step -1:
    none.

    `by` is the metric that chose it: a checkpoint with another one is refused.
    """

    loss: float = math.inf
    step: int = -1
    evaluations_since: int = 0
    by: str = CRITERION


LOSS = "loss/train"
"""The metric that must reach the loss bound."""

WITHIN_BOUND = 2
"""Evaluations in a row at which it must: after one, the next steps may still lead away."""


PLAN = ("steps", "stop_at_loss", "eval_every")
"""Settings that say how long training goes on, and when it is evaluated; checkpoints hold them as
"plan"."""


class Stopwatch:
    """Seconds spent in each phase of a run; one phase at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._what = ""
        self._since = time.perf_counter()

    def __call__(self, what: str) -> None:
        """Begin the phase `what` ("": none), which ends the one before."""
        now = time.perf_counter()
        if self._what:
            self.seconds[self._what] = self.seconds.get(self._what, 0.0) + now - self._since
        self._what, self._since = what, now


class TrainState:
    """The loop's state, and the checkpoints that it is saved in."""

    def __init__(
        self,
        model: nn.Module,
        *,
        folder: Path | None,
        needs_best: bool = False,
        loss_bound: float | None = None,
        provenance: str = "",
        sample: Callable[[nn.Module], dict[str, Any]] = lambda model: {},
        collector: Collector | None = None,
        plan: Mapping[str, float | None] | None = None,
        unkept: Unkept | None = None,
    ) -> None:
        self.evaluated = -1  # the last step that was evaluated and logged
        self.metrics: dict[str, Estimate | float] = {}
        self.best = Best()
        self.first_not_finite = ""
        """Examples of which the first evaluation, at step 0, found a logit that is not finite, in
        words; empty: none."""
        self.clock = Stopwatch()
        self._best_weights: dict[str, Any] = {}
        self._best_saved = -1
        self._read_back = False
        self._model = model
        self._folder = folder
        self._provenance = provenance
        self._sample = sample
        self._collector = collector
        self._plan = dict(plan or {})
        self._unkept = unkept or Unkept()
        self._best_sample: dict[str, Any] = {}
        self._needs_best = needs_best
        self._loss_bound = loss_bound
        self._within_bound = 0  # evaluations in a row

    def record(self, step: int, metrics: Metrics) -> None:
        """Record the metrics of an evaluation, and a copy of the weights if it is the best one.
        Raises `ValueError` if early stopping has no metric to go by, and `Diverged` if that metric
        is not finite and never was; later it is no improvement."""
        self.evaluated = step
        self.metrics = dict(metrics)
        if step == 0:
            self.first_not_finite = not_finite(metrics, "examples")
        if self._needs_best and CRITERION not in metrics:
            raise ValueError(
                f"--early-stopping goes by {CRITERION}, and none of the evaluators measures it"
            )
        if self._loss_bound is not None:
            if LOSS not in metrics:
                raise ValueError(
                    f"--stop-at-loss goes by {LOSS}, and none of the evaluators measures it"
                )
            within = _value(metrics[LOSS]) <= self._loss_bound
            self._within_bound = self._within_bound + 1 if within else 0
        if CRITERION not in metrics:
            return
        loss = _value(metrics[CRITERION])
        if self._needs_best and self.best.step < 0 and not math.isfinite(loss):
            raise Diverged(_no_criterion(step, metrics), step)
        if loss < self.best.loss:
            self.best = Best(loss=loss, step=step)
            self._best_weights = deep_copy(self._model.state_dict())
            self._best_sample = self._sample(self._model)
        else:
            self.best.evaluations_since += 1

    @property
    def fitted(self) -> bool:
        """Whether the training loss was within its bound at the last two evaluations."""
        return self._within_bound >= WITHIN_BOUND

    def load_best_weights(self) -> bool:
        """Load the best weights into the model; False if there are none."""
        if self._best_weights:
            give_state(self._model, self._best_weights)
        return bool(self._best_weights)

    def save(self, train_step: TrainStep, *, over: bool = False) -> None:
        """Write the checkpoint of the best weights, if they are new, and then the last one. The
        first is read back at once, so that a file system that cannot hold one is noticed early.

        `over`: no step follows in this process. Only then a sample of the network's logits is
        stored with its last weights: when other checkpoints are written depends on the clock, and a
        network that counts its calls must not depend on that.
        """
        if self._folder is None:
            return
        if self.best.step != self._best_saved:
            best = Checkpoint(
                step=self.best.step,
                model=self._best_weights,
                progress={"sample": self._best_sample, "plan": self._plan},
                provenance=self._provenance,
            )
            save_checkpoint(self._folder / BEST, best)
            self._best_saved = self.best.step
        progress = {
            "evaluated": self.evaluated,
            "figures": {tag: _plain(metric) for tag, metric in self.metrics.items()},
            "within_bound": self._within_bound,
            "best": asdict(self.best),
            "best_weights": self._best_weights,
            "best_sample": self._best_sample,
            "first_not_finite": self.first_not_finite,
            "frozen": [n for n, w in self._model.named_parameters() if not w.requires_grad],
            "sample": self._sample(self._model) if over else {},
            "seconds": dict(self.clock.seconds),
            "plan": self._plan,
        }
        if self._unkept:
            progress["unkept"] = self._unkept.state()
        if self._collector is not None:
            progress["collected"] = self._collector.state()
        last = Checkpoint(**train_step.state(), progress=progress, provenance=self._provenance)
        save_checkpoint(self._folder / LAST, last, keep=self._folder / PREVIOUS)
        if not self._read_back:
            load_checkpoint(self._folder / LAST)
            self._read_back = True

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint."""
        progress = checkpoint.progress
        if progress["best"].get("by") != CRITERION:
            raise ValueError(f"its best weights were not chosen by {CRITERION}")
        self.evaluated = progress["evaluated"]
        self.metrics = {tag: _metric(plain) for tag, plain in progress["figures"].items()}
        self._within_bound = progress["within_bound"]
        if self._collector is not None:
            self._collector.restore(progress["collected"])
        self.best = Best(**progress["best"])
        self.clock.seconds = dict(progress["seconds"])
        self._best_weights = progress["best_weights"]
        self._best_sample = progress.get("best_sample", {})
        self.first_not_finite = progress.get("first_not_finite", "")
        if "frozen" in progress:  # by a network that freezes or thaws them as it is trained
            for name, weight in self._model.named_parameters():
                weight.requires_grad_(name not in progress["frozen"])
        self._best_saved = -1  # the file may come from a later step than this checkpoint


def _no_criterion(step: int, metrics: Metrics) -> str:
    """Why early stopping has nothing to go by after `step` steps."""
    told, when = not_finite(metrics, "examples"), "before any training"
    if step:
        when = f"after {in_steps(step)}"
    why = f" (for {told} a logit is not finite: {ONE_COLOR})" if told else ""
    return (
        f"{CRITERION} is not a finite number {when}, and early stopping goes by it{why}. Change the"
        " network or the pictures, or leave out --early-stopping"
    )


def _value(metric: Estimate | float) -> float:
    return metric.value if isinstance(metric, Estimate) else metric


def _plain(metric: Estimate | float) -> Any:
    """A metric as plain values, which `weights_only` loading takes."""
    return asdict(metric) if isinstance(metric, Estimate) else metric


def _metric(plain: Any) -> Estimate | float:
    if not isinstance(plain, dict):
        return float(plain)
    if not all(number is None or isinstance(number, (int, float)) for number in plain.values()):
        raise TypeError("a metric is no number")
    return Estimate(**plain)
