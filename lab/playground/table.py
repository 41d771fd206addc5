"""The attribute table for the page: groups, words, ranges and colors."""

from __future__ import annotations

from typing import Any

from lab.core.words import spoken
from lab.playground.request import start_face, write_face
from lab.worlds import get_task, list_tasks
from lab.worlds.faces import ATTRIBUTES, Attribute
from lab.worlds.faces.palette import PALETTES
from lab.worlds.faces.world import FACES

GROUPS = {
    "structure": ("Parts", "the subject, its parts and their arrangement"),
    "face": ("Appearance", "eyes, nose, mouth, skin, hair, glasses"),
    "stray": ("Stray parts", "parts that lie beside the head"),
    "scene": ("Scene", "clothes, background and light"),
    "camera": ("Camera", "position, scale, rotation, blur and noise"),
}
"""The groups in the page's order: title and contents."""

WORDS = {
    "subject": {"head": "a head"},
    "arrangement": {
        "natural": "in their places", "flipped": "upside down", "ears_inside": "ears inside",
        "rotated": "turned", "column": "in a column", "traded": "traded places",
    },
}  # fmt: skip
"""Words for values whose names are not clear."""

STEPS = 200
"""Steps of a slider."""


def page_table() -> dict[str, Any]:
    """The table as JSON values: groups of attributes, the initial face, and the tasks."""
    return {
        "groups": [
            {"name": name, "title": title, "meaning": meaning,
             "attributes": [_row(row) for row in ATTRIBUTES.values() if row.group == name]}
            for name, (title, meaning) in GROUPS.items()
        ],
        "start": write_face(start_face()),
        "tasks": {
            name: {"meaning": task.meaning, "classes": task.classes, "relevant": task.relevant}
            for name in list_tasks(FACES) if (task := get_task(name))
        },
    }  # fmt: skip


def _row(row: Attribute) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": row.name, "words": spoken(row.name), "meaning": row.meaning, "kind": row.kind,
    }  # fmt: skip
    if row.kind == "continuous":
        step = (row.high - row.low) / STEPS
        return {**shown, "low": row.low, "high": row.high, "step": step, "unit": row.unit,
                "ends": row.halves}  # fmt: skip
    words = WORDS.get(row.name, {})
    values = [{"value": v, "words": words.get(str(v), spoken(str(v)))} for v in row.values]
    if row.name in PALETTES:
        for value, color in zip(values, PALETTES[row.name].tolist(), strict=True):
            value["color"] = "#" + "".join(f"{round(255 * part):02x}" for part in color)
    return {**shown, "values": values}
