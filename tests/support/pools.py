"""Folders of pools, their pages, and pools that are told quickly."""

import re
from html import unescape
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


def visible(page: str) -> str:
    """The text of an HTML page, in one line."""
    body = re.sub(r"<(style|title)\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>", "", re.sub(r"</(p|h\d|li|dt|dd|td|th|tr)>", " ", body)))
    return " ".join(text.split())
