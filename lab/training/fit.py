"""The training loop: optimizer steps, with evaluations and checkpoints in between.

`fit` is a plain function. What to measure is passed as evaluators (functions of the model), where
to write it as `log`. Everything that a step depends on is a function of its number or part of the
checkpoint, so a resumed run repeats an uninterrupted one exactly.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from lab.core.config import TrainConfig
from lab.core.errors import Interrupted
from lab.core.estimate import Estimate
from lab.models import NetworkError
from lab.models.threads import lent
from lab.training.batches import Batches
from lab.training.checkpoint import Checkpoint
from lab.training.distributed import SINGLE, Processes
from lab.training.objectives import Objective
from lab.training.plain_state import Unkept
from lab.training.schedule import evaluation_steps
from lab.training.signals import Stop
from lab.training.snapshots import Snapshots
from lab.training.train_state import PLAN, Collector, Metrics, TrainState
from lab.training.train_step import TrainStep


class Result(Protocol):
    """What an evaluator returns that shows more than numbers."""

    @property
    def metrics(self) -> Metrics:
        """Its metrics by tag."""


Evaluator = Callable[[nn.Module], "Metrics | Result"]
"""A function of a model in eval mode that returns metrics, alone or with what pictures are made of,
and leaves the model unchanged."""

SHOW_EVERY = 0.2
"""Seconds between two calls of `progress`; each synchronizes the device."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The end of training: after `step` steps, with the `metrics` of the final model, and what the
    evaluators returned for it (`results`; empty if it was evaluated before a resumed run).

    `weights_of` is the step whose weights the model has: with early stopping the best evaluation's.
    `seconds` are those spent starting, training, measuring, logging and saving. `stopped_early`:
    before the last step of the settings; `fitted`: because the training loss reached its bound.
    `first_not_finite`: whether the untrained network already had logits that are not finite.
    """

    step: int
    weights_of: int
    metrics: Metrics
    results: tuple[Metrics | Result, ...]
    seconds: dict[str, float]
    stopped_early: bool
    fitted: bool
    first_not_finite: bool = False


def fit(
    model: nn.Module,
    batches: Batches,
    config: TrainConfig,
    *,
    seed: int,
    objective: Objective | None = None,
    evaluators: Sequence[Evaluator] = (),
    log: Callable[[int, Metrics], None] = lambda step, metrics: None,
    show: Callable[[int, Sequence[Any]], None] = lambda step, results: None,
    progress: Callable[[int, float], None] | None = None,
    checkpoints: Path | None = None,
    checkpoint_every: float = math.inf,
    snapshots: Snapshots | None = None,
    resume: Checkpoint | None = None,
    loss_bound: float | None = None,
    stop: Stop | None = None,
    processes: Processes = SINGLE,
    parts: int = 1,
    provenance: str = "",
    sample: Callable[[nn.Module], dict[str, Any]] = lambda model: {},
    collector: Collector | None = None,
    unkept: Unkept | None = None,
) -> Fitted:
    """Train `model` on `batches`, both on one device, to minimize `objective` (None: the one that
    `config` names).

    `log` gets the metrics of every evaluation, and `show`, before it, what each evaluator
    returned. `progress` gets the step and its batch's loss a few
    times a second. Training ends before `config.max_steps` once "loss/train", which an evaluator
    must measure, was at most `loss_bound` (in nats; None: no bound) at two evaluations in a row.
    `checkpoints` is the folder for checkpoints, written at the start, at the end, when `stop` is
    set, and when the last one is `checkpoint_every` seconds old; `provenance` is stored in them,
    and so are the logits that `sample` computes when training ends or is interrupted. `snapshots`
    keeps the weights at some steps as well. Early stopping needs an evaluator of
    "loss/validation", finite from the first evaluation on (`Diverged`); the model ends with the
    weights of the evaluation where that was lowest. In a
    distributed run rank 0 alone measures, logs and saves; all processes stop if one is signaled.
    `parts`: into how many each batch is divided, with a CPU thread for each (`parts_of_batches`).
    `collector` measures the network after the steps that it asks for, and its state is stored, too,
    and so is `unkept`: what checkpoints lack, which is said when a run goes on from one.
    Raises `Diverged`, `Interrupted`, `NetworkError` where the network's or the objective's code
    fails, or `PeerLost`.

    Seeds the random generators of Python, NumPy and torch at each step: see `isolated`.
    """
    stop = Stop() if stop is None else stop
    state = TrainState(
        model,
        folder=checkpoints,
        needs_best=config.early_stopping is not None,
        loss_bound=loss_bound,
        provenance=provenance,
        sample=sample,
        collector=collector,
        plan={name: getattr(config, name) for name in PLAN},
        unkept=unkept,
    )
    clock = state.clock
    clock("starting")
    train_step = TrainStep(
        model, batches, config, seed=seed, objective=objective, processes=processes, parts=parts
    )
    if resume is not None:
        try:
            train_step.restore(resume)
            state.restore(resume)
            train_step.suspect = state.first_not_finite
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ValueError(
                "the checkpoint is of another optimizer or version of the lab, train anew:"
                f" {type(error).__name__} {error}"
            ) from None
    pending = [
        s for s in evaluation_steps(config.max_steps, config.eval_every) if s > state.evaluated
    ]
    results: tuple[Metrics | Result, ...] = ()
    save_at, show_at = -math.inf, time.monotonic()  # the first save comes at once

    def keep_weights() -> None:
        if snapshots is not None and processes.first:
            snapshots.take(train_step.step, model)

    def collect() -> None:
        if collector is None or not processes.first or not collector.due(train_step.step):
            return
        clock("measuring")
        with train_step.untimed():
            _collect(model, collector, train_step.step)
        clock("training")

    if train_step.step == 0:
        keep_weights()
    while True:
        clock("training")
        train_step.check()
        train_step.check_weights()
        if pending and train_step.step == pending[0]:
            if processes.first:
                clock("measuring")
                with lent(train_step.threads):
                    results = _evaluate(model, evaluators, train_step.step)
                metrics = {**train_step.metrics(), **_merged(results)}
                clock("logging")
                show(train_step.step, results)
                log(train_step.step, metrics)
                state.record(train_step.step, metrics)
                train_step.suspect = state.first_not_finite
            train_step.restart_timer()
            pending.pop(0)
        patience = config.early_stopping or math.inf
        over = (
            train_step.step >= config.max_steps
            or state.fitted
            or state.best.evaluations_since >= patience
        )
        late = processes.first and time.monotonic() >= save_at
        done, halt, due = processes.all_reduce_max(over, stop.signal, late)
        if processes.first and (done or halt or due):
            clock("saving")
            state.save(train_step, over=bool(done or halt))
            save_at = time.monotonic() + checkpoint_every
        if done:
            break
        if halt:
            raise Interrupted(halt, train_step.step)
        clock("training")
        while True:
            train_step.take()
            keep_weights()
            collect()
            now = time.monotonic()
            if progress and now >= show_at:
                progress(train_step.step, train_step.loss())
                show_at = now + SHOW_EVERY
            halt, due = processes.all_reduce_max(stop.signal, processes.first and now >= save_at)
            if halt or due or train_step.step == pending[0]:
                break

    weights_of = train_step.step
    if not (processes.first and state.evaluated == train_step.step):
        results = ()
    if config.early_stopping and processes.first and state.load_best_weights():
        clock("measuring")
        weights_of = state.best.step
        with lent(train_step.threads):
            results = _evaluate(model, evaluators, train_step.step)
        state.metrics |= _merged(results)
    clock("")
    model.eval()
    return Fitted(
        step=train_step.step,
        weights_of=weights_of,
        metrics=state.metrics,
        results=results,
        seconds=clock.seconds,
        stopped_early=train_step.step < config.max_steps,
        fitted=state.fitted,
        first_not_finite=bool(state.first_not_finite),
    )


def _evaluate(
    model: nn.Module, evaluators: Sequence[Evaluator], step: int
) -> tuple[Metrics | Result, ...]:
    model.eval()
    try:
        results = tuple(evaluate(model) for evaluate in evaluators)
    except NetworkError as error:
        error.step = step
        raise
    model.train()
    return results


def _collect(model: nn.Module, collector: Collector, step: int) -> None:
    try:
        collector.collect(model)
    except NetworkError as error:
        error.step = step
        raise


def _merged(results: Sequence[Metrics | Result]) -> dict[str, Estimate | float]:
    """The metrics of all results, by tag."""
    metrics: dict[str, Estimate | float] = {}
    for result in results:
        metrics |= result if isinstance(result, Mapping) else result.metrics
    return metrics
