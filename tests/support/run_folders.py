"""What runs leave: their curves and summaries, and whether two runs are the same."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard import context
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

from lab.core.run_dir import CONFIG, RunDir
from lab.experiments.table import flatten
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


def hparams_metrics(logdir: Path) -> dict[str, dict[str, float]]:
    """What the HParams table shows of each run below a folder, by name and tag."""
    return {
        session.name: {each.name.tag: each.value for each in session.metric_values}
        for group in _session_groups(logdir)
        for session in group.sessions
    }


def hparams_rows(logdir: Path) -> dict[str, list[str]]:
    """The rows of the HParams table, each with the runs that share it, by name."""
    return {
        group.name: [session.name for session in group.sessions]
        for group in _session_groups(logdir)
    }


def _session_groups(logdir: Path) -> Sequence[api_pb2.SessionGroup]:
    """By the code of TensorBoard's own plugin."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(logdir))
    every = [status for name, status in api_pb2.Status.items()]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=every, slice_size=1000)
    asked = list_session_groups.Handler(
        context.RequestContext(), Context(TBContext(data_provider=provider)), "", request
    )
    found: Sequence[api_pb2.SessionGroup] = asked.run().session_groups
    return found


def assert_hparams_are_final(folder: Path) -> None:
    """Assert that the HParams table shows of a run the metrics of its `summary.json`."""
    (shown,) = hparams_metrics(folder).values()
    final = flatten(RunDir(folder).summary())
    assert "accuracy/test" in shown
    for tag, value in shown.items():
        assert value == pytest.approx(final[tag].value, rel=1e-6), tag


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
