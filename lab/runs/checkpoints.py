"""A run's checkpoints: read with advice, and refused if they are another run's or network's."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lab.core.config import Provenance, RunConfig, flag
from lab.core.program import quoted
from lab.core.run_dir import BEST, CONFIG, RunDir
from lab.models import ModelSpec, size_of
from lab.runs.network import build_model
from lab.runs.provenance import ANYWAY, digest_of_provenance
from lab.training import (
    PLAN,
    Checkpoint,
    Damaged,
    answers_otherwise,
    load_checkpoint,
    load_weights,
)

_RESUME = "--resume"

COPY_THEM = "copy its folder checkpoints/ from where it was trained"
"""What to do where a run was copied without its checkpoints."""

_NOT_OPENED = "This run cannot be opened again"
_OTHERWISE = "Whoever opens this run gets another network"


def open_checkpoint(run: RunDir, path: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """A checkpoint of a run; `ValueError` says what is wrong with its file and what to do."""
    try:
        return load_checkpoint(path, device=device)
    except ValueError as error:
        hint = "train the run anew"
        if isinstance(error, Damaged) and path == run.last and run.previous.exists():
            hint = _go_on_from_previous(run)
        elif path == run.best and (isinstance(error, Damaged) or not path.exists()):
            hint = _write_best_anew(run)
        raise ValueError(f"{error}; {hint}") from None


def _go_on_from_previous(run: RunDir) -> str:
    """What to do where the last checkpoint is damaged, and there is one before it."""
    if run.finished_at() is None:
        return f"delete it to go on from {run.previous}, some seconds older"
    try:
        step = load_checkpoint(run.previous).step
    except ValueError as error:
        return f"{error}, too; train the run anew"
    go_on = f"{_RESUME} {quoted(run.path)}"
    return f"delete it and {go_on} goes on from {run.previous}, which is of step {step:,}"


def _write_best_anew(run: RunDir) -> str:
    """What to do where the best checkpoint is damaged or gone: the state to go on from has its
    weights, too."""
    newest = run.newest()
    if newest is None:
        return f"train the run anew, or {COPY_THEM}"
    try:
        load_checkpoint(newest)
    except ValueError as error:
        return f"{error}, too; train the run anew"
    return f"{_RESUME} {quoted(run.path)} writes it anew, from {newest}"


def refuse_out_of_step(run: RunDir, config: RunConfig, path: Path, checkpoint: Checkpoint) -> None:
    """Raise `ValueError` if the run has finished, but not at the step of the checkpoint from `path`
    that it is opened with: its figures are of other weights. (With early stopping it is opened with
    the best ones, of whatever step.)"""
    end = run.finished_at()
    if config.train.early_stopping or end is None or checkpoint.step == end:
        return
    what = "trains the rest from there" if checkpoint.step < end else "writes that anew"
    raise ValueError(
        f"{run}: its newest checkpoint, {path.name}, is of step {checkpoint.step:,}, but"
        f" {run.summary_file} says that it finished at step {end:,}: {_RESUME} {quoted(run.path)}"
        f" {what}"
    )


def ended(run: RunDir, config: RunConfig, provenance: Provenance | None) -> bool:
    """Whether nothing of a run is left to be trained: it has finished, and the checkpoint that it
    is opened with is that of its end. `ValueError` if the checkpoint is damaged, or not of the run
    with this `config` and `provenance` (None: any); but the best one (early stopping) is written
    anew where it is damaged, as long as there is a state to do so from."""
    if not run.finished():
        return False
    end = run.finished_at()
    if config.train.early_stopping and run.newest() is not None:
        try:
            best = load_checkpoint(run.best)
        except ValueError:
            return False
        refuse_other_settings(best, run.best, config, provenance)
        return True
    if config.train.early_stopping or end is None:
        return True
    path = run.newest()
    if path is None:
        return False
    checkpoint = open_checkpoint(run, path)
    refuse_other_settings(checkpoint, path, config, provenance)
    return checkpoint.step == end


def refuse_other_settings(
    checkpoint: Checkpoint, path: Path, config: RunConfig, provenance: Provenance | None
) -> None:
    """Raise `ValueError` if the checkpoint read from `path` was not written by the run with this
    `config` and `provenance` (None: by any)."""
    if provenance is None:
        return
    if checkpoint.provenance != digest_of_provenance(provenance, config):
        raise ValueError(
            f"{path} was trained with other settings, source files or pictures than those in"
            f" {CONFIG}: was it copied from another run, or that file changed? {ANYWAY} uses it all"
            " the same"
        )
    plan = checkpoint.progress.get("plan")
    noted = plan if isinstance(plan, dict) else {}
    for name in PLAN:
        now = getattr(config.train, name)
        if noted.get(name, now) != now:
            raise ValueError(
                f"{path} was trained with {flag(name)} {noted[name]}, but {CONFIG} says {now}: was"
                f" that file changed? {ANYWAY} uses it all the same"
            )
    if checkpoint.step > config.train.max_steps:
        raise ValueError(
            f"{path} is of step {checkpoint.step:,}, and the run with the settings in {CONFIG} ends"
            f" at step {config.train.max_steps:,}: was that file changed? {ANYWAY} uses it all the"
            " same"
        )


def refuse_unscored(checkpoint: Checkpoint, path: Path, config: RunConfig) -> None:
    """Raise `ValueError` if a run goes on from the checkpoint read from `path` with scores of its
    training examples, which are those of all its epochs, and began without."""
    if config.scores and "collected" not in checkpoint.progress:
        raise ValueError(
            f"{path} was trained without --scores, but {CONFIG} says {config.scores}: was that file"
            " changed? The first epochs cannot be scored any more; train the run anew, or set"
            " scores to false there"
        )


def give_weights(
    model: nn.Module,
    checkpoint: Checkpoint,
    path: Path,
    *,
    config: RunConfig,
    spec: ModelSpec,
    provenance: Provenance | None,
    evaluated: bool = False,
) -> None:
    """Load the weights of the checkpoint read from `path` into `model`; `evaluated`: leave it in
    eval mode.

    Raises `ValueError` if the checkpoint was not written by the run with this `config` and
    `provenance` (None: by any), or if the network with these weights is not the one that was saved.
    """
    refuse_other_settings(checkpoint, path, config, provenance)
    load_weights(model, checkpoint, path)
    if evaluated:
        model.eval()
    if provenance is None:
        return
    if answers_otherwise(model, checkpoint.progress.get("sample"), spec):
        raise ValueError(
            f"{path}: with these weights --model {config.model.model} answers otherwise than when"
            " they were saved: its code goes by something that is neither in its state_dict nor in"
            " its source files (a file that it reads, an environment variable, a plain attribute)."
            f" {ANYWAY} uses it all the same"
        )


def resume_point(run: RunDir) -> tuple[Path, Checkpoint] | None:
    """The checkpoint that a run goes on from, and its path; None if there is none yet."""
    path = run.newest()
    if path is None:
        return None
    checkpoint = open_checkpoint(run, path)
    evaluated = checkpoint.progress.get("evaluated")
    if not (isinstance(evaluated, int) and -1 <= evaluated <= checkpoint.step):
        raise ValueError(f"{path} is no state to go on from: was it {BEST} or another?")
    return path, checkpoint


def reopening_warning(config: RunConfig, spec: ModelSpec, run: RunDir) -> str:
    """A sentence if a finished run, opened again, would have another network; else empty."""
    path = run.best if config.train.early_stopping else run.last
    try:
        model = build_model(config, spec, finished=True)
        checkpoint = load_checkpoint(path)
        load_weights(model, checkpoint, path)
    except ValueError as error:
        return f"{_NOT_OPENED}: {error}"
    if not answers_otherwise(model, checkpoint.progress.get("sample"), spec):
        return ""
    return (
        f"{_OTHERWISE}: read back from its checkpoint it answers"
        " otherwise, since not all that decides its answers is in its state_dict (a plain"
        " attribute that training changes?)."
    )


def network_now(
    run: RunDir, config: RunConfig, provenance: Provenance, spec: ModelSpec
) -> str | None:
    """How the network that the code makes now for a finished run differs from the one that was
    trained, as the end of a sentence; empty if it does not. None: the run has no checkpoint that
    could tell, or it said itself that it cannot be opened as it was.

    Not told are changed initial weights of the same shapes, which a file may hold: a trained
    network goes on from its own ones.
    """
    model = build_model(config, spec, finished=True)
    then, now = provenance.parameters, size_of(model)
    if then is not None and now is not None and then != now:
        return f"it had {then:,} parameters, and has {now:,} now"
    path = run.trained(config)
    said = str(run.summary().get("verdict", ""))
    if path is None or _NOT_OPENED in said or _OTHERWISE in said:
        return None
    try:
        checkpoint = load_checkpoint(path)
    except ValueError:  # damaged, or of another version: told where it is opened
        return None
    try:
        load_weights(model, checkpoint, path)
    except ValueError as error:
        return f"its weights do not fit any more ({error})"
    if answers_otherwise(model, checkpoint.progress.get("sample"), spec):
        return "with the same trained weights it answers otherwise now"
    return ""
