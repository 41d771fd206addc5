"""Tables and figures of many runs show by what memory is judged, and say so: right labels, class
and group shares; and nothing of it where that are the plain figures."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.core.config import DataConfig, RunConfig
from lab.core.estimate import Estimate
from lab.experiments import (
    Cell,
    Run,
    Table,
    found_table,
    found_text,
    make_jobs,
    pairs_along,
    run_grid,
)
from lab.experiments.presets import learning_curve
from lab.experiments.presets.sweep import view
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.progress import Progress
from lab.experiments.show.tables import cells_csv, differences_csv, to_markdown
from lab.measure import class_shares, right_labels
from lab.measure.judged import ACCURACY, AUC, GAP
from support.configs import tiny

TEST = "accuracy/test"
NOTE = "Where memory is judged by other figures than the plain ones"
JUDGED_TRAIN = "train accuracy, judged"

Figures = Mapping[str, float]
PLAIN = {ACCURACY: 0.9, TEST: 0.8, GAP: 0.1, AUC: 0.6}
RIGHT = {right_labels.ACCURACY: 0.98, right_labels.GAP: 0.18, right_labels.AUC: 0.7}
NOISY = {
    ACCURACY: 0.5,
    TEST: 0.8,
    GAP: -0.3,
    AUC: 0.45,
    "memorization/mislabeled_fitted": 0.2,
    **RIGHT,
}
MOSTLY_WRONG = {
    ACCURACY: 0.3,
    TEST: 0.5,
    GAP: -0.2,
    AUC: 0.4,
    "memorization/mislabeled_fitted": 0.9,
}
SHARES = dict(zip(class_shares.BY_CLASS, (0.81, 0.01, 0.51), strict=True))
GROUPS = dict(zip(class_shares.BY_GROUP, (0.82, 0.02, 0.52), strict=True))
GROUPS_GAP, SHARES_GAP = class_shares.BY_GROUP[1], class_shares.BY_CLASS[1]
ALONE = "of the rightly labeled training examples alone"


def planted(name: str, values: list[Any], *cells: Figures | list[Figures], seeds: int = 3) -> Table:
    """A table as if the runs had been done, with these figures (of all seeds, or of each) and a
    little of each seed's own."""
    grid = make_grid({name: values})
    made = []
    jobs = make_jobs(RunConfig(), grid, seeds=seeds, out=Path("nowhere"))
    jobs.sort(key=lambda job: (values.index(job.settings[name]), job.config.seed))
    for number, figures in enumerate(cells):
        mine = jobs[number * seeds : (number + 1) * seeds]
        each = figures if isinstance(figures, list) else [figures] * seeds
        runs = tuple(
            Run(job.config.seed, Path(), {
                tag: Estimate.point(value + 0.001 * place * (number + 1))
                for tag, value in found.items()
            })
            for place, (job, found) in enumerate(zip(mine, each, strict=True))
        )  # fmt: skip
        made.append(Cell(mine[0].settings, mine[0].config, runs))
    return Table(grid, Path("nowhere"), tuple(made))


def column(markdown: str, heading: str, number: int = 0) -> list[str]:
    """The entries of a column of the table `number` of a text, but for intervals."""
    tables = [block for block in markdown.split("\n\n") if block.startswith("|")]
    lines = [line for line in tables[number].splitlines() if "---" not in line]
    first, *rows = [[word.strip() for word in line.strip("|").split("|")] for line in lines]
    place = first.index(heading)
    return [row[place].split(" ")[0] for row in rows]


def headings(markdown: str) -> list[str]:
    return [word.strip() for word in markdown.split("\n")[0].strip("|").split("|")]


def titles(table: Table, **chosen: Any) -> dict[str, str]:
    """The titles of a sweep's figures by name."""
    return {
        name: figure.get_suptitle().replace("\n", " ")
        for name, figure in view(table, **chosen).figures()
    }


def test_label_noise_does_not_seem_to_reduce_memory() -> None:
    table = planted("label_noise", [0.0, 0.2, 0.4], PLAIN, NOISY, {**NOISY, GAP: -0.4})
    told = to_markdown(view(table))
    assert column(told, "gap") == ["0.101", "0.182", "0.183"]
    assert column(told, "membership AUC") == ["0.601", "0.702", "0.703"]
    assert column(told, "train accuracy") == ["0.901", "0.502", "0.503"]
    assert column(told, JUDGED_TRAIN) == ["0.901", "0.982", "0.983"]
    assert column(told, "gap", 1) == ["+0.081", "+0.082"]
    assert column(told, "membership AUC", 1) == ["+0.101", "+0.102"]
    (note,) = (block for block in told.split("\n\n") if block.startswith(NOTE))
    assert f"({JUDGED_TRAIN}; gap; membership AUC)" in note
    assert "of the rightly labeled training examples alone in (label_noise 0.2), " in note
    assert "(label_noise 0.0)" not in note
    assert "—" not in note, "without wrong labels the plain gap is that of right labels"


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (SHARES, "): with each class at its share"),
        (GROUPS, "with each group at its share"),
        ({**NOISY, **SHARES}, f"{ALONE} with each class at its share"),
        ({**NOISY, **GROUPS}, f"{ALONE} with each group at its share"),
        ({**MOSTLY_WRONG, **SHARES}, "): with each class at its share"),
    ],
)
def test_shares_that_differ_are_no_memory_in_a_table(instead: Figures, said: str) -> None:
    table = planted("num_train", [50, 100], {**PLAIN, **instead}, {**PLAIN, **instead})
    told = to_markdown(view(table))
    gap = next(instead[tag] for tag in (GROUPS_GAP, SHARES_GAP) if tag in instead)
    assert column(told, "gap") == [f"{gap + 0.001:.3f}", f"{gap + 0.002:.3f}"]
    assert f"{said} of the test set in all cells." in told
    assert f"{said} of the test set in all cells." in found_text(table)
    assert column(found_text(table), "gap") == column(told, "gap")


def test_of_a_cell_each_seed_has_its_own_figure() -> None:
    mixed = [{**PLAIN, **SHARES}, {**PLAIN, **SHARES}, PLAIN]
    told = to_markdown(view(planted("num_train", [50, 100], PLAIN, mixed)))
    assert column(told, "gap")[1] == f"{(0.01 + 0.012 + 0.104) / 3:.3f}"
    assert "(num_train 100: 2 of 3 seeds)" in told


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (NOISY, MOSTLY_WRONG, "—"),
        ({**PLAIN, **SHARES}, NOISY, "—"),
        ({**PLAIN, **SHARES}, {**PLAIN, **GROUPS}, "—"),
        ({**PLAIN, **SHARES}, PLAIN, "+0.091"),
        (PLAIN, {**NOISY, **SHARES}, "—"),
        (MOSTLY_WRONG, {**NOISY, **SHARES}, "—"),
        ({**MOSTLY_WRONG, **SHARES}, {**NOISY, **SHARES}, "—"),
        ({**PLAIN, **SHARES}, {**NOISY, **SHARES}, "+0.001"),
        ({**NOISY, **GROUPS}, {**NOISY, **GROUPS}, "+0.001"),
        ({**NOISY, **GROUPS}, {**NOISY, **SHARES}, "—"),
        (NOISY, PLAIN, "-0.079"),
    ],
)
def test_differences_are_of_the_same_figures(
    first: Figures, second: Figures, difference: str
) -> None:
    told = to_markdown(view(planted("num_train", [50, 100], first, second)))
    assert column(told, "gap", 1) == [difference]
    assert column(told, "test accuracy", 1) != ["—"]
    assert ("No difference of them" in told) == (difference == "—")


def test_metrics_that_are_named_stay_what_they_are() -> None:
    table = planted("label_noise", [0.0, 0.2, 0.4], PLAIN, NOISY, NOISY)
    told = to_markdown(view(table, metrics=[GAP]))
    assert column(told, "gap") == ["0.101", "-0.298", "-0.297"]
    assert column(told, "membership AUC")[1] == "0.702"
    assert f"({JUDGED_TRAIN}; membership AUC)" in told
    plain = to_markdown(view(table, metrics=[ACCURACY, GAP, AUC]))
    assert NOTE not in plain
    assert JUDGED_TRAIN not in plain
    assert titles(table, metrics=[GAP]) == {"curve/gap_accuracy": f"{GAP}, mean of 3 seeds"}


def test_figures_draw_what_memory_is_judged_by_and_say_so() -> None:
    table = planted("label_noise", [0.0, 0.2, 0.4], PLAIN, NOISY, NOISY)
    found = titles(table)
    said = "of the rightly labeled training examples alone in 2 of 3 cells"
    assert found["curve/gap_accuracy"] == f"{GAP}, mean of 3 seeds {said}"
    assert found["curve/memorization_membership_auc"].endswith(said)
    assert found["curve/accuracy_test"] == f"{TEST}, mean of 3 seeds"
    figures = dict(view(table).figures())
    (axes,) = figures["curve/gap_accuracy"].axes
    (line,) = (each for each in axes.lines if len(each.get_ydata()) == 3)
    assert np.asarray(line.get_ydata()) == pytest.approx([0.101, 0.182, 0.183])


def test_csv_files_have_the_plain_figures_and_those_beside_them() -> None:
    table = planted("label_noise", [0.0, 0.2], PLAIN, NOISY)
    rows = list(csv.DictReader(io.StringIO(cells_csv(table))))
    means = {(row["label_noise"], row["metric"]): float(row["mean"]) for row in rows}
    assert means["0.2", GAP] == pytest.approx(-0.298)
    assert means["0.2", right_labels.GAP] == pytest.approx(0.182)
    pairs = view(table).pairs
    differences = csv.DictReader(io.StringIO(differences_csv(table, pairs)))
    (gap,) = (float(row["difference"]) for row in differences if row["metric"] == GAP)
    assert gap == pytest.approx(-0.399)
    assert pairs == pairs_along(table)


def test_where_plain_figures_are_judged_by_nothing_is_added() -> None:
    for cells in ((PLAIN, PLAIN, PLAIN), (PLAIN, MOSTLY_WRONG, MOSTLY_WRONG)):
        table = planted("num_train", [50, 100, 200], *cells)
        for told in (to_markdown(view(table)), found_text(table)):
            assert "judged" not in told
            assert "No difference" not in told
        assert column(to_markdown(view(table)), "gap", 1)[0] == f"{cells[1][GAP] - 0.099:+.3f}"
        assert headings(to_markdown(view(table)))[3:7] == [
            "train accuracy", "test accuracy", "gap", "membership AUC",
        ]  # fmt: skip
        assert set(titles(table).values()) >= {f"{GAP}, mean of 3 seeds"}
        assert "judged" not in to_markdown(learning_curve.view(table))


def test_progress_lines_say_by_what_a_run_is_judged() -> None:
    jobs = make_jobs(RunConfig(), make_grid({"label_noise": [0.0, 0.2]}), seeds=1, out=Path("x"))
    jobs.sort(key=lambda job: job.config.data.label_noise)

    def lines(metrics: tuple[str, ...], noisy: Figures = NOISY) -> list[str]:
        stream = io.StringIO()
        progress = Progress(stream, metrics=metrics)
        progress.begin(jobs, {})
        for job, figures in zip(jobs, (PLAIN, noisy), strict=True):
            run = Run(0, Path(), {tag: Estimate.point(value) for tag, value in figures.items()})
            progress.ended(job, run, 1.0)
        return stream.getvalue().splitlines()

    plain, noisy = lines(())
    assert "train accuracy 0.900, test accuracy 0.800, gap 0.100, membership AUC 0.600 (" in plain
    assert "train accuracy 0.500" in noisy
    assert "gap 0.180 by right labels, membership AUC 0.700 by right labels (" in noisy
    assert "gap -0.300, membership AUC 0.700 by right labels (" in lines((GAP,))[1]
    assert "gap 0.010 at class shares by right labels, " in lines((), {**NOISY, **SHARES})[1]
    assert "gap 0.010 at class shares, " in lines((), {**MOSTLY_WRONG, **SHARES})[1]


def test_a_learning_curve_of_which_some_sizes_are_judged_otherwise_says_so() -> None:
    table = planted("num_train", [50, 100], {**PLAIN, **SHARES}, PLAIN)
    told = to_markdown(learning_curve.view(table))
    assert column(told, "gap") == ["0.011", "0.102"]
    assert "with each class at its share of the test set in (num_train 50)." in told
    figure = learning_curve.figure(table.cells)
    assert "with each class at its share of the test set" in str(figure.get_supxlabel())
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert np.asarray(drawn["membership AUC"]) == pytest.approx([0.511, 0.602])
    plain = learning_curve.figure(planted("num_train", [50, 100], PLAIN, PLAIN).cells)
    assert "class" not in str(plain.get_supxlabel())


@pytest.mark.usefixtures("runs_here")
def test_runs_of_own_pictures_with_other_shares_show_what_their_verdicts_go_by(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    for name, counts in (("train", (90, 10)), ("test", (25, 25))):
        for label, count in zip("ab", counts, strict=True):
            folder = tmp_path / "own" / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (16, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    data = DataConfig(data=str(tmp_path / "own"), image_size=16, num_test=50)
    base = replace(
        tiny(tmp_path / "runs", steps=12, width=2, batch_size=10, counterfactuals=0), data=data
    )
    table = run_grid(base, {"num_train": [50, 100]}, seeds=2, processes=1)
    gaps = []
    for cell in table.cells:
        summaries = [json.loads((run.folder / "summary.json").read_text()) for run in cell.runs]
        gaps.append(
            np.mean([each["gap"]["accuracy_at_test_shares"]["value"] for each in summaries])
        )
        assert cell.mean(GAP).value > 0.2
    for told in (to_markdown(view(table)), found_text(found_table(base.out))):
        assert sorted(map(float, column(told, "gap"))) == pytest.approx(sorted(gaps), abs=6e-4)
        assert "with each class at its share of the test set in all cells" in told
