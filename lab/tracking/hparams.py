"""A run's row in TensorBoard's HParams table, written into the run's own event file.

The stock `SummaryWriter.add_hparams` opens a second run for each run, stores truth values as
numbers and comes too late for a run that is still going on. Here every run announces the same
columns (TensorBoard takes one run's announcement for all), its settings at the start and its end.
A row has the run's name. Runs named as repetitions, by their seed at the end, share one, with mean
metrics: see `row_name`.
"""

import dataclasses
import re
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from lab.core.config import RunConfig, given
from lab.core.metrics import heading, shown
from lab.core.run_names import LONGEST, automatic_name

Status = Literal["finished", "failed"]

FACTORS = ("num_train", "cues", "label_noise", "model", "width")
"""The settings that experiments vary come first (by name, as TensorBoard has it): the table shows
five columns, and all others at a click."""

FIRST = (
    "accuracy/test", "gap/accuracy", "memorization/membership_auc", "accuracy/conflicting",
    "accuracy/train",
)  # fmt: skip
"""The metrics that come first: the table shows five, too, and all others at a click."""

ASIDE = (
    "seed", "name", "out", "threads", "world_size", "deterministic", "counterfactuals", "metric",
    "scores", "pictures", "checkpoint_every", "snapshots",
)  # fmt: skip
"""Settings in which repetitions of the same experiment may differ; no columns."""

NAMED = ("task", "num_train", "online", "cues", "label_noise", "objective", "model", "width")
"""Settings that an automatic name tells."""


class Setting(NamedTuple):
    """A setting's kind (str, bool or float) as declared, and its value (None: not set)."""

    kind: type
    value: str | bool | float | None


def settings(config: RunConfig, *, code: str = "") -> dict[str, Setting]:
    """All settings of a run, by name; `name` is the name of its row. Where steps and loss bound
    are not given, they are those that hold. `code` is the digest of the run's source files, as
    `Provenance` gives it."""
    return {
        **_flat(config),
        "steps": Setting(float, float(config.train.max_steps)),
        "stop_at_loss": Setting(float, config.loss_bound),
        "name": Setting(str, row_name(config, code=code)),
    }


def row_name(config: RunConfig, *, code: str = "") -> str:
    """The name of a run's row in the table; empty for that which TensorBoard shows for the run in
    all other tabs, its path.

    A name that ends in the run's seed, as automatic names (person-100-cnn16-s0) and those of sweeps
    (num_train_32-s0-fabe9adc) do, is that of a repetition: its row has the name without the seed,
    and what else differs from the defaults, so that no two experiments share a row:
    "person-100-cnn16: steps=500"; with the digest of its source files, for a network that was
    changed in its file is another one.
    """
    name = config.name or automatic_name(config)
    repeated = re.fullmatch(rf"(.+)-s{config.seed}(-\d+|-[0-9a-f]{{8}})?", name)
    if repeated is None:
        return ""
    stem = repeated[1]
    usual = dataclasses.replace(config, device="auto") if config.device == "cpu" else config
    others = {name: value for name, value in given(usual).items() if name not in ASIDE}
    whole = automatic_name(dataclasses.replace(config, name=None))
    automatic = stem == whole.removesuffix(f"-s{config.seed}") and len(whole) < LONGEST - 10
    words = stem.split("-")
    files = f"{config.model.model} {config.train.objective}"
    told = [
        f"{name}={_text(value)}"
        for name, value in others.items()
        if f"{name}_{_text(value)}" not in words  # as sweeps name their cells
        and not (automatic and name in NAMED and ":" not in files)
    ]
    told += [f"code={code}"] if code else []
    return ": ".join([stem, *([", ".join(told)] if told else [])])


def _text(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)


def _flat(config: Any) -> dict[str, Setting]:
    """The fields of a dataclass and of the dataclasses in it, flat, by name."""
    flat: dict[str, Setting] = {}
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            inner = _flat(value)
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
    metrics = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=heading(tag))
        for tag in metric_columns()
    ]
    announced = api_pb2.Experiment(hparam_infos=columns, metric_infos=metrics)
    return _summary(metadata.EXPERIMENT_TAG, experiment=announced)


def metric_columns() -> list[str]:
    """The tags of the metrics, in the order of their columns."""
    return [*FIRST, *(tag for tag in shown("hparams") if tag not in FIRST)]


def session(values: Mapping[str, Setting]) -> Summary:
    """This run's settings; unset ones leave their cells empty."""
    row = str(values["name"].value)
    info = plugin_data_pb2.SessionStartInfo(group_name=row, start_time_secs=time.time())
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


_TYPES = {
    bool: api_pb2.DATA_TYPE_BOOL,
    float: api_pb2.DATA_TYPE_FLOAT64,
    str: api_pb2.DATA_TYPE_STRING,
}


def _summary(tag: str, **content: Any) -> Summary:
    data = plugin_data_pb2.HParamsPluginData(**content)
    about = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])
