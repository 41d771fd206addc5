"""Tables of runs that are there already: what is taken for one training, and when that is told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.experiments import found_table, found_text
from lab.runs.train import start
from support.configs import tiny

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
