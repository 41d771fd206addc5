"""Networks whose smallest output is the right one, such as distances: told in a loop and in a run,
and nobody else is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab import watch
from lab.measure.smallest_right import share_of_smallest, smallest_right
from lab.runs.train import start
from lab.watching import Watcher
from support.configs import tiny

SAID = "The smallest of its outputs, not the largest, is that of the right class for"


def test_the_share_is_what_a_loop_finds() -> None:
    logits = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)).round()
    logits[3, 1] = torch.nan
    labels = torch.arange(200) % 4
    right = 0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        right += all(row[label] < each for k, each in enumerate(row) if k != label)
    found = share_of_smallest(logits, labels)
    assert (found.value, found.count) == (right / 200, 200)


def test_what_one_answer_to_all_would_get_shows_nothing() -> None:
    labels = (torch.arange(100) >= 80).long()
    constant = torch.tensor([[-1.0, 1.0]]).repeat(100, 1)
    assert share_of_smallest(constant, labels).value == 0.8
    assert smallest_right(constant, labels, before=0.2) is None
    right = nn.functional.one_hot(labels, 2).double()
    found = smallest_right(1 - right, labels, before=0.2)
    assert found is not None
    assert (found.share.value, found.negative) == (1, False)
    shifted = smallest_right(-right, labels, before=0.2)
    assert shifted is not None
    assert shifted.negative
    assert smallest_right(1 - right, labels, before=1.0) is None  # it was so from the start
    assert smallest_right(right, labels, before=0.2) is None
    assert smallest_right(-0.2 * right, labels, before=0.2) is None  # hardly worse than a guess
    one = torch.stack([torch.zeros(100), 1 - 2.0 * labels], dim=1)  # one output of two classes
    assert smallest_right(one, labels, before=0.2) is None
    assert smallest_right(right[:0], labels[:0], before=0) is None


class Distances(nn.Module):
    """Distances to a prototype of each class, as they are returned by `shown`."""

    def __init__(self, classes: int, shown: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features = nn.Linear(classes, 8)
        self.prototypes = nn.Parameter(torch.randn(classes, 8))
        self.shown = shown

    def forward(self, x: Tensor) -> Tensor:
        return self.shown(torch.cdist(self.features(x), self.prototypes))


def in_a_loop(
    out: Path,
    model: nn.Module,
    classes: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    steps: int = 80,
    rate: float = 0.05,
    counts: tuple[int, ...] = (),
) -> Watcher:
    """A network that is trained to minimize `loss` on rows that a linear network tells apart, with
    `counts` of each class (equally many, if none are given)."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(300) % classes
    if counts:
        y = torch.repeat_interleave(torch.arange(classes), torch.tensor(counts))
        y = y[torch.randperm(len(y), generator=generator)]
    x = torch.eye(classes)[y] + 0.1 * torch.randn(len(y), classes, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    half = len(y) // 2
    given = {"train": (x[:half], y[:half]), "test": (x[half:], y[half:])}
    with watch(model, **given, out=out, pictures=False, every=1000) as watcher:
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(x[:half]), y[:half]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    return watcher


def nearest(outputs: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(-outputs, y)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize(
    ("shown", "below"),
    [(lambda d: d, False), (torch.square, False), (lambda d: d - 4, True)],
    ids=["distances", "squares", "shifted"],
)
def test_distances_in_a_loop_are_told(
    classes: int,
    shown: Callable[[Tensor], Tensor],
    below: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(0)
    found = in_a_loop(tmp_path / "run", Distances(classes, shown), classes, nearest)
    assert found.verdict.startswith(f"{SAID} 100 %")
    assert "(return -distances)" in found.verdict
    assert ("other labels" in found.verdict) == below
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "warning" in each]
    assert "the smallest output of the model, not the largest" in line
    assert "100 % of its training examples (the largest for 0 %)" in line
    assert "forward=lambda model, x: -model(x)" in line
    assert ("other labels" in line) == below


def test_the_figures_of_negated_distances_are_those_of_the_nearest(tmp_path: Path) -> None:
    torch.manual_seed(0)
    found = in_a_loop(tmp_path / "run", Distances(3, torch.neg), 3, cross_entropy)
    assert found.metrics["accuracy/train"].value == 1  # type: ignore[union-attr]
    assert "smallest" not in found.verdict


class Wrong(nn.Linear):
    """Of all answers none is right before the training."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes, classes)
        with torch.no_grad():
            self.weight.copy_(-torch.eye(classes))
            self.bias.zero_()


ORDINARY: dict[str, tuple[Callable[[], nn.Module], int, Callable[..., Tensor], dict]] = {
    "logits": (lambda: nn.Linear(3, 3), 3, cross_entropy, {}),
    "two classes": (lambda: nn.Linear(2, 2), 2, cross_entropy, {}),
    "distances as logits": (lambda: Distances(3, lambda d: d), 3, cross_entropy, {}),
    "rectified": (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU()), 4, cross_entropy, {}),
    "untrained": (lambda: Wrong(2), 2, cross_entropy, {"steps": 0}),
    "one step": (lambda: Wrong(2), 2, cross_entropy, {"steps": 1}),
    "one step of three classes": (lambda: Wrong(3), 3, cross_entropy, {"steps": 1}),
    "diverged": (lambda: nn.Linear(2, 2), 2, cross_entropy, {"rate": 1000.0}),
    "uneven": (lambda: nn.Linear(2, 2), 2, cross_entropy, {"counts": (270, 30), "steps": 1}),
    "one answer": (
        lambda: nn.Linear(2, 2), 2, lambda out, y: cross_entropy(out, torch.ones_like(y)),
        {"counts": (270, 30)},
    ),
    "one of three answers": (
        lambda: nn.Linear(3, 3), 3, lambda out, y: cross_entropy(out, torch.zeros_like(y)), {}
    ),
    "a rare one of three answers": (
        lambda: nn.Linear(3, 3), 3, lambda out, y: cross_entropy(out, torch.zeros_like(y)),
        {"counts": (15, 140, 145)},
    ),
    "no labels": (
        lambda: nn.Linear(3, 3), 3, lambda out, y: cross_entropy(out, y[torch.randperm(len(y))]), {}
    ),
    "coarser": (lambda: nn.Linear(6, 6), 6, lambda out, y: cross_entropy(out, y // 3), {}),
    "another order": (lambda: nn.Linear(5, 5), 5, lambda out, y: cross_entropy(out, 4 - y), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_of_ordinary_networks_nothing_is_said(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, classes, loss, more = ORDINARY[name]
    for seed in range(6):
        torch.manual_seed(seed)
        found = in_a_loop(tmp_path / str(seed), make(), classes, loss, **more)
        assert "mallest" not in found.verdict
        assert "smallest" not in capsys.readouterr().out


NET = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, 16))
        self.prototypes = nn.Parameter(torch.randn(spec.num_outputs, 16))

    def forward(self, x):
        return torch.cdist(self.features(x), self.prototypes)

class Negated(Net):
    def forward(self, x):
        return -super().forward(x)

def nearest(logits, batch): return cross_entropy(-logits, batch.labels)
def largest(logits, batch): return cross_entropy(logits, batch.labels)
"""


@pytest.mark.parametrize(
    ("network", "objective", "steps", "told"),
    [
        ("Net", "nearest", 60, True), ("Net", "nearest", 0, False), ("Net", "largest", 60, False),
        ("Net", "", 60, False), ("Negated", "largest", 60, False),
    ],
)  # fmt: skip
def test_distances_in_a_run_are_told(
    network: str, objective: str, steps: int, told: bool, tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    file.write_text(NET)
    mine = f"{file}:{objective}" if objective else "erm"
    done = start(
        tiny(
            tmp_path / "runs", model=f"{file}:{network}", objective=mine, num_train=40,
            num_test=20, steps=steps, batch_size=40, learning_rate=0.01,
        )
    )  # fmt: skip
    assert done.verdict.startswith(SAID) == told
    assert ("smallest" in done.verdict) == told
