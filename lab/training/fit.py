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
from typing import Any

from torch import nn

from lab.core.config import TrainConfig
from lab.core.estimate import Estimate
from lab.models import NetworkError
from lab.training.batches import Batches
from lab.training.checkpoint import Checkpoint
from lab.training.distributed import ALONE, Processes
from lab.training.schedule import evaluation_steps
from lab.training.signals import Interrupted, Stop
from lab.training.train_state import Figures, Record
from lab.training.train_step import Stepper

Evaluator = Callable[[nn.Module], Figures]
"""Measures something of a model (given in eval mode) and leaves it as it was."""

SHOW_EVERY = 0.2
"""Seconds between two calls of `progress`; each waits for the device to catch up."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """How training ended: after `step` steps, with the `figures` of the model as it is now.

    `weights_of` is the step whose weights the model has: with early stopping the best evaluation's.
    `seconds` tells what the time went into: starting, training, measuring, logging, saving.
    """

    step: int
    weights_of: int
    figures: Figures
    seconds: dict[str, float]
    stopped_early: bool


def fit(
    model: nn.Module,
    batches: Batches,
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
    processes: Processes = ALONE,
    provenance: str = "",
    sample: Callable[[nn.Module], dict[str, Any]] = lambda model: {},
) -> Fitted:
    """Train `model` on `batches`, both on one device.

    `log` gets the figures of every evaluation. `progress` gets the step and the loss of its batch a
    few times a second. `checkpoints` is the folder for them: written at the start, at the end, when
    `stop` is set, and when the last one is `checkpoint_every` seconds old; `provenance` is noted in
    them, and so are the answers that `sample` takes where training ends or is interrupted. With
    early stopping an evaluator must give the figure "loss/validation", and the weights of the
    evaluation at which it was lowest are left in the model. Of several `processes` the first one
    alone measures, logs and saves; all of them stop if one is told to. Raises `Diverged`,
    `Interrupted`, `NetworkError` where the network's code fails, or `Deserted` where another
    process is gone.

    Seeds the random generators of Python, NumPy and torch at each step: see `isolated`.
    """
    stop = Stop() if stop is None else stop
    needs_best = config.early_stopping is not None
    record = Record(
        model, folder=checkpoints, needs_best=needs_best, provenance=provenance, sample=sample
    )
    clock = record.clock
    clock("starting")
    stepper = Stepper(model, batches, config, seed=seed, processes=processes)
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
        stepper.check_weights()
        if pending and stepper.step == pending[0]:
            if processes.first:
                clock("measuring")
                figures = {**stepper.figures(), **_measure(model, evaluators, stepper.step)}
                clock("logging")
                log(stepper.step, figures)
                record.note(stepper.step, figures)
            stepper.rest()
            pending.pop(0)
        patience = config.early_stopping or math.inf
        over = stepper.step >= config.steps or record.best.evaluations_since >= patience
        late = processes.first and time.monotonic() >= save_at
        done, halt, due = processes.all_reduce_max(over, stop.signal, late)
        if processes.first and (done or halt or due):
            clock("saving")
            record.save(stepper, over=bool(done or halt))
            save_at = time.monotonic() + checkpoint_every
        if done:
            break
        if halt:
            raise Interrupted(halt, stepper.step)
        clock("training")
        while True:
            stepper.take()
            now = time.monotonic()
            if progress and now >= show_at:
                progress(stepper.step, stepper.loss())
                show_at = now + SHOW_EVERY
            halt, due = processes.all_reduce_max(stop.signal, processes.first and now >= save_at)
            if halt or due or stepper.step == pending[0]:
                break

    weights_of = stepper.step
    if config.early_stopping and processes.first and record.recall_best():
        clock("measuring")
        weights_of = record.best.step
        record.figures |= _measure(model, evaluators, stepper.step)
    clock("")
    model.eval()
    return Fitted(
        step=stepper.step,
        weights_of=weights_of,
        figures=record.figures,
        seconds=clock.seconds,
        stopped_early=stepper.step < config.steps,
    )


def _measure(model: nn.Module, evaluators: Sequence[Evaluator], step: int) -> Figures:
    model.eval()
    figures: dict[str, Estimate | float] = {}
    try:
        for evaluate in evaluators:
            figures |= evaluate(model)
    except NetworkError as error:
        error.step = step
        raise
    model.train()
    return figures
