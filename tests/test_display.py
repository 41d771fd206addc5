"""What the terminal is told of a run's faces, for any number of classes."""

import re
from pathlib import Path

import pytest

from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.runs.display import Display
from lab.worlds import DrawnWorld
from lab.worlds.groups import group_counts, measured


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
        assert told == [len(counts), min(counts.values()), max(counts.values())]


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
