"""Expected calibration error: an independent computation, and where it turns up."""

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.metrics import markdown
from lab.evaluators.populations import measure
from lab.evaluators.tables import to_text
from lab.experiments import Cell, Table
from lab.experiments.presets.sweep import view
from lab.experiments.show.tables import runs_csv, to_markdown
from lab.experiments.table import read_run
from lab.measure import expected_calibration_error
from lab.runs.load import open_run
from lab.runs.train import start
from lab.worlds import DrawnWorld

TAG = "calibration/ece_test"
Numbers = npt.NDArray[np.float64]


def reference(logits: Numbers, labels: Numbers, bins: int) -> float:
    """Guo et al. 2017, equation 3, bin by bin."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = shifted / shifted.sum(axis=1, keepdims=True)
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == labels
    total = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return float(total)


def predictions(
    count: int, classes: int, *, scale: float, seed: int = 0
) -> tuple[Numbers, Numbers]:
    """Logits of a model that is right as often as its unscaled softmax says, and their labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, classes)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return (logits * scale).astype(np.float32).astype(np.float64), labels


def ece(logits: Numbers, labels: Numbers, bins: int = 15) -> tuple[float, float, float]:
    found = expected_calibration_error(
        torch.from_numpy(logits).float(), torch.from_numpy(labels), bins=bins
    )
    assert found.low is not None
    assert found.high is not None
    assert found.count == len(labels)
    return found.value, found.low, found.high


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_it_equals_the_definition(classes: int, bins: int, scale: float) -> None:
    logits, labels = predictions(300, classes, scale=scale)
    value, low, high = ece(logits, labels, bins)
    assert value == pytest.approx(reference(logits, labels, bins))
    assert 0 <= low <= value <= high <= 1


def test_known_values() -> None:
    sure = torch.tensor([[100.0, 0.0]]).repeat(10, 1)
    labels = torch.tensor([0] * 7 + [1] * 3)
    assert expected_calibration_error(sure, labels).value == pytest.approx(0.3)
    assert expected_calibration_error(sure, torch.zeros(10).long()).value == pytest.approx(0)
    unsure = torch.zeros(10, 2)  # half sure of class 0
    assert expected_calibration_error(unsure, labels).value == pytest.approx(0.2)
    calibrated, overconfident = (
        ece(*predictions(4000, 3, scale=scale, seed=1))[0] for scale in (1.0, 3.0)
    )
    assert calibrated < 0.4 * (15 / 4000) ** 0.5 < overconfident, "the bias stays below its bound"


def test_its_interval_is_the_bootstraps() -> None:
    logits, labels = predictions(500, 3, scale=3.0, seed=2)
    random = np.random.default_rng(0)
    again = []
    for _ in range(300):
        drawn = random.integers(0, 500, 500)
        again.append(reference(logits[drawn], labels[drawn], 15))
    _, low, high = ece(logits, labels)
    assert high - low == pytest.approx(2 * 1.96 * np.std(again), rel=0.2)


def test_it_turns_up_wherever_metrics_are_shown(tmp_path: Path) -> None:
    """Nothing but its function and its row names it; and here is all that is made of these."""
    base = RunConfig(
        data=DataConfig(num_train=8, num_test=30, image_size=16), model=ModelConfig(width=2),
        train=TrainConfig(steps=2), counterfactuals=0, pictures=False, out=tmp_path,
    )  # fmt: skip
    run = read_run(start(base).folder, seed=0)
    table = Table({"width": (2,)}, tmp_path, (Cell({"width": 2}, base, (run,)),))
    summary = json.loads((run.folder / "summary.json").read_text())
    value = summary["calibration"]["ece_test"]["value"]
    assert 0 <= value <= 1
    assert [line[TAG] for line in run.history][-1] == value
    events = EventAccumulator(str(run.folder)).Reload()
    assert events.Scalars(TAG)[-1].value == pytest.approx(value)
    (row,) = csv.DictReader(runs_csv(table).splitlines())
    assert float(row[TAG]) == value
    assert "test ECE" in to_markdown(view(table))
    assert f"`{TAG}`" in markdown()
    config, model, *_ = open_run(run.folder)
    world = DrawnWorld.of(config.data, seed=config.seed)
    again = measure(world, model, counterfactuals=0)
    assert again[TAG].value == value  # type: ignore[union-attr]
    assert "test ECE" in to_text(again, world)
