"""Validation faces choose; the test set is only measured."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from lab.core.config import RunConfig
from lab.core.run_dir import RunDir
from lab.measure import loss, predict
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import BEST, LAST, load_checkpoint
from lab.worlds import DrawnWorld, Examples, draw_examples, population_of
from support.configs import tiny
from support.run_folders import assert_hparams_are_final, scalars


def config(out: Path, **train: Any) -> RunConfig:
    """A run that memorizes, so that its loss on unseen faces soon rises."""
    usual: dict[str, Any] = {
        "num_train": 100, "num_test": 60, "label_noise": 0.3, "variation": 0.1,
        "subpopulations": ("scrambled",), "width": 4, "steps": 150, "eval_every": 5,
        "learning_rate": 0.01, "batch_size": 50,
    }  # fmt: skip
    return tiny(out, **{**usual, **train})


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped early."""
    return start(config(tmp_path_factory.mktemp("stopped"), early_stopping=3)).folder


def test_the_lowest_loss_on_validation_faces_chooses(stopped: Path) -> None:
    lines = metrics(stopped)
    best = min(lines, key=lambda line: line["loss/validation"])
    assert 0 < best["step"] < lines[-1]["step"] < 150
    assert lines.index(best) == len(lines) - 1 - 3
    assert load_checkpoint(stopped / "checkpoints" / BEST).step == best["step"]
    told = json.loads((stopped / "summary.json").read_text())
    for tag in ("loss/test", "accuracy/test", "loss/validation", "loss/train"):
        kind, where = tag.split("/")
        assert told[kind][where]["value"] == pytest.approx(best[tag], rel=1e-6), tag


def test_hparams_table_shows_the_kept_weights(stopped: Path, tmp_path: Path) -> None:
    """Beside each curve's evaluations there is one point of the kept weights, in a run that is
    opened again, too."""
    folder = tmp_path / "again"
    shutil.copytree(stopped, folder)
    lines = metrics(folder)
    steps = [line["step"] for line in lines]
    for _ in range(2):
        assert_hparams_are_final(folder)
        curves = scalars(folder)
        for tag in ("accuracy/test", "accuracy/test_low", "loss/validation", "gap/loss"):
            assert [step for step, _ in curves[tag]] == [*steps, steps[-1] + 1]
            best = min(lines, key=lambda line: line["loss/validation"])
            assert curves[tag][-1][1] == pytest.approx(best[tag], rel=1e-5)
            assert curves[tag][-2][1] == pytest.approx(lines[-1][tag], rel=1e-5), "as measured"
        assert metrics(folder) == lines, "evaluations alone"
        resume(folder)


@pytest.mark.parametrize("patience", [3, 50])
def test_the_last_pictures_show_the_kept_weights(tmp_path: Path, patience: int) -> None:
    """Also where early stopping did not end the run, and in a run that is opened again."""
    folder = start(config(tmp_path, early_stopping=patience, pictures=True)).folder
    last = metrics(folder)[-1]["step"]
    assert (last == 150) == (patience == 50)
    opened = open_run(folder)
    test = draw_examples(opened.config.data, split="test", count=60, seed=opened.config.seed)
    chances = predict(opened.model, test.images).softmax(dim=1)[:, 1]
    for _ in range(2):
        events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0})
        events.Reload()
        curve = events.Tensors("precision_recall/person")[-1]
        assert curve.step == last + 1
        assert [event.step for event in events.Images("faces/mistakes")][-1] == last + 1
        right = make_ndarray(curve.tensor_proto)[0]
        levels = torch.linspace(0, 1, len(right))[:, None]
        expected = ((chances >= levels) & (test.labels == 1)).sum(dim=1)
        assert abs(torch.tensor(right) - expected).max() <= 1, "one at a level, by rounding"
        resume(folder)


def test_curves_have_their_evaluations_alone_where_the_last_weights_are_kept(
    tmp_path: Path,
) -> None:
    folder = start(config(tmp_path, steps=20)).folder
    for _ in range(2):
        assert_hparams_are_final(folder)
        assert [step for step, _ in scalars(folder)["accuracy/test"]] == [
            line["step"] for line in metrics(folder)
        ]
        resume(folder)


def test_they_are_other_faces_with_true_labels_of_the_runs_own_population(stopped: Path) -> None:
    """The logged loss is that of 1,000 faces that are in no other set."""
    own, model, *_ = open_run(stopped)
    faces = draw_examples(own.data, split="validation", count=1000, seed=own.seed)
    assert not bool(faces.mislabeled.any())
    best = min(metrics(stopped), key=lambda line: line["loss/validation"])
    assert float(loss(predict(model, faces.images), faces.labels).value) == pytest.approx(
        best["loss/validation"], rel=1e-5
    )
    others = [
        population_of(own.data).sample(count, seed=own.seed, split=split).identity
        for split, count in (("train", 100), ("test", 60))
    ]
    assert not bool(torch.isin(faces.samples.identity, torch.cat(others)).any())


def test_whatever_the_test_set_says_the_same_weights_are_chosen(
    stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every test label turned around its loss is lowest at another evaluation."""
    real = DrawnWorld.load

    def turned(world: DrawnWorld, split: str, count: int, **kwargs: Any) -> Examples:
        examples = real(world, split, count, **kwargs)
        if split != "test":
            return examples
        labels = 1 - examples.labels
        return dataclasses.replace(examples, labels=labels, clean_labels=labels)

    monkeypatch.setattr(DrawnWorld, "load", turned)
    other = start(config(tmp_path, early_stopping=3)).folder
    here, there = metrics(stopped), metrics(other)
    on_test = [
        min(range(len(lines)), key=lambda i, lines=lines: lines[i]["loss/test"])  # type: ignore[misc]
        for lines in (here, there)
    ]
    assert on_test[0] != on_test[1], "the test sets would choose differently"
    for tag in ("step", "loss/validation", "loss/train"):
        assert [line[tag] for line in here] == [line[tag] for line in there]
    for name in (BEST, LAST):
        one, two = (load_checkpoint(folder / "checkpoints" / name) for folder in (stopped, other))
        assert one.step == two.step
        assert all(torch.equal(one.model[key], two.model[key]) for key in one.model)


def test_how_many_there_are(tmp_path: Path) -> None:
    plain = config(tmp_path, steps=10)
    assert plain.validation_faces == 0
    assert config(tmp_path, early_stopping=3).validation_faces == 1000
    asked = config(tmp_path, steps=10, num_validation=30)
    assert asked.validation_faces == 30
    folders = [start(one).folder for one in (plain, asked)]
    tags = [set(metrics(folder)[0]) for folder in folders]
    ends = ("", "_low", "_high")
    assert tags[1] - tags[0] == {f"{what}/validation{e}" for what in ("accuracy", "loss")
                                 for e in ends}  # fmt: skip
    assert [(folder / "checkpoints" / BEST).exists() for folder in folders] == [False, True]
    with_them, without = (metrics(folder)[-1] for folder in (folders[1], folders[0]))
    assert {tag: with_them[tag] for tag in without} == without, "measuring them changes nothing"


@pytest.mark.parametrize(("asked", "online", "used"), [(500, False, 100), (30, False, 30),
                                                      (500, True, 500)])  # fmt: skip
def test_the_config_holds_the_batch_that_was_used(
    asked: int, online: bool, used: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = start(config(tmp_path, steps=2, batch_size=asked, online=online)).folder
    assert RunDir(folder).config().train.batch_size == used
    assert ("each with all 100 training faces" in capsys.readouterr().out) == (used == 100)
