"""The results of the lessons taken so far, as one table."""

from __future__ import annotations

import json
from pathlib import Path

from lab.experiments.lessons.teach import RESULT

SIGNS = {"confirmed": "✓", "refuted": "✗", "not enough evidence": "?"}


def to_markdown(out: Path) -> str:
    """A row for each lesson whose result lies under `out`; `ValueError` if there is none."""
    rows = []
    for path in sorted(out.glob(f"*/{RESULT}")):
        result = json.loads(path.read_text(encoding="utf-8"))
        claims = "<br>".join(
            f"{SIGNS[claim['verdict']]} {claim['text']}: {claim['evidence']}"
            for claim in result["claims"]
        )
        when = f"{result['date']}, {result['seeds']} seeds"
        cells = (f"`{result['lesson']}`", result["published"], claims, result["verdict"], when)
        rows.append("| " + " | ".join(cells) + " |")
    if not rows:
        raise ValueError(f"{out} has no lesson's result: take one first")
    header = "| lesson | published | our faces (mean over seeds, 95 % interval) | verdict | date |"
    return "\n".join([header, "|---|---|---|---|---|", *rows])
