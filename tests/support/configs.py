"""Settings of runs that take a second."""

import dataclasses
from pathlib import Path
from typing import Any

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig

PARTS = {"data": DataConfig, "model": ModelConfig, "train": TrainConfig}
SMALL = {
    "num_train": 12, "num_test": 20, "image_size": 16, "width": 1, "steps": 3, "batch_size": 4,
    "counterfactuals": 0, "pictures": False, "device": "cpu",
}  # fmt: skip


def tiny(out: Path, **changes: Any) -> RunConfig:
    """A run of three steps on twelve faces of 16 pixels, or what `changes` make of it.

    `changes` are named as the fields of the settings, whichever part they belong to: `tiny(out,
    num_train=8, model="linear")`.
    """
    chosen = {**SMALL, **changes}
    parts = {}
    for name, part in PARTS.items():
        own = {field.name for field in dataclasses.fields(part)} & chosen.keys()
        parts[name] = part(**{field: chosen.pop(field) for field in own})
    return RunConfig(**parts, **chosen, out=out)  # type: ignore[arg-type]


RICH_FLAGS = (
    "--num-train 24 --num-test 40 --image-size 16 --width 2 --steps 40 --batch-size 16 --dropout .3"
    " --augment --label-noise .2 --eval-every 5 --checkpoint-every 0 --seed 3 --counterfactuals 6"
    " --cues eye_color:0.9 hair_length=long/short:0.7 --unseen-combinations gaze=left,smile=up"
)


def rich(out: Path, **changes: Any) -> RunConfig:
    """The run that `RICH_FLAGS` ask for, with all that is hard to resume; `changes` as in
    `tiny`."""
    usual: dict[str, Any] = {
        "num_train": 24, "num_test": 40, "width": 2, "steps": 40, "batch_size": 16, "dropout": 0.3,
        "augment": True, "label_noise": 0.2, "eval_every": 5, "seed": 3, "counterfactuals": 6,
        "cues": ("eye_color:0.9", "hair_length=long/short:0.7"),
        "unseen_combinations": ("gaze=left,smile=up",), "pictures": True, "device": "auto",
        "checkpoint_every": 0.0,
    }  # fmt: skip
    return tiny(out, **{**usual, **changes})


def stateful(out: Path, **changes: Any) -> RunConfig:
    """A rich run of the toy world whose network, optimizer and objective have state; its folder is
    `out/run`."""
    usual: dict[str, Any] = {
        "task": "shape", "cues": ("color=red/blue:0.9",), "pictures": False, "name": "run",
        "unseen_combinations": ("color=green,size=large",),
        "num_validation": 30, "objective": "group_dro",
    }  # fmt: skip
    return rich(out, **{**usual, **changes})
