"""A run's row in TensorBoard's HParams table, written into the run's own event file.

The stock `SummaryWriter.add_hparams` opens a second run for each run, stores truth values as
numbers and comes too late for a run that is still going on. Here every run announces the same
columns (TensorBoard takes one run's announcement for all), its settings at the start and its end.
Runs that differ in nothing but seed, name and folder share a group: one row, with mean figures.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from lab.tracking.tags import TAGS

Status = Literal["finished", "failed"]

FACTORS = ("num_train", "cues", "label_noise", "model", "width")
"""The settings that experiments vary come first (by name, as TensorBoard has it): the table shows
five columns, and all others at a click."""

ASIDE = (
    "seed", "name", "out", "threads", "world_size", "deterministic", "twins", "pictures",
    "checkpoint_every",
)  # fmt: skip
"""Settings in which repetitions of the same experiment may differ; no columns."""


class Setting(NamedTuple):
    """A setting's kind (str, bool or float) as declared, and its value (None: not set)."""

    kind: type
    value: str | bool | float | None


def settings(config: Any) -> dict[str, Setting]:
    """The fields of a dataclass and of the dataclasses in it, flat, by name."""
    flat: dict[str, Setting] = {}
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            inner = settings(value)
            assert not flat.keys() & inner.keys(), "flags are flat: no name twice"
            flat |= inner
            continue
        kinds = [kind for kind in get_args(hints[field.name]) if kind is not type(None)]
        kind = kinds[0] if kinds else hints[field.name]
        if kind is bool:
            flat[field.name] = Setting(bool, value)
        elif kind in (int, float):
            flat[field.name] = Setting(float, None if value is None else float(value))
        elif isinstance(value, tuple):
            flat[field.name] = Setting(str, " ".join(value) or None)
        else:
            flat[field.name] = Setting(str, None if value is None else str(value))
    return flat


def experiment(values: Mapping[str, Setting]) -> Summary:
    """The columns: the same for all runs whose settings have the same names."""
    names = [name for name in FACTORS if name in values]
    names += [name for name in values if name not in FACTORS and name not in ASIDE]
    columns = [
        api_pb2.HParamInfo(name=name, type=_TYPES[values[name].kind], differs=name in FACTORS)
        for name in names
    ]
    figures = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=row.name), display_name=row.column)
        for row in TAGS
        if row.column
    ]
    announced = api_pb2.Experiment(hparam_infos=columns, metric_infos=figures)
    return _summary(metadata.EXPERIMENT_TAG, experiment=announced)


def session(values: Mapping[str, Setting]) -> Summary:
    """This run's settings; unset ones leave their cells empty."""
    info = plugin_data_pb2.SessionStartInfo(group_name=group(values), start_time_secs=time.time())
    for name, setting in values.items():
        if name in ASIDE or setting.value is None:
            continue
        if setting.kind is bool:
            info.hparams[name].bool_value = bool(setting.value)
        elif setting.kind is float:
            info.hparams[name].number_value = float(setting.value)
        else:
            info.hparams[name].string_value = str(setting.value)
    return _summary(metadata.SESSION_START_INFO_TAG, session_start_info=info)


def end(status: Status) -> Summary:
    """How the run ended."""
    code = api_pb2.STATUS_SUCCESS if status == "finished" else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=code, end_time_secs=time.time())
    return _summary(metadata.SESSION_END_INFO_TAG, session_end_info=info)


def group(values: Mapping[str, Setting]) -> str:
    """The name that repetitions of the same experiment share."""
    told = {name: setting.value for name, setting in values.items() if name not in ASIDE}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


_TYPES = {
    bool: api_pb2.DATA_TYPE_BOOL,
    float: api_pb2.DATA_TYPE_FLOAT64,
    str: api_pb2.DATA_TYPE_STRING,
}


def _summary(tag: str, **content: Any) -> Summary:
    data = plugin_data_pb2.HParamsPluginData(**content)
    about = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])
