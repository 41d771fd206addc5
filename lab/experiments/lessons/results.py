"""The results of the lessons that have been run, as Markdown."""

from __future__ import annotations

import json
from pathlib import Path

from lab.experiments.lessons.teach import RESULT

SIGNS = {"confirmed": "✓", "refuted": "✗", "not enough evidence": "?"}


def to_markdown(out: Path) -> str:
    """A section for each lesson whose result lies under `out`; `ValueError` if there is none."""
    sections = []
    for path in sorted(out.glob(f"*/{RESULT}")):
        result = json.loads(path.read_text(encoding="utf-8"))
        claims = [
            f"- {SIGNS[claim['verdict']]} {claim['text']}: {claim['evidence']}"
            for claim in result["claims"]
        ]
        networks = result.get("networks")
        seeds = f"{result['seeds']} seeds"
        if networks:
            seeds += f", each with pools of up to {networks} networks"
        sections += [
            f"### `{result['lesson']}`: {result['verdict']}",
            f"Published: {result['published']}. Ours: {result['date']}, {seeds}.",
            "\n".join(claims),
        ]
    if not sections:
        raise ValueError(f"{out} has no results of lessons: run one first")
    return "\n\n".join(sections)
