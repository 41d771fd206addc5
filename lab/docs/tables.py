"""Markdown tables of what is registered: models, tasks, tags, lessons and the flags of a run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab.core import metrics
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.flags import Flag, flags_of
from lab.experiments.lessons import list_lessons
from lab.experiments.timing import rate, steps_of, take_turns
from lab.measure.second_split import ALL_SCORES, SECOND_SCORES
from lab.models import ModelSpec, count_parameters, create_model, find_model, list_models
from lab.tracking.tags import TAGS
from lab.worlds import get_task, list_tasks

LAB = Path(__file__).parents[1]

COMPARED = "cnn"
"""The model whose training speed is 1 in the table of models."""

SETTINGS: dict[str, type[Any]] = {
    "data": DataConfig, "model": ModelConfig, "train": TrainConfig, "run": RunConfig,
}  # fmt: skip
"""The dataclasses whose fields are the flags of a run, by the name of their part of its config."""


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """A Markdown table; the columns at the positions `right` are aligned to the right."""
    rules = ["---:" if column in right else "---" for column in range(len(header))]
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(rules) + "|"]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines)


def own_models() -> list[str]:
    """The names of the models in `lab.models`, without those of installed packages."""
    return [name for name in list_models() if find_model(name).__module__.startswith("lab.models.")]


def models_table(speeds: Mapping[str, float]) -> str:
    """Every model: the first line of its docstring, its parameters at the default width, and its
    training steps per second in units of those of `COMPARED`, from `speeds`; of a model that is
    not in it, "not measured"."""
    rows = []
    for name in own_models():
        size = count_parameters(create_model(name, ModelSpec()))
        speed = f"{speeds[name]:.2g}" if name in speeds else "not measured"
        rows.append((f"`{name}`", _summary(find_model(name)), f"{size:,}", speed))
    unit = f"training steps per second, `{COMPARED}`: 1"
    return table(("model", "architecture", "parameters", unit), rows, right=(2, 3))


def measure_speeds(*, turns: int = 5) -> dict[str, float]:
    """The training speed of every model in units of that of `COMPARED`: each is timed in turn,
    `turns` times, and the median counts."""
    jobs = {name: partial(steps_of(name), 4) for name in own_models()}
    rates = {name: rate(taken) for name, taken in take_turns(jobs, repetitions=turns).items()}
    return {name: value / rates[COMPARED] for name, value in rates.items()}


def speeds_in(text: str) -> dict[str, float]:
    """The speeds in a text that holds a table of `models_table`, by model."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.e+-]+) \|$", text, flags=re.MULTILINE)
    return {name: float(speed) for name, speed in rows}


def tasks_table() -> str:
    """Every task: the meaning of its label, its classes, and its relevant attributes."""
    rows = [
        (f"`{task.name}`", task.meaning, ", ".join(task.classes), ", ".join(task.relevant))
        for task in map(get_task, list_tasks())
    ]
    return table(("task", "meaning of the label", "classes", "relevant attributes"), rows)


def tags_table() -> str:
    """Every metric, and every other tag that a run writes for TensorBoard, each in the order of its
    table."""
    rows = [
        (
            f"`{row.name}`",
            row.kind.replace("_", " "),
            row.meaning,
            row.unit,
            metrics.GOOD[row.better],
        )
        for row in TAGS
    ]
    others = table(("tag", "dashboard", "contents", "unit, range", "good"), rows)
    return f"{metrics.markdown()}\n\nTags that are not scalars:\n\n{others}"


def attributes_table() -> str:
    """Every attribute of the default task's drawing: group, values or range, and meaning."""
    rows = []
    for row in get_task(DataConfig().task).domain.schema.values():
        values = ", ".join(map(str, row.values))
        if row.kind == "continuous":
            values = f"{row.low:g} to {row.high:g} {row.unit}".strip()
        rows.append((f"`{row.name}`", row.group, row.kind, values, row.meaning))
    return table(("attribute", "group", "kind", "values", "meaning"), rows)


def lessons_table() -> str:
    """Every lesson: its title, the published claim, and how long three seeds take."""
    rows = [
        (f"`{name}`", lesson.title, lesson.published, lesson.duration)
        for name, lesson in list_lessons().items()
    ]
    return table(("lesson", "title", "published claim", "duration, two cores"), rows)


def flags_table(part: str) -> str:
    """The flags that one of the `SETTINGS` gives a run: default, and the text of `--help`."""
    kind = SETTINGS[part]
    known = {entry.field: entry for entry in flags_of(kind)}
    rows = [
        (f"`{known[entry.name].name}`", _default(known[entry.name], entry), known[entry.name].text)
        for entry in dataclasses.fields(kind)
        if not dataclasses.is_dataclass(entry.default_factory)  # a part with a table of its own
    ]
    return table(("flag", "default", "meaning"), rows)


def modules_table(room: str) -> str:
    """Every module of a package of the lab with the first sentence of its docstring; a package in
    it has one row for each of its modules, too."""
    rows = []
    for path in sorted((LAB / room).rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        name = path.relative_to(LAB / room).as_posix()
        sentence = re.split(r"(?<=[.?!])\s|\n\n", text, maxsplit=1)[0].rstrip(".:")
        rows.append((f"`{name.removesuffix('__init__.py') or './'}`", sentence))
    return table(("module", "contents"), rows)


def scores_table() -> str:
    """Every score of training examples, those that take a second training last."""
    rows = [
        (
            f"`{score.name}`",
            score.heading,
            score.formula,
            score.source
            + ("; flipped" if score.flipped else "")
            + ("; `--score-runs` only" if score in SECOND_SCORES else ""),
        )
        for score in ALL_SCORES
    ]
    return table(("column", "score", "definition", "source"), rows)


def rooms() -> list[str]:
    """The packages directly in the lab, in alphabetical order."""
    return sorted(path.parent.name for path in LAB.glob("*/__init__.py"))


def _summary(builder: object) -> str:
    """The first line of a docstring, without its full stop."""
    return inspect.cleandoc(builder.__doc__ or "").partition("\n")[0].removesuffix(".")


def _default(flag: Flag, entry: dataclasses.Field[Any]) -> str:
    value = entry.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if flag.many or value == ():
        return "none"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
