"""Tables of runs that are there already: what is taken for one training, and when that is told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lab import watch
from lab.experiments import found_table, found_text
from lab.runs.train import start
from support.configs import tiny
from support.picture_folders import fill

ACTIVATION = """
import os
from torch import nn


def net(spec):
    kind = getattr(nn, os.environ["KIND_OF_ACTIVATION"])
    size = spec.in_channels * spec.image_size**2
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), kind(), nn.Linear(8, spec.num_outputs))
"""


def test_runs_that_are_taken_for_one_are_told_if_their_figures_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text(ACTIVATION)
    base = tiny(tmp_path / "runs", steps=60, batch_size=10, counterfactuals=0)
    base = replace(base, model=replace(base.model, model=f"{tmp_path / 'net.py'}:net"))
    for number, kind in enumerate(("ReLU", "ReLU", "Sigmoid")):
        monkeypatch.setenv("KIND_OF_ACTIVATION", kind)
        start(replace(base, name=f"run-{number}"))
        told = found_text(found_table(base.out))
        assert ("Warning, 3 runs of the same settings and seed (0) count as one" in told) == (
            kind == "Sigmoid"
        )
        assert "| all | 1 |" in told
    figures = [
        json.loads((base.out / f"run-{number}" / "summary.json").read_text())["accuracy"]
        for number in range(3)
    ]
    assert figures[0]["train"] == figures[1]["train"]
    assert figures[0]["train"] != figures[2]["train"]


def test_runs_on_own_pictures_have_no_task(tmp_path: Path) -> None:
    """Beside watched runs, which have none either, and beside drawn ones of another task."""
    fill(tmp_path / "photos" / "cat", 12)
    fill(tmp_path / "photos" / "dog", 12, shade=90)
    base = tiny(tmp_path / "runs", steps=2, num_train=8, num_test=4, counterfactuals=0)
    own = replace(base, data=replace(base.data, data=str(tmp_path / "photos")), name="own")
    start(own)
    x, y = torch.randn(20, 6), torch.arange(20) % 2
    with watch(torch.nn.Linear(6, 2), train=(x, y), test=(x, y), out=base.out / "w", quiet=True):
        pass
    table = found_table(base.out)
    assert "data" in table.grid
    assert not {"task", "variation", "cues"} & set(table.grid)
    start(replace(base, name="drawn"))
    table = found_table(base.out)
    assert {cell.settings["task"] for cell in table.cells} == {None, "person"}
    assert {cell.settings["task"] for cell in table.where(data=own.data.data)} == {None}
