"""Classes with other shares in the test set than in the training set: no memory of the network's,
and none is claimed; what it does memorize is found all the same."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from lab import watch
from lab.core.config import DataConfig
from lab.core.estimate import Estimate, wilson
from lab.core.metrics import heading
from lab.experiments import run_grid
from lab.experiments.presets.learning_curve import view
from lab.experiments.report_card.make import size_of
from lab.measure import Predictions, memorization_metrics
from lab.measure.class_shares import (
    ACCURACY,
    AUC,
    GAP,
    MEAN,
    at_test_shares,
    class_mean,
    same_answer,
)
from lab.runs.train import start
from lab.verdict import Finding, findings
from lab.worlds import open_world
from support.configs import tiny
from support.made_up import figures, kinds, setting


def made(counts: tuple[int, ...], *, known: float, seed: int) -> Predictions:
    """Predictions of a network that leans to the first class, and knows labels by `known`."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    logits = rng.normal(size=(len(labels), len(counts))) + np.linspace(1.5, 0, len(counts))
    logits[np.arange(len(labels)), labels] += 0.7 + known
    return Predictions.of(torch.tensor(logits), torch.tensor(labels))


SHARES = [
    ((90, 10), (100, 100)),
    ((74, 26), (380, 620)),
    ((40, 40, 5, 5, 5), (20, 20, 20, 20, 20)),
]


@pytest.mark.parametrize(("studied", "unseen"), SHARES)
def test_figures_are_those_of_a_plain_computation(
    studied: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    train, test = made(studied, known=1.0, seed=0), made(unseen, known=0.0, seed=1)
    found = at_test_shares(train, test)
    weights = np.array(unseen) / sum(unseen)

    def by_class(predictions: Predictions) -> list[tuple[np.ndarray, np.ndarray]]:
        logits, labels = predictions.logits.numpy(), predictions.labels.numpy()
        own = logits[np.arange(len(labels)), labels]
        losses = np.log(np.exp(logits).sum(axis=1)) - own
        right = logits.argmax(axis=1) == labels
        return [(right[labels == c], losses[labels == c]) for c in range(len(weights))]

    pairs = list(zip(by_class(train), by_class(test), strict=True))
    accuracy = weights @ [mine[0].mean() for mine, _ in pairs]
    gap = weights @ [mine[0].mean() - other[0].mean() for mine, other in pairs]
    area = weights @ [(mine[1][:, None] < other[1]).mean() for mine, other in pairs]
    assert found[ACCURACY].value == pytest.approx(accuracy)
    assert found[GAP].value == pytest.approx(gap)
    assert found[AUC].value == pytest.approx(area)
    for each in found.values():
        assert each.interval[0] <= each.value <= each.interval[1]


@pytest.mark.parametrize(("studied", "unseen"), SHARES)
def test_their_intervals_claim_memory_seldom_where_there_is_none(
    studied: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    """The usual ones do so nearly always."""
    wrong = {GAP: 0, AUC: 0, "gap/accuracy": 0, "memorization/membership_auc": 0}
    for seed in range(60):
        train, test = (
            made(n, known=0.0, seed=2 * seed + k) for k, n in enumerate((studied, unseen))
        )
        told = at_test_shares(train, test) | memorization_metrics(train, test)
        for tag in wrong:
            wrong[tag] += told[tag].interval[0] > (0.0 if "gap" in tag else 0.5)
    assert max(wrong[GAP], wrong[AUC]) <= 6
    assert min(wrong["gap/accuracy"], wrong["memorization/membership_auc"]) > 20


def test_shares_that_do_not_surely_differ_leave_the_usual_figures() -> None:
    for studied, unseen in (((50, 50), (20, 20)), ((52, 48), (100, 100)), ((9, 1), (8, 2))):
        assert not at_test_shares(made(studied, known=1, seed=0), made(unseen, known=0, seed=1))


def test_classes_of_one_set_only_are_left_out() -> None:
    train, test = made((40, 40, 0), known=4.0, seed=0), made((10, 20, 30), known=0.0, seed=1)
    found = at_test_shares(train, test)
    kept = test.labels < 2
    rest = Predictions.of(test.logits[kept], test.labels[kept])
    alike = wilson(int(rest.right.sum()), 30)
    assert found[GAP].value == pytest.approx(found[ACCURACY].value - alike.value)
    assert not at_test_shares(made((40, 0), known=0, seed=0), made((0, 40), known=0, seed=1))


def told(train: Predictions, test: Predictions) -> list[Finding]:
    """The findings on such predictions."""
    labels = test.labels.bincount()
    metrics: dict[str, Estimate] = {
        **figures(float(train.right.double().mean()), float(test.right.double().mean()),
                  num_train=len(train), num_test=len(test)),
        **memorization_metrics(train, test),
        **at_test_shares(train, test),
        "answers/most_frequent": same_answer(test.predicted),
    }  # fmt: skip
    return findings(
        metrics,
        setting(
            num_train=len(train), num_test=len(test), num_classes=len(labels),
            frequent=float(labels.max()) / len(test), noun="pictures",
        ),
    )  # fmt: skip


def constant(counts: tuple[int, ...]) -> Predictions:
    """A network that gives the same answer to all."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    logits = torch.linspace(2, 0, len(counts)).repeat(len(labels), 1)
    return Predictions.of(logits, labels)


@pytest.mark.parametrize(
    ("studied", "unseen"),
    [((180, 20), (100, 100)), ((740, 260), (620, 380)), ((50, 1), (30, 30)),
     ((60, 20, 20), (30,) * 3)],
)  # fmt: skip
def test_one_answer_to_all_is_no_memory(studied: tuple[int, ...], unseen: tuple[int, ...]) -> None:
    found = told(constant(studied), constant(unseen))
    assert not {"memorized", "memorized partly", "memorized a little", "members exposed"} & set(
        kinds(found)
    )
    assert found[0].kind == "nothing"
    assert "other shares in the test set" in found[0].text
    assert "all test pictures the same answer" in found[0].text


def test_memory_is_found_under_other_shares() -> None:
    for studied, unseen in (*SHARES, ((180, 20), (100, 100))):
        found = told(made(studied, known=9.0, seed=0), made(unseen, known=-0.5, seed=1))
        assert found[0].kind == "memorized"
        assert "members exposed" in kinds(found)
        assert "same answer" not in found[0].text


def test_a_network_that_has_learned_is_told_so_under_other_shares() -> None:
    found = told(made((900, 100), known=5.0, seed=0), made((500, 500), known=5.0, seed=1))
    assert found[0].kind == "learned"
    assert "same answer" not in found[0].text


def test_with_equal_shares_nothing_is_said_of_them() -> None:
    found = told(made((50, 50), known=9.0, seed=0), made((100, 100), known=-0.5, seed=1))
    assert found[0].kind == "memorized"
    text = " ".join(each.text for each in found)
    assert "shares" not in text
    assert "of one class" not in text


@pytest.mark.parametrize(
    ("most", "count", "frequent", "said"),
    [
        (200, 200, 0.5, "all test"), (198, 200, 0.5, "nearly all test"), (170, 200, 0.5, ""),
        (20, 20, 0.5, "all test"), (19, 20, 0.5, ""), (196, 200, 0.9, ""), (200, 200, 0.9, "all"),
        (20, 20, 0.95, ""), (120, 200, 0.1, ""),
    ],
)  # fmt: skip
def test_the_same_answer_to_nearly_all_is_told(
    most: int, count: int, frequent: float, said: str
) -> None:
    metrics = figures(0.6, 0.5) | {"answers/most_frequent": wilson(most, count)}
    text = findings(metrics, setting(frequent=frequent, num_classes=2))[0].text
    assert ("same answer" in text) == bool(said)
    assert f"{said} " in text


def noise(folder: Path, counts: dict[str, int], seed: int) -> None:
    """Pictures of noise, the same wherever they lie."""
    random = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_pictures_of_ones_own_with_other_shares_are_told_of_and_not_called_memorized(
    tmp_path: Path,
) -> None:
    noise(tmp_path / "own" / "train", {"a": 45, "b": 5}, 0)
    noise(tmp_path / "own" / "test", {"a": 25, "b": 25}, 1)
    data = DataConfig(data=str(tmp_path / "own"), image_size=16, num_train=50, num_test=50)
    (said,) = (one for one in open_world(data, seed=0).doubts() if "the gap" in one)
    assert said.startswith("the class a is 90.0% of the training pictures and 50.0% of the test")
    result = start(
        replace(tiny(tmp_path, steps=20, width=2, batch_size=10, counterfactuals=0), data=data)
    )
    assert "It memorized" not in result.verdict
    summary = json.loads((result.folder / "summary.json").read_text())
    assert abs(summary["gap"]["accuracy_at_test_shares"]["value"]) < 0.2


def test_cards_and_learning_curves_compare_class_by_class(tmp_path: Path) -> None:
    """Networks that answer nearly alike to all pictures have no gap on a card."""
    noise(tmp_path / "own" / "train", {"a": 90, "b": 10}, 0)
    noise(tmp_path / "own" / "test", {"a": 25, "b": 25}, 1)
    base = tiny(tmp_path, steps=12, width=2, batch_size=10, counterfactuals=0)
    data = DataConfig(data=str(tmp_path / "own"), image_size=16, num_test=50)
    grid = {"num_train": [50, 100]}
    table = run_grid(replace(base, data=data), grid, seeds=2, processes=1)
    for cell in table.cells:
        found = [run.metrics for run in cell.runs]
        assert cell.mean("gap/accuracy").value > 0.2
        gap = float(np.mean([each[GAP].value for each in found]))
        assert abs(gap) < 0.15
        assert cell.judged("gap/accuracy").value == pytest.approx(gap, abs=1e-12)
        size = size_of(cell)
        assert size.membership_auc.value == np.mean([each[AUC].value for each in found])
        assert size.train.value == np.mean([each[ACCURACY].value for each in found])
    assert view(table).columns.keys() >= {heading(tag) for tag in (GAP, AUC, ACCURACY)}


@pytest.mark.parametrize(
    ("train", "test"),
    [({"a": 20, "b": 20}, {"a": 10, "b": 10}), ({"a": 20, "b": 20}, {"a": 9, "b": 11}),
     ({"a": 90, "b": 10}, {"a": 18, "b": 2})],
)  # fmt: skip
def test_shares_that_are_about_the_same_are_not_told(
    train: dict[str, int], test: dict[str, int], tmp_path: Path
) -> None:
    noise(tmp_path / "own" / "train", train, 0)
    noise(tmp_path / "own" / "test", test, 1)
    world = open_world(DataConfig(data=str(tmp_path / "own"), image_size=16), seed=0)
    assert not [one for one in world.doubts() if "the gap" in one]


class Same(nn.Module):
    """A network that gives the same answer to all inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), 2)


def test_a_watched_network_that_gives_one_answer_has_not_memorized(tmp_path: Path) -> None:
    def some(*counts: int) -> TensorDataset:
        labels = torch.arange(2).repeat_interleave(torch.tensor(counts))
        return TensorDataset(torch.rand(len(labels), 3, 8, 8), labels)

    with watch(
        Same(), train=some(180, 20), test=some(100, 100), out=tmp_path / "run", pictures=False,
        quiet=True,
    ) as watcher:  # fmt: skip
        pass
    assert "memorized" not in watcher.verdict
    assert "all test pictures the same answer" in watcher.verdict


def test_a_detector_of_a_rare_class_has_learned_something() -> None:
    """Trained with weights for the classes, it is less often right than a constant answer."""
    plain = figures(0.866, 0.861, num_train=2000)
    rare = setting(num_train=2000, frequent=0.95, noun="pictures")
    assert kinds(findings(plain, rare))[0] == "nothing"
    labels = torch.tensor([1] * 100 + [0] * 1900)
    answers = torch.tensor([1] * 95 + [0] * 5 + [1] * 271 + [0] * 1629)
    test = Predictions.of(torch.eye(2)[answers], labels)
    mean = class_mean(test)
    assert mean.value == pytest.approx((95 / 100 + 1629 / 1900) / 2)
    main, *_ = findings({**plain, MEAN: mean}, rare)
    assert main.kind == "apart"
    assert "the mean of its accuracy on each class is 90.4 %" in main.text
    assert "worse than always answering the most frequent class" in main.text
    constant = Predictions.of(torch.eye(2)[torch.zeros(2000, dtype=torch.int64)], labels)
    assert class_mean(constant).value == 0.5
    (first, *_) = findings({**plain, MEAN: class_mean(constant)}, rare)
    assert first.kind == "nothing"
