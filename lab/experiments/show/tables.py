"""A sweep's table as files: one CSV with a row for each run, and Markdown for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from lab.core.config import given
from lab.experiments.runner.grid import in_words, setting
from lab.experiments.runner.jobs import ASIDE
from lab.experiments.table import SPREADS, Cell, Table, spread

COLUMNS = {
    "train accuracy": "accuracy/train",
    "test accuracy": "accuracy/test",
    "unbiased": "accuracy/unbiased",
    "conflicting": "accuracy/conflicting",
    "worst group": "accuracy/worst_group",
    "held out": "accuracy/unseen_combinations",
    "gap": "gap/accuracy",
    "membership AUC": "memorization/membership_auc",
    "mislabeled fitted": "memorization/mislabeled_fitted",
}
"""What the Markdown table shows, where any run has it: heading -> tag."""


def to_csv(table: Table) -> str:
    """One row for each run: the settings that the grid or the user gave, the seed, how it ended,
    and every final figure with the ends of its interval (where it has any)."""
    settings = list(table.grid)
    for cell in table.cells:
        settings += [
            name
            for name in given(cell.config)
            if name not in settings and name not in ASIDE and name != "seed"
        ]
    tags = list(dict.fromkeys(t for cell in table.cells for run in cell.runs for t in run.figures))
    columns = [name for tag in tags for name in (tag, f"{tag}_low", f"{tag}_high")]
    rows = []
    for cell in table.cells:
        values = {name: in_words(setting(cell.config, name)) for name in settings}
        for run in cell.runs:
            row = {**values, "seed": run.seed, "folder": run.folder.name, "status": "finished"}
            for tag, figure in run.figures.items():
                row |= {tag: figure.value, f"{tag}_low": figure.low, f"{tag}_high": figure.high}
            rows.append(row)
        for failure in table.failed:
            if failure.settings == cell.settings:
                rows.append(
                    {**values, "seed": failure.seed, "folder": failure.folder.name,
                     "status": "failed", "reason": failure.reason}
                )  # fmt: skip
    used = [name for name in columns if any(_known(row.get(name)) for row in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(
        text, [*settings, "seed", "folder", "status", "reason", *used], extrasaction="ignore",
        lineterminator="\n",
    )  # fmt: skip
    writer.writeheader()
    for row in rows:
        writer.writerow({name: value for name, value in row.items() if _known(value)})
    return text.getvalue()


def to_markdown(table: Table, tags: Sequence[str] = ()) -> str:
    """One row for each cell: the mean over its seeds, and in brackets the lowest and the highest,
    of the figures that `COLUMNS` names and of `tags`, where any run has them."""
    columns = {name: tag for name, tag in COLUMNS.items() if tag in table.tags}
    shown = columns.values()
    columns |= {tag: tag for tag in tags if tag in table.tags and tag not in shown}
    names = list(table.grid)
    lines = [
        f"| {' | '.join([*names, 'seeds', *columns])} |",
        "|" + "---|" * len(names) + "---:|" + "---|" * len(columns),
    ]
    for cell in table.cells:
        words = [_cell_word(cell.settings[name]) for name in names]
        figures = [_spread(cell, tag) for tag in columns.values()]
        lines.append(f"| {' | '.join([*words, str(len(cell.runs)), *figures])} |")
    if any(len(cell.runs) > 1 for cell in table.cells):
        lines += ["", SPREADS]
    return "\n".join(lines)


def _spread(cell: Cell, tag: str) -> str:
    return spread(cell.values(tag)) if tag in cell.tags else "—"


def _cell_word(value: Any) -> str:
    """A setting's value in a table: numbers with commas between thousands."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return in_words(value).replace("|", "\\|")


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))
