"""Metrics as tables for the terminal, at most `WIDTH` columns wide."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from lab.core.config import RunConfig, flag
from lab.core.estimate import Estimate
from lab.core.metrics import GOOD, METRICS, chance_level, find, heading, label
from lab.core.words import interval, percent, percents, those
from lab.measure import varying
from lab.measure.perturbations import GRID
from lab.worlds import DrawnWorld, StoredWorld, World

WIDTH = 100

FAMILIES = (
    "accuracy", "subpopulation_accuracy", "group_accuracy", "reliance", "logit_change",
    "necessity", "sufficiency", "shapley", "robust_accuracy", "pictures_shown", "answers",
    "perturbation", "occlusion",
)  # fmt: skip
"""The metrics with a table or a sentence of their own, by the first part of their tags."""

TOLD = ("shortcut/strongest",)
"""Metrics that the table of reliance shows."""

SMALL = 0.05
"""Nuisances whose interval of reliance lies below this are summed up in one line."""

Metrics = Mapping[str, "Estimate | float"]
Row = Sequence[str]


def setting_text(own: RunConfig, config: RunConfig, world: World, *, known: bool = False) -> str:
    """What is measured, and where that differs from what the run was trained with. `known`:
    whether the network may know some of it from its training."""
    what = f"the task {config.data.task}" if config.data.data is None else config.data.data
    lines = [f"{'Test' if known else 'Unseen'} {world.noun} of {what}, seed {config.seed}"]
    for name in (
        "cues",
        "cue_visibility",
        "subpopulations",
        "missing",
        "unseen_combinations",
        "variation",
    ):
        now, before = getattr(config.data, name), getattr(own.data, name)
        if now != before:
            lines.append(f"  {flag(name)} {_words(now)} (training: {_words(before)})")
    if len(lines) == 1 and config.data.data is None:  # what others have put into a set is not known
        lines[0] += ", of the population that it was trained on"
    if isinstance(world, StoredWorld) and (numbers := world.numbers_of_clusters):
        count = numbers[1]
        by = f"{those(count, 'cluster', 'clusters')} by {flag('clusters')} {world.data.clusters}"
        lines.append(f"  of {by}; {'intervals are over these' if count > 1 else 'no intervals'}")
    return "\n".join(fitted(line) for line in lines)


def to_text(metrics: Metrics, world: World) -> str:
    """All tables for which there are metrics, separated by empty lines; and a warning if
    predictions are not a function of the picture."""
    tables = [accuracy_table(metrics, world), reliance_table(metrics, world)]
    tables += [perturbation_table(metrics), components_table(metrics, world), other_table(metrics)]
    tables.append(textwrap.fill(varying(metrics), WIDTH))
    return "\n\n".join(table for table in tables if table)


def accuracy_table(metrics: Metrics, world: World) -> str:
    """Accuracy on every set and group of examples; groups stand below the set that they are of."""
    found = _under("accuracy", metrics)
    groups = [
        accuracy_row(f"  {group}", share)
        for group, share in _under("group_accuracy", metrics).items()
    ]
    rows = [accuracy_row(f"test {world.noun}", found.pop("test"))]
    shares = _under("subpopulation_accuracy", metrics)
    for kind in world.subpopulations:
        if kind.name in shares:
            name = world.classes[kind.label]
            words = kind.name if kind.name == name else f"{kind.name} ({name})"
            rows.append(accuracy_row(f"  {words}", shares[kind.name]))
    combinations = world.population.unseen_combinations if isinstance(world, DrawnWorld) else ()
    for row in METRICS:  # in the table's order
        family, _, name = row.name.partition("/")
        if family != "accuracy" or name not in found:
            continue
        words = label(row.name)
        if name == "unseen_combinations":
            words += f": {' or '.join(map(str, combinations))}"
        if name == "worst_group" and "unbiased" not in found:  # they are of the test set
            rows += groups
        rows.append(accuracy_row(words, found[name]))
        if name == "unbiased":
            rows += groups
    guess = chance_level("accuracy/test", len(world.classes)) or 0
    rows.append(("a guess", f"{100 * guess:.3g} %", "", ""))
    if isinstance(world, StoredWorld) and world.majority > guess:
        rows.append(("always the most frequent class", percent(world.majority), "", ""))
    return table(("Accuracy", "right", "95 % interval", world.noun), rows)


def other_table(metrics: Metrics) -> str:
    """Metrics that have no table of their own: loss, calibration, the user's."""
    rows = []
    for tag, metric in metrics.items():
        row = find(tag)
        if row.name in TOLD or row.name.partition("/")[0] in FAMILIES:
            continue
        value, ends = (
            (metric, "")
            if isinstance(metric, (int, float))
            else (metric.value, "" if metric.low is None else interval(metric, 3))
        )
        rows.append((heading(tag), f"{value:.3f}", ends, row.range, GOOD[row.better]))
    header = ("Other metrics", "value", "95 % interval", "unit, range", "good")
    return table(header, rows) if rows else ""


def reliance_table(metrics: Metrics, world: World) -> str:
    """Reliance on every attribute; nuisances with small reliance are summed up in one line."""
    found = _under("reliance", metrics)
    if not found:
        return ""
    moved = _under("logit_change", metrics)
    relevant = world.relevant
    nuisances = sorted((n for n in found if n not in relevant), key=lambda n: -found[n].value)
    large = [name for name in nuisances if found[name].interval[1] >= SMALL]

    def row(name: str) -> Row:
        share = found[name]
        return (f"  {name}", *_share(share), f"{moved[name].value:.2f}", f"{share.count:,}")

    rows: list[Row] = [("Relevant attributes (changes of the label only): should be 100 %",)]
    rows += [row(name) for name in relevant if name in found]
    rows += [("Nuisances: should be 0 %",), *map(row, large)]
    small = [name for name in nuisances if name not in large]
    if small:
        most = percent(found[small[0]].value)
        others = "others" if large else "nuisances"
        rows.append(
            (f"  {len(small)} {others}, each interval below {100 * SMALL:g} % (largest: {most})",)
        )
    schema = world.domain.schema if isinstance(world, DrawnWorld) else {}
    unmeasured = [n for n in schema if n not in found]
    if unmeasured:
        why = "not measured, as no intervention changes a pixel (or, of relevant ones, the label)"
        rows.append((f"  {why}: {', '.join(unmeasured)}",))
    header = ("Reliance: predictions that change", "share", "95 % interval",
              "|Δ log odds|", "pairs")  # fmt: skip
    return table(header, rows)


def perturbation_table(metrics: Metrics) -> str:
    """The shares of predictions that perturbations change, and those of occluded patches as they
    lie in the picture."""
    found = _under("perturbation", metrics)
    if not found:
        return ""
    rows: list[Row] = [accuracy_row(f"  {name}", share) for name, share in found.items()]
    patches = iter(_under("occlusion", metrics).values())
    lines = [table(("Predictions that change", "share", "95 % interval", "pictures"), rows)]
    lines.append("  with one of the patches occluded, as they lie in the picture:")
    while row := [percent(share.value) for share in islice(patches, GRID)]:
        lines.append("  " + "".join(f"{cell:>9}" for cell in row))
    return "\n".join(lines)


def components_table(metrics: Metrics, world: World) -> str:
    """What each component does for the prediction, where the task is about components."""
    shapley, necessity, sufficiency = (
        _under(family, metrics) for family in ("shapley", "necessity", "sufficiency")
    )
    parts = [name for name in world.components if name in shapley]
    if not parts:
        return ""
    fair = f"{1 / len(parts):.3g}"
    rows: list[Row] = [("  true rule", percent(1), "", percent(0), "", fair, "")]
    for part in parts:
        value = shapley[part]
        rows.append(
            (f"  {part}", *_share(necessity[part]), *_share(sufficiency[part]),
             f"{value.value:.2f}", interval(value))
        )  # fmt: skip
    what = f"Parts, for {world.classes[-1]}"
    header = (what, "necessity", "95 %", "sufficiency", "95 %", "Shapley", "95 %")
    return table(header, rows)


def table(header: Row, rows: Iterable[Row]) -> str:
    """Columns side by side, the first at its left end, the others at their right one.

    A row of one cell is a line across. No line is longer than `WIDTH`; the first column gives way.
    """
    rows = [header, *rows]
    cells = [row for row in rows if len(row) > 1]
    wide = [max(len(row[k]) for row in cells) for k in range(len(header))]
    wide[0] = min(wide[0], WIDTH - sum(wide[1:]) - 2 * (len(wide) - 1))
    lines = []
    for row in rows:
        if len(row) == 1:
            lines.append(fitted(row[0]))
            continue
        first = row[0] if len(row[0]) <= wide[0] else row[0][: wide[0] - 1] + "…"
        rest = (f"  {cell:>{w}}" for cell, w in zip(row[1:], wide[1:], strict=True))
        lines.append(f"{first:<{wide[0]}}{''.join(rest)}".rstrip())
    return "\n".join(lines)


def accuracy_row(what: str, share: Estimate) -> Row:
    """A row for a share of examples."""
    return what, *_share(share), f"{share.count:,}"


def _share(share: Estimate) -> tuple[str, str]:
    """A share and its interval; dashes where there was nothing to count, or is none."""
    if math.isnan(share.value):
        return "–", "–"
    return percent(share.value), percents(share) or "–"


def _under(family: str, metrics: Metrics) -> dict[str, Estimate]:
    """The metrics `family/name`, by name."""
    pairs = ((tag.partition("/"), metric) for tag, metric in metrics.items())
    return {
        name: metric
        for (first, _, name), metric in pairs
        if first == family and isinstance(metric, Estimate)
    }


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none named"
    return str(value)


def fitted(line: str) -> str:
    """A line; if it is too long several, indented like the first and a little more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
