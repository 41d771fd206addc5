"""Ladders and doses show what their grids found, and end with Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig, refuse
from lab.experiments import run_grid
from lab.experiments.presets import dose_response as dose
from lab.experiments.presets import learning_curve as ladder


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(
        data=DataConfig(num_test=20, image_size=16),
        model=ModelConfig(model="linear"),
        train=TrainConfig(steps=2),
        counterfactuals=0,
        out=tmp_path,
    )


def test_a_ladder_is_a_table_of_sizes(config: RunConfig) -> None:
    table = run_grid(config, {"num_train": (8, 12)}, seeds=2, processes=2)
    *lines, empty, note = ladder.to_markdown(table).splitlines()
    assert not empty
    assert "lowest" in note
    assert [line.split("|")[1].strip() for line in lines] == ["training faces", "---:", "8", "12"]
    for cell, line in zip(table.cells, lines[2:], strict=True):
        accuracies = []
        for run in cell.runs:
            summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
            accuracies.append(summary["accuracy"]["test"]["value"])
        low, high = min(accuracies), max(accuracies)
        assert f" | {sum(accuracies) / 2:.3f} ({low:.3f}–{high:.3f}) | " in line
    ladder.plot(table, config.out / "ladder.png")
    assert (config.out / "ladder.png").stat().st_size > 5000


def test_doses_are_a_table_of_cues_and_strengths(config: RunConfig) -> None:
    grid = dose.grid_of(["eye_color", "hair_length=long/short"], [0.5, 1.0], [8])
    table = run_grid(replace(config, counterfactuals=4), grid, seeds=1, processes=2)
    assert not table.failed
    lines = dose.to_markdown(table).splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:]] == [
        ["| eye_color", "8", "0.5"], ["| eye_color", "8", "1"],
        ["| hair_length=long/short", "8", "0.5"], ["| hair_length=long/short", "8", "1"],
    ]  # fmt: skip
    (run,) = table.cell(num_train=8, cues=("eye_color:1",)).runs
    summary = json.loads((run.folder / "summary.json").read_text())
    reliance = summary["reliance"]["eye_color"]["value"]
    assert lines[3].endswith(f" {reliance:.3f} |")
    assert summary["config"]["data"]["cues"] == ["eye_color:1"]
    dose.plot(table, config.out / "dose.png")
    assert (config.out / "dose.png").stat().st_size > 5000


@pytest.mark.parametrize(("task", "none"), [("person", 0.5), ("eye_color", 0.2)])
def test_doses_begin_where_the_cue_says_nothing(task: str, none: float) -> None:
    strengths = dose.strengths_of(task)
    assert strengths[0] == none
    assert strengths[-1] == 1
    assert list(strengths) == sorted(set(strengths))


def test_what_a_script_sets_itself_is_refused(config: RunConfig) -> None:
    refuse(RunConfig(), num_train="--sizes")
    asked = replace(config, data=replace(config.data, num_train=50))
    with pytest.raises(ValueError, match="--num-train is set by --sizes: leave it out"):
        refuse(asked, num_train="--sizes")


def test_ctrl_c_ends_the_grid_before_the_next_run(tmp_path: Path) -> None:
    words = "--sizes 8 9 10 --seeds 1 --processes 1 --steps 1000000 --num-test 20 --image-size 16"
    flags = [*words.split(), "--counterfactuals", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "scripts" / "learning_curve.py"), *flags],
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
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
