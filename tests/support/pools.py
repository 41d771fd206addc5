"""Folders of pools."""

from pathlib import Path

from lab.core.run_dir import is_events


def files(folder: Path) -> dict[str, bytes]:
    """The content of each file of a pool's folder, by its path, but for its lock, and for
    TensorBoard's files, which hold the time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "." and not is_events(path.name)
    }
