"""The settings of a watched run, as far as they are known, in the files and tables of any run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lab.core.atomic import replace_text
from lab.core.config import (
    DataConfig,
    ModelConfig,
    Provenance,
    RunConfig,
    TrainConfig,
    check,
    to_json,
)
from lab.core.locks import LOCK
from lab.core.run_dir import RunDir
from lab.core.text import own_columns
from lab.tracking.hparams import ASIDE, Setting
from lab.tracking.hparams import settings as columns_of

PREFIX = "watch:"
"""What `data` begins with in the settings of a watched run."""

MOST = 1_000_000
"""Examples that the settings can say there are."""

OURS = ("num_train", "num_test", "label_noise", "model", "data", "name", "out")
"""Settings that follow from what is watched."""

GIVEN = {
    TrainConfig: ("steps", "batch_size", "learning_rate", "weight_decay", "augment", "objective"),
    ModelConfig: ("width", "dropout"),
    RunConfig: ("seed",),
}
"""The lab's settings that a user can tell of her own loop."""


def _is_of_the_lab(name: str, value: object) -> bool:
    """Whether a value may be meant for the lab's setting of this name: not where nothing, or words
    such as "cosine", stand in place of a number or a truth value."""
    return name == "objective" or not (value is None or isinstance(value, str))


class WatchedSettings:
    """What is known of a watched run: a `RunConfig` of which only `known` entries mean anything,
    and what the user told (`own`), by name."""

    def __init__(
        self,
        *,
        network: str,
        source: str,
        num_train: int,
        num_test: int,
        label_noise: float,
        told: Mapping[str, Any],
        pictures: bool,
    ) -> None:
        lab = {name for names in GIVEN.values() for name in names}
        own = {}
        told = {name: _plain(value) for name, value in told.items()}
        for name, value in told.items():
            if not isinstance(value, (str, int, float, bool, type(None))):
                raise ValueError(
                    f"settings: {name} must be a text, a number or a truth value, not"
                    f" {type(value).__name__}"
                )
            if name not in lab or not _is_of_the_lab(name, value):
                own[str(name)] = value
        parts = {
            kind: {name: told[name] for name in names if name in told and name not in own}
            for kind, names in GIVEN.items()
        }
        self.config = RunConfig(
            data=DataConfig(
                data=f"{PREFIX}{source}",
                num_train=min(num_train, MOST),
                num_test=min(num_test, MOST),
                label_noise=label_noise,
                label_noise_kind="flip",
            ),
            model=replace(ModelConfig(model=network), **parts[ModelConfig]),
            train=replace(TrainConfig(), **parts[TrainConfig]),
            counterfactuals=0,
            pictures=pictures,
            **parts[RunConfig],
        )
        try:
            check(self.config)
        except ValueError as error:
            raise ValueError(f"settings: {error}") from None
        self.known = {*OURS, *(name for name in told if name in lab and name not in own)}
        self.own = own

    def placed(self, folder: RunDir) -> None:
        """Note where the run is."""
        self.config = replace(self.config, name=folder.name, out=folder.path.parent)

    def content(self, provenance: Provenance) -> dict[str, Any]:
        """What is known as `config.json` has it; `parse_settings` fills in the rest."""
        whole = json.loads(to_json(self.config, provenance))
        for part in ("data", "model", "train"):
            whole[part] = {n: each for n, each in whole[part].items() if n in self.known}
        for entry in fields(RunConfig):
            if entry.name not in (*self.known, "data", "model", "train", "pictures"):
                del whole[entry.name]
        if "label_noise" in whole["data"] and self.config.data.label_noise:
            whole["data"]["label_noise_kind"] = self.config.data.label_noise_kind
        return dict(whole)

    def write(self, folder: RunDir, provenance: Provenance) -> None:
        """Write `config.json`, whole or not at all."""
        replace_text(folder.config_file, json.dumps(self.content(provenance), indent=2) + "\n")

    def columns(self) -> dict[str, Setting]:
        """The run's row in the HParams table: columns as any run's, empty where nothing is known,
        and the user's own, "setting:model" where it is called as one that is known."""
        columns = {
            name: setting if name in self.known else Setting(setting.kind, None)
            for name, setting in columns_of(self.config).items()
        }
        own = own_columns(self.own, beside=(*OURS, *ASIDE), kind="setting")
        for name, value in zip(own.values(), self.own.values(), strict=True):
            if isinstance(value, bool):
                columns[name] = Setting(bool, value)
            elif isinstance(value, (int, float)):
                columns[name] = Setting(float, float(value))
            else:
                columns[name] = Setting(str, value)
        columns["name"] = Setting(str, "")
        return columns


AGAIN = ("refuse", "new")
"""What becomes of a run whose folder is taken: it is refused, or gets a new folder beside it."""


def new_folder(
    out: str | Path | None, network: str, num_train: int, *, again: str = AGAIN[0]
) -> RunDir:
    """The folder of a new run, made: `out`, or runs/NETWORK-NUMBER, numbered if that is taken. No
    two callers, of several processes either, get the same.

    An `out` that holds anything is refused by `ValueError` in one line, or with `again` "new"
    numbered, too.
    """
    if out is None:
        return _numbered(Path("runs").absolute() / f"{network}-{num_train}", empty_too=False)
    folder = RunDir(Path(out).absolute())
    path = folder.path
    if again == "new":
        return _numbered(path, empty_too=True)
    taken = _is_taken(path)
    if not taken:
        path.mkdir(parents=True, exist_ok=True)
        taken = not _claimed(path)
    if taken:
        what = "holds another run" if folder.is_run() else "exists already, and is not empty"
        if path.is_file():
            what = "is a file"
        raise ValueError(
            f"out={str(out)!r} {what}: a watched run cannot be gone on with, so give again='new'"
            f" for a new folder beside it ({_name(path, 2)}, then -3, …), name another one, or"
            " delete this one"
        )
    return folder


def _numbered(path: Path, *, empty_too: bool) -> RunDir:
    """A folder that is made, or (`empty_too`) was empty: `path`, with a number if that is taken."""
    for number in count(1):
        chosen = path if number == 1 else path.with_name(_name(path, number))
        try:
            chosen.mkdir(parents=True)
        except FileExistsError:
            if not empty_too or _is_taken(chosen):
                continue
        if _claimed(chosen):
            return RunDir(chosen)
    raise AssertionError("unreachable")


def _claimed(path: Path) -> bool:
    """Whether an empty folder is the caller's now: of all that want it one makes its lock file."""
    try:
        (path / LOCK).touch(exist_ok=False)
    except (FileExistsError, FileNotFoundError):  # another's; given up by another
        return False
    return True


def _name(path: Path, number: int) -> str:
    return f"{path.name}-{number}"


def _is_taken(path: Path) -> bool:
    """Whether there is anything that a run's files would come to lie beside."""
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def _plain(value: Any) -> Any:
    """The number or text that a scalar of NumPy or torch holds."""
    held = isinstance(value, np.generic) or (isinstance(value, Tensor) and value.ndim == 0)
    return value.item() if held else value
