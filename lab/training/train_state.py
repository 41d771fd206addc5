"""What the loop remembers beside the weights: the best so far, the last figures, the seconds."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lab.core.estimate import Estimate
from lab.training.checkpoint import (
    BEST,
    LAST,
    PREVIOUS,
    Checkpoint,
    give_state,
    load_checkpoint,
    save_checkpoint,
)
from lab.training.train_step import Stepper

Figures = Mapping[str, Estimate | float]
"""What was measured: tag -> figure."""

GUIDE = "loss/validation"
"""What the best weights and early stopping go by: lower is better. Never a figure on test faces,
which are measured only. Where no evaluator gives it, no weights are kept as the best."""


@dataclass
class Best:
    """The evaluation with the lowest `GUIDE`, and how many came after it; step -1: there is none.

    `by` is the figure that chose it: a checkpoint of a run whose test set did is refused.
    """

    loss: float = math.inf
    step: int = -1
    evaluations_since: int = 0
    by: str = GUIDE


class Stopwatch:
    """Seconds by what they went into; one thing at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._what = ""
        self._since = time.perf_counter()

    def __call__(self, what: str) -> None:
        """From now on time goes into `what` ("" is nothing)."""
        now = time.perf_counter()
        if self._what:
            self.seconds[self._what] = self.seconds.get(self._what, 0.0) + now - self._since
        self._what, self._since = what, now


class Record:
    """The loop's memory; all of it goes into checkpoints."""

    def __init__(
        self,
        model: nn.Module,
        *,
        folder: Path | None,
        needs_best: bool = False,
        provenance: str = "",
        sample: Callable[[nn.Module], dict[str, Any]] = lambda model: {},
    ) -> None:
        self.evaluated = -1  # the last step that was evaluated and logged
        self.figures: dict[str, Estimate | float] = {}
        self.best = Best()
        self.clock = Stopwatch()
        self._best_weights: dict[str, Any] = {}
        self._best_saved = -1
        self._read_back = False
        self._model = model
        self._folder = folder
        self._provenance = provenance
        self._sample = sample
        self._best_sample: dict[str, Any] = {}
        self._needs_best = needs_best

    def note(self, step: int, figures: Figures) -> None:
        """Take in an evaluation, and the weights if it is the best one; `ValueError` if early
        stopping has nothing to go by."""
        self.evaluated = step
        self.figures = dict(figures)
        if self._needs_best and GUIDE not in figures:
            raise ValueError(
                f"--early-stopping goes by {GUIDE}, and none of the evaluators measures it"
            )
        if GUIDE not in figures:
            return
        guide = figures[GUIDE]
        loss = guide.value if isinstance(guide, Estimate) else guide
        if loss < self.best.loss:
            self.best = Best(loss=loss, step=step)
            self._best_weights = copy.deepcopy(self._model.state_dict())
            self._best_sample = self._sample(self._model)
        else:
            self.best.evaluations_since += 1

    def recall_best(self) -> bool:
        """Give the model the best weights; False if there are none."""
        if self._best_weights:
            give_state(self._model, self._best_weights)
        return bool(self._best_weights)

    def save(self, stepper: Stepper, *, over: bool = False) -> None:
        """Write the best checkpoint, if there is a new one, and then the last. The first one is
        read back at once: nothing is trained towards files that cannot be opened.

        `over`: no step follows in this process. Only then a sample of the network's answers goes
        with its last weights: when others are written depends on the clock, and a network that
        counts its calls must not depend on that.
        """
        if self._folder is None:
            return
        if self.best.step != self._best_saved:
            best = Checkpoint(
                step=self.best.step,
                model=self._best_weights,
                progress={"sample": self._best_sample},
                provenance=self._provenance,
            )
            save_checkpoint(self._folder / BEST, best)
            self._best_saved = self.best.step
        progress = {
            "evaluated": self.evaluated,
            "figures": {tag: _plain(figure) for tag, figure in self.figures.items()},
            "best": asdict(self.best),
            "best_weights": self._best_weights,
            "best_sample": self._best_sample,
            "frozen": [n for n, w in self._model.named_parameters() if not w.requires_grad],
            "sample": self._sample(self._model) if over else {},
            "seconds": dict(self.clock.seconds),
        }
        last = Checkpoint(**stepper.state(), progress=progress, provenance=self._provenance)
        save_checkpoint(self._folder / LAST, last, keep=self._folder / PREVIOUS)
        if not self._read_back:
            load_checkpoint(self._folder / LAST)
            self._read_back = True

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        progress = checkpoint.progress
        if progress["best"].get("by") != GUIDE:
            raise ValueError(f"its best weights were not chosen by {GUIDE}")
        self.evaluated = progress["evaluated"]
        self.figures = {tag: _figure(plain) for tag, plain in progress["figures"].items()}
        self.best = Best(**progress["best"])
        self.clock.seconds = dict(progress["seconds"])
        self._best_weights = progress["best_weights"]
        self._best_sample = progress.get("best_sample", {})
        if "frozen" in progress:  # by a network that freezes or thaws them as it is trained
            for name, weight in self._model.named_parameters():
                weight.requires_grad_(name not in progress["frozen"])
        self._best_saved = -1  # the file may come from a later step than this checkpoint


def _plain(figure: Estimate | float) -> Any:
    """A figure as `weights_only` loading knows it."""
    return asdict(figure) if isinstance(figure, Estimate) else figure


def _figure(plain: Any) -> Estimate | float:
    if not isinstance(plain, dict):
        return float(plain)
    if not all(number is None or isinstance(number, (int, float)) for number in plain.values()):
        raise TypeError("a figure is no number")
    return Estimate(**plain)
