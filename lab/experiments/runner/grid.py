"""Grids: for any setting of a run the values that it takes, parsed by the setting's type.

num_train=32,100  model=cnn,mlp  cues=,eye_color:0.9+hair_length:0.8  early_stopping=none,5

The name ends at the first `=`, a comma ends a value, `+` joins the texts of one value that takes
several, and nothing (or none) is no text, or a number that is not set. Values that hold commas
themselves, as those of unseen_combinations do, are separated by semicolons. Standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from lab.core.config import RENAMED, RunConfig, check
from lab.core.text import unknown

PARTS = ("data", "model", "train")
"""The fields of `RunConfig` that hold settings themselves."""

ELSEWHERE = {
    "seed": "--seeds",
    "name": "the grid",
    "out": "--out",
    "threads": "the grid",
    "device": "--device",
    "checkpoint_every": "--checkpoint-every",
    "snapshots": "--snapshots",
}
"""Settings that a grid cannot vary, and what sets them."""

Grid = Mapping[str, tuple[Any, ...]]
"""Setting -> its values. The combinations of all are the cells of the grid."""


@cache
def fields() -> dict[str, tuple[str, Any]]:
    """Every setting by name: the part of the config that it belongs to ("" for a run's own), and
    its type."""
    found = {}
    for part, kind in (("", RunConfig), *((p, get_type_hints(RunConfig)[p]) for p in PARTS)):
        hints = get_type_hints(kind)
        for entry in dataclasses.fields(kind):
            if part or entry.name not in PARTS:  # --model is a setting of the part `model`
                found[entry.name] = (part, hints[entry.name])
    return found


def parse_grid(specs: Iterable[str]) -> Grid:
    """The grid that texts such as num_train=32,100 describe.

    `ValueError` names what is wrong: an unknown setting, one that is given twice or set elsewhere,
    a value that does not fit its type.
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for spec in specs:
        name, equals, rest = spec.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not equals:
            raise ValueError(f"--grid {spec}: write setting=value,value, as in num_train=32,100")
        if name in grid:
            raise ValueError(f"--grid {name} is given twice: name all its values at once")
        grid[name] = tuple(rest.split(";" if ";" in rest else ","))
    return make_grid(grid)


def make_grid(values: Mapping[str, Sequence[Any]]) -> Grid:
    """A grid from setting -> values, texts parsed by the setting's type; `ValueError` as
    `parse_grid` has it."""
    grid: dict[str, tuple[Any, ...]] = {}
    for name, choices in values.items():
        if name in ELSEWHERE:
            raise ValueError(f"--grid {name}: that is set by {ELSEWHERE[name]}, leave it out")
        if name not in fields():
            names = [known for known in fields() if known not in ELSEWHERE]
            raise ValueError("--grid: " + unknown("setting", name, names, renamed=RENAMED))
        if isinstance(choices, str) or not isinstance(choices, Sequence) or not choices:
            raise ValueError(f"--grid {name} takes a list of one value or more, not {choices!r}")
        parsed = tuple(_value(name, choice) for choice in choices)
        for choice in parsed:
            if parsed.count(choice) > 1:
                raise ValueError(f"--grid {name} names {in_words(choice)} twice")
            _checked(name, choice)
        grid[name] = parsed
    return grid


def parse_value(name: str, text: str) -> Any:
    """The value of the setting `name` that `text` says; `ValueError` if it says none."""
    hint = fields()[name][1]
    text = text.strip()
    if get_origin(hint) is tuple:
        return () if text.lower() in ("", "none") else tuple(text.split("+"))
    kinds = get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() in ("", "none"):
        return None
    kind = kinds[0]
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"--grid {name} takes true or false, not {text!r}")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise ValueError(f"--grid {name} takes {wanted}, not {text!r}") from None
    if not text:
        raise ValueError(f"--grid {name} has an empty value")
    return text


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The config with settings of any part replaced, by name."""
    for name, value in settings.items():
        part = fields()[name][0]
        if part:
            config = replace(config, **{part: replace(getattr(config, part), **{name: value})})
        else:
            config = replace(config, **{name: value})
    return config


def setting(config: RunConfig, name: str) -> Any:
    """The value that a config gives to the setting `name`."""
    part = fields()[name][0]
    return getattr(getattr(config, part) if part else config, name)


def in_words(value: Any) -> str:
    """A value as `parse_value` reads it back."""
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return "+".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def describe(settings: Mapping[str, Any]) -> str:
    """Settings in one line: num_train 32, model cnn."""
    return ", ".join(f"{name} {in_words(value)}" for name, value in settings.items())


def _value(name: str, choice: Any) -> Any:
    hint = fields()[name][1]
    kinds = get_args(hint) or (hint,)
    if isinstance(choice, str):
        return parse_value(name, choice)
    if isinstance(choice, list):
        return tuple(choice)
    if kinds[0] is float and isinstance(choice, int) and not isinstance(choice, bool):
        return float(choice)  # 1 and 1.0 are one setting
    return choice


def _checked(name: str, value: Any) -> None:
    try:
        check(with_settings(RunConfig(), {name: value}))
    except ValueError as error:
        raise ValueError(f"--grid {name}={in_words(value)}: {error}") from None
