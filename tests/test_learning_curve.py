"""Learning curves and dose–response curves show the results of their grids, and end with Ctrl-C."""

import json
import re
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lab.commands import learning_curve as command
from lab.core.config import RunConfig, refuse
from lab.core.estimate import Estimate
from lab.experiments import Preset, run_preset
from lab.experiments.presets import dose_response, learning_curve
from lab.experiments.runner.grid import with_settings
from lab.experiments.show.curves import curves
from lab.experiments.show.style import INTERVALS
from lab.experiments.table import Cell, Run, Table
from support.configs import tiny
from support.killing import Script
from support.picture_folders import fill


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return tiny(tmp_path, num_train=100, model="linear", steps=2, batch_size=64)


def rows_of(markdown: str) -> list[list[str]]:
    """The cells of the first table in a text, the heading first."""
    first, *_ = markdown.split("\n\n")
    lines = [line for line in first.splitlines() if not line.startswith("| ---")]
    return [[word.strip() for word in line.strip("|").split("|")] for line in lines]


def test_what_ends_training_early_needs_evaluations_before_its_end(config: RunConfig) -> None:
    """And one of --sizes is no curve: of online training it is what accuracy is measured on."""
    config = with_settings(config, {"counterfactuals": 4})
    for settings in ({"early_stopping": 2}, {"stop_at_loss": 0.1}):
        for every, refused in ((40, True), (60, True), (2, False), (None, False)):
            base = with_settings(config, {**settings, "steps": 40, "eval_every": every})
            with pytest.raises(ValueError, match=r"--eval-every 2$") if refused else nullcontext():
                dose_response.preset(base, ["eye_color"], [0.5], [12])
    online = with_settings(config, {"online": True})
    dose_response.preset(online, ["eye_color"], [0.5, 1.0], [12])
    with pytest.raises(ValueError, match="--sizes"):
        dose_response.preset(online, ["eye_color"], [0.5], [8, 12])
    told = {}
    for base in (config, online):
        settings = {"num_train": 12, "cues": ("eye_color:0.5",)}
        cell = Cell(settings, with_settings(base, settings), ())
        table = Table({"num_train": (12,), "cues": (settings["cues"],)}, config.out, (cell,))
        told[base.train.online] = dose_response.view(table).words["training faces"](cell)
    assert told == {False: "12", True: "new"}


@pytest.mark.usefixtures("runs_here")
def test_a_learning_curve_has_a_row_for_each_size(config: RunConfig) -> None:
    said: list[str] = []
    preset = learning_curve.preset(config, (12, 8))
    table = run_preset(preset, seeds=2, processes=2, say=said.append).table
    heading, *rows = rows_of(said[0])
    assert [row[0] for row in rows] == ["8", "12"]
    for cell, row in zip(table.cells, rows, strict=True):
        accuracies = []
        for run in cell.runs:
            summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
            accuracies.append(summary["accuracy"]["test"]["value"])
        mean, low, high, lowest, highest = numbers(row[heading.index("test accuracy")])
        assert (lowest, highest) == pytest.approx((min(accuracies), max(accuracies)), abs=6e-4)
        assert mean == pytest.approx(sum(accuracies) / 2, abs=6e-4)
        reach = 12.706 * abs(accuracies[0] - accuracies[1]) / 2  # of two seeds
        assert (low, high) == pytest.approx((max(0, mean - reach), min(1, mean + reach)), abs=2e-3)
    assert (config.out / "learning_curve.png").stat().st_size > 5000
    assert said[0] + "\n" == (config.out / "sweep.md").read_text(encoding="utf-8")


def test_a_learning_curve_of_own_pictures_does_not_speak_of_faces(tmp_path: Path) -> None:
    config = tiny(tmp_path)
    for name in "ab":
        fill(tmp_path / "photos" / name, 2)
    config = replace(config, data=replace(config.data, data=str(tmp_path / "photos")))
    run = Run(0, tmp_path, {tag: Estimate(0.5) for tag in learning_curve.LINES.values()})
    cells = tuple(Cell({"num_train": n}, config, (run,)) for n in (2, 4, 8))
    table = Table({"num_train": (2, 4, 8)}, tmp_path, cells)
    assert list(learning_curve.view(table).words) == ["training pictures"]
    (axes,) = learning_curve.figure(cells).axes
    assert axes.get_xlabel() == "training pictures"
    assert axes.get_title(loc="left") == "Accuracy over the number of training pictures"
    (swept,) = curves(table, "accuracy/test", x="num_train").axes
    assert swept.get_xlabel() == "training pictures"


@pytest.mark.parametrize(
    ("gaps", "accuracies", "claimed"),
    [
        ((0.4, 0.1), (0.6, 0.9), True),
        ((0.4, 0.3), (0.6, 0.7), False),  # it does not close
        ((0.02, 0.0), (0.98, 1.0), False),  # there is none
        ((0.4, 0.0), (0.6, 0.5), False),  # nothing is learned
    ],
)
def test_the_title_claims_what_the_curve_shows(
    gaps: tuple[float, float], accuracies: tuple[float, float], claimed: bool, tmp_path: Path
) -> None:
    config = tiny(tmp_path)
    cells = [
        Cell({"num_train": size}, config, tuple(
            Run(seed, tmp_path, {
                "gap/accuracy": Estimate(gap + seed / 1000),
                "accuracy/test": Estimate(accuracy),
                "accuracy/train": Estimate(gap + accuracy),
                "memorization/membership_auc": Estimate(0.5),
            })
            for seed in range(3)
        ))
        for size, gap, accuracy in zip((8, 80), gaps, accuracies, strict=True)
    ]  # fmt: skip
    (axes,) = learning_curve.figure(cells).axes
    assert axes.get_title(loc="left").startswith("Few faces" if claimed else "Accuracy")


def numbers(text: str) -> list[float]:
    """The numbers in a text."""
    return [float(word) for word in re.findall(r"-?\d+\.\d+", text)]


@pytest.mark.usefixtures("runs_here")
def test_doses_are_a_table_of_cues_and_strengths(config: RunConfig) -> None:
    cues = ["eye_color", "hair_length=long/short"]
    preset = dose_response.preset(replace(config, counterfactuals=4), cues, [0.5, 1.0], [8])
    said: list[str] = []
    table = run_preset(preset, seeds=1, processes=2, say=said.append).table
    assert not table.failed
    heading, *rows = rows_of(said[0])
    assert [row[:3] for row in rows] == [[cue, "8", s] for cue in cues for s in ("0.5", "1")]
    (run,) = table.cell(num_train=8, cues=("eye_color:1",)).runs
    summary = json.loads((run.folder / "summary.json").read_text())
    assert heading[-1] == dose_response.RELIANCE
    assert numbers(rows[1][-1]) == [round(summary["reliance"]["eye_color"]["value"], 3)]
    assert summary["config"]["data"]["cues"] == ["eye_color:1"]
    assert (config.out / "dose_response.png").stat().st_size > 5000
    compared = [(dose_response.reliance(p.cell), p.baseline.settings["cues"])
                for p in preset.view(table).pairs]  # fmt: skip
    assert compared == [
        ("reliance/eye_color", ("eye_color:0.5",)),
        ("reliance/hair_length", ("hair_length=long/short:0.5",)),
    ]


@pytest.mark.parametrize("sizes", [[8], [8, 12]])
def test_the_figure_of_doses_holds_its_legend_and_its_caption(
    config: RunConfig, sizes: list[int]
) -> None:
    """Also with one panel."""
    preset = dose_response.preset(replace(config, counterfactuals=4), ["eye_color"], [0.5], sizes)
    settings = [{"num_train": size, "cues": ("eye_color:0.5",)} for size in sizes]
    metrics = {name: Estimate.point(0.5) for name in (*dose_response.DRAWN, "reliance/eye_color")}
    cells = [
        Cell(one, with_settings(config, one), (Run(0, config.out, metrics),)) for one in settings
    ]
    figure = dose_response.figure(Table(preset.plan.grid, config.out, tuple(cells)))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    captions = figure.findobj(lambda part: isinstance(part, Text) and part.get_text() == INTERVALS)
    assert len(captions) == 1
    for part in (*figure.legends, *captions):
        box = part.get_window_extent(canvas.get_renderer())
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, part


@pytest.mark.parametrize(("task", "none"), [("person", 0.5), ("eye_color", 0.2)])
def test_doses_begin_where_the_cue_says_nothing(task: str, none: float) -> None:
    strengths = dose_response.strengths_of(task)
    assert strengths[0] == none
    assert strengths[-1] == 1
    assert list(strengths) == sorted(set(strengths))


def test_what_a_script_sets_itself_is_refused() -> None:
    refuse({"num_test"}, num_train="--sizes")
    with pytest.raises(ValueError, match="--num-train is set by --sizes: leave it out"):
        refuse({"num_test", "num_train"}, num_train="--sizes")


def test_ctrl_c_ends_the_grid_before_the_next_run(tmp_path: Path) -> None:
    words = "--sizes 8 9 10 --seeds 1 --processes 1 --steps 1000000 --num-test 20 --image-size 16"
    flags = [*words.split(), "--counterfactuals", "2", "--out", str(tmp_path)]
    process = Script("learning_curve", flags)
    while not list(tmp_path.rglob("last.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)  # its worker, in a session of its own, hears it from it
    told = process.communicate()
    assert process.returncode == 130
    assert told.splitlines()[-1] == "stopped by Ctrl-C"
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"


def test_sizes_that_are_not_named_are_those_that_own_pictures_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        fill(tmp_path / "photos" / name, 30)
    asked: list[tuple[int, ...]] = []

    def run(chosen: Preset, **settings: Any) -> SimpleNamespace:
        asked.append(tuple(chosen.plan.grid["num_train"]))
        return SimpleNamespace(table=SimpleNamespace(complain=lambda: 0))

    monkeypatch.setattr("lab.experiments.run_preset", run)
    for data, sizes in ((None, ()), (str(tmp_path / "photos"), ()), (None, (10, 20))):
        config = tiny(tmp_path)
        config = replace(config, data=replace(config.data, data=data, num_test=20))
        command.learning_curve(command.Flags(run=config, sizes=sizes))
    assert asked == [command.SIZES, (10, 48), (10, 20)]
