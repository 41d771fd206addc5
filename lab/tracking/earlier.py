"""What earlier processes have logged in a run's folder, as TensorBoard shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog

from lab.core.run_dir import EVENTS

TEXT = "/text_summary"
"""What TensorBoard's writer adds to the tag of a text."""


def scalars_at(step: int, folder: Path) -> dict[str, float]:
    """The scalars of a step, tag -> number, that the folder's event files hold and no later start
    has hidden; what cannot be read holds none."""
    return {
        each.tag: each.simple_value
        for each in _values_at(step, folder)
        if each.HasField("simple_value")
    }


def texts_at(step: int, folder: Path) -> set[tuple[str, str]]:
    """The texts of a step, each with its tag, as `scalars_at` has the scalars."""
    return {
        (each.tag.removesuffix(TEXT), value.decode("utf-8", "replace"))
        for each in _values_at(step, folder)
        if each.tag.endswith(TEXT)
        for value in each.tensor.string_val
    }


def _values_at(step: int, folder: Path) -> list[Any]:
    """All that the event files hold of a step and no later start has hidden, in its order."""
    found: list[Any] = []
    for path in sorted(folder.glob(f"{EVENTS}*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.session_log.status == SessionLog.START and event.step <= step:
                found.clear()
            if event.step == step:
                found += event.summary.value
    return found
