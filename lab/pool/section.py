"""A section of a pool's report: what one more measure adds to its output, files and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
