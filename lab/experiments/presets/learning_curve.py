"""The learning curve: the same run with more and more faces, several seeds each."""

from __future__ import annotations

from pathlib import Path

from lab.experiments import SPREADS, Table, spread
from lab.worlds import get_task

COLUMNS = {
    "train accuracy": "accuracy/train",
    "test accuracy": "accuracy/test",
    "gap": "gap/accuracy",
    "membership AUC": "memorization/membership_auc",
}
"""What the table shows of each run's final figures."""


def to_markdown(table: Table) -> str:
    """The learning curve as a table: the mean over seeds, and in brackets the lowest and the
    highest."""
    lines = [
        "| training faces | " + " | ".join(COLUMNS) + " |",
        "|---:|" + "---|" * len(COLUMNS),
    ]
    for cell in table.cells:
        figures = [spread(cell.values(tag)) for tag in COLUMNS.values()]
        lines.append(f"| {cell.settings['num_train']:,} | " + " | ".join(figures) + " |")
    if any(len(cell.runs) > 1 for cell in table.cells):
        lines += ["", SPREADS]
    return "\n".join(lines)


def plot(table: Table, path: Path) -> None:
    """Draw accuracy on studied and unseen faces, and the membership AUC, over the numbers of
    training faces."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    cells = [cell for cell in table.cells if cell.runs]
    sizes = [cell.settings["num_train"] for cell in cells]
    for label, color in (
        ("train accuracy", "#e07b00"), ("test accuracy", "#1565c0"), ("membership AUC", "#8e24aa"),
    ):  # fmt: skip
        values = [cell.values(COLUMNS[label]) for cell in cells]
        axes.plot(sizes, [v.mean() for v in values], color=color, marker="o", label=label)
        axes.fill_between(sizes, [v.min() for v in values], [v.max() for v in values], color=color,
                          alpha=0.2)  # fmt: skip
    guesses = {0.5, get_task(table.cells[0].config.data.task).chance}  # of the AUC, and the label
    for guess in guesses:
        axes.axhline(guess, color="#999999", linewidth=1, linestyle=":")
    low = min(guesses) - 0.05
    axes.set(xscale="log", xlabel="training faces", ylim=(low, 1.02), xticks=sizes)
    axes.set_ylabel("accuracy, AUC")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_title("Few faces are memorized, many are learned", loc="left")
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
