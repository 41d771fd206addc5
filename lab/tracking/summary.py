"""`summary.json`: how a run ended, its settings, its final metrics and its verdict."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.atomic import replace_text
from lab.core.estimate import Estimate
from lab.core.metrics import find
from lab.core.run_dir import RunDir, Status


def write_summary(
    folder: Path,
    *,
    status: Status,
    step: int,
    metrics: Mapping[str, Estimate | float],
    verdict: str,
    config: Mapping[str, Any],
    weights_of: int | None = None,
) -> None:
    """Write `summary.json` into a run's folder, whole or not at all.

    Metrics stand as `nest` has them, beside the rest; "snapshots" are the steps whose weights the
    folder holds, and their bytes. `weights_of` is the step whose weights the metrics are
    about, which is not the last `step` where early stopping went back to earlier ones, or where a
    watched loop was stopped after its last measurement.
    """
    run = RunDir(folder)
    kept = run.snapshot_steps()
    content: dict[str, Any] = {"status": status, "step": step}
    if weights_of is not None:
        content["weights_of_step"] = weights_of
    content |= nest(metrics)
    if kept:
        size = sum(run.snapshot(step).stat().st_size for step in kept)
        content["snapshots"] = {"steps": list(kept), "bytes": size}
    content |= {"verdict": verdict, "config": dict(config)}
    text = json.dumps(content, indent=2, default=str, allow_nan=False)
    replace_text(RunDir(folder).summary_file, text + "\n")


def nest(metrics: Mapping[str, Estimate | float]) -> dict[str, Any]:
    """Metrics by tag as objects in objects: `accuracy/test` stands under `accuracy`, `test`, with
    `value` and, where they are known, `low`, `high` and `count`; None for what is not finite.
    Raises `ValueError` for a metric that has no row in the table."""
    nested: dict[str, Any] = {}
    for tag, metric in metrics.items():
        find(tag)
        place = nested
        *path, last = tag.split("/")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _entry(metric)
    return nested


def finite(value: float) -> float | None:
    """`value`, or None (JSON's null) for what JSON cannot say: infinities and NaN."""
    return value if math.isfinite(value) else None


def _entry(metric: Estimate | float) -> dict[str, float | None]:
    if not isinstance(metric, Estimate):
        return {"value": finite(metric)}
    ends = {"low": metric.low, "high": metric.high, "count": metric.count}
    known = {name: finite(end) for name, end in ends.items() if end is not None}
    return {"value": finite(metric.value), **known}
