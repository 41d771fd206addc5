"""Settings of stored pictures: what of them goes without drawn ones, and how many there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.core.config import DataConfig, flag

FLAG = "--data"

ABOUT_DRAWINGS = (
    "task", "cues", "cue_visibility", "subpopulations", "missing", "unseen_combinations",
    "variation", "copies", "obscured",
)  # fmt: skip
"""Data settings that need pictures whose attributes are known."""


def refuse_drawing_settings(data: DataConfig) -> None:
    """Raise `ValueError` for a setting that needs drawn pictures."""
    usual = DataConfig()
    for name in ABOUT_DRAWINGS:
        if getattr(data, name) != getattr(usual, name):
            raise ValueError(
                f"{flag(name)} is about drawn pictures, and {FLAG} {data.data} takes them from"
                " disk: leave one of them out"
            )


def with_what_there_is(data: DataConfig, root: Path, pool: int, tested: int) -> DataConfig:
    """The settings with `root` as the pictures' place, and no more of them than there are."""
    return replace(
        data,
        data=str(root),
        num_train=min(data.num_train, pool),
        num_test=min(data.num_test, tested),
    )
