"""Ladders and doses run every point once, go on where they were stopped, and read what they did."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab import dose, grid, ladder
from lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(
        data=DataConfig(num_test=20, image_size=16),
        model=ModelConfig(model="linear"),
        train=TrainConfig(steps=2),
        out=tmp_path,
    )


def test_a_ladder_is_climbed_once(config: RunConfig) -> None:
    folders = set(ladder.climb(config, [8, 12], 2, processes=2))
    assert {folder.name for folder in folders} == {
        ladder.rung_name(size, seed) for size in (8, 12) for seed in (0, 1)
    }
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("summary.json")}
    assert len(before) == 4
    job = replace(
        config, data=replace(config.data, num_train=8), threads=1, name=ladder.rung_name(8, 1),
        seed=1, device="cpu",
    )  # fmt: skip
    grid.do_run(job)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(ValueError, match="other settings"):
        grid.do_run(replace(job, train=TrainConfig(steps=3)))

    rungs = ladder.read(config, [12, 8], 2)
    assert [rung.num_train for rung in rungs] == [8, 12]
    for rung in rungs:
        for seed in (0, 1):
            path = config.out / ladder.rung_name(rung.num_train, seed) / "summary.json"
            summary = json.loads(path.read_text(encoding="utf-8"))
            assert rung.figures["accuracy/test"][seed] == summary["accuracy"]["test"]["value"]


def test_the_table_and_the_picture(tmp_path: Path) -> None:
    tags = ladder.COLUMNS.values()
    rungs = [ladder.Rung(size, {tag: [0.5, 0.7] for tag in tags}) for size in (32, 1000)]
    lines = ladder.to_markdown(rungs).splitlines()
    assert lines[2].startswith("| 32 | 0.600 (0.500–0.700) |")
    assert lines[3].startswith("| 1,000 |")
    ladder.plot(rungs, tmp_path / "ladder.png")
    assert (tmp_path / "ladder.png").stat().st_size > 5000


def test_a_dose_is_given_once_and_read(config: RunConfig) -> None:
    points = (config, ["eye_color", "hair_length=long/short"], [0.5, 1.0], [8], 1)
    folders = [folder.name for folder in dose.administer(*points, processes=2)]
    assert len(set(folders)) == 4
    doses = dose.read(*points)
    assert [(d.cue, d.strength) for d in doses] == [
        ("eye_color", 0.5), ("eye_color", 1.0),
        ("hair_length=long/short", 0.5), ("hair_length=long/short", 1.0),
    ]  # fmt: skip
    summary = json.loads((config.out / "eye_color-1-n000008-s0" / "summary.json").read_text())
    assert doses[1].figures["conflicting"] == [summary["accuracy"]["conflicting"]["value"]]
    assert doses[1].figures["reliance on it"] == [summary["reliance"]["eye_color"]["value"]]
    assert summary["config"]["data"]["cues"] == ["eye_color:1"]
    lines = dose.to_markdown(doses).splitlines()
    assert len(lines) == 6
    assert lines[2].startswith("| eye_color | 8 | 0.5 |")
    dose.plot(doses, config.out / "dose.png")
    assert (config.out / "dose.png").stat().st_size > 5000
