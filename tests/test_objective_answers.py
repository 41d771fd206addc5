"""The check of objectives before a run: whether the largest output is the answer they train."""

from pathlib import Path

import pytest

from lab.training.objectives import check_objective, create_objective, list_objectives

TRAINS_ANSWERS = {
    "cross-entropy": "ce(logits, y)",
    "label smoothing": "ce(logits, y, label_smoothing=0.5)",
    "class weights": "ce(logits, y, weight=torch.linspace(0.1, 5, C))",
    "a class of weight 0": "ce(logits, y, weight=(torch.arange(C) > 0).float())",
    "focal": "((1 - right) ** 2 * each).mean()",
    "GCE": "((1 - right.clamp(min=1e-7) ** 0.7) / 0.7).mean()",
    "MAE": "(1 - right).mean()",
    "truncated GCE": "torch.where(right > 0.2, 1 - right**0.7, 0.7 + 0 * right).mean()",
    "forward correction": "F.nll_loss((p @ noise(0.4)).log(), y)",
    "backward correction": "-(torch.linalg.inv(noise(0.4))[y] * logits.log_softmax(1)).mean()",
    "labels that are mostly wrong": "F.nll_loss((p @ noise(0.8)).log(), y)",
    "half of the losses, the lowest": "each.topk(N // 2, largest=False).values.mean()",
    "half of the losses, the highest": "each.topk(N // 2).values.mean()",
    "the worst example": "each.max()",
    "losses below a bound": "(each * (each < 1.2)).mean()",
    "flooding": "(ce(logits, y) - 0.5).abs() + 0.5",
    "logit adjustment": "ce(logits + torch.logspace(0, -3, C).log(), y)",
    "logit adjustment, the other way": "ce(logits - torch.logspace(0, -3, C).log(), y)",
    "mixed labels": "0.6 * each.mean() + 0.4 * ce(logits, y.flip(0))",
    "mostly other labels": "0.3 * each.mean() + 0.7 * ce(logits, y.flip(0))",
    "a teacher": "F.kl_div(logits.log_softmax(1), teacher.softmax(1), reduction='batchmean')",
    "a teacher and labels": "each.mean() - (teacher.softmax(1) * logits.log_softmax(1)).sum() / N",
    "bootstrapping": "0.4 * each.mean() + 0.6 * ce(logits, logits.argmax(1))",
    "one against the rest": "F.binary_cross_entropy_with_logits(logits, hot)",
    "squared error": "F.mse_loss(logits, hot)",
    "margin": "F.multi_margin_loss(logits, y)",
    "squared error of probabilities": "(p - hot).square().sum(1).mean()",
    "worst group": "torch.stack([each[y == k].mean() for k in y.unique()]).max()",
    "evidence": "(torch.digamma((logits.relu() + 1).sum(1))"
    " - torch.digamma((logits.relu() + 1)[range(N), y])).mean()",
    "another label": "-(1 - right).clamp(min=1e-6).log().mean()",
    "half of the rows": "(each * (torch.rand(N) > 0.5)).mean()",
    "expected value, from the network": "-logits[range(N), y].mean()",
    "expected value and cross-entropy": "expected(p, y) + each.mean()",
}
"""Losses of which the largest output is the answer, or another one on purpose."""

OTHERS = {
    "expected value": "expected(p, y)",
    "its distance": "F.smooth_l1_loss((p * torch.arange(C)).sum(1), y.float())",
    "odd or even": "F.nll_loss(torch.stack([p[:, ::2].sum(1), p[:, 1::2].sum(1)], 1).log(), y % 2)",
}

DIFFERENCES = {
    "pairs of the difference": "ranked(logits[:, -1] - logits[:, 0], y == C - 1)",
    "pairs of each class": "sum(ranked(logits[:, k], y == k) for k in range(C))",
    "centered": "ce(logits - logits.mean(0), y)",
}

DRAWN = {
    "a class that it is not": "-(1 - p.gather(1, ((y + torch.randint(1, C, (N,))) % C)[:, None]))"
    ".clamp(min=1e-6).log().mean()",
    "one output against the rest": "F.binary_cross_entropy_with_logits("
    "logits.gather(1, some[:, None])[:, 0], (y == some).float())",
    "without one class": "ce(logits.masked_fill(F.one_hot(some, C).bool() & (hot < 1), -1e9), y)",
}
"""Losses that draw what they go by, of which the largest output is the answer in the long run."""

FILE = """
import torch
from torch.nn import functional as F

ce = F.cross_entropy

def expected(p, y):
    return ((p * torch.arange(p.shape[1])).sum(1) - y).square().mean()

def ranked(score, first):
    if not 0 < first.sum() < len(first):
        return 0 * score.sum()
    return F.softplus(-(score[first][:, None] - score[~first])).mean()

def own(logits, batch):
    (N, C), y = logits.shape, batch.labels
    hot, p, each = F.one_hot(y, C).float(), logits.softmax(1), ce(logits, y, reduction="none")
    right, some = (p * hot).sum(1), torch.randint(C, (N,))
    draw = torch.Generator().manual_seed(3)
    teacher = 2 * torch.randn(64, C, generator=draw)[batch.indices % 64]
    def noise(share):
        return (1 - share) * torch.eye(C) + share * torch.eye(C).roll(1, 1)
    return LOSS
"""


def told(loss: str, folder: Path, classes: int) -> str:
    """What the check says of an objective with this loss."""
    file = folder / "own.py"
    file.write_text(FILE.replace("LOSS", loss))
    name = f"{file}:own"
    return " ".join(check_objective(lambda: create_objective(name), name=name, classes=classes))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("loss", TRAINS_ANSWERS.values(), ids=TRAINS_ANSWERS)
def test_objectives_that_train_answers_are_not_doubted(
    loss: str, classes: int, tmp_path: Path
) -> None:
    assert "answers that it does not train" not in told(loss, tmp_path, classes)


@pytest.mark.parametrize("classes", [3, 5, 30])
@pytest.mark.parametrize("loss", OTHERS.values(), ids=OTHERS)
def test_a_loss_that_leaves_the_largest_output_open_is_told(
    loss: str, classes: int, tmp_path: Path
) -> None:
    said = told(loss, tmp_path, classes)
    assert "where it is smallest the largest output need not be" in said
    assert "-(k - expected) ** 2" in said


@pytest.mark.parametrize("loss", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("classes", [3, 5, 30])
def test_of_a_loss_that_draws_at_random_one_draw_says_nothing(
    loss: str, classes: int, tmp_path: Path
) -> None:
    assert told(loss, tmp_path, classes) == ""


@pytest.mark.parametrize("loss", DIFFERENCES.values(), ids=DIFFERENCES)
@pytest.mark.parametrize("classes", [2, 5])
def test_a_loss_that_compares_examples_only_is_told(
    loss: str, classes: int, tmp_path: Path
) -> None:
    if loss == DIFFERENCES["pairs of the difference"] and classes > 2:
        pytest.skip("it leaves outputs without a gradient, which is told")
    assert "it compares these with each other alone" in told(loss, tmp_path, classes)


def test_an_expected_value_of_two_classes_is_a_probability(tmp_path: Path) -> None:
    assert not told(OTHERS["expected value"], tmp_path, 2)


def test_a_margin_that_large_logits_keep_trains_small_ones(tmp_path: Path) -> None:
    """As of distances within and between classes."""
    loss = "F.relu(far[y[:, None] == y].mean() - far[y[:, None] != y].mean() + 1)"
    loss = loss.replace("far", "(logits[:, None] - logits).square().sum(2)")
    assert "nothing is learned" not in told(loss, tmp_path, 3)
    with pytest.raises(ValueError, match="0 for every logit: nothing is learned"):
        told("0 * logits.sum()", tmp_path, 3)


MEMORY = """
import torch
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective

class own(Objective):
    def start(self, spec):
        self.seen = torch.zeros(sum(spec.groups.counts), len(spec.groups.names))

    def __call__(self, logits, batch):
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        self.seen[batch.indices] = 0.7 * self.seen[batch.indices] + 0.3 * p.detach()
        agree = (self.seen[batch.indices] * p).sum(1)
        return cross_entropy(logits, batch.labels) + 3 * (1 - agree).log().mean()

    def state(self):
        return {"seen": self.seen.clone()}

    def restore(self, state):
        self.seen = state["seen"].clone()
"""


def test_an_objective_with_a_memory_is_not_doubted(tmp_path: Path) -> None:
    """Early-learning regularization, Liu et al., NeurIPS 2020."""
    file = tmp_path / "own.py"
    file.write_text(MEMORY)
    name = f"{file}:own"
    assert not check_objective(lambda: create_objective(name), name=name, classes=5)


@pytest.mark.parametrize("name", list_objectives())
def test_the_labs_own_are_not_doubted(name: str, tmp_path: Path) -> None:
    kind = type(create_objective(name))
    file = tmp_path / "own.py"
    file.write_text(f"from {kind.__module__} import {kind.__name__}\n")
    there = f"{file}:{kind.__name__}"
    assert not check_objective(lambda: create_objective(there), name=there, classes=3)
