"""The tables of all networks and of all tasks, as the README shows them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

from lab.models import ModelSpec, count_parameters, create_model, find_model, list_models
from lab.worlds import get_task, list_tasks

COMPARED = "cnn"
"""The model whose speed is 1."""


def own_models() -> list[str]:
    """The names of the models that the lab brings itself, without those of installed packages."""
    return [name for name in list_models() if find_model(name).__module__.startswith("lab.models.")]


def models_table(speeds: Mapping[str, float]) -> str:
    """Every model: its idea, its parameters at the default width, its speed (`COMPARED`'s is 1)."""
    lines = [
        f"| model | idea | parameters | training steps per second, `{COMPARED}`: 1 |",
        "|---|---|---:|---:|",
    ]
    for name in own_models():
        size = count_parameters(create_model(name, ModelSpec()))
        lines.append(f"| `{name}` | {_idea(name)} | {size:,} | {speeds[name]:.2g} |")
    return "\n".join(lines)


def tasks_table() -> str:
    """Every task: what its label says, its classes, and the attributes that decide."""
    lines = ["| task | the label says | classes | decided by |", "|---|---|---|---|"]
    for task in map(get_task, list_tasks()):
        classes, relevant = ", ".join(task.classes), ", ".join(task.relevant)
        lines.append(f"| `{task.name}` | {task.meaning} | {classes} | {relevant} |")
    return "\n".join(lines)


def embed(text: str, place: str, table: str) -> str:
    """`text` (a README) with `table` between the markers of `place`; `ValueError` without them."""
    begin, end = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the text has no place for the table: {begin} … {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def speeds_in(text: str) -> dict[str, float]:
    """The speeds in a table of `models_table`, by model."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.e+-]+) \|$", text, flags=re.MULTILINE)
    return {name: float(speed) for name, speed in rows}


def _idea(name: str) -> str:
    return inspect.cleandoc(find_model(name).__doc__ or "").partition("\n")[0].removesuffix(".")
