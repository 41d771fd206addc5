"""Likeliest wrong labels: planted ones are found, by neighbors and by loss."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from lab.core.cli import main
from lab.core.config import DataConfig
from lab.evaluators.evaluation import Evaluation, LoadedSplit
from lab.evaluators.label_doubts import LabelDoubtsEvaluator
from lab.measure import label_doubts as module
from lab.measure.label_doubts import features_of, label_doubts
from lab.models import ModelSpec, create_model
from lab.runs.train import start
from lab.tracking.sheets import FACES, doubted_sheet
from lab.worlds import draw_examples, open_world, save_npz
from support.configs import tiny
from support.scripts import load_script


def by_hand(seen: Tensor, labels: Tensor, losses: Tensor) -> tuple[list[float], list[int]]:
    """Against, and the order, one example at a time."""
    rows = seen.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    against = []
    for i, row in enumerate(rows):
        near = [j for j in np.argsort(-(rows @ row), kind="stable") if j != i][:10]
        against.append(float(np.mean([labels[j] != labels[i] for j in near])))
    return against, sorted(range(len(rows)), key=lambda i: (-against[i], -float(losses[i])))


@pytest.mark.parametrize("block", [64, 2**22])
def test_ranks_are_those_of_a_computation_by_hand(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    torch.manual_seed(0)
    seen, labels, losses = torch.randn(60, 5), torch.randint(3, (60,)), torch.rand(60)
    found = label_doubts(seen, labels, losses)
    against, order = by_hand(seen, labels, losses)
    assert found.against.tolist() == pytest.approx(against)
    assert found.order.tolist() == order
    assert found.ranks[order].tolist() == list(range(1, 61))
    nothing = label_doubts(None, labels, losses)
    assert nothing.order.tolist() == losses.argsort(descending=True).tolist()
    assert nothing.against.isnan().all()


def test_few_are_asked_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbors of all examples are among the first `MOST`."""
    monkeypatch.setattr(module, "MOST", 20)
    monkeypatch.setattr(module, "NEIGHBORS", 5)
    seen = torch.eye(2)[torch.arange(50) % 2] + 0.01 * torch.rand(50, 2)
    labels = torch.arange(50) % 2
    labels[[3, 40]] = torch.tensor([0, 1])
    found = label_doubts(seen, labels, torch.zeros(50))
    assert set(found.order[:2].tolist()) == {3, 40}
    assert found.said[[3, 40]].tolist() == [1, 0]


def test_features_may_be_made_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 20)
    monkeypatch.setattr(module, "_BLOCK", 20 * 7)  # a part has both those that are held and others
    torch.manual_seed(0)
    seen, labels, losses = torch.randn(50, 4), torch.randint(2, (50,)), torch.rand(50)
    before, asked = seen.clone(), []

    def features_at(where: slice) -> Tensor:
        asked.append(len(seen[where]))
        return seen[where].clone()

    whole, parts = label_doubts(seen, labels, losses), label_doubts(features_at, labels, losses)
    assert torch.equal(seen, before)
    assert torch.equal(whole.order, parts.order)
    assert torch.equal(whole.against, parts.against)
    assert asked[0] == max(asked) == 20
    assert sum(asked) == 50
    for late in (lambda where: None, lambda where: None if where.start else seen[where].clone()):
        nothing = label_doubts(late, labels, losses)
        assert nothing.order.tolist() == losses.argsort(descending=True).tolist()
        assert nothing.against.isnan().all()


def test_planted_wrong_labels_of_digits_fill_the_sheet(tmp_path: Path) -> None:
    digits = load_digits()
    path = save_npz(tmp_path / "digits.npz", (digits.images / 16, digits.target))
    data = DataConfig(
        data=str(path), num_train=400, image_size=16, label_noise=0.1, label_noise_kind="flip"
    )
    world = open_world(data, seed=0)
    train = LoadedSplit("train", world.load("train", 400))
    model = create_model("cnn", ModelSpec(image_size=16, width=4, num_outputs=10))
    result = LabelDoubtsEvaluator(train)(Evaluation(model, {"train": train}))
    wrong = train.examples.mislabeled
    assert 25 < int(wrong.sum()) < 60
    shown = result.doubts.order[:FACES]
    assert float(wrong[shown].float().mean()) >= 0.85
    for doubts, high in (
        (result.doubts, True),
        (label_doubts(None, train.examples.labels, torch.rand(400)), True),
        (label_doubts(torch.ones(400, 2), torch.zeros(400).long(), torch.rand(400)), False),
    ):
        sheet = doubted_sheet(
            result.examples, order=doubts.order, against=doubts.against, said=doubts.said
        )
        assert sheet.shape[1:] == (350, 3)
        assert (sheet.shape[0] > 100) == high, "where no label is doubted there is nothing to see"


def test_features_are_the_same_in_parts() -> None:
    data = DataConfig(num_train=130, image_size=16)
    images = draw_examples(data, split="train", count=130, seed=0).images
    model = create_model("cnn", ModelSpec(image_size=16, width=2, num_outputs=2))
    whole = features_of(model, images)
    assert whole is not None
    assert whole.shape[0] == 130
    one = features_of(model, images[120:121])
    assert one is not None
    assert torch.allclose(whole[120:121], one, atol=1e-5)


def test_a_run_on_ones_own_pictures_shows_them(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = (random.integers(0, 100, (40, 16, 16)) + 100 * y[:, None, None]).astype(np.uint8)
    path = save_npz(tmp_path / "mine.npz", (x, np.where(np.arange(40) == 7, 0, y)))
    folder = start(tiny(tmp_path, data=str(path), num_train=32, pictures=True, name="run")).folder
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    assert "pictures/likeliest_wrong_labels" in events.Tags()["images"]
    table = tmp_path / "examples.csv"
    words = [str(folder), "--counterfactuals", "0", "--examples", str(table)]
    assert main(load_script("evaluate").evaluate, words) == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    train = [row for row in rows if row["split"] == "train"]
    assert sorted(int(row["doubt_rank"]) for row in train) == list(range(1, 33))
    (first,) = (row for row in train if row["doubt_rank"] == "1")
    if "x[7]" in {row["file"] for row in train}:
        assert first["file"] == "x[7]"
    assert float(first["neighbors_against"]) == max(float(r["neighbors_against"]) for r in train)
    assert {row["doubt_rank"] for row in rows if row["split"] == "test"} == {""}
