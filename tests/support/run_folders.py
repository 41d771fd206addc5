"""What runs leave: their curves and summaries, and whether two runs are the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lab.core.run_dir import CONFIG, RunDir
from lab.training import BEST, LAST, load_checkpoint


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All curves of a run as TensorBoard reads them, but for readings of clocks."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith("speed/")
    }


def summary(folder: Path) -> dict[str, Any]:
    """A run's summary, but for readings of clocks and its name."""
    told: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    for part in ("seconds", "speed", "config"):
        told.pop(part, None)
    return told


def stop(folder: Path) -> None:
    """Make of a finished run one that was stopped at its checkpoint before the last."""
    run = RunDir(folder)
    run.previous.replace(run.last)
    told = run.summary()
    run.summary_file.write_text(json.dumps({**told, "status": "stopped"}))


def edit_settings(folder: Path, change: Mapping[str, Any]) -> None:
    """Write settings into a run's `config.json` as by hand: those of a part are in an object of its
    name."""
    path = folder / CONFIG
    told = json.loads(path.read_text())
    for name, value in change.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(told))


def assert_same_run(run: Path, whole: Path) -> None:
    """Assert that weights, optimizer, logs and summary are the same, value for value."""
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert scalars(run) == scalars(whole)
    assert summary(run) == summary(whole)
    assert json.loads((run / "summary.json").read_text())["status"] == "finished"
    for name in (LAST, BEST):
        one, other = (load_checkpoint(place / "checkpoints" / name) for place in (run, whole))
        assert one.step == other.step
        assert same_state(one.model, other.model)
        assert same_state(one.optimizer, other.optimizer)
        assert same_state(one.objective, other.objective)


def same_state(one: Any, other: Any) -> bool:
    """Whether two nested states are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_state(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same_state, one, other))
    return bool(one == other)
