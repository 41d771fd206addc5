"""Snapshots: the weights at the steps that they name, within their bound, and the same after a
run died and was resumed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lab.core.config import TrainConfig
from lab.core.run_dir import RunDir
from lab.core.seeds import torch_seed
from lab.models import ModelSpec, seeded_model
from lab.runs.load import open_run, open_snapshot
from lab.runs.train import resume, start
from lab.training import Snapshots, fit, load_checkpoint, snapshot_steps
from lab.training.snapshots import bytes_of
from lab.training.train_step import TrainStep
from support.configs import tiny
from support.training import EPOCHS, network


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 60, 1500, 100_000])
@pytest.mark.parametrize("most", [1, 2, 7, 20, 1000])
def test_steps_rise_from_the_untrained_network_at_even_ratios(steps: int, most: int) -> None:
    found = snapshot_steps(steps, most=most)
    assert found[0] == 0
    assert len(found) <= most
    assert list(found) == sorted(set(found))
    assert found[-1] < steps
    ratios = [(b + 1) / (a + 1) for a, b in zip(found, [*found[1:], steps], strict=True)]
    if most >= 20 and steps > 100:
        assert max(ratios) < 3  # no long part of the training is left out


def test_no_snapshot_where_none_fits() -> None:
    assert snapshot_steps(100, most=0) == ()
    assert snapshot_steps(0, most=10) == ()


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_snapshot_has_the_weights_of_its_step_and_changes_nothing(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []

    def look(model: torch.nn.Module) -> dict[str, float]:
        seen.append(weights(model))
        return {}

    config = TrainConfig(steps=30, batch_size=16, eval_every=1)
    model, plain = network(dropout=0.3), network(dropout=0.3)
    kept = Snapshots.within(8.0, model, tmp_path, steps=config.max_steps)
    fit(model, EPOCHS, config, seed=3, evaluators=[look], snapshots=kept)
    fit(plain, EPOCHS, config, seed=3)
    assert same(weights(model), weights(plain))
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(kept.steps) > 2
    for path in files:
        checkpoint = load_checkpoint(path)
        assert checkpoint.step in kept.steps
        assert not checkpoint.optimizer
        assert same(seen[checkpoint.step], checkpoint.model)


@pytest.mark.parametrize("megabytes", [0.0, 0.01])
def test_the_weights_stay_within_their_bound(tmp_path: Path, megabytes: float) -> None:
    folder = RunDir(start(config(tmp_path, snapshots=megabytes)).folder)
    steps = folder.snapshot_steps()
    size = bytes_of(load_checkpoint(folder.last).model)
    assert len(steps) * size <= megabytes * 1e6
    assert bool(steps) == bool(megabytes)
    told = json.loads(folder.summary_file.read_text()).get("snapshots")
    assert (told or {}).get("steps", []) == list(steps)


def config(out: Path, **changes: Any) -> Any:
    usual: dict[str, Any] = {"num_test": 4, "model": "cnn", "steps": 12, "name": "run"}
    return tiny(out, **{**usual, **changes})


def test_a_run_that_died_and_goes_on_has_the_same_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RunDir(start(config(tmp_path / "whole")).folder)
    with monkeypatch.context() as patch:
        real = TrainStep.take

        def take(train_step: TrainStep) -> None:
            if train_step.step == 7:
                raise RuntimeError("the power is cut")
            real(train_step)

        patch.setattr(TrainStep, "take", take)
        with pytest.raises(RuntimeError, match="power"):
            start(config(tmp_path / "died"))
    died = RunDir(tmp_path / "died" / "run")
    assert 0 < len(died.snapshot_steps()) < len(whole.snapshot_steps())
    resume(died.path)
    assert died.snapshot_steps() == whole.snapshot_steps()
    for step in whole.snapshot_steps():
        one, other = (load_checkpoint(run.snapshot(step)).model for run in (whole, died))
        assert same(one, other)


def test_a_snapshot_is_opened_as_the_network_of_its_step(tmp_path: Path) -> None:
    run = RunDir(start(config(tmp_path)).folder)
    opened = open_run(run.path)
    before = weights(opened.model)
    then = open_snapshot(run.path, 0, opened)
    spec = ModelSpec(
        image_size=opened.config.data.image_size, num_outputs=2, width=opened.config.model.width
    )
    untrained = seeded_model("cnn", spec, seed=torch_seed(opened.config.seed, "weights"))
    assert same(weights(then.model), weights(untrained))
    assert then.step == 0
    assert not then.model.training
    assert same(weights(opened.model), before)


@pytest.mark.parametrize("fault", ["missing", "torn", "foreign"])
def test_a_snapshot_that_is_not_this_runs_is_refused_in_one_line(
    tmp_path: Path, fault: str
) -> None:
    run = RunDir(start(config(tmp_path)).folder)
    opened = open_run(run.path)
    path = run.snapshot(0)
    if fault == "missing":
        path.unlink()
    elif fault == "torn":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        other = RunDir(start(config(tmp_path / "other", num_train=8)).folder)
        path.write_bytes(other.snapshot(0).read_bytes())
    with pytest.raises(ValueError, match="step-00000000") as raised:
        open_snapshot(run.path, 0, opened)
    assert "\n" not in str(raised.value)
