"""Collecting a run that was executed on another machine: its files are moved into place
atomically."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.core.atomic import draft, replace


def collect_run_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a run's files (path in the folder -> content) as `folder`, in place of one that exists.

    `ValueError` if a path leads out of the folder; `OSError` names the folder. After an error the
    old folder is as it was.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with draft(folder) as place:
            place.mkdir()
            for name, content in files.items():
                path = place / name
                if place.resolve() not in path.resolve().parents:
                    raise ValueError(f"a worker sent a file that leads out of its folder: {name!a}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if folder.exists():
                shutil.rmtree(folder)
            replace(place, folder)
    except OSError as error:
        error.filename = error.filename or str(folder)  # a full disk does not say where
        raise
