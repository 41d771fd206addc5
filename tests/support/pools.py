"""Folders of pools, and pools that are told quickly."""

from pathlib import Path

import pytest

from lab.core.run_dir import is_events


@pytest.fixture
def short_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bootstraps of a pool's figures draw 20 samples, for tests of everything else."""
    for module in ("shadow_models", "rank_correlation"):
        for name in ("RESAMPLES", "LEAST"):
            monkeypatch.setattr(f"lab.measure.{module}.{name}", 20)


def files(folder: Path) -> dict[str, bytes]:
    """The content of each file of a pool's folder, by its path, but for its lock, and for
    TensorBoard's files, which hold the time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "." and not is_events(path.name)
    }
