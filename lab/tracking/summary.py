"""`summary.json`: how a run ended, its settings, its final figures and its verdict."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lab.core.atomic import replace_text
from lab.core.estimate import Estimate

SUMMARY = "summary.json"

Outcome = Literal["finished", "stopped", "failed"]
"""It came to its end; it was interrupted and can go on; an error ended it."""


def write_summary(
    folder: Path,
    *,
    status: Outcome,
    step: int,
    figures: Mapping[str, Estimate | float],
    verdict: str,
    config: Mapping[str, Any],
) -> None:
    """Write `summary.json` into a run's folder, whole or not at all.

    Figures stand as `nest` has them, beside the rest.
    """
    content = {"status": status, "step": step, **nest(figures)}
    content |= {"verdict": verdict, "config": dict(config)}
    text = json.dumps(content, indent=2, default=str, allow_nan=False)
    replace_text(folder / SUMMARY, text + "\n")


def read_summary(folder: Path) -> dict[str, Any]:
    """What `summary.json` says in a run's folder; empty if there is none yet.

    Raises `ValueError` naming the file if it is damaged.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it is no object")
    return content


def nest(figures: Mapping[str, Estimate | float]) -> dict[str, Any]:
    """Figures by tag as objects in objects: `accuracy/test` stands under `accuracy`, `test`, with
    `value` and, where they are known, `low`, `high` and `count`; None for what is not finite."""
    nested: dict[str, Any] = {}
    for tag, figure in figures.items():
        place = nested
        *path, last = tag.split("/")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _entry(figure)
    return nested


def finite(value: float) -> float | None:
    """`value`, or None (JSON's null) for what JSON cannot say: infinities and NaN."""
    return value if math.isfinite(value) else None


def _entry(figure: Estimate | float) -> dict[str, float | None]:
    if not isinstance(figure, Estimate):
        return {"value": finite(figure)}
    ends = {"low": figure.low, "high": figure.high, "count": figure.count}
    known = {name: finite(end) for name, end in ends.items() if end is not None}
    return {"value": finite(figure.value), **known}
