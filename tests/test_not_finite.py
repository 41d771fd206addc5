"""Pictures for which a network's logits are not finite are told, and their cause is no other's."""

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.core.estimate import Estimate, wilson
from lab.experiments.presets.sweep import view
from lab.experiments.show.tables import to_markdown
from lab.experiments.table import Cell, Table, read_run
from lab.measure import Predictions
from lab.pool.report import report
from lab.pool.run import run_pool
from lab.runs.train import resume, start
from lab.tracking.writer import Tracker
from lab.training import BEST, Diverged, Interrupted, fit, load_checkpoint
from lab.training import Fitted as Ended
from lab.verdict import findings, verdict
from lab.worlds import open_world
from support.configs import tiny
from support.made_up import figures, kinds, numbers, setting
from support.training import EPOCHS, network

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.head = nn.Linear(3 * spec.image_size**2, spec.num_outputs)

    def forward(self, x):
        x = x.flatten(1)
        return self.head((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))
"""


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., RunConfig]:
    """Makes settings of a run on noise, one picture of which, of a named set, is blank."""
    (tmp_path / "net.py").write_text(NET)

    def config(blank: str, name: str = "run", **changes: Any) -> RunConfig:
        rng = np.random.default_rng(0)
        pictures = rng.integers(0, 256, (120, 16, 16, 3), dtype=np.uint8)
        labels = np.arange(120) % 2
        path = tmp_path / f"{name}.npz"

        def save() -> None:
            np.savez(path, x=pictures[:80], y=labels[:80], x_test=pictures[80:], y_test=labels[80:])

        save()
        if blank in ("train", "validation", "test"):
            data = DataConfig(data=str(path), num_train=60, num_test=40, image_size=16)
            world = open_world(data, seed=0)
            shown = world.load(blank, 20).images[7].permute(1, 2, 0).numpy()
            pictures[(pictures == shown).all(axis=(1, 2, 3)).nonzero()[0][0]] = 200
            save()
        usual: dict[str, Any] = {
            "data": str(path), "num_train": 60, "num_test": 40, "model": f"{tmp_path}/net.py:Net",
            "steps": 20, "batch_size": 12, "eval_every": 5, "name": name,
        }  # fmt: skip
        return tiny(tmp_path / "runs", **{**usual, **changes})

    return config


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_early_stopping_ends_at_once_where_its_loss_is_not_finite(
    made: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    config = made("validation", early_stopping=3, num_validation=20)
    with pytest.raises(Diverged, match=r"1 of 20 validation .*--early-stopping") as caught:
        start(config)
    assert caught.value.step == 0
    assert "\n" not in str(caught.value)
    summary = summary_of(config.out / "run")
    assert (summary["status"], summary["step"]) == ("failed", 0)
    assert "1 of 20 validation" in summary["verdict"]
    assert "kept the weights" not in capsys.readouterr().out


def test_without_early_stopping_a_blank_validation_picture_is_told_only(
    made: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    result = start(made("validation", num_validation=20))
    said = capsys.readouterr().out
    assert said.count("warning: for 1 of 20 validation pictures") == 1
    assert "finite" not in result.verdict
    assert summary_of(result.folder)["answers"]["not_finite_validation"]["value"] == 1 / 20


def test_a_loss_that_is_not_finite_later_is_never_the_best() -> None:
    losses = iter([3.0, 2.0, math.nan, 1.9, math.inf, math.nan, 9.0, 1.9])

    def scripted(model: Any) -> dict[str, Estimate | float]:
        return {"loss/validation": next(losses)}

    config = TrainConfig(steps=100, batch_size=16, eval_every=5, early_stopping=3)
    fitted: Ended = fit(network(), EPOCHS, config, seed=3, evaluators=[scripted])
    assert (fitted.step, fitted.weights_of) == (30, 15)


def test_a_blank_test_picture_is_told_and_the_rest_is_measured(
    made: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    result = start(made("test", steps=60))
    said = capsys.readouterr().out
    assert said.count("warning: for 1 of 40 test pictures a logit is not finite, even before") == 1
    assert "For 1 of 40 test pictures" in result.verdict
    assert "even before any training" in result.verdict
    assert "--learning-rate" not in result.verdict
    assert "of the 60 pictures it studied right" in result.verdict or "all 60" in result.verdict
    assert "nan" not in result.verdict.lower().replace("nan as a wrong", "")
    summary = summary_of(result.folder)
    assert summary["loss"]["test"]["value"] is None
    assert summary["answers"]["not_finite_test"]["value"] == 1 / 40
    assert summary["accuracy"]["test"]["count"] == 40


def test_a_blank_training_picture_is_the_cause_of_a_broken_step(
    made: Callable[..., RunConfig],
) -> None:
    with pytest.raises(Diverged) as caught:
        start(made("train"))
    assert "1 of 60 training examples" in str(caught.value)
    assert "--learning-rate" not in str(caught.value)


def test_a_resumed_run_knows_the_cause_too(
    made: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = made("test", steps=20, checkpoint_every=0.0)
    scalars = Tracker.scalars

    def tell(tracker: Tracker, step: int, figures: Any) -> None:
        scalars(tracker, step, figures)
        if step == 10:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "scalars", tell)
        with pytest.raises(Interrupted):
            start(config)
    again = resume(config.out / "run")
    assert again is not None
    assert "even before any training" in again.verdict


def test_where_all_is_finite_nothing_is_told(
    made: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    result = start(made("none", early_stopping=3, num_validation=20))
    assert "is not finite" not in capsys.readouterr().out
    assert not [tag for tag in result.metrics if "not_finite" in tag]
    assert load_checkpoint(result.folder / "checkpoints" / BEST)


def broken(share: float, **changes: object) -> dict[str, Estimate]:
    found = figures(1.0, 0.7)
    for tag in ("loss/test", "gap/loss", "memorization/membership_auc"):
        found[tag] = Estimate(math.nan)
    found["answers/not_finite_test"] = wilson(round(share * 2000), 2000)
    return found


@pytest.mark.parametrize(
    ("share", "first", "said", "rest", "rate"),
    [(0.001, True, True, True, False), (0.001, False, True, True, True),
     (0.9, True, True, False, False), (0.9, False, False, False, True),
     (0.001, None, True, True, True), (0.9, None, False, False, True)],
)  # fmt: skip
def test_the_verdict_gives_the_reason_and_what_it_can(
    share: float, first: bool | None, said: bool, rest: bool, rate: bool
) -> None:
    found = findings(broken(share), setting(first_not_finite=first))
    text = verdict(broken(share), setting(first_not_finite=first))
    assert found[0].kind == ("not finite" if said else "broken")
    assert ("memorized" in kinds(found)) == rest
    assert "members unsettled" not in kinds(found)
    assert ("--learning-rate" in text) == rate
    if said:
        assert ("as all were before" in text, "even before" in text) == (
            first is False,
            first is True,
        )
    if said:
        assert numbers(text)[:2] == [round(share * 2000), 2000]


def test_inputs_that_are_not_finite_keep_their_own_sentence() -> None:
    (found,) = findings(broken(0.001), setting(broken=2, flags=False))
    assert "inputs of 2 examples" in found.text


def test_an_infinite_logit_is_not_finite() -> None:
    logits = torch.tensor([[0.0, 1.0], [math.inf, 0.0], [math.nan, 0.0]])
    made = Predictions.of(logits, torch.tensor([0, 1, 0]))
    assert made.not_finite.tolist() == [False, True, True]


@pytest.mark.usefixtures("runs_here")
def test_a_pool_warns_of_them(made: Callable[..., RunConfig]) -> None:
    def said(blank: str) -> str:
        config = made(blank, name=f"pool_{blank}", steps=5)
        result = run_pool(config, networks=3, processes=1)
        return " ".join(report(result))

    assert "Warning: for 1 of 40 test pictures a logit" in " ".join(said("test").split())
    assert "Warning" not in said("none")


@pytest.mark.usefixtures("runs_here")
def test_a_pool_with_early_stopping_says_why_a_network_failed(
    made: Callable[..., RunConfig],
) -> None:
    config = made("validation", early_stopping=3, num_validation=20)
    with pytest.raises(ValueError, match=r"1 of 20 validation examples"):
        run_pool(config, networks=2, processes=1)


@pytest.mark.parametrize(("asked", "used", "told"), [(30, 20, 1), (20, 20, 0), (10, 10, 0)])
def test_fewer_validation_pictures_than_asked_for_are_told(
    asked: int, used: int, told: int, made: Callable[..., RunConfig],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = start(made("none", num_validation=asked, steps=1)).folder
    said = capsys.readouterr().out
    assert said.count(f"--num-validation {asked}: only {used} pictures") == told
    assert json.loads((folder / "config.json").read_text())["train"]["num_validation"] == used


def test_a_sweep_says_why_figures_are_missing(made: Callable[..., RunConfig]) -> None:
    def told(blank: str) -> str:
        config = made(blank, name=f"sweep_{blank}")
        run = read_run(start(config).folder, seed=0)
        cell = Cell({"width": 1}, config, (run,))
        return to_markdown(view(Table({"width": (1,)}, config.out, (cell,))))

    assert "Not finite: in 1 of 1 runs a logit" in told("test")
    assert "Not finite" not in told("none")
