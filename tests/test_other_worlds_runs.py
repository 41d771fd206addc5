"""Runs on other worlds than faces: from training to the verdict, evaluation, and the board."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.core.cli import main
from lab.core.config import DataConfig, RunConfig
from lab.core.metrics import METRICS
from lab.core.run_dir import RunDir
from lab.evaluators.populations import evaluation_config, measure
from lab.playground.errors import RequestError
from lab.playground.service import Service
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.tracking.summary import nest
from lab.verdict.advice import advice
from lab.worlds import open_world
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import load_script


def config(out: Path, data: DataConfig, **train: object) -> RunConfig:
    return replace(
        tiny(
            out, width=2, batch_size=64, name="small",
            counterfactuals=48 if data.data else 12, pictures=not data.data,
            **{"steps": 20, "eval_every": 20, **train},
        ),
        data=data,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the toy world with a cue that says all."""
    data = DataConfig(
        task="shape", cues=("color=blue/red:1",), unseen_combinations=("size=large,color=green",),
        num_train=24, num_test=40, image_size=16,
    )  # fmt: skip
    return start(config(tmp_path_factory.mktemp("shapes"), data, num_validation=10)).folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two folders of pictures, the second brighter."""
    place = tmp_path_factory.mktemp("pictures")
    fill(place / "pets" / "cat", 20)
    fill(place / "pets" / "dog", 20, shade=120)
    data = DataConfig(data=str(place / "pets"), image_size=16, label_noise=0.1)
    return start(config(place, data)).folder


def same_as_summary(folder: Path, figures: dict[str, object]) -> None:
    summary = RunDir(folder).summary()
    assert summary["status"] == "finished"
    assert summary["verdict"]
    for metric, entries in nest(figures).items():  # type: ignore[arg-type]
        if metric != "subpopulation_accuracy":
            for name, entry in entries.items():
                assert entry == summary[metric][name], (metric, name)


def test_the_toy_world_is_trained_on_measured_and_judged(shapes: Path) -> None:
    own, model, *_ = open_run(shapes)
    world = open_world(own.data, seed=own.seed)
    figures = measure(world, model, counterfactuals=own.counterfactuals)
    same_as_summary(shapes, figures)
    assert {"reliance/shape", "reliance/color", "reliance/size"} <= set(figures)
    sets = {"unbiased", "conflicting", "worst_group", "unseen_combinations"}
    assert {f"accuracy/{name}" for name in sets} <= set(figures)
    assert not any(tag.startswith("necessity/") for tag in figures)
    told = RunDir(shapes).summary()["verdict"]
    assert "shapes" in told
    assert "face" not in told


def test_a_folder_is_trained_on_measured_and_judged(pictures: Path) -> None:
    own, model, *_ = open_run(pictures)
    assert (own.data.num_train, own.data.num_test) == (32, 8)
    assert own.data.data == str((pictures.parent / "pets").resolve())
    figures = measure(open_world(own.data, seed=own.seed), model, counterfactuals=48)
    same_as_summary(pictures, figures)
    assert not any(tag.startswith("reliance/") for tag in figures)
    for row in METRICS:
        if row.needs == "--data":
            assert any(row.fits(tag) for tag in figures), row.name
    told = RunDir(pictures).summary()["verdict"]
    assert "pictures" in told
    assert "face" not in told
    assert resume(pictures) is None


def test_what_a_folder_cannot_is_refused_when_it_is_evaluated(pictures: Path) -> None:
    own = RunDir(pictures).config()
    with pytest.raises(ValueError, match=r"--seed 7: the pictures of --data are split"):
        evaluation_config(own, counterfactuals=0, seed=7)
    with pytest.raises(ValueError, match="--cues is about drawn pictures"):
        evaluation_config(own, counterfactuals=0, lists={"cues": ("eye_color:0.9",)})


def test_the_tab_has_no_sliders_for_them(shapes: Path, pictures: Path) -> None:
    (run,) = Service(str(shapes.parent)).ask("runs", {})["runs"]
    assert run["kind"] == "broken"
    assert "sliders for faces only" in run["trouble"]
    assert "the task shape" in run["trouble"]
    (run,) = Service(str(pictures.parent)).ask("runs", {})["runs"]
    assert run["kind"] == "pictures"  # these have a view of their own
    with pytest.raises(RequestError, match=r"pets; this tab has sliders for faces only"):
        Service(str(pictures.parent)).ask("strips", {"run": [run["name"]], "face": [""]})


def test_a_run_is_opened_with_the_pictures_that_it_was_trained_on_only(
    pictures: Path, tmp_path: Path
) -> None:
    pets = pictures.parent / "pets"
    one = next((pets / "cat").iterdir())
    content = one.read_bytes()
    fill(tmp_path, 1, shade=55)
    one.write_bytes((tmp_path / "000.png").read_bytes())
    try:
        with pytest.raises(ValueError, match=r"trained on pictures of version folder-\w+") as told:
            open_run(pictures)
        assert "\n" not in str(told.value)
    finally:
        one.write_bytes(content)
    open_run(pictures)


def test_labels_stand_for_the_classes_that_were_trained_on(pictures: Path) -> None:
    pets = pictures.parent / "pets"
    (pets / "dog").rename(pets / "ant")  # the order of the classes is another one, too
    try:
        with pytest.raises(ValueError, match=r"trained on the classes cat, dog, but .* ant, cat"):
            open_run(pictures, any_world=True)
    finally:
        (pets / "ant").rename(pets / "dog")
    open_run(pictures, any_world=True)


def test_pictures_are_predicted_where_the_training_pictures_are_gone(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pets = pictures.parent / "pets"
    elsewhere = pets.rename(pictures.parent / "elsewhere")
    try:
        said = main(load_script("predict").predict, [str(pictures), str(elsewhere / "dog")])
        assert said == 0
        assert "000.png: " in (out := capsys.readouterr().out)
        assert "cat" in out
        assert "dog" in out
        with pytest.raises(ValueError, match="its pictures are no longer at"):
            open_run(pictures)
    finally:
        elsewhere.rename(pets)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_picture_is_told_before_anything_is_written(split: str, tmp_path: Path) -> None:
    for place in (tmp_path / "own" / one / name for one in ("train", "test") for name in "xy"):
        fill(place, 4)
    bad = tmp_path / "own" / split / "y" / "002.png"
    bad.write_bytes(bad.read_bytes()[:200])
    data = DataConfig(data=str(tmp_path / "own"), image_size=16)
    with pytest.raises(ValueError, match=r"y/002\.png: cannot be read as a picture"):
        start(config(tmp_path / "runs", data))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "train", "line"),
    [
        ({}, {"online": True}, "--online needs new pictures without end"),
        ({}, {"early_stopping": 3}, "0 of the pictures .* lower --num-train to 30 or less$"),
        (
            {},
            {"early_stopping": 3, "num_validation": 8},
            "lower --num-train to 30 or less, to 24 for --num-validation 8$",
        ),
        ({}, {"early_stopping": 3, "num_validation": 80}, "lower --num-train to 30 or less$"),
        ({"cues": ("gaze:1",)}, {}, "--cues is about drawn pictures"),
        ({"data": "nowhere"}, {}, "--data .*nowhere: there is no such folder"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_is_written(
    changes: dict[str, object], train: dict[str, object], line: str, tmp_path: Path, pictures: Path
) -> None:
    place = str(pictures.parent / "pets")
    data = DataConfig(**{"data": place, "image_size": 16, **changes})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=line) as told:
        start(config(tmp_path, data, **train))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_the_settings_that_were_used_are_written_down(pictures: Path) -> None:
    written = json.loads((pictures / "config.json").read_text(encoding="utf-8"))
    assert written["world"].startswith("folder-")
    assert written["data"]["num_test"] == 8


def test_no_more_pictures_are_advised_than_there_are() -> None:
    def told(kind: str, **more: int | None) -> str:
        return advice(
            kind, error=0.4, wrong_labels=False, num_train=40, num_test=20, num_classes=2, link=1.0,
            steps=100, width=4, noun="pictures", **more,
        )  # fmt: skip

    assert "--num-train 3000" in told("memorized")
    assert "--num-train 100" in told("memorized", more_train=60)
    assert "--num-train" not in told("memorized", more_train=0)
    assert "--num-test 50" in told("unsettled", more_test=30)
    assert "--num-test" not in told("unsettled", more_test=0)
