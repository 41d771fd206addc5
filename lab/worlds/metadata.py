"""Columns beside pictures from disk: what else is known of each picture.

For a folder, `metadata.csv` has a column `file_name`, paths from the table's own folder, and
further columns. It lies in the folder of `--data`, or one lies in train/ and one in test/, as
Hugging Face's `ImageFolder` has it. In an .npz file columns are arrays beside `x` and `y`.
`--groups` names the columns whose values, with the class, form groups.
"""

from __future__ import annotations

import csv
import difflib
import math
import re
import unicodedata
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor

from lab.core.text import in_tag, only_apart, plain, unknown
from lab.worlds.samples import Samples
from lab.worlds.schema import Attribute

TABLE, FILE = "metadata.csv", "file_name"

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What other programs write between cells."""

MOST, POSSIBLE = 100, 2_500
"""Groups that pictures are in, at most: more of them have too few each. And groups that would be
possible, of which each has a name."""

FLAG = "--groups"

BRACKETS = " (a pattern of paths has brackets around what tells, as 'patient([0-9]+)')"
"""What is said where a column is missing that may be meant as a pattern."""

_UNREAD = OSError, UnicodeDecodeError, csv.Error

K = TypeVar("K", bound=Hashable)
"""What a picture is known by."""


@dataclass(frozen=True)
class Column:
    """One of the columns: `words` are its values, sorted."""

    attribute: str
    words: tuple[str, ...]

    def says(self, samples: Samples) -> Tensor:
        """The position (N,) int64 of each sample's value in `words`."""
        return samples[self.attribute]

    @property
    def row(self) -> Attribute:
        """Its row in a schema."""
        return Attribute(
            name=self.attribute,
            kind="categorical",
            group="metadata",
            meaning=f"the column {self.attribute} beside the pictures",
            values=self.words,
        )


@dataclass(frozen=True)
class Metadata(Generic[K]):
    """The columns, and the values (positions in `Column.words`) of each picture."""

    columns: tuple[Column, ...] = ()
    codes: Mapping[K, tuple[int, ...]] = field(default_factory=dict)

    def samples(self, items: Sequence[K], identity: Tensor) -> Samples:
        """The values of pictures as attributes."""
        values = {
            column.attribute: torch.tensor([self.codes[item][k] for item in items]).long()
            for k, column in enumerate(self.columns)
        }
        return Samples(values, identity, schema={c.attribute: c.row for c in self.columns})


def read_metadata(root: Path, names: Sequence[str], labels: Mapping[Path, int]) -> Metadata[Path]:
    """The columns `names` for the pictures with these labels, all below `root`.

    `ValueError` in one line if there is no table, it lacks a column or a picture, or as
    `metadata_of` says.
    """
    tables = _tables(root)
    if not tables:
        raise ValueError(
            f"{FLAG} {' '.join(names)}: there is no {root / TABLE}, with a column {FILE} and a"
            " column for each group"
        )
    rows: dict[Path, tuple[str, ...]] = {}
    for table in tables:
        rows |= _rows(table, names)
    for path in labels:
        if path not in rows:
            raise ValueError(f"{FLAG} {' '.join(names)}: {tables[0]} has no row for {path}")
    return metadata_of(names, {path: rows[path] for path in labels}, labels)


def read_column(root: Path, name: str, paths: Collection[Path], *, flag: str) -> dict[Path, str]:
    """The column `name` of a folder's tables, with its values as they stand there for those of the
    pictures at `paths` that have a row. `ValueError` in one line, which begins with `flag`, if
    there is no table, it lacks the column, or it has a row for none of them."""
    tables = _tables(root)
    if not tables:
        raise ValueError(
            f"{flag} {name}: there is no {root / TABLE}, with a column {FILE} and a column"
            f" {name}{BRACKETS}"
        )
    try:
        rows = {path: row[0] for table in tables for path, row in _rows(table, [name]).items()}
    except ValueError as error:
        hint = "" if "(" in name or not re.search(r"[\\\[\]+*^$]", name) else BRACKETS
        raise ValueError(f"{flag} {name}{str(error).removeprefix(FLAG)}{hint}") from None
    if not any(path in rows for path in paths):
        why = f"its column {FILE} {_unmatched(tables[0], rows)}" if rows else "it has no rows"
        raise ValueError(f"{flag} {name}: {tables[0]}: {why}")
    return {path: rows[path] for path in paths if path in rows}


def has_column(root: Path, name: str) -> bool:
    """Whether one of a folder's tables has a column of that name."""
    try:
        return any(name in _header(table) for table in _tables(root))
    except ValueError:
        return False


def read_columns(root: Path, paths: Sequence[Path]) -> dict[str, dict[Path, str]]:
    """All columns that a folder's tables have, with their values as they stand there for those of
    the pictures at `paths` that have a row; none if there is no table, or it cannot be read: nobody
    asked for them."""
    columns: dict[str, dict[Path, str]] = {}
    wanted = set(paths)
    for table in _tables(root):
        try:
            rows = _rows(table, names := _header(table))
        except ValueError:
            continue
        for place, name in enumerate(names):
            known = columns.setdefault(name, {})
            known |= {path: values[place] for path, values in rows.items() if path in wanted}
    return columns


def unused_tables(root: Path, paths: Collection[Path]) -> list[str]:
    """A sentence for each table of a folder of which nothing is used, though it is there: it cannot
    be read, has a row for none of the pictures at `paths`, or is called otherwise."""
    said = [f"not used, {plain(str(each))}: the table must be {TABLE}." for each in _alike(root)]
    for table in _tables(root):
        try:
            rows = _rows(table, _header(table))
        except ValueError as error:
            said.append(f"not used, {str(error).removeprefix(f'{FLAG}: ')}.")
            continue
        if rows and not any(path in rows for path in paths):
            said.append(f"not used, {table}: its column {FILE} {_unmatched(table, rows)}.")
    return said


def _unmatched(table: Path, rows: Collection[Path]) -> str:
    """What a column of files has in place of the pictures' paths, of which these are the first."""
    first = min(rows)
    named = first.relative_to(table.parent) if first.is_relative_to(table.parent) else first
    return (
        "has no picture's path from the folder of the table on (class/file), but"
        f" {plain(named.as_posix())}"
    )


def refuse_classes_alike(classes: Sequence[str]) -> None:
    """`ValueError` in one line if two classes would have one name in those of groups."""
    only_apart(f"{FLAG}: names of classes", classes)


def metadata_of(
    names: Sequence[str], rows: Mapping[K, tuple[str, ...]], labels: Mapping[K, int]
) -> Metadata[K]:
    """The columns `names`, of which `rows` has the values for each picture as texts, and `labels`
    the class.

    `ValueError` in one line if a column is named twice, it has the same value for all or two that
    look the same, or if there are more than `MOST` groups, or fewer that hardly have more than one
    picture, or if more than `POSSIBLE` would be possible.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"{FLAG} {' '.join(names)}: a column is named twice")
    for k, name in enumerate(names):
        only_apart(
            f"{FLAG}: column {name}",
            (values[k] for values in rows.values()),
            named=lambda value: _word(value).casefold(),
        )
    kept = {item: tuple(map(_word, values)) for item, values in rows.items()}
    columns = tuple(
        Column(name, tuple(sorted({values[k] for values in kept.values()})))
        for k, name in enumerate(names)
    )
    for column in columns:
        if len(column.words) == 1:
            raise ValueError(
                f"{FLAG} {' '.join(names)}: the column {column.attribute} has one value for all"
                f" {len(kept):,} pictures, {column.words[0]!r}, so that it makes no groups: name"
                " one with two values or more"
            )
    classes = len(set(labels.values()))
    groups = len({(labels[item], *values) for item, values in kept.items()})
    possible = classes * math.prod(len(column.words) for column in columns)
    single = 2 * groups > len(kept)
    if possible > MOST and (groups > MOST or single or possible > POSSIBLE):
        told = ", ".join(f"{len(c.words):,} of {c.attribute}" for c in columns)
        many = f"{possible:,} possible groups, and {POSSIBLE:,} are the most"
        if groups > MOST or single:
            alone = f" with {len(kept):,} pictures in all" if single else ""
            many = f"{groups:,} groups{alone}, and {MOST} are the most"
        raise ValueError(
            f"{FLAG} {' '.join(names)}: {classes} classes with {told} are {many}: choose a column"
            " with fewer values"
        )
    places = [{word: i for i, word in enumerate(column.words)} for column in columns]
    codes = {
        item: tuple(place[value] for place, value in zip(places, values, strict=True))
        for item, values in kept.items()
    }
    return Metadata(columns, codes)


def _alike(root: Path) -> list[Path]:
    """Files where tables are that are called as one, but for the letters' case or the ending."""
    named = re.compile(r"metadata\.(csv|tsv|txt|jsonl?|xlsx?|ods|parquet)", re.IGNORECASE)
    places = [place for place in (root, root / "train", root / "test") if place.is_dir()]
    files = (file for place in places for file in sorted(place.iterdir()))
    tables = set(_tables(root))
    return [
        file for file in files
        if named.fullmatch(file.name) and file.name != TABLE
        and not any(file.samefile(table) for table in tables)  # where case does not count
    ]  # fmt: skip


def _tables(root: Path) -> list[Path]:
    """The tables of a folder of pictures that are there."""
    tables = [place / TABLE for place in (root, root / "train", root / "test")]
    return [table for table in tables if table.is_file()]


def _header(table: Path) -> list[str]:
    """The names of a table's columns but that of the files; `ValueError` if it cannot be read."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except _UNREAD as error:
        raise _unreadable(table, error) from None
    return [name for name in header if name != FILE]


def _unreadable(table: Path, error: OSError | UnicodeDecodeError | csv.Error) -> ValueError:
    """The error that says why a table cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, UnicodeDecodeError):
        reason = "it is not in UTF-8: save it so (in Excel: CSV UTF-8)"
    return ValueError(f"{FLAG}: {table}: {reason}")


def _rows(table: Path, names: Sequence[str]) -> dict[Path, tuple[str, ...]]:
    """The values of each picture in a table, as they stand there."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or ())
            for name in (FILE, *names):
                if name not in header:
                    raise ValueError(f"{FLAG}: {table}: {_no_column(name, header)}")
                if header.count(name) > 1:
                    raise ValueError(f"{FLAG}: {table}: two columns are called {name!r}")
            rows: dict[Path, tuple[str, ...]] = {}
            for row in reader:
                path = _path(table.parent, row[FILE] or "")
                if None in row or None in row.values():
                    raise ValueError(
                        f"{FLAG}: {table}: line {reader.line_num} has not as many cells as there"
                        f" are columns, {len(header)}; a cell with a comma stands in quotes"
                    )
                values = tuple(row[name] for name in names)
                if rows.setdefault(path, values) != values:
                    raise ValueError(f"{FLAG}: {table}: two rows for {row[FILE]} differ")
            return rows
    except _UNREAD as error:
        raise _unreadable(table, error) from None


def _path(folder: Path, name: str) -> Path:
    """The file of a row, whose path Windows may have written with backslashes, or macOS with its
    letters and their accents apart, or the other way round."""
    path = folder / name
    if ("\\" in name or not name.isascii()) and not path.exists():
        other = name.replace("\\", "/")
        forms = (unicodedata.normalize(form, other) for form in ("NFC", "NFD"))
        found = [folder / each for each in (other, *forms) if (folder / each).exists()]
        return found[0] if found else folder / other
    return path


def _word(value: str) -> str:
    """A cell as a value of its column: an empty one is "none"."""
    return in_tag(value or "none")


def _no_column(name: str, header: Sequence[str]) -> str:
    """Why a table with the columns of `header` has none called `name`."""
    if not header:
        return "it is empty"
    if len(header) == 1:
        for mark, what in SEPARATORS.items():
            if mark in header[0]:
                return f"its cells are separated by {what}: save it with commas between them"
    if name == FILE:
        near = difflib.get_close_matches(FILE, header, n=1, cutoff=0.5)
        hint = f"call {near[0]!r} so, if that is it" if near else "it has the pictures' paths"
        among = ", ".join(each or "one without a name" for each in header)
        return f"there is no column {FILE!r} among {among}: {hint}"
    return unknown("column", name, header)
