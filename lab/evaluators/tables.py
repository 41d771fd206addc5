"""Figures as tables for the terminal, at most `WIDTH` columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from lab.core.config import RunConfig, flag
from lab.core.estimate import Estimate
from lab.core.words import chance, interval, percent, percents
from lab.measure import varying
from lab.worlds import DrawnWorld, World

WIDTH = 100

SMALL = 0.05
"""Reliance on nuisances that is surely below this is summed up in one line."""

Figures = Mapping[str, Estimate]
Row = Sequence[str]


def setting_text(own: RunConfig, config: RunConfig, world: World) -> str:
    """What is measured, and where that differs from what the run was trained with."""
    what = f"the task {config.data.task}" if config.data.data is None else config.data.data
    lines = [f"Unseen {world.noun} of {what}, seed {config.seed}"]
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
    if len(lines) == 1:
        lines[0] += ", of the population that it was trained on"
    return "\n".join(fitted(line) for line in lines)


def to_text(figures: Figures, world: World) -> str:
    """All tables there are figures for, with an empty line between them; and a warning of answers
    that are no function of the picture."""
    tables = [accuracy_table(figures, world), reliance_table(figures, world)]
    tables += [components_table(figures, world), textwrap.fill(varying(figures), WIDTH)]
    return "\n\n".join(table for table in tables if table)


def accuracy_table(figures: Figures, world: World) -> str:
    """Accuracy on every set and group of examples."""
    rows = [accuracy_row(f"test {world.noun}", figures["accuracy/test"])]
    for kind in world.kinds:
        if figure := figures.get(f"subpopulation_accuracy/{kind.name}"):
            label = world.classes[kind.label]
            words = kind.name if kind.name == label else f"{kind.name} ({label})"
            rows.append(accuracy_row(f"  {words}", figure))
    combinations = world.population.unseen_combinations if isinstance(world, DrawnWorld) else ()
    unseen = " or ".join(map(str, combinations))
    for name, words in (
        ("unbiased", "where the cues say nothing"),
        ("worst_group", "  worst group"),
        ("conflicting", "where every cue contradicts the label"),
        ("unseen_combinations", f"unseen combinations: {unseen}"),
    ):
        if figure := figures.get(f"accuracy/{name}"):
            if name == "worst_group":
                rows += [
                    accuracy_row(f"  {group}", one)
                    for group, one in _under("group_accuracy", figures).items()
                ]
            rows.append(accuracy_row(words, figure))
    rows.append(("a guess", chance(len(world.classes)), "", ""))
    return table(("Accuracy", "right", "95 % interval", world.noun), rows)


def reliance_table(figures: Figures, world: World) -> str:
    """Reliance on every attribute, in words where it is small."""
    found = _under("reliance", figures)
    if not found:
        return ""
    moved = _under("logit_change", figures)
    relevant = world.relevant
    nuisances = sorted((n for n in found if n not in relevant), key=lambda n: -found[n].value)
    large = [name for name in nuisances if found[name].interval[1] >= SMALL]

    def row(name: str) -> Row:
        figure = found[name]
        return (f"  {name}", *_share(figure), f"{moved[name].value:.2f}", f"{figure.count:,}")

    rows: list[Row] = [("What the label depends on: all should change",)]
    rows += [row(name) for name in relevant if name in found]
    rows += [("Nuisances: none should",), *map(row, large)]
    small = [name for name in nuisances if name not in large]
    if small:
        most = percent(found[small[0]].value)
        others = "others" if large else "nuisances"
        rows.append(
            (f"  {len(small)} {others}, each surely below {100 * SMALL:g} % (the largest: {most})",)
        )
    schema = world.domain.schema if isinstance(world, DrawnWorld) else {}
    untold = [n for n in schema if n not in found]
    if untold:
        why = "never to be seen, without a choice, or without another answer"
        rows.append((f"  {why}: {', '.join(untold)}",))
    header = ("Answers that change with one attribute", "share", "95 % interval",
              "log odds move by", "pairs")  # fmt: skip
    return table(header, rows)


def components_table(figures: Figures, world: World) -> str:
    """What each component does for the answer, where the task is about components."""
    parts = [name for name in world.components if f"shapley/{name}" in figures]
    if not parts:
        return ""
    fair = f"{1 / len(parts):.3g}"
    rows: list[Row] = [("  by the rule", percent(1), "", percent(0), "", fair, "")]
    for part in parts:
        value = figures[f"shapley/{part}"]
        rows.append(
            (f"  {part}", *_share(figures[f"necessity/{part}"]),
             *_share(figures[f"sufficiency/{part}"]), f"{value.value:.2f}", interval(value))
        )  # fmt: skip
    what = f"Which parts make: {world.classes[-1]}"
    header = (what, "necessary", "95 %", "sufficient", "95 %", "Shapley", "95 %")
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


def accuracy_row(what: str, figure: Estimate) -> Row:
    """A row for a share of examples."""
    return what, *_share(figure), f"{figure.count:,}"


def _share(figure: Estimate) -> tuple[str, str]:
    """A share and its interval; dashes where there was nothing to count."""
    if figure.low is None or figure.high is None:
        return "–", "–"
    return percent(figure.value), percents(figure)


def _under(metric: str, figures: Figures) -> dict[str, Estimate]:
    """The figures `metric/name`, by name."""
    return {
        tag.partition("/")[2]: f for tag, f in figures.items() if tag.partition("/")[0] == metric
    }


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none named"
    return str(value)


def fitted(line: str) -> str:
    """A line; if it is too long several, indented like the first and a little more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
