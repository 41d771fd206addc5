"""What earlier processes have logged in a run's folder, as TensorBoard shows it."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog

from lab.core.run_dir import EVENTS


def scalars_at(step: int, folder: Path) -> dict[str, float]:
    """The scalars of a step, tag -> number, that the folder's event files hold and no later start
    has hidden; what cannot be read holds none."""
    found: dict[str, float] = {}
    for path in sorted(folder.glob(f"{EVENTS}*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.session_log.status == SessionLog.START and event.step <= step:
                found.clear()
            if event.step == step:
                found |= {
                    each.tag: each.simple_value
                    for each in event.summary.value
                    if each.HasField("simple_value")
                }
    return found
