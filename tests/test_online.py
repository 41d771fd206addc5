"""OnlineBatches faces at every step: the training faces and what would come after them, never one
twice."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from lab.core.config import RunConfig
from lab.runs import train
from lab.runs.resolve import resolve
from lab.runs.verdict_setting import verdict_setting
from lab.training import SINGLE, Batch, Batches
from lab.worlds import open_world
from support.configs import rich

BATCH, STEPS = 16, 6


def spied(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """What the network is shown from now on, step by step."""
    shown: list[Batch] = []
    real = train.fit

    def fit(model: Any, batches: Batches, *args: Any, **kwargs: Any) -> Any:
        shown.extend(batches(step) for step in range(STEPS))
        return real(model, batches, *args, **kwargs)

    monkeypatch.setattr(train, "fit", fit)
    return shown


def config(out: Path, **changes: Any) -> RunConfig:
    return rich(out, steps=STEPS, augment=False, batch_size=BATCH, **changes)


def test_a_fresh_run_goes_on_where_the_training_faces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their label noise, cues and hold-outs; the first `num_train` are those of other runs."""
    shown, mine = spied(monkeypatch), config(tmp_path, online=True)
    result = train.start(mine)
    row = open_world(mine.data, seed=mine.seed).load("train", BATCH * STEPS, online=True)
    assert torch.cat([batch.images for batch in shown]).equal(row.images)
    assert torch.cat([batch.labels for batch in shown]).equal(row.labels)
    assert row.mislabeled.any()
    assert {"24", "96"} <= set(re.findall(r"\d+", result.verdict.partition("right")[0]))


def test_a_usual_run_shows_its_faces_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, mine = spied(monkeypatch), config(tmp_path)
    train.start(mine)
    pictures = {image.numpy().tobytes() for batch in shown for image in batch.images}
    assert len(pictures) == mine.data.num_train


def test_kept_faces_are_those_of_the_whole(tmp_path: Path) -> None:
    """A process draws its own faces alone, and they are the ones that one process would draw."""
    world = open_world(config(tmp_path).data, seed=1)
    whole = world.load("train", 20, start=7, online=True)
    keep = torch.arange(1, 20, 2)
    part = world.load("train", 20, start=7, online=True, keep=keep)
    assert part.images.equal(whole.images[keep])
    assert part.labels.equal(whole.labels[keep])
    assert part.clean_labels.equal(whole.clean_labels[keep])
    assert SINGLE.part == slice(0, None, 1)


def test_advice_after_fresh_faces_is_not_more_of_them(tmp_path: Path) -> None:
    mine = dataclasses.replace(config(tmp_path, online=True), seed=1)
    assert "--num-train" not in train.start(mine).verdict


def test_faces_after_the_weights_that_were_kept_are_not_counted_as_studied(tmp_path: Path) -> None:
    run = resolve(config(tmp_path, online=True, early_stopping=1))
    examples = run.world.load("train", run.config.data.num_train)
    setting = verdict_setting(run, examples, steps=STEPS, weights_of=2)
    assert setting.online == setting.shown == 2 * BATCH
    assert setting.patience is None, "it had all its steps"
    assert setting.kept == 2
    assert verdict_setting(run, examples, steps=STEPS, weights_of=STEPS).kept is None
    assert verdict_setting(run, examples, steps=STEPS - 1, weights_of=2).patience == 1


def test_what_ended_a_run_is_its_loss_bound_or_its_patience(tmp_path: Path) -> None:
    run = resolve(config(tmp_path, early_stopping=1, stop_at_loss=0.5))
    examples = run.world.load("train", run.config.data.num_train)
    for fitted, ended in ((True, (None, 0.5)), (False, (1, None))):
        setting = verdict_setting(run, examples, steps=STEPS - 1, fitted=fitted)
        assert (setting.patience, setting.bound) == ended
