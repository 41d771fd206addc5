"""The training loop: batches in, weights out, evaluations and checkpoints on the way.

`fit` is a plain function. What to measure comes as evaluators (functions of the model), where to
write it as `log`; the loop knows neither. Everything that a step depends on is a pure function of
the step's number or part of the checkpoint, so a resumed run repeats an uninterrupted one exactly.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from lab.config import TrainConfig
from lab.training.checkpoint import Checkpoint
from lab.training.interrupt import Interrupted, Stop
from lab.training.record import Figures, Record
from lab.training.schedule import evaluation_steps
from lab.training.stepper import Stepper

Evaluator = Callable[[nn.Module], Figures]
"""Measures something of a model (given in eval mode) and leaves it as it was."""

SHOW_EVERY = 0.2
"""Seconds between two calls of `progress`; each waits for the device to catch up."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """How training ended: after `step` steps, with the `figures` of the model as it is now.

    `seconds` tells what the time went into: starting, training, measuring, logging, saving.
    """

    step: int
    figures: Figures
    seconds: dict[str, float]
    stopped_early: bool


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: TrainConfig,
    *,
    seed: int,
    evaluators: Sequence[Evaluator] = (),
    log: Callable[[int, Figures], None] = lambda step, figures: None,
    progress: Callable[[int, float], None] | None = None,
    checkpoints: Path | None = None,
    checkpoint_every: float = math.inf,
    resume: Checkpoint | None = None,
    stop: Stop | None = None,
) -> Fitted:
    """Train `model` on `images` uint8 (N, 3, S, S) and `labels` int64 (N,), all on one device.

    `log` gets the figures of every evaluation. `progress` gets the step and the loss of its batch a
    few times a second. `checkpoints` is the folder for them: written at the start, at the end, when
    `stop` is set, and when the last one is `checkpoint_every` seconds old. With early stopping the
    best evaluation's weights are left in the model. Raises `Diverged` or `Interrupted`.
    """
    record = Record(model, folder=checkpoints)
    clock = record.clock
    clock("starting")
    stepper = Stepper(model, images, labels, config, seed=seed)
    if resume is not None:
        try:
            stepper.restore(resume)
            record.restore(resume)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ValueError(
                "the checkpoint is of another optimizer or version of the lab, train anew:"
                f" {type(error).__name__} {error}"
            ) from None
    pending = [s for s in evaluation_steps(config.steps, config.eval_every) if s > record.evaluated]
    save_at, show_at = -math.inf, time.monotonic()  # the first save comes at once

    while True:
        clock("training")
        stepper.check()
        if pending and stepper.step == pending[0]:
            clock("measuring")
            figures = {**stepper.figures(), **_measure(model, evaluators)}
            clock("logging")
            log(stepper.step, figures)
            record.note(stepper.step, figures)
            stepper.rest()
            pending.pop(0)
        patience = config.early_stopping or math.inf
        done = stepper.step >= config.steps or record.best.evaluations_since >= patience
        if done or stop or time.monotonic() >= save_at:
            clock("saving")
            record.save(stepper)
            save_at = time.monotonic() + checkpoint_every
        if done:
            break
        if stop:
            raise Interrupted(stop.signal, stepper.step)
        clock("training")
        while True:
            stepper.take()
            now = time.monotonic()
            if progress and now >= show_at:
                progress(stepper.step, stepper.loss())
                show_at = now + SHOW_EVERY
            if stop or stepper.step == pending[0] or now >= save_at:
                break

    if config.early_stopping and record.recall_best():
        clock("measuring")
        record.figures |= _measure(model, evaluators)
    clock("")
    model.eval()
    return Fitted(
        step=stepper.step,
        figures=record.figures,
        seconds=clock.seconds,
        stopped_early=stepper.step < config.steps,
    )


def _measure(model: nn.Module, evaluators: Sequence[Evaluator]) -> Figures:
    model.eval()
    figures = {tag: figure for evaluate in evaluators for tag, figure in evaluate(model).items()}
    model.train()
    return figures
