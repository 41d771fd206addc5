"""The names of the classes of stored pictures, as they are shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lab.core.text import plain
from lab.worlds.stored_settings import FLAG


def shown_names(place: Path, names: Sequence[str], *, what: str = "folder") -> tuple[str, ...]:
    """The names of classes as they are shown; `ValueError` if one has none, or two have the same.
    `what` is renamed to mend it."""
    shown = tuple(map(_composed, names))
    for name, raw in zip(shown, names, strict=True):
        same = [other for other, its in zip(names, shown, strict=True) if its == name]
        if not name:
            raise ValueError(
                f"{FLAG} {place}: a class needs a name that can be shown, not {raw!r}; rename the"
                f" {what}"
            )
        if len(same) > 1:
            raise ValueError(
                f"{FLAG} {place}: the names of two classes look the same, {same[0]!r} and"
                f" {same[1]!r}; rename one of them"
            )
    return shown


def _composed(name: str) -> str:
    """The name of a class as one line, its accents as they are usually written: macOS writes them
    as characters of their own (Unicode's form NFD)."""
    return unicodedata.normalize("NFC", plain(name))
