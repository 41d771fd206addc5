"""Answers of a class that no example has, and what would use probabilities that rank examples."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lab import watch
from lab.core.estimate import Estimate
from lab.measure import Predictions
from lab.measure.ranking import ROC_AUC
from lab.measure.unmet import TOLD, Unmet, unmet_answers
from lab.verdict.verdict import verdict
from support.made_up import figures, setting

RANKED = {ROC_AUC: Estimate(0.99, 0.98, 1.0, 200)}


def predictions(answers: Tensor, labels: Tensor, *, clean: Tensor | None = None) -> Predictions:
    return Predictions.of(one_hot(answers, 6).float(), labels, clean_labels=clean)


def test_answers_of_a_class_without_examples_are_counted() -> None:
    labels = torch.arange(50) % 5
    answers = torch.where(torch.arange(50) < 20, 5, labels)
    train, test = predictions(labels, labels), predictions(answers, labels)
    found = unmet_answers(train, test)
    assert found is not None
    assert (found.name, found.share.value, found.share.count) == ("5", 0.4, 50)
    assert unmet_answers(test, train) is None, "answers on the test set count"
    known = torch.where(torch.arange(50) < 1, 5, labels)
    assert unmet_answers(predictions(labels, known), test) is None, "a training example has it"
    true = predictions(labels, labels, clean=known)
    assert unmet_answers(true, test) is None, "one has it in truth"
    hundred = torch.arange(100) % 5
    few = predictions(torch.where(torch.arange(100) < TOLD * 100 - 1, 5, hundred), hundred)
    assert unmet_answers(train, few) is None


def test_they_are_told_and_nothing_is_advised_where_they_are_most() -> None:
    for share, advised in ((0.86, False), (0.1, True)):
        unmet = Unmet("unsure", Estimate(share, share - 0.03, share + 0.03, 200))
        text = verdict(figures(0.15, 0.14), setting(num_classes=6, unmet=unmet))
        assert 'its answer is a class that no face has, mostly "unsure"' in text
        assert ("More training" in text) is advised


@pytest.mark.parametrize(
    ("classes", "frequent", "said"),
    [
        (2, 0.0, "Another threshold would use that."),
        (2, 0.9, "Another threshold or weights for rare classes would use that."),
        (6, 0.7, "Weights for rare classes would use that."),
        (6, 0.2, ""),
    ],
)
def test_what_would_use_ranked_probabilities_is_what_fits(
    classes: int, frequent: float, said: str
) -> None:
    right = min(0.1, 1 / classes)
    made = figures(right, right, num_test=200) | RANKED
    text = verdict(made, setting(num_classes=classes, frequent=frequent, num_test=200))
    assert "its probabilities do" in text
    assert said in text
    assert bool(said) == ("would use that" in text)


def test_a_watched_network_that_abstains(tmp_path: Path) -> None:
    x, y = torch.randn(90, 4), torch.arange(90) % 2
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.bias[2] = 100.0
    with watch(
        model, train=(x[:40], y[:40]), test=(x[40:], y[40:]), out=tmp_path / "run", quiet=True
    ) as watcher:
        pass
    text = watcher.verdict.replace("\n", " ")
    assert 'of the test examples its answer is a class that no example has, mostly "2"' in text
