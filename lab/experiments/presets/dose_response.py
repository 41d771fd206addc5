"""Dose and response: the same run at increasing strengths of a cue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lab.core.config import RunConfig, flag
from lab.core.metrics import heading
from lab.core.words import in_steps
from lab.experiments.compare import against_first
from lab.experiments.plan import Plan, Preset
from lab.experiments.presets.learning_curve import SAME_ONLINE
from lab.experiments.show import style
from lab.experiments.show.view import View, columns_of
from lab.experiments.table import Cell, Table
from lab.training.schedule import evaluation_steps
from lab.worlds import Cue, get_task
from lab.worlds.cues import parse_cues

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEST, UNBIASED = "accuracy/test", "accuracy/unbiased"
CONFLICTING, WORST = "accuracy/conflicting", "accuracy/worst_group"

ACCURACIES = (TEST, UNBIASED, CONFLICTING, WORST)
"""The accuracies that the table shows, beside the reliance on the cue."""

DRAWN = (TEST, UNBIASED, CONFLICTING)
"""The accuracies of the plot, which has the reliance as well."""

RELIANCE = "reliance on it"

ENDS = 2
"""Evaluations of a run that has them at its start and its end only."""


def strengths_of(task: str) -> tuple[float, ...]:
    """Six strengths from no link (1 / number of classes) to 1, for the task of that name."""
    none = get_task(task).chance
    return (none, (1 + none) / 2, 0.9, 0.95, 0.99, 1.0)


def plan(
    base: RunConfig, cues: Sequence[str], strengths: Sequence[float], sizes: Sequence[int]
) -> Plan:
    """Every cue (as `--cues` takes it, without a strength) at every strength, for every number of
    training examples."""
    doses = tuple((f"{cue}:{strength:g}",) for cue in cues for strength in strengths)
    return Plan(base, {"num_train": tuple(sizes), "cues": doses}, "dose and response")


def preset(
    base: RunConfig, cues: Sequence[str], strengths: Sequence[float], sizes: Sequence[int]
) -> Preset:
    """The dose–response curves of one network; `ValueError` if reliance is not to be measured, if
    what ends training early is not looked at before its end, or for several sizes of a training set
    that online training does not have."""
    if base.counterfactuals < 1:
        raise ValueError(
            f"--counterfactuals must be 1 or more here, not {base.counterfactuals}: reliance on the"
            " cue is measured by them"
        )
    train = base.train
    every, steps = train.eval_every, train.max_steps
    if every is not None and len(evaluation_steps(steps, every)) <= ENDS:
        for name in ("early_stopping", "stop_at_loss"):
            if (value := getattr(train, name)) is not None:
                raise ValueError(
                    f"{flag(name)} {value:g} goes by evaluations, and with --eval-every {every:,} a"
                    f" run of {in_steps(steps)} has them at its start and its end only: give"
                    f" --eval-every {max(1, steps // 20)}"
                )
    if train.online and len(sizes) > 1:
        raise ValueError(f"{SAME_ONLINE}: name one of them, or leave it out")
    return Preset(plan=plan(base, cues, strengths, sizes), view=view)


def view(table: Table) -> View:
    """The table over cues, sizes and strengths, each strength compared with the first of its cue
    and size; and the plot."""
    ordered = [cell for cells in _panels(table).values() for cell in cells]
    return View(
        cells=ordered,
        words={
            "cue": lambda cell: _cue(cell).what,
            "training faces": _faces,
            "strength": lambda cell: f"{_cue(cell).strength:g}",
        },
        columns={**columns_of(ACCURACIES), RELIANCE: reliance},
        pairs=[pair for cells in _panels(table).values() for pair in against_first(cells)],
        figures=lambda: _figures(table),
    )


def reliance(cell: Cell) -> str:
    """The tag of the reliance on a cell's cue."""
    return f"reliance/{_cue(cell).attribute}"


def figure(table: Table) -> Figure:
    """Accuracies and reliance over the strength, a panel for each cue and number of examples."""
    panels = _panels(table)
    width = 3.3 if len(panels) > 1 else 5.0  # legend and caption need as much
    drawn, grid = style.new_figure(len(panels), columns=4, width=width, height=3.0, sharey=True)
    for axes, ((cue, _), cells) in zip(grid, panels.items(), strict=True):
        mine = [cell for cell in cells if cell.runs]
        places = range(len(mine))  # strengths crowd near 1
        for number, name in enumerate((*DRAWN, RELIANCE)):
            means = [cell.mean(reliance(cell) if name == RELIANCE else name) for cell in mine]
            style.line(axes, places, means, color=style.color(number), limits=(0, 1),
                       label=name if name == RELIANCE else heading(name))  # fmt: skip
        axes.set(ylim=(-0.02, 1.02), xlabel="strength of the cue")
        style.reference(axes, _cue(cells[0]).no_link)
        axes.set_xticks(places, [f"{_cue(cell).strength:g}" for cell in mine])
        style.title(axes, f"{cue}, {_faces(cells[0])} faces")
    grid[0].set_ylabel("accuracy, reliance")
    style.legend_above(drawn, grid[0])
    style.caption(drawn)
    return drawn


def _faces(cell: Cell) -> str:
    """How many training faces a cell has, or that they are new at every step."""
    return "new" if cell.config.train.online else f"{cell.settings['num_train']:,}"


def _figures(table: Table) -> Iterator[tuple[str, Figure]]:
    yield "dose_response", figure(table)


def _panels(table: Table) -> dict[tuple[str, int], list[Cell]]:
    """The cells of each cue and number of examples, in the order of the cues."""
    panels: dict[tuple[str, int], list[Cell]] = {
        (cue, size): []
        for cue in dict.fromkeys(_cue(cell).what for cell in table.cells)
        for size in table.grid["num_train"]
    }
    for cell in table.cells:
        panels[_cue(cell).what, cell.settings["num_train"]].append(cell)
    return panels


def _cue(cell: Cell) -> Cue:
    """The one cue of a cell's runs."""
    data = cell.config.data
    (cue,) = parse_cues(data.cues, get_task(data.task), visibility=data.cue_visibility)
    return cue
