"""Settings: they survive the way through a file, and no text or value gets past the checks."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from lab.core.config import (
    LOSS_BOUND,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    check,
    flag,
    given,
    parse_settings,
    to_json,
)
from support.hostile import anything, some_config

PARTS = (RunConfig, DataConfig, ModelConfig, TrainConfig)


@for_all(some_config)
def test_a_config_survives_its_file(config: RunConfig) -> None:
    assert parse_settings(to_json(config))[0] == config


@for_all(st.text())
def test_any_text_is_a_config_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"config\.json"):
        parse_settings(text)[0]


@for_all(
    st.sampled_from([(part, entry.name) for part in PARTS for entry in dataclasses.fields(part)]),
    anything,
)
def test_any_value_is_taken_or_refused_in_one_line(where: tuple[type, str], value: object) -> None:
    part, name = where
    values = json.loads(to_json(RunConfig()))
    place = {DataConfig: "data", ModelConfig: "model", TrainConfig: "train"}.get(part)
    (values[place] if place else values)[name] = value
    told = ""
    try:
        check(parse_settings(json.dumps(values))[0])
    except ValueError as error:
        told = str(error)
    assert "\n" not in told


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (RunConfig(data=DataConfig(num_train=1)), r"--num-train must be 2 to 1,000,000, not 1"),
        (RunConfig(train=TrainConfig(learning_rate=0)), r"--learning-rate must be above 0 to 10"),
        (RunConfig(model=ModelConfig(dropout=1)), r"--dropout must be 0 to below 1, not 1"),
        (RunConfig(train=TrainConfig(learning_rate=float("nan"))), r"--learning-rate .* nan"),
        (RunConfig(data=DataConfig(cues="gaze:1")), r"--cues takes a list of texts"),  # type: ignore[arg-type]
        (RunConfig(data=DataConfig(cue_visibility=0)), r"--cue-visibility must be above 0 to 1"),
        (RunConfig(seed=True), r"--seed takes a whole number, not True"),
        (
            RunConfig(out="/tmp/x"),  # type: ignore[arg-type]
            r"--out takes a path \(from Python a pathlib.Path, out=Path\('/tmp/x'\)\), not '/t",
        ),
        (RunConfig(device="gpu"), r"--device 'gpu'.*cuda"),  # type: ignore[arg-type]
    ],
)
def test_a_value_out_of_range_is_named_with_its_limits(config: RunConfig, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check(config)


def test_a_misspelt_key_is_met_with_the_nearest() -> None:
    values = json.loads(to_json(RunConfig()))
    values["train"]["lerning_rate"] = 1
    with pytest.raises(ValueError, match="'lerning_rate'; did you mean 'learning_rate'"):
        parse_settings(json.dumps(values))[0]


def test_flags_are_flat_so_no_name_comes_twice() -> None:
    names = [
        entry.name
        for part in PARTS
        for entry in dataclasses.fields(part)
        if entry.name not in ("data", "model", "train") or part is ModelConfig
    ]
    assert len(set(names)) == len(names)
    assert flag("num_train") == "--num-train"


def test_given_names_what_differs_from_the_defaults() -> None:
    assert given(RunConfig()) == {}
    changed = RunConfig(train=TrainConfig(steps=3), out=Path("elsewhere"))
    assert given(changed) == {"steps": 3, "out": Path("elsewhere")}


@pytest.mark.parametrize(
    ("config", "bound"),
    [
        (RunConfig(), LOSS_BOUND),
        (RunConfig(data=DataConfig(num_train=10_000, label_noise=1.0)), LOSS_BOUND),
        (RunConfig(train=TrainConfig(steps=1500)), None),
        (RunConfig(train=TrainConfig(steps=1500, stop_at_loss=0.1)), 0.1),
        (RunConfig(train=TrainConfig(online=True)), None),
        (RunConfig(train=TrainConfig(online=True, stop_at_loss=0.1)), 0.1),
        (RunConfig(train=TrainConfig(augment=True)), None),
        (RunConfig(train=TrainConfig(weight_decay=0.1)), None),
        (RunConfig(train=TrainConfig(early_stopping=3)), None),
        (RunConfig(train=TrainConfig(objective="group_dro")), None),
        (RunConfig(model=ModelConfig(dropout=0.5)), None),
    ],
)
def test_the_training_loss_ends_runs_that_minimize_nothing_else(
    config: RunConfig, bound: float | None
) -> None:
    assert config.loss_bound == bound
    assert config.train.max_steps == 1500
