"""`summary.json`: how a run ended, its settings, its final figures and its verdict."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.atomic import replace_text
from lab.core.estimate import Estimate
from lab.core.run_dir import RunDir, Status


def write_summary(
    folder: Path,
    *,
    status: Status,
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
    replace_text(RunDir(folder).summary_file, text + "\n")


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
