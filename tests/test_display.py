"""What the terminal is told of a run's faces, for any number of classes."""

import errno
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.runs.display import Display
from lab.runs.train import start
from lab.worlds import DrawnWorld
from lab.worlds.groups import given_group_counts, group_counts, measured
from support.configs import tiny


@pytest.mark.parametrize(
    ("task", "strength", "none", "listed"),
    [("person", 0.9, "50 %", True), ("count_eyes", 0.8, "33.3 %", False),
     ("eye_color", 0.4, "20 %", False)],
)  # fmt: skip
def test_a_cue_is_told_with_its_interval_and_what_no_link_would_be(
    task: str, strength: float, none: str, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataConfig(
        task=task, cues=(f"hair_color:{strength}",), num_train=100, image_size=16
    )  # fmt: skip
    world = DrawnWorld.of(data, seed=0)
    train = world.load("train", 100)
    (found,) = measured(world, train)
    counts = group_counts(train, world.cues)
    Display(RunConfig(data=data), Path("runs/x"), "faces").cues([found], counts)
    cue, groups = capsys.readouterr().out.splitlines()
    ends = [f"{100 * end:.1f}" for end in found.strength.interval]
    assert f"{100 * found.strength.value:.1f} % (95 % interval: {ends[0]}–{ends[1]})" in cue
    assert f"{100 * strength:g} % asked for" in cue
    assert none in cue
    assert (len(re.findall(r"hair_color=", groups)) == len(counts)) == listed
    if not listed:
        told = [int(number) for number in re.findall(r"\d+", groups)]
        some = [count for count in counts.values() if count]
        none_of = [len(counts) - len(some)] * (len(some) < len(counts))
        assert told == [len(some), min(some), max(some), *none_of]


@pytest.mark.parametrize("cues", [("eye_color=blue/brown:0.9",), ()])
@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("objective", ["erm", "reweighting"])
def test_groups_say_by_which_labels_they_are(
    cues: tuple[str, ...], noise: float, objective: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = tiny(
        tmp_path, num_train=60, cues=cues, label_noise=noise, objective=objective, steps=1
    )
    folder = start(config).folder
    lines = capsys.readouterr().out.splitlines()
    told = [line.partition(": ") for line in lines if line.startswith("training groups")]
    agrees = [line for line in lines if line.startswith("cue:")]
    world = DrawnWorld.of(config.data, seed=0)
    train = world.load("train", 60)
    true, given = group_counts(train, world.cues), given_group_counts(train, world.cues)
    assert sum(given.values()) == sum(true.values()) == 60
    assert all("agrees with the true label" in line for line in agrees) == (bool(noise) or not cues)
    expected = [" by true label" if noise else ""] if cues else []
    expected += (
        [" by given label, as the objective gets them"] if noise and objective != "erm" else []
    )
    assert [head.removeprefix("training groups") for head, _, _ in told] == expected
    for head, _, counts in told:
        which = given if "given" in head else true
        assert counts == ", ".join(f"{count:,} {name}" for name, count in which.items())
    if noise:
        assert given != true
        shown = json.loads((folder / "summary.json").read_text())
        assert shown["status"] == "finished"


def test_the_sets_and_the_batch_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    def told(**train: int) -> list[int]:
        config = RunConfig(train=TrainConfig(**train))  # type: ignore[arg-type]
        Display(config, Path("runs/x"), "faces").drawing("cpu", "7 parameters")
        text = capsys.readouterr().out
        return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]

    assert told() == [100, 2000, 32, 1500, 7]
    assert told(batch_size=100) == [100, 2000, 32, 1500, 7, 100]
    assert told(early_stopping=3) == [100, 1000, 2000, 32, 1500, 7]
    assert told(num_validation=50) == [100, 50, 2000, 32, 1500, 7]


class Broken(io.StringIO):
    """A stream whose reader has ended."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_run_whose_reader_has_ended_is_finished_and_says_so_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `train.py | head -1` does."""
    config = tiny(tmp_path)
    whole = start(replace(config, name="whole"))
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Broken())
        with pytest.raises(BrokenPipeError):
            start(replace(config, name="alone"))
    summary = json.loads((tmp_path / "alone" / "summary.json").read_text())
    same = json.loads((whole.folder / "summary.json").read_text())
    assert (summary["status"], summary["verdict"]) == ("finished", same["verdict"])
    assert summary["accuracy"] == same["accuracy"]


def test_a_run_that_fails_tells_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lab.runs.recorder.Recorder.finish", full)
    config = tiny(tmp_path)
    with pytest.raises(OSError, match="No space"):
        start(replace(config, name="run"))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("failed", config.train.steps)


def test_a_folder_that_looks_like_a_flag_is_told_so_that_it_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Display(RunConfig(), Path("-my runs/x"), "faces").verdict("Good.", {})
    assert "--logdir './-my runs'" in capsys.readouterr().out


def test_one_wrong_label_is_spoken_of_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(tiny(Path("runs")), Path("runs/x"), "faces")
    for wrong, said in ((1, "; 1 has a wrong label"), (2, "; 2 have a wrong label")):
        display.groups((("a", "a", 20, 20),), wrong)
        assert capsys.readouterr().out.strip().endswith(said)
    display.groups((("a", "a", 20, 20),), 0)
    assert "wrong" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"task": "eye_color", "augment": True}, True),
        ({"task": "eye_color"}, False),
        ({"task": "person", "augment": True}, False),
        ({"task": "shape", "augment": True, "cues": ("color=blue/red:0.9",)}, False),
    ],
)  # fmt: skip
def test_augmentation_that_changes_what_labels_are_about_is_told(
    settings: dict[str, Any], told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(tiny(tmp_path, **settings))
    lines = [line for line in capsys.readouterr().out.splitlines() if "--augment " in line]
    assert [line.startswith("warning: --augment recolors pictures") for line in lines] == [
        True
    ] * told
    assert ("eye_color is about eye_color" in " ".join(lines)) == told


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((3, 4), "training pictures: 3 c0, 4 c1"),
        ((5,) * 200, "training pictures: 5 of each of 200 classes (TensorBoard's text 'groups'"),
        ((1, *(2,) * 30), "training pictures: 1 to 2 of each of 31 classes"),
    ],
)
def test_of_many_classes_the_least_and_the_most_pictures_are_said(
    counts: tuple[int, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = [(f"c{k}", f"c{k}", count, 1) for k, count in enumerate(counts)]
    Display(RunConfig(), Path("runs/x"), "pictures").groups(groups, 0)
    assert capsys.readouterr().out.startswith(said)


def test_a_run_of_one_step_is_told_of_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(tiny(tmp_path, task="shape", model="linear", steps=1))
    said = capsys.readouterr().out
    assert "px, then 1 step of linear" in said
    assert not re.search(r"\b1 steps", said)
