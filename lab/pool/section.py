"""A section of a pool's report: what one more measure adds to its output, files and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.core.errors import Interrupted, LabError
from lab.core.text import memory_ran_out, one_line, plain
from lab.models import place_of
from lab.tracking.sheets import Cell


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A contact sheet: a PNG file's content, what it shows, and its caption. The page shows the
    `pairs` of pictures in its place."""

    png: bytes
    alt: str
    caption: str
    pairs: Sequence[tuple[Cell, Cell]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What is said of one measure.

    Args:
        name: its key in `findings.json`.
        heading: on the page, above its table and sheets.
        lead: what it is about, on the page only, above the sentences.
        sentences: in plain words, the most important first.
        checks: sentences for researchers.
        fine: all of it is for researchers.
        summary: plain values.
        rows: of a table as texts, below a header; empty: no table.
        note: below the table, on the page.
        sheets: by the names of their files.
        files: texts by the names of their files.
        gone: names of files of an earlier report that do not hold any more.
    """

    name: str
    heading: str
    sentences: Sequence[str]
    summary: Mapping[str, Any]
    lead: str = ""
    checks: Sequence[str] = ()
    fine: bool = False
    rows: Sequence[Sequence[str]] = ()
    note: str = ""
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    gone: Sequence[str] = ()


Made = tuple[Section | None, list[str]]
"""A section, or None, and what is said of networks that failed."""


def unless_it_fails(what: str, make: Callable[[], Made]) -> Made:
    """What `make` returns; if it fails no section, and a line that begins with `what`: the networks
    are trained, and all else is said of them. A signal is passed on."""
    try:
        return make()
    except Interrupted:
        raise
    except Exception as error:
        return None, [f"{what}: {reason(error)}"]


def reason(error: Exception) -> str:
    """Why something could not be measured, in one line, with the place in the code unless the error
    is meant for the user."""
    if memory_ran_out(error):
        return "memory ran out"
    if isinstance(error, (ValueError, LabError)) and str(error):
        return plain(str(error))
    place = place_of(error)
    return f"it fails: {one_line(error)}" + (f" ({place})" if place else "")
