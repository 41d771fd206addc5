"""Networks written without `nn.Parameter`, as in lessons that begin from scratch: whether a watched
loop trains them is seen by their tensors and their answers."""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from lab import watch
from lab.watching import Watcher
from lab.watching.weights import Weights

COUNT, PLACES, CLASSES = 120, 20, 3


def examples(seed: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(COUNT, PLACES, generator=torch.Generator().manual_seed(seed))
    return x, x[:, :CLASSES].argmax(dim=1)


TRAIN, TEST = examples(0), examples(1)


class Softmax(nn.Module):
    """Its weights are tensors in attributes, `with_gradients` or computed by hand."""

    def __init__(self, *, with_gradients: bool = True) -> None:
        super().__init__()
        self.W = torch.zeros(PLACES, CLASSES, requires_grad=with_gradients)
        self.b = torch.zeros(CLASSES, requires_grad=with_gradients)

    def weights(self) -> Sequence[Tensor]:
        return self.W, self.b

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.W + self.b


class Normalized(Softmax):
    """With running statistics that each forward pass changes."""

    def __init__(self) -> None:
        super().__init__(with_gradients=False)
        self.norm = nn.BatchNorm1d(PLACES, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


class TwoLayers(nn.Module):
    """They are in a list."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        made = (torch.randn(PLACES, 16) / 4, torch.zeros(16), torch.randn(16, CLASSES) / 4)
        self.params = [each.requires_grad_() for each in made]

    def weights(self) -> Sequence[Tensor]:
        return self.params

    def forward(self, x: Tensor) -> Tensor:
        one, bias, two = self.params
        return torch.relu(x @ one + bias) @ two


MADE = {
    "attributes": Softmax,
    "list": TwoLayers,
    "by hand": lambda: Softmax(with_gradients=False),
    "by hand, normalized": Normalized,
}


def trained(
    place: Path, case: str, data: tuple[Tensor, Tensor] = TRAIN, *, copied: bool = False,
    scale: float = 1.0, steps: int = 40,
) -> Watcher:  # fmt: skip
    """A loop of plain gradient descent, on the network that is watched or on a copy of it."""
    model = MADE[case]()
    with watch(model, train=TRAIN, test=TEST, out=place, every=10, pictures=False) as watcher:
        mine = copy.deepcopy(model) if copied else model
        for _ in range(steps):
            x, y = data[0] * scale, data[1]
            logits = mine(x)
            if case.startswith("by hand"):
                wrong = (logits.softmax(dim=1) - one_hot(y, CLASSES)) / len(x)
                gradients = x.T @ wrong, wrong.sum(dim=0)
            else:
                gradients = torch.autograd.grad(cross_entropy(logits, y), mine.weights())
            with torch.no_grad():
                for weight, gradient in zip(mine.weights(), gradients, strict=True):
                    weight -= 0.5 * gradient
            watcher()
    return watcher


@pytest.mark.parametrize("case", MADE)
def test_weights_that_are_no_parameters_are_seen_to_change(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for copied in (False, True):
        watcher = trained(tmp_path / f"{copied}", case, copied=copied)
        said = capsys.readouterr().out
        assert ("none of the weights of the watched model has changed" in said) is copied
        assert watcher.verdict.startswith("None of its weights changed in 40 steps") is copied
        assert (watcher.metrics["accuracy/train"].value > 0.8) is not copied


@pytest.mark.parametrize("case", MADE)
def test_what_such_a_loop_feeds_is_told(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path / "scaled", case, scale=10.0)
    assert "the loop feeds the model" in capsys.readouterr().out
    trained(tmp_path / "test", case, TEST)
    assert "are examples of test, and not of train" in capsys.readouterr().out
    trained(tmp_path / "usual", case)
    said = capsys.readouterr().out
    assert not any(each in said for each in ("feeds the model", "call the model itself", "of test"))


def test_weights_that_begin_to_take_gradients_have_not_changed() -> None:
    """As where a loop unfreezes a body, and trains it later, or not."""
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    weights = Weights(model)
    model(torch.randn(8, 4))  # running statistics are no weights
    model[0].requires_grad_()
    assert not weights.look(model)
    assert not weights.learned
    with torch.no_grad():
        model[0].weight += 1
    assert weights.look(model)
    assert weights.learned


class NearestMean(nn.Module):
    """Random features whose weights stay as they are, and the mean of each class in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Linear(PLACES, 64)
        self.register_buffer("means", torch.zeros(CLASSES, 64))
        self.means: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return -torch.cdist(self.features(x).relu(), self.means)

    @torch.no_grad()
    def count(self, x: Tensor, y: Tensor, rate: float) -> None:
        for feature, label in zip(self.features(x).relu(), y, strict=True):
            self.means[label] += rate * (feature - self.means[label])


def test_a_loop_that_counts_is_not_told_that_it_was_not_seen_to_call_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = NearestMean()
    with watch(model, train=TRAIN, test=TEST, out=tmp_path, every=10, pictures=False) as watcher:
        for step in range(40):
            rows = torch.arange(3 * step, 3 * step + 3)
            model.count(TRAIN[0][rows], TRAIN[1][rows], 0.1)
            watcher()
    said = capsys.readouterr().out
    assert "the weights change" not in said
    assert "has changed" not in said
    assert "call the model itself" not in watcher.verdict
    assert watcher.metrics["accuracy/train"].value > 0.5
