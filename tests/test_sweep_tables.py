"""Tables of grids: a column for every metric, intervals, differences, what was not fitted."""

import csv
import io
import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lab.commands.sweep import sweep
from lab.core.config import DataConfig, RunConfig
from lab.core.estimate import Estimate
from lab.core.metrics import limits
from lab.core.run_dir import METRICS, RunDir
from lab.experiments import (
    Cell,
    Run,
    Table,
    against_first,
    found_table,
    found_text,
    make_grid,
    make_jobs,
    pairs_along,
    run_grid,
)
from lab.experiments.lessons.claims import at_least
from lab.experiments.metrics import FITTED, check_metrics
from lab.experiments.presets import learning_curve
from lab.experiments.presets.sweep import view
from lab.experiments.report_card.sections.section import Asked
from lab.experiments.runner.grid import with_settings
from lab.experiments.show.curves import above_guessing, curves, errors_of, power_laws
from lab.experiments.show.maps import heat_map
from lab.experiments.show.means import write_means
from lab.experiments.show.tables import UNREACHED, cells_csv, differences_csv, to_markdown
from lab.measure import mean_of_seeds
from lab.measure.class_shares import UNSTUDIED
from lab.training import load_checkpoint
from support.configs import tiny
from support.picture_folders import fill
from support.run_folders import hparams_metrics
from support.scripts import is_a_good_line, is_refused

TEST, TRAIN, RELIANCE = "accuracy/test", "accuracy/train", "reliance/eye_color"
AUC = "memorization/membership_auc"
SEEDS = 4
SHOWN = 10**6
"""Training examples that each planted run was shown."""


def planted(grid: dict[str, list[Any]], **runs: Any) -> Table:
    """A table as if the runs had been done: test accuracies by a fixed random draw, for each seed
    an offset that all cells share; all fitted. `runs` are settings of the base."""
    random = np.random.default_rng(0)
    shared = random.normal(0, 0.1, SEEDS)
    cells: dict[str, Cell] = {}
    base = with_settings(RunConfig(), runs)
    for job in make_jobs(base, make_grid(grid), seeds=SEEDS, out=Path("nowhere")):
        value = 0.6 + shared[job.config.seed] + random.normal(0, 0.01)
        metrics = {TEST: Estimate.point(value), TRAIN: Estimate.point(1.0),
                   "shapley/eyes": Estimate.point(value / 3)}  # fmt: skip
        key = repr(job.settings)
        old = cells[key].runs if key in cells else ()
        cells[key] = Cell(
            job.settings, job.config, (*old, Run(job.config.seed, Path(), metrics, SHOWN))
        )
    order = sorted(cells.values(), key=lambda cell: [
        make_grid(grid)[name].index(value) for name, value in cell.settings.items()
    ])  # fmt: skip
    return Table(make_grid(grid), Path("nowhere"), tuple(order))


def changed(cell: Cell, tag: str, values: list[float]) -> Cell:
    """The cell with other values of a metric, by seed."""
    runs = tuple(
        replace(run, metrics={**run.metrics, tag: Estimate.point(value)})
        for run, value in zip(cell.runs, values, strict=True)
    )
    return Cell(cell.settings, cell.config, runs)


def rows_of(markdown: str, number: int = 0) -> list[list[str]]:
    """The cells of a table in a text, the heading first."""
    tables = [block for block in markdown.split("\n\n") if block.startswith("|")]
    lines = [line for line in tables[number].splitlines() if "---" not in line]
    return [[word.strip() for word in line.strip("|").split("|")] for line in lines]


def test_every_metric_that_is_asked_for_has_a_column() -> None:
    table = planted({"num_train": [8, 16]})
    heading, *rows = rows_of(to_markdown(view(table, metrics=["shapley/eyes", RELIANCE])))
    assert heading[-2:] == ["shapley/eyes", RELIANCE]
    assert {row[-1] for row in rows} == {"—"}, "no run has it, and the column says so"
    assert all(row[-2].startswith("0.") for row in rows)


def test_a_group_that_some_test_sets_lack_is_the_mean_of_the_others() -> None:
    """As of a hospital with few patients."""
    tag = "group_accuracy/sick,hospital=C"
    table = planted({"num_train": [8]})
    (whole,) = table.cells
    lacking = changed(whole, tag, [0.25, 0.5, 0.0, 0.0]).runs[:2] + whole.runs[2:]
    table = replace(table, cells=(replace(whole, runs=lacking),))
    (cell,) = table.cells
    assert cell.mean(tag) == mean_of_seeds([0.25, 0.5])
    with pytest.raises(ValueError, match="group_accuracy"):
        cell.values(tag)
    assert tag not in cell.tags
    _, (*_, told) = rows_of(to_markdown(view(table, metrics=[tag])))
    assert told == "0.375 (0.000–1.000) [0.250–0.500] in 2 of 4 seeds"
    (row,) = [
        each for each in csv.DictReader(io.StringIO(cells_csv(table))) if each["metric"] == tag
    ]
    assert (row["seeds"], row["mean"], row["lowest"]) == ("2", "0.375", "0.25")
    asked = Asked(model="cnn", tables={"learning": replace(
        table, grid={**table.grid, "model": ("cnn",)}, cells=(
            replace(cell, settings={**cell.settings, "model": "cnn"}),
        ))}, base=cell.config, device="cpu")  # fmt: skip
    assert asked.family("group_accuracy") == {"sick,hospital=C": mean_of_seeds([0.25, 0.5])}


def test_runs_whose_training_set_lacks_groups_of_the_test_set_are_counted() -> None:
    """Which each seed may lack others of; a share of one in twenty is too small to matter."""
    few, many = planted({"num_train": [8, 16]}).cells
    lacking = changed(few, UNSTUDIED, [0.25, 0.1, 0.05, 0.04])
    table = replace(planted({"num_train": [8, 16]}), cells=(lacking, many))
    said = "Groups not studied: in 2 of 8 runs 10.0 % to 25.0 % of the test examples are of groups"
    assert said in to_markdown(view(table))
    assert "Groups not studied" not in to_markdown(view(replace(table, cells=(few, many))))
    assert (len(lacking.unstudied), len(few.unstudied)) == (2, 0)


def test_intervals_are_students_and_differences_are_taken_seed_by_seed() -> None:
    table = planted({"num_train": [8, 16], "model": ["cnn", "mlp", "linear"]})
    rows = list(csv.DictReader(io.StringIO(cells_csv(table))))
    assert len(rows) == 6 * 3
    for cell in table.cells:
        (row,) = (r for r in rows if r["metric"] == TEST and all(
            r[name] == str(value) for name, value in cell.settings.items()))  # fmt: skip
        values = np.array([run.metrics[TEST].value for run in cell.runs])
        low, high = stats.t.interval(0.95, SEEDS - 1, values.mean(), stats.sem(values))
        assert float(row["mean"]) == pytest.approx(values.mean())
        assert (float(row["low"]), float(row["high"])) == pytest.approx((low, high), rel=1e-5)
        assert (float(row["lowest"]), float(row["highest"])) == (values.min(), values.max())
        assert (row["seeds"], row["not_fitted"]) == (str(SEEDS), "0")
    pairs = pairs_along(table)
    differences = list(csv.DictReader(io.StringIO(differences_csv(table, pairs))))
    assert len(pairs) == 4
    assert {row["baseline_model"] for row in differences} == {"cnn"}, "along the last setting"
    for row in (row for row in differences if row["metric"] == TEST):
        one = table.cell(num_train=int(row["num_train"]), model=row["model"])
        other = table.cell(num_train=int(row["num_train"]), model="cnn")
        apart = one.values(TEST) - other.values(TEST)
        low, high = stats.t.interval(0.95, SEEDS - 1, apart.mean(), stats.sem(apart))
        assert float(row["difference"]) == pytest.approx(apart.mean())
        assert (float(row["low"]), float(row["high"])) == pytest.approx((low, high), rel=1e-5)
        unpaired = 2 * one.mean(TEST).interval[1] - 2 * one.mean(TEST).value
        assert high - low < unpaired / 2, "what seeds share does not count"


def test_seeds_that_all_agree_have_no_interval() -> None:
    """Their spread is not known to be zero: three numbers of 0.5 are no proof of it."""
    table = planted({"num_train": [8, 16]})
    same = [
        changed(cell, TEST, [value] * SEEDS)
        for cell, value in zip(table.cells, (0.1, 0.7), strict=True)
    ]
    table = Table(table.grid, table.out, tuple(same))
    shown = view(table)
    heading, *rows = rows_of(to_markdown(shown))
    assert [row[heading.index("test accuracy")] for row in rows] == [
        f"0.100 (all {SEEDS} seeds)", f"0.700 (all {SEEDS} seeds)",
    ]  # fmt: skip
    heading, row = rows_of(to_markdown(shown), 1)
    assert row[heading.index("test accuracy")] == f"+0.600 (all {SEEDS} seeds)"
    texts = (cells_csv(table), differences_csv(table, pairs_along(table)))
    for text in texts:
        rows_told = [row for row in csv.DictReader(io.StringIO(text)) if row["metric"] == TEST]
        assert {(row["low"], row["high"]) for row in rows_told} == {("", "")}
    claim = at_least("it is learned", same[1].values(TEST), 0.6)
    assert str(claim) == f"not enough evidence: it is learned (0.700 (all {SEEDS} seeds))"
    assert claim.plain.endswith(f"on average 0.700 (in all {SEEDS} runs)")
    assert mean_of_seeds([0.1] * 3).interval == (0.1, 0.1), "not made wider by rounding"
    low, high = mean_of_seeds([40 / 60 - 29 / 60, 41 / 60 - 30 / 60]).interval
    assert low == high, "11 of 60 both times"
    low, high = mean_of_seeds([0.1, 0.1 + 1e-9]).interval
    assert low < high


def test_a_metric_of_ones_own_has_no_column_of_the_metrics_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def ones(predictions):\n    return 1.0\n")
    own = f"{tmp_path / 'mine.py'}:ones"
    table = planted({"num_train": [8, 16]}, metric=(own,))
    for text in (cells_csv(table), differences_csv(table, pairs_along(table))):
        header, *rows = csv.reader(io.StringIO(text))
        assert len(set(header)) == len(header)
        assert {row[header.index("own_metrics")] for row in rows} == {own}
        assert TEST in {row[header.index("metric")] for row in rows}


def test_cells_are_compared_along_any_setting() -> None:
    table = planted({"num_train": [8, 16], "model": ["cnn", "mlp"], "width": [4]})
    along = pairs_along(table, "num_train")
    assert [(p.cell.settings["num_train"], p.baseline.settings["num_train"]) for p in along] == [
        (16, 8), (16, 8),
    ]  # fmt: skip
    assert all(p.cell.settings["model"] == p.baseline.settings["model"] for p in along)
    with pytest.raises(ValueError, match="num_train, model"):
        pairs_along(table, "width")
    assert pairs_along(planted({"width": [4]})) == []


def test_a_difference_counts_seeds_that_both_have() -> None:
    one, other = planted({"num_train": [8, 16]}).cells
    fewer = Cell(other.settings, other.config, other.runs[1:])
    (pair,) = against_first([fewer, one])
    assert pair.difference(TEST).count == SEEDS - 1
    values = [run.metrics[TEST].value for run in one.runs[1:]]
    assert pair.difference(TEST).value == pytest.approx(np.mean(values) - fewer.mean(TEST).value)
    assert pair.difference("gap/accuracy").count == 0
    assert math.isnan(pair.difference("gap/accuracy").value)
    broken = changed(one, TEST, [math.nan, 0.5, 0.5, 0.5])
    assert against_first([fewer, broken])[0].difference(TEST).count == SEEDS - 1


@pytest.mark.parametrize(("gap", "marked"), [(0.3, True), (0.0, False)])
def test_a_mark_says_that_an_interval_excludes_zero(gap: float, marked: bool) -> None:
    table = planted({"num_train": [8, 16]})
    first, second = table.cells
    values = (first.values(TEST) + gap + np.array([0.01, -0.01, 0.02, -0.02])).tolist()
    cells = (first, changed(second, TEST, values))
    heading, row = rows_of(to_markdown(view(Table(table.grid, table.out, cells))), 1)
    assert row[heading.index("test accuracy")].endswith("*") == marked


def test_cells_that_did_not_fit_their_training_data_say_so() -> None:
    table = planted({"num_train": [8, 16]})
    assert "not fitted" not in rows_of(to_markdown(view(table)))[0]
    values = [1.0, FITTED, FITTED - 0.01, 0.6]
    cells = (table.cells[0], changed(table.cells[1], TRAIN, values))
    assert [cell.unfitted for cell in cells] == [0, 2]
    heading, *rows = rows_of(to_markdown(view(Table(table.grid, table.out, cells))))
    assert [row[heading.index("not fitted")] for row in rows] == ["", f"2 of {SEEDS}"]
    (online,) = planted({"width": [4]}, online=True).cells
    assert changed(online, TRAIN, values).unfitted == 0, "it has no training set"


def test_wrong_labels_that_were_left_are_no_lack_of_training() -> None:
    first, second = (
        changed(cell, TRAIN, [0.7, 0.7, 0.7, 1.0]) for cell in planted({"num_train": [8, 16]}).cells
    )
    assert "were still learning" in to_markdown(view(Table({}, Path(), (first, second))))
    resisting = changed(first, "accuracy/train_right_labels", [0.998, 1.0, 0.99, 1.0])
    text = to_markdown(view(Table({}, Path(), (resisting,))))
    assert (resisting.unfitted, resisting.wrong_labels_left) == (3, 3)
    assert "They have fitted the right ones" in text
    assert "still learning" not in text
    slow = changed(second, "accuracy/train_right_labels", [0.8, 0.999, 0.7, 1.0])
    text = to_markdown(view(Table({}, Path(), (resisting, slow))))
    assert "Of these 6, 4 have fitted" in text
    assert "were still learning" in text
    for share, left in ((0.97, 4), (0.9, 0)):  # of 400 errors 18 and 60 are on right labels
        metrics = {TRAIN: (0.6, 1000), "accuracy/train_right_labels": (share, 600)}
        known = {tag: Estimate.point(value, count=count) for tag, (value, count) in metrics.items()}
        runs = tuple(replace(run, metrics={**run.metrics, **known}) for run in first.runs)
        assert replace(first, runs=runs).wrong_labels_left == left


@pytest.mark.usefixtures("runs_here")
def test_cells_whose_networks_were_not_shown_all_their_training_data_say_so(tmp_path: Path) -> None:
    """Figures that count all of it as trained on, as the runs' own verdicts say."""
    table = run_grid(tiny(tmp_path, num_train=20), {"steps": [3, 5]}, seeds=2, processes=1)
    assert [cell.unreached for cell in table.cells] == [2, 0]
    for run in (run for cell in table.cells for run in cell.runs):
        verdict = RunDir(run.folder).summary()["verdict"]
        assert ("it was shown" in verdict) == (run.shown == 12), "the verdict says the same"
    told = to_markdown(view(table))
    heading, *rows = rows_of(told)
    assert [row[heading.index("not all shown")] for row in rows] == ["2 of 2", ""]
    assert UNREACHED in told
    assert "not all shown" not in to_markdown(
        view(Table({"steps": (5,)}, tmp_path, table.cells[1:]))
    )
    rows_by_cell = csv.DictReader(io.StringIO(cells_csv(table)))
    assert {(row["steps"], row["not_all_shown"]) for row in rows_by_cell} == {
        ("3", "2"),
        ("5", "0"),
    }
    assert "not all shown" in found_text(found_table(tmp_path)).split("\n")[0]


@pytest.mark.usefixtures("runs_here")
def test_what_was_shown_is_counted_up_to_the_weights_that_early_stopping_kept(
    tmp_path: Path,
) -> None:
    base = tiny(
        tmp_path, num_train=20, steps=12, eval_every=2, early_stopping=2, num_validation=20,
        learning_rate=0.05,
    )  # fmt: skip
    (cell,) = run_grid(base, {}, seeds=3, processes=1).cells
    for run in cell.runs:
        assert run.shown == 4 * load_checkpoint(RunDir(run.folder).best).step
    assert cell.unreached == sum("it was shown" in RunDir(run.folder).summary()["verdict"]
                                 for run in cell.runs) > 0  # fmt: skip
    (folder,) = write_means(Table({}, tmp_path, (cell,)))
    (shown,) = hparams_metrics(folder).values()
    assert "accuracy/test" in shown
    for tag, value in shown.items():
        assert value == pytest.approx(cell.mean(tag).value, rel=1e-6), tag


@pytest.mark.parametrize(
    ("runs", "said", "unsaid"),
    [
        ({}, "a larger --width", "--early-stopping"),
        ({"model": "linear"}, "more --steps.", "--width"),
        ({"early_stopping": 3}, "--early-stopping", "more --steps"),
        ({"stop_at_loss": 0.5}, "--stop-at-loss", "more --steps"),
        ({"watched": True}, "were too small.", "--steps"),
    ],
)
def test_why_networks_did_not_fit_is_what_can_be(
    runs: dict[str, Any], said: str, unsaid: str
) -> None:
    settings = {name: value for name, value in runs.items() if name != "watched"}
    table = planted({"num_train": [8, 16]}, **settings)
    cells = [changed(cell, TRAIN, [0.5] * SEEDS) for cell in table.cells]
    if "watched" in runs:  # how many examples they were shown is not known
        cells = [
            replace(cell, runs=tuple(replace(run, shown=None) for run in cell.runs))
            for cell in cells
        ]
    note = to_markdown(view(Table(table.grid, table.out, tuple(cells)))).partition("Not fitted")[2]
    assert said in note
    assert unsaid not in note


def test_widths_of_a_network_of_one_size_are_refused(tmp_path: Path) -> None:
    words = ["--grid", "width=2,4", "--model", "linear", "--out", str(tmp_path / "out")]
    assert "--width changes nothing" in is_refused(sweep, words)
    assert not (tmp_path / "out").exists()


def test_bands_are_intervals_within_what_the_metric_can_be() -> None:
    table = planted({"num_train": [8, 16, 32]})
    cells = tuple(changed(cell, TEST, [0.99, 1.0, 0.99, 0.9]) for cell in table.cells)
    figure = curves(Table(table.grid, table.out, cells), TEST, x="num_train")
    (band,) = figure.axes[0].collections
    low, high = stats.t.interval(0.95, 3, 0.97, stats.sem([0.99, 1.0, 0.99, 0.9]))
    assert high > 1
    found = band.get_paths()[0].vertices[:, 1]
    assert (found.min(), found.max()) == pytest.approx((low, 1.0))


def test_long_names_in_a_map_overlap_nothing() -> None:
    """Networks in files, and several cues at a time."""
    networks = ("/home/me/nets/zoo.py:small", "/home/me/nets/zoo.py:large", "cnn")
    cues = ((), ("eye_color:0.9",), ("eye_color:0.9", "hair_length=long/short:0.8"))
    cells = tuple(
        Cell({"model": model, "cues": cue}, RunConfig(), (Run(0, Path(), {TEST: Estimate(0.5)}),))
        for model in networks
        for cue in cues
    )
    table = Table({"model": networks, "cues": cues}, Path(), cells)
    figure = heat_map(table, TEST, x="model", y="cues")
    axes = figure.axes[0]
    below = [label.get_text() for label in axes.get_xticklabels()]
    assert below == ["nets/zoo:small", "nets/zoo:large", "cnn"]
    figure.savefig(io.BytesIO())  # which lays it out
    tilted = [label.get_rotation() for label in axes.get_xticklabels()]
    assert tilted == [30, 30, 30]
    beside = [label.get_window_extent() for label in axes.get_yticklabels()]
    for one, other in itertools.pairwise(beside):
        assert not one.overlaps(other)
    room = axes.get_window_extent()
    assert room.width > 1.5 * figure.dpi
    assert all(each.x1 < room.x0 and each.x0 >= 0 for each in beside)


@pytest.mark.parametrize(
    "tag", ["seconds/training", "necessity/eyes", "sufficiency/nose", "shapley/eyes", RELIANCE,
            "group_accuracy/person, blue", "shortcut/strongest", TEST],
)  # fmt: skip
def test_all_numbers_of_a_summary_can_be_asked_for(tag: str) -> None:
    check_metrics([tag], [RunConfig()])


def test_a_metric_of_finished_runs_is_known_whatever_its_name() -> None:
    with pytest.raises(ValueError, match="mine/own"):
        check_metrics(["mine/own"], [RunConfig()])
    check_metrics(["mine/own"], [RunConfig()], measured=["mine/own"])


@pytest.mark.parametrize("tag", ["shapley/eyes", RELIANCE, "shortcut/strongest"])
def test_metrics_of_interventions_need_interventions(tag: str) -> None:
    silent = with_settings(RunConfig(), {"counterfactuals": 0})
    with pytest.raises(ValueError, match="--counterfactuals must be 1 or more"):
        check_metrics([tag], [silent])
    check_metrics([tag], [silent, RunConfig()])


def test_pictures_of_a_folder_have_no_attributes_to_rely_on() -> None:
    photos = RunConfig(data=DataConfig(data="photos"))
    with pytest.raises(ValueError, match=r"--metrics reliance/gaze .* --data"):
        check_metrics(["reliance/gaze"], [photos])
    check_metrics(["reliance/gaze"], [photos, RunConfig()])


def test_limits_are_those_of_the_tag_table() -> None:
    assert limits(TEST) == limits("necessity/eyes") == (0, 1)
    assert limits("gap/accuracy") == (-1, 1)
    assert limits("loss/test") == (0, math.inf)
    assert limits("shapley/eyes") == (-1, 1)
    assert limits("gap/loss") == (-math.inf, math.inf)


def test_a_guess_is_one_among_the_classes_of_the_folder(tmp_path: Path) -> None:
    for name in "abc":
        fill(tmp_path / name, 30)
    table = planted({"num_train": [4, 8, 16]}, data=str(tmp_path))
    cells = [changed(cell, TEST, [0.5, 0.51, 0.49, 0.5]) for cell in table.cells]
    assert above_guessing(cells, TEST) == cells, "an error of 0.5, where guessing has 0.67"
    valid = "accuracy/validation"
    runs = tuple(
        Run(seed, Path(), {valid: Estimate(value, count=50)})
        for seed, value in enumerate((1.0, 0.9))
    )
    found = errors_of(Cell(cells[0].settings, cells[0].config, runs), valid)
    assert found == pytest.approx([0.01, 0.1]), "half of one of the 50 that it was measured on"
    online = planted({"num_train": [4, 8]}, online=True).cells
    assert above_guessing(online, TEST) == [], "they were trained on new ones at every step"
    (axes,) = learning_curve.figure([changed(c, AUC, [0.5] * SEEDS) for c in cells]).axes
    levels = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert 1 / 3 in levels


def test_a_law_is_drawn_over_the_sizes_that_it_is_fitted_to() -> None:
    """The others have hollow points, and the caption says why."""
    cells = planted({"num_train": [10, 30, 90, 270]}).cells
    for least, out in ((0.45, 1), (0.7, 0)):
        shares = [(least, least + 0.05), (0.7, 0.72), (0.8, 0.82), (0.88, 0.9)]
        told = [changed(c, TEST, [*s, *s]) for c, s in zip(cells, shares, strict=True)]
        table = Table({"num_train": (10, 30, 90, 270)}, Path(), tuple(told))
        figure, laws = power_laws(table, TEST)
        assert len(laws) == 1
        (axes,) = figure.axes
        (law,) = (line for line in axes.lines if len(line.get_xdata()))
        assert law.get_xdata()[[0, -1]] == pytest.approx([30 if out else 10, 270])
        hollow = [
            c.get_offsets()[0][0] for c in axes.collections[:-1] if not len(c.get_facecolor())
        ]
        assert hollow == [10] * SEEDS * out
        assert ("hollow" in figure.get_supxlabel()) == bool(out)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is missing"),
        ("", "is empty"),
        ('{"step": 0, "a/b": 1.0}\n{"step": 5, "a/', "damaged in line 2"),
        ('{"step": 0, "a/b": 1.0}\n[]\n', "damaged in line 2"),
        ('{"a/b": 1.0}\n', "damaged in line 1"),
        ('{"step": 5, "a/b": 1.0}\n', "lines are missing"),
    ],
)
def test_damaged_curves_of_a_run_are_one_line_that_says_how_to_mend_them(
    content: str | None, says: str, tmp_path: Path
) -> None:
    whole = '{"step": 0, "a/b": 1.0}\n{"step": 5, "a/b": 2.0}\n'
    runs = tuple(Run(seed, tmp_path / str(seed), {}) for seed in (0, 1))
    for run in runs:
        run.folder.mkdir()
        (run.folder / METRICS).write_text(whole)
    assert Cell({}, RunConfig(), runs).curves("a/b").values.tolist() == [[1.0, 2.0]] * 2
    damaged = tmp_path / "1" / METRICS
    damaged.unlink()
    if content is not None:
        damaged.write_text(content)
    again = Cell({}, RunConfig(), tuple(Run(run.seed, run.folder, {}) for run in runs))
    with pytest.raises(ValueError, match=says) as caught:
        again.curves("a/b")
    is_a_good_line(str(caught.value), names=str(damaged))
    assert f"delete the folder {tmp_path / '1'}" in str(caught.value)
