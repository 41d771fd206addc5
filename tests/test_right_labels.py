"""Gap and membership AUC where some training labels are wrong: of the rightly labeled examples,
since the test set has right labels only."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lab.core.estimate import Estimate, wilson
from lab.measure import Predictions, example_losses, memorization_metrics, predict
from lab.measure.right_labels import ACCURACY, AUC, GAP, of_right_labels
from lab.runs.load import open_run
from lab.runs.train import start
from lab.verdict import findings
from lab.worlds import draw_examples
from support.configs import tiny
from support.made_up import figures, kinds, setting


def made(count: int, *, known: float, wrong: float, seed: int) -> Predictions:
    """Predictions of a network that knows the truth of examples, a share of which is mislabeled,
    by `known` more in its training set."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, count)
    labels = np.where(rng.random(count) < wrong, 1 - truth, truth)
    logits = rng.normal(size=(count, 2))
    logits[np.arange(count), truth] += 1 + known
    return Predictions.of(
        torch.tensor(logits), torch.tensor(labels), clean_labels=torch.tensor(truth)
    )


def test_figures_are_those_of_a_plain_computation() -> None:
    train, test = (made(900, known=k, wrong=w, seed=s) for k, w, s in ((0.5, 0.3, 0), (0, 0, 1)))
    found = of_right_labels(train, test)
    right = (train.labels == train.clean_labels).numpy()
    losses = [example_losses(each.logits, each.labels).numpy() for each in (train, test)]
    hits = [(each.logits.argmax(1) == each.labels).numpy() for each in (train, test)]
    assert found[ACCURACY].value == pytest.approx(hits[0][right].mean())
    assert found[ACCURACY].count == right.sum()
    assert found[GAP].value == pytest.approx(hits[0][right].mean() - hits[1].mean())
    members = np.r_[np.ones(right.sum()), np.zeros(len(test))]
    auc = roc_auc_score(members, -np.r_[losses[0][right], losses[1]])
    assert found[AUC].value == pytest.approx(auc)


def test_without_wrong_labels_or_with_mostly_wrong_ones_there_are_none() -> None:
    test = made(200, known=0, wrong=0, seed=1)
    for wrong in (0.0, 0.7):
        assert of_right_labels(made(200, known=1, wrong=wrong, seed=0), test) == {}
    assert of_right_labels(made(12, known=1, wrong=0.3, seed=3), test) == {}


def test_copies_narrow_no_interval() -> None:
    test = made(500, known=0, wrong=0, seed=1)
    once = made(60, known=1, wrong=0.3, seed=0)
    every = torch.arange(60).repeat(10)
    often = once.where(every)
    noted = Predictions(**{**vars(often), "copies": every})
    plain = of_right_labels(once, test)
    for tag, each in of_right_labels(noted, test).items():
        assert each.value == pytest.approx(plain[tag].value), tag
        assert each.interval == pytest.approx(plain[tag].interval), tag


def test_the_verdict_goes_by_them() -> None:
    """Of 1,000 faces 400 with wrong labels, which it does not fit: by all labels the gap is below
    0, and no attacker can tell anything."""
    plain = figures(0.56, 0.62, num_train=1000, auc=(0.484, 0.46, 0.51), fitted=0.35)
    right = {
        ACCURACY: wilson(440, 600), GAP: Estimate(0.113, 0.07, 0.155, 3000),
        AUC: Estimate(0.55, 0.53, 0.57, 2600),
    }  # fmt: skip
    asked = setting(num_train=1000, label_noise=0.4)
    before, after = findings(plain, asked), findings({**plain, **right}, asked)
    assert not {"memorized", "memorized partly", "members exposed"} & set(kinds(before))
    assert {"memorized partly", "members exposed"} <= set(kinds(after))
    text = " ".join(finding.text for finding in after)
    assert "Of the 600 it studied with right labels it gets 73.3 %" in text
    assert "two faces with right labels" in text


def test_a_run_that_has_not_fitted_wrong_labels_yet(tmp_path: Path) -> None:
    """Its own figures against further faces of the training population, with as many wrong
    labels: there the gap is seen too, and by the labels of the test set it is not."""
    config = tiny(
        tmp_path, num_train=400, num_test=400, label_noise=0.3, subpopulations=("object",),
        variation=0.3, width=8, steps=40, batch_size=64,
    )  # fmt: skip
    outcome = start(config)
    told = json.loads((outcome.folder / "summary.json").read_text())
    _, model, *_ = open_run(outcome.folder)
    train, test = (
        draw_examples(config.data, split=split, count=400, seed=0) for split in ("train", "test")
    )
    given = [Predictions.of(predict(model, each.images), each.labels,
                            clean_labels=each.clean_labels) for each in (train, test)]  # fmt: skip
    found = of_right_labels(*given)
    for tag, each in found.items():
        kind, name = tag.split("/")
        assert told[kind][name]["value"] == pytest.approx(each.value, abs=1e-6), tag
    assert found[GAP].value > memorization_metrics(*given)["gap/accuracy"].value + 0.1


def test_an_objective_is_tried_on_pictures_of_the_runs_size(tmp_path: Path) -> None:
    """A teacher of fixed input size, for example."""
    code = (
        "from torch import nn\n"
        "from lab.models import to_input\n"
        "teacher = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 2))\n"
        "nn.init.constant_(teacher[1].weight, 0.01)\n"
        "nn.init.zeros_(teacher[1].bias)\n"
        "def distill(logits, batch):\n"
        "    return (logits - teacher(to_input(batch.images)).detach()).square().mean()\n"
    )
    (tmp_path / "distill.py").write_text(code)
    objective = f"{tmp_path / 'distill.py'}:distill"
    start(tiny(tmp_path, image_size=24, objective=objective))


def test_an_objective_gets_the_augmented_pictures(tmp_path: Path) -> None:
    code = (
        "from torch.nn.functional import cross_entropy\n"
        "def spy(logits, batch):\n"
        "    assert batch.images.dtype.is_floating_point is False\n"
        "    with open(__file__ + '.txt', 'a') as file:\n"
        "        file.write(f'{batch.images.float().mean():.6f}\\n')\n"
        "    return cross_entropy(logits, batch.labels)\n"
    )
    means = []
    for augment in (False, True):
        place = tmp_path / str(augment)
        place.mkdir()
        (place / "spy.py").write_text(code)
        start(tiny(place, augment=augment, objective=f"{place / 'spy.py'}:spy"))
        means.append((place / "spy.py.txt").read_text().split()[-3:])
    assert means[0] != means[1]
