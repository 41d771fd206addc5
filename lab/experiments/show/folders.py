"""Folders of results, which are replaced as a whole (folders of runs never are)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.core.atomic import draft, replace
from lab.core.run_dir import METRICS, RunDir, is_events


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` if all goes well.

    Only a `Tracker`'s files and files of the same names are lost with the old one; whatever else is
    in it stays. Raises `ValueError` if the old one is a run's.
    """
    refuse_run(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft(folder) as path:
        path.mkdir()
        yield path
        if folder.is_dir():
            for entry in folder.iterdir():
                if not is_record(entry) and not (path / entry.name).exists():
                    replace(entry, path / entry.name)
            shutil.rmtree(folder)
        replace(path, folder)


def is_record(path: Path) -> bool:
    """Whether it is a file that a `Tracker` writes."""
    return path.is_file() and (is_events(path.name) or path.name == METRICS)


def refuse_run(folder: Path) -> None:
    """Raise `ValueError` if `folder` is a run's, which nothing may take the place of."""
    if RunDir(folder).config_file.exists():
        raise ValueError(
            f"{folder} is a run's folder, and needed for results: choose another --out"
        )
