"""The learning curve: the same run at increasing training-set sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.core.config import RunConfig
from lab.core.metrics import heading, limits
from lab.experiments.compare import against_first
from lab.experiments.judged import as_judged, told
from lab.experiments.plan import Plan, Preset
from lab.experiments.show import style
from lab.experiments.show.view import Columns, View, columns_of, judged_columns
from lab.experiments.table import Cell, Table
from lab.measure.judged import judged
from lab.worlds import classes_of, noun_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAIN, TEST = "accuracy/train", "accuracy/test"
GAP, AUC = "gap/accuracy", "memorization/membership_auc"

LINES = {heading(tag): tag for tag in (TRAIN, TEST, AUC)}
"""The metrics of the plot, by name."""

SAME_ONLINE = (
    "--online trains on new examples at every step, so that the networks are the same at all"
    " --sizes"
)

TITLE = "Few {noun} are memorized, many are learned"
"""The title where the gap shows it: it closes by half, and is surely there with the fewest."""

LEAST = 0.05
"""What an accuracy must differ by to be called different."""

NEUTRAL = "Accuracy over the number of training {noun}"


def plan(base: RunConfig, sizes: Sequence[int], *, models: Sequence[str] = ()) -> Plan:
    """Every number of training examples; with `models`, for each of these networks."""
    networks = {"model": tuple(models)} if models else {}
    return Plan(base, {**networks, "num_train": tuple(sizes)}, "learning curve")


def preset(base: RunConfig, sizes: Sequence[int]) -> Preset:
    """The learning curve of one network; `ValueError` for online training, which has none."""
    if base.train.online:
        raise ValueError(f"{SAME_ONLINE}: leave it out")
    return Preset(plan=plan(base, sorted(sizes)), view=view)


def view(table: Table) -> View:
    """The table over the sizes, and the plot."""
    columns, by = _columns(table.cells)
    return View(
        cells=table.cells,
        words={f"training {_noun(table.cells)}": lambda cell: f"{cell.settings['num_train']:,}"},
        columns=columns,
        judged=by,
        pairs=against_first(table.cells),
        figures=lambda: iter([("learning_curve", figure(table.cells))]),
    )


def _columns(cells: Sequence[Cell]) -> tuple[Columns, frozenset[str]]:
    """The columns, with further ones of what stands for plain figures where all cells have it; and
    the headings of those that show it in place of the plain figures, where only some have it."""
    tags = (TRAIN, TEST, GAP, AUC)
    if alike := _judged(cells):
        return columns_of((*tags, *alike)), frozenset()
    return judged_columns(tags, cells)


def _judged(cells: Sequence[Cell]) -> list[str]:
    """What stands for plain figures where memorization is judged, of all cells alike."""
    found = [{judged(tag, cell.tags) for tag in (TRAIN, GAP, AUC)} for cell in cells if cell.runs]
    return sorted(set.intersection(*found) - {TRAIN, GAP, AUC}) if found else []


def figure(cells: Sequence[Cell]) -> Figure:
    """Accuracy on training and test examples and the membership AUC, over the sizes: those by which
    memorization is judged, which the caption says where these are not the plain ones."""
    drawn, (axes,) = style.new_figure(width=7, height=4.2)
    cells = [cell for cell in cells if cell.runs]
    by = told(cells, most=0)
    lines = [as_judged(cell) for cell in cells]
    sizes = [cell.settings["num_train"] for cell in cells]
    least = [1.0]
    for number, (name, tag) in enumerate(LINES.items()):
        means = [cell.mean(tag) for cell in lines]
        least += [mean.value for mean in means if math.isfinite(mean.value)]
        style.line(axes, sizes, means, color=style.color(number), label=name, limits=limits(tag))
    labels = {1 / len(classes_of(cell.config.data)) for cell in cells}
    noun = _noun(cells)
    guesses = {0.5, *labels}  # of the AUC, and of the label
    style.reference(axes, *guesses)
    if sizes:
        style.size_axis(axes, sizes)
    axes.set(
        xlabel=f"training {noun}", ylabel="accuracy, AUC", ylim=(min(*guesses, *least) - 0.05, 1.02)
    )
    style.title(axes, (TITLE if _closes(cells) else NEUTRAL).format(noun=noun))
    axes.legend(loc="best", framealpha=0.8, edgecolor="none")
    says = f"train accuracy and membership AUC {by}\n" if by else ""
    style.caption(drawn, says + style.INTERVALS)
    return drawn


def _closes(cells: Sequence[Cell]) -> bool:
    """Whether the gap of the smallest training set is surely above `LEAST`, and that of the largest
    less than half of it, both the plain ones and those by which memorization is judged; and whether
    that one's test accuracy is surely better than a guess."""
    if len(cells) < 2 or not all(GAP in cell.tags for cell in cells):
        return False
    learned, guess = cells[-1].mean(TEST), 1 / len(classes_of(cells[-1].config.data))
    for few, many in (
        (cells[0].mean(GAP), cells[-1].mean(GAP)),
        (cells[0].judged(GAP), cells[-1].judged(GAP)),
    ):
        if few.low is None or many.high is None or learned.low is None:  # of one seed
            return False
        if few.low <= LEAST or many.high >= few.value / 2:
            return False
    return learned.low is not None and learned.low > guess + LEAST


def _noun(cells: Sequence[Cell]) -> str:
    """What the pictures of the cells are called."""
    return noun_of(cells[0].config.data) if cells else "examples"
