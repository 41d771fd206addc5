"""The results of a grid as tables, in Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lab.core.config import RunConfig, given
from lab.core.estimate import Estimate
from lab.core.finite import ONE_COLOR
from lab.core.metrics import limits
from lab.core.words import NOTHING, has_spread, over_seeds, percent
from lab.experiments.compare import Pair
from lab.experiments.judged import as_judged, note, pair_as_judged
from lab.experiments.metrics import FITTED
from lab.experiments.runner.grid import in_words, setting
from lab.experiments.runner.jobs import ASIDE
from lab.experiments.show.view import Columns, View, Words
from lab.experiments.table import Cell, Table
from lab.models import has_width

MEANS = (
    "Means over seeds; in round brackets their 95 % interval (Student's), in square brackets the"
    " lowest and the highest seed. Where all seeds gave the same number, there is no interval: it"
    " says nothing of their spread."
)

UNSHOWN, NOT_FITTED = "not all shown", "not fitted"
MARKED = ("seeds", UNSHOWN, NOT_FITTED)
"""Columns of the table of means that are neither settings nor metrics."""

UNFITTED = f"Not fitted: seeds that end with an accuracy below {FITTED:g} on their training labels."

UNREACHED = (
    "Not all shown: seeds whose networks were not shown all their training examples, because they"
    " took too few steps, or early stopping kept weights of an early step. All examples count as"
    " trained on, so that the figures show less of what was memorized."
)

UNCLEAR = (
    "Not finite: in {runs} a logit of some pictures is not a finite number"
    f" (`answers/not_finite_…`): {ONE_COLOR} NaN counts as a wrong answer; mean losses, calibration"
    " and membership AUC on such pictures are not known."
)

KNOWN = (
    "Known before: in {runs} the network got {share} of its test examples right before any training"
    " (`accuracy/test_before_training`). If its weights come from an earlier training on some of"
    " them, its figures on the test set are too good."
)

UNSTUDIED = (
    "Groups not studied: in {runs} {share} of the test examples are of groups (class and --groups"
    " together) that the training set lacks (`memorization/test_in_unstudied_groups`). That these"
    " are less often right may come from that, and not from memory, and gap and membership AUC"
    " count them, too."
)

DIFFERENCES = (
    "Differences from the baseline, seed by seed: the mean and its 95 % interval (Student's), each"
    " for one comparison by itself; * where the interval excludes 0, if the seeds do not all differ"
    " by the same amount, which says nothing of their spread."
)


def to_markdown(view: View) -> str:
    """The table of means and that of differences, with notes below each; what is doubtful of
    pictures first."""
    blocks = [mean_table(view.cells, view.words, view.columns, view.judged)]
    blocks += [f"Warning, {doubt}" for doubt in view.about_pictures]
    if any(len(cell.runs) > 1 for cell in view.cells):
        blocks.append(MEANS)
    if any(cell.unreached for cell in view.cells):
        blocks.append(UNREACHED)
    if bad := sum(cell.not_finite for cell in view.cells):
        runs = sum(len(cell.runs) for cell in view.cells)
        blocks.append(UNCLEAR.format(runs=f"{bad:,} of {runs:,} runs"))
    if known := [right for cell in view.cells for right in cell.known_before]:
        blocks.append(KNOWN.format(**_how_many(known, view.cells)))
    if unlike := [share for cell in view.cells for share in cell.unstudied]:
        blocks.append(UNSTUDIED.format(**_how_many(unlike, view.cells)))
    if unfitted := [cell for cell in view.cells if cell.unfitted]:
        blocks.append(f"{UNFITTED} {_why_unfitted(unfitted)}")
    compared = any(len(p.cell.runs) > 1 and len(p.baseline.runs) > 1 for p in view.pairs)
    if view.judged:
        names = [name for name in view.columns if name in view.judged]
        blocks.append(note(names, view.cells, view.pairs if compared else ()))
    if compared:
        table = difference_table(view.pairs, view.words, view.columns, view.judged)
        blocks += [table, DIFFERENCES]
    return "\n\n".join(blocks)


def _how_many(found: Sequence[Estimate], cells: Sequence[Cell]) -> dict[str, str]:
    """In how many `runs` of the cells one of these shares was found, and the `share`, in words."""
    runs = sum(len(cell.runs) for cell in cells)
    low, high = (percent(most(each.value for each in found)) for most in (min, max))
    return {
        "runs": f"{len(found):,} of {runs:,} runs",
        "share": low if low == high else f"{low} to {high}",
    }


def _why_unfitted(cells: Sequence[Cell]) -> str:
    """Why the networks of cells may not have fitted their training labels, and what to do."""
    runs, left = (
        sum(counts)
        for counts in zip(*((c.unfitted, c.wrong_labels_left) for c in cells), strict=True)
    )
    if not left:
        return _why_learning(cells)
    which = "They" if left == runs else f"Of these {runs:,}, {left:,}"
    told = (
        f"{which} have fitted the right ones among these labels, or nearly: what they did not fit"
        " are wrong labels, as training that is to resist them should."
    )
    others = [cell for cell in cells if cell.unfitted > cell.wrong_labels_left]
    return f"{told} The others: {_why_learning(others)}" if others else told


def _why_learning(cells: Sequence[Cell]) -> str:
    """The same of networks that have not fitted the right ones either, as far as that is known."""
    configs = [cell.config for cell in cells]
    if any(config.train.early_stopping for config in configs):
        return (
            "Some were to stop early (--early-stopping); others were still learning, or too small."
        )
    if any(config.train.stop_at_loss for config in configs):
        return (
            "Some were to end at a training loss (--stop-at-loss); others were still learning, or"
            " too small."
        )
    if all(run.shown is None for cell in cells for run in cell.runs):  # of loops without flags
        return f"Their networks were still learning, or were too small{_contradicted(configs)}."
    wider = ", a larger --width" if any(has_width(c.model.model) for c in configs) else ""
    return (
        f"Their networks were still learning, or were too small: more --steps{wider}"
        f"{_contradicted(configs)}."
    )


def _contradicted(configs: Sequence[RunConfig]) -> str:
    """What else may be the matter with pictures from disk."""
    if all(config.data.data is None for config in configs):
        return ""
    return "; or some pictures are there twice, with different labels"


def mean_table(
    cells: Sequence[Cell], words: Words, columns: Columns, judged: Collection[str] = ()
) -> str:
    """A row for each cell: its settings, the number of seeds, how many of them were not shown all
    their training data, or did not fit it (where any cell has such seeds), and the metrics: below
    the headings `judged`, what stands for them where memorization is judged by other figures."""
    marks = {
        UNSHOWN: [cell.unreached for cell in cells],
        NOT_FITTED: [cell.unfitted for cell in cells],
    }
    marks = {name: counts for name, counts in marks.items() if any(counts)}
    header = [*words, "seeds", *marks, *columns]
    rows = []
    for place, cell in enumerate(cells):
        row = [word(cell) for word in words.values()]
        row.append(str(len(cell.runs)))
        for counts in marks.values():
            row.append(f"{counts[place]} of {len(cell.runs)}" if counts[place] else "")
        mine = as_judged(cell)
        for name, tag in columns.items():
            row.append(mean_text(mine if name in judged else cell, tag(cell)))
        rows.append(row)
    return _markdown(header, rows, left=len(words))


def mean_text(cell: Cell, tag: str) -> str:
    """A metric's mean over the seeds with its interval, cut to the values that the metric can have,
    and the lowest and highest seed: '0.912 (0.884–0.940) [0.901–0.925]'; '0.500 (all 3 seeds)'
    where these are the same; with the number of seeds that have it, where others do not."""
    if tag not in cell.found:
        return NOTHING
    values, mean = cell.known(tag), cell.mean(tag).within(*limits(tag))
    some = f" in {len(values)} of {len(cell.runs)} seeds" if len(values) < len(cell.runs) else ""
    if some and not has_spread(mean):
        return f"{mean.value:.3f}{some}"
    text = over_seeds(mean, 3)
    if len(values) > 1 and values.min() < values.max():
        text += f" [{values.min():.3f}–{values.max():.3f}]"
    return text + some


def difference_table(
    pairs: Sequence[Pair], words: Words, columns: Columns, judged: Collection[str] = ()
) -> str:
    """A row for each pair: the cell, its baseline (in what they differ), and the differences, of
    the same figures as `mean_table`'s; none where the two have figures of different kinds."""
    header = [*words, "baseline", *columns]
    rows = []
    for pair in pairs:
        mine = {name: word(pair.cell) for name, word in words.items()}
        other = {name: word(pair.baseline) for name, word in words.items()}
        apart = ", ".join(f"{n} {other[n]}" for n in words if mine[n] != other[n])
        by = pair_as_judged(pair)
        shown = (
            difference_text(by if name in judged else pair, tag(pair.cell))
            for name, tag in columns.items()
        )
        rows.append([*mine.values(), apart, *shown])
    return _markdown(header, rows, left=len(words) + 1)


def difference_text(pair: Pair, tag: str) -> str:
    """A difference with its sign and interval, and * where that excludes 0, with the number of
    seeds where others have none. Seeds that all differ by the same amount (few test examples) tell
    nothing of the spread, and get no *."""
    difference = pair.difference(tag)
    every, count = len(pair.cell.runs), difference.count or 0
    some = f" in {count} of {every} seeds" if 0 < count < every else ""
    low, high = difference.interval
    sure = low < high and (low > 0 or high < 0)
    if some and not has_spread(difference):
        return f"{difference.value:+.3f}{some}"
    return over_seeds(difference, 3, sign="+") + some + (" *" if sure else "")


def runs_csv(table: Table) -> str:
    """One row for each run: the settings that the grid or the user gave, the seed, how it ended,
    and every final metric with the ends of its interval (where it has any)."""
    settings = _settings(table)
    tags = list(dict.fromkeys(t for cell in table.cells for run in cell.runs for t in run.metrics))
    columns = [name for tag in tags for name in (tag, f"{tag}_low", f"{tag}_high")]
    rows = []
    for cell in table.cells:
        values = _values(cell, settings)
        for run in cell.runs:
            row = {**values, "seed": run.seed, "folder": run.folder.name, "status": "finished"}
            for tag, metric in run.metrics.items():
                row |= {tag: metric.value, f"{tag}_low": metric.low, f"{tag}_high": metric.high}
            rows.append(row)
        for failure in table.failed:
            if failure.settings == cell.settings:
                rows.append(
                    {**values, "seed": failure.seed, "folder": failure.folder.name,
                     "status": "failed", "reason": failure.reason}
                )  # fmt: skip
    used = [name for name in columns if any(_known(row.get(name)) for row in rows)]
    return _csv([*map(_column, settings), "seed", "folder", "status", "reason", *used], rows)


def cells_csv(table: Table) -> str:
    """One row for each cell and metric: the settings, the number of seeds, how many of them did not
    fit their training data, and were not shown all of it, the mean with its 95 % interval, the
    lowest and the highest seed."""
    settings = _settings(table)
    rows = []
    for cell in table.cells:
        for tag in cell.found:
            values, mean = cell.known(tag), cell.mean(tag)
            rows.append(
                {**_values(cell, settings), "metric": tag, "seeds": len(values),
                 "not_fitted": cell.unfitted, "not_all_shown": cell.unreached,
                 "mean": mean.value, **_ends(mean), "lowest": values.min(), "highest": values.max()}
            )  # fmt: skip
    names = (
        "metric", "seeds", "not_fitted", "not_all_shown",
        "mean", "low", "high", "lowest", "highest",
    )  # fmt: skip
    return _csv([*map(_column, settings), *names], rows)


def differences_csv(table: Table, pairs: Sequence[Pair]) -> str:
    """One row for each pair of cells and metric: the settings, those of the baseline, the number of
    seeds that both have, and the mean difference with its 95 % interval."""
    settings = _settings(table)
    rows = []
    for pair in pairs:
        baseline = {f"baseline_{n}": v for n, v in _values(pair.baseline, table.grid).items()}
        for tag in pair.cell.found:
            found = pair.difference(tag)
            if found.count:
                rows.append(
                    {**_values(pair.cell, settings), **baseline, "metric": tag,
                     "seeds": found.count, "difference": found.value, **_ends(found)}
                )  # fmt: skip
    names = ("metric", "seeds", "difference", "low", "high")
    return _csv(
        [*map(_column, settings), *(f"baseline_{name}" for name in table.grid), *names], rows
    )


def cell_word(value: Any) -> str:
    """A setting's value in a table: whole numbers with commas between thousands."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return in_words(value)


def _ends(mean: Estimate) -> dict[str, float | None]:
    """The columns with the ends of the interval of a mean over seeds; none where all are the
    same."""
    return {"low": mean.low, "high": mean.high} if has_spread(mean) else {}


def _settings(table: Table) -> list[str]:
    """The names of the settings that the grid varies or the user gave."""
    names = list(table.grid)
    for cell in table.cells:
        names += [
            name
            for name in given(cell.config)
            if name not in names and name not in ASIDE and name != "seed"
        ]
    return names


def _values(cell: Cell, settings: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    return {_column(name): in_words(setting(cell.config, name)) for name in settings}


def _column(name: str) -> str:
    """A setting's column in a CSV file: `metric` is that of the metric that a row is about."""
    return "own_metrics" if name == "metric" else name


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """A Markdown table whose first columns, `left` of them, are aligned left, the others right."""
    lines = [header, ["---"] * left + ["---:"] * (len(header) - left), *rows]
    escaped = [[word.replace("|", "\\|") for word in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def _csv(header: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: value for name, value in row.items() if _known(value)})
    return text.getvalue()


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))
