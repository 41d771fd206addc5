"""Folders of pools, their pages, and pools that are told quickly."""

import re
from html import unescape
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lab.core.run_dir import is_events
from lab.pool.findings import Findings
from lab.pool.run import PoolResult
from lab.pool.store import Pool
from lab.runs.resolve import ResolvedRun
from lab.worlds import Examples


@pytest.fixture
def short_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bootstraps of a pool's figures draw 20 samples, for tests of everything else."""
    for module in ("shadow_models", "rank_correlation"):
        for name in ("RESAMPLES", "LEAST"):
            monkeypatch.setattr(f"lab.measure.{module}.{name}", 20)


def findings_of(
    run: ResolvedRun,
    sets: tuple[Examples, Examples],
    members: Tensor,
    logits: tuple[Tensor, Tensor],
) -> Findings:
    """What is found of K networks, of which `members` (K, N) tells the training examples of each,
    and which have these `logits` on the training and the test set."""
    (train, test), count = sets, len(members)
    zeros = torch.zeros(count, dtype=torch.int64)
    pool = Pool(
        networks=tuple(range(count)), members=members, train_logits=logits[0],
        test_logits=logits[1], steps=zeros, weights_of=zeros, fitted=zeros.bool(),
        losses=torch.ones(count),
    )  # fmt: skip
    return Findings.of(
        PoolResult(
            folder=run.config.out, run=run, share=0.7, pool=pool, train=train, test=test,
            seconds=0.0, failed=(),
        )
    )  # fmt: skip


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
