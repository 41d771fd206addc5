"""Ladders and doses run every point once, go on where they were stopped, and read what they did."""

import json
import os
import signal
import subprocess
import sys
import time
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


def test_what_the_grid_sets_itself_is_refused(config: RunConfig) -> None:
    grid.refuse(RunConfig(), num_train="--sizes")
    asked = replace(config, data=replace(config.data, num_train=50))
    with pytest.raises(ValueError, match="--num-train is set by --sizes: leave it out"):
        grid.refuse(asked, num_train="--sizes")


def test_ctrl_c_ends_the_grid_before_the_next_run(tmp_path: Path) -> None:
    words = "--sizes 8 9 10 --seeds 1 --processes 1 --steps 1000000 --num-test 20 --image-size 16"
    flags = [*words.split(), "--twins", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "scripts" / "ladder.py"), *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not list(tmp_path.rglob("last.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "stopped by Ctrl-C"
    assert len(list(tmp_path.iterdir())) == 1
