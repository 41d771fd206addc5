"""A run that was done elsewhere comes home: its files become its folder, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.core.atomic import draft, replace


def bring_home(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a run's files, path in the folder -> content, in place of the folder there may be."""
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
