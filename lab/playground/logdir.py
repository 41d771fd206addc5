"""The runs in TensorBoard's logdir, and nothing outside it.

A run's name is its folder's path below the logdir, as TensorBoard shows it. Names from requests are
looked up among the folders that were found; they never become a path by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab.core.config import Provenance, RunConfig, parse_settings
from lab.core.paths import expanded
from lab.core.run_dir import CHECKPOINTS, RunDir, holds_a_run
from lab.playground.errors import NotThere, one_line

MOST_RUNS, MOST_FOLDERS, DEEPEST = 1000, 20_000, 6
"""Limits of the search for runs: a logdir can be a whole home folder."""

LARGEST = 2**20
"""Bytes of a `config.json` or `summary.json` that are read: far more than the lab writes."""

LONGEST = 2**24
"""Bytes of a `metrics.jsonl` that are read: some 1,000 evaluations."""

MOST_SNAPSHOTS = 200
"""Most snapshots of a run that are looked at; the lab itself keeps at most 45."""

_OF_A_SWEEP = {
    "mean": "means over a sweep's seeds: its runs are in the folder above",
    "figures": "a sweep's figures: its runs are in the folder above",
}
"""Folders of the lab that are no runs, by their name or that of their parent."""

_OF_A_CARD = "report_card.json"
"""The file by which the folder of a report card is known."""

_OF_A_POOL = {"board": "a pool's scores and pictures, for TensorBoard's other tabs"}
"""The same, by their name alone."""

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file that a network is loaded from."""


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """A folder with a run of this lab, or with event files that cannot be opened as one (`config`
    None; `trouble` says why)."""

    name: str
    folder: Path
    config: RunConfig | None
    provenance: Provenance = field(default_factory=Provenance)
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The runs by name, `MOST_RUNS` at most, how many more there are, and whether all folders were
    searched."""

    runs: list[RunEntry]
    more: int = 0
    searched: bool = True


@dataclass(frozen=True)
class Logdir:
    """A folder of runs on this machine; `root` None: there is none, and `trouble` says why."""

    root: Path | None
    trouble: str = ""

    def runs(self) -> Listing:
        """The lab's runs, and folders with event files of other programs."""
        if self.root is None:
            return Listing(runs=[])
        found: list[RunEntry] = []
        folders = more = 0
        for path, below, files in os.walk(self.root, followlinks=False):
            folder, folders = Path(path), folders + 1
            if folders > MOST_FOLDERS:
                break
            depth = len(folder.relative_to(self.root).parts)
            below[:] = [] if depth >= DEEPEST else _searched(below)
            here = [folder] if holds_a_run(files) else []
            here += [folder / name for name in below if (folder / name).is_symlink()]
            room = MOST_RUNS - len(found)
            found += [self._look(each) for each in here[:room]]
            more += len(here[room:])
        runs = sorted(found, key=lambda run: run.name)
        return Listing(runs=runs, more=more, searched=folders <= MOST_FOLDERS)

    def with_file(self, file: str, *, most: int) -> list[Path]:
        """The folders, `most` of them at most, that hold a `file` of that name, in the order of
        their paths."""
        found: list[Path] = []
        if self.root is None:
            return found
        for folders, (path, below, files) in enumerate(os.walk(self.root, followlinks=False)):
            if folders >= MOST_FOLDERS or len(found) >= most:
                break
            depth = len(Path(path).relative_to(self.root).parts)
            below[:] = [] if depth >= DEEPEST else _searched(below)
            if file in files:
                found.append(Path(path))
        return found

    def find(self, name: str) -> RunEntry:
        """The run called `name`; `NotThere` if the logdir has none."""
        folder = self._walk_to(name)
        try:
            there = folder is not None and holds_a_run(os.listdir(folder))
        except OSError:
            there = False
        if folder is not None and there:
            return self._look(folder)
        raise NotThere(f"there is no run {name[:200]!r} in the logdir")

    def _walk_to(self, name: str) -> Path | None:
        """The folder that `name` means. Each of its parts must be one of the names listed in the
        folder before, so that it cannot be "..", empty or absolute; and no link."""
        folder = self.root
        for part in [] if name == "." else name.split("/"):
            try:
                if folder is None or part.startswith(".") or part not in os.listdir(folder):
                    return None
            except OSError:
                return None
            folder = folder / part
            if folder.is_symlink() or not folder.is_dir():
                return None
        return folder

    def _look(self, folder: Path) -> RunEntry:
        name = self.name_of(folder)
        if folder.is_symlink():
            trouble = "a link to another folder: only what lies in the logdir itself is opened"
            return RunEntry(name=name, folder=folder, config=None, trouble=trouble)
        try:
            config, provenance = _read_settings(RunDir(folder).config_file)
        except FileNotFoundError:
            trouble = (
                _OF_A_SWEEP.get(folder.name)
                or _OF_A_SWEEP.get(folder.parent.name)
                or _OF_A_POOL.get(folder.name)
                or _of_a_card(folder)
                or ("not a run of this lab: it has event files, but no config.json")
            )
            return RunEntry(name=name, folder=folder, config=None, trouble=trouble)
        except (ValueError, OSError) as error:
            trouble = f"its settings cannot be read: {one_line(error)}"
            return RunEntry(name=name, folder=folder, config=None, trouble=trouble)
        if provenance.watched:
            trouble = (
                "watched while another program trained it (lab.watch): its network is not here"
            )
            return RunEntry(name=name, folder=folder, config=None, trouble=trouble)
        return RunEntry(name=name, folder=folder, config=config, provenance=provenance)

    def name_of(self, folder: Path) -> str:
        """The name of a folder in the logdir: its path below it."""
        assert self.root is not None
        text = folder.relative_to(self.root).as_posix()
        return text.encode("utf-8", "replace").decode("utf-8")


def _of_a_card(folder: Path) -> str:
    """What the folder of a report card is; empty for any other."""
    there = (folder / _OF_A_CARD).is_file()
    return "a report card: its runs are in the folder runs beside it" if there else ""


def _searched(names: Sequence[str]) -> list[str]:
    """Of a folder's subfolders those in which runs are looked for, in order."""
    return sorted(name for name in names if not name.startswith(".") and name != CHECKPOINTS)


def _read_settings(path: Path) -> tuple[RunConfig, Provenance]:
    state = path.stat()
    return _parse_settings(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2 * MOST_RUNS)
def _parse_settings(path: Path, size: int, time: int) -> tuple[RunConfig, Provenance]:
    """The settings of a file, read once for each time that it is changed."""
    return parse_settings(read_text(path))


def open_logdir(text: str | None) -> Logdir:
    """TensorBoard's logdir as a folder, or the reason why it is none."""
    if not text:
        return Logdir(
            None, "TensorBoard was started without --logdir, so there are no runs to open"
        )
    if "://" in text:
        return Logdir(None, f"the logdir {text} is not a folder of this machine")
    root = Path(os.path.realpath(expanded(text)))
    if not root.is_dir():
        return Logdir(root if root.exists() else None, f"there is no folder {text} (yet)")
    return Logdir(root)


def stamp(run: RunEntry) -> Stamp:
    """Name, size and modification time of the files that a network is loaded from.

    Raises `NotThere` if one of them is a symbolic link, which may lead out of the logdir.
    """
    marks = []
    files = RunDir(run.folder)
    for path in (files.config_file, files.last, files.previous, files.best):
        try:
            if path.is_symlink() or path.parent.is_symlink():
                raise NotThere(f"{path.name} is a link: only files in the logdir itself are opened")
            state = path.stat()
        except OSError:
            continue
        marks.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(marks)


def snapshots_of(run: RunEntry) -> tuple[int, ...]:
    """The steps of the run's snapshots; none if they lie behind a link."""
    files = RunDir(run.folder)
    if files.checkpoints.is_symlink() or files.snapshots.is_symlink():
        return ()
    return files.snapshot_steps()[:MOST_SNAPSHOTS]


def evaluations(run: RunEntry) -> list[dict[str, Any]]:
    """The lines of the run's `metrics.jsonl`; none if there is none or it is damaged."""
    try:
        text = read_text(RunDir(run.folder).metrics_file, largest=LONGEST)
        found = [json.loads(line) for line in text.splitlines()]
    except (ValueError, RecursionError):
        return []
    return [line for line in found if isinstance(line, dict)]


def summary(run: RunEntry) -> dict[str, Any]:
    """The contents of the run's `summary.json`; empty if there is none or it is damaged."""
    try:
        content = json.loads(read_text(RunDir(run.folder).summary_file))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def share(told: Mapping[str, Any], tag: str) -> float | None:
    """The value of a tag in a run's `summary`, -1 to 1; None if there is none."""
    place: Any = told
    for part in (*tag.split("/"), "value"):
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, (int, float)) or isinstance(place, bool):
        return None
    return float(place) if abs(place) <= 1 else None  # no NaN, nothing infinite


def read_text(path: Path, *, largest: int = LARGEST) -> str:
    """The text of a small file of a run; `ValueError` if it is no plain file or too large."""
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is not a plain file")
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    if len(content) > largest:
        raise ValueError(f"{path.name} is larger than {largest:,} bytes")
    return content.decode("utf-8")  # UnicodeDecodeError is a ValueError
