"""Outputs that rank two classes better than the answers tell them apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from lab import watch
from lab.core.run_dir import RunDir
from lab.measure import Predictions
from lab.measure.better_threshold import better_threshold
from lab.runs.train import start
from support.configs import tiny

Loss = Callable[[Tensor, Tensor], Tensor]

SAID = "Its outputs rank the examples far better than its answers tell"


def predictions(odds: Tensor, labels: Tensor) -> Predictions:
    return Predictions.of(torch.stack([torch.zeros_like(odds), odds], 1), labels)


def shifted(count: int, by: float, *, share: float = 0.5, apart: float = 4.0) -> Predictions:
    """Scores of which the classes lie `apart`, in the middle of `by`."""
    labels = (torch.arange(count) < share * count).long()
    noise = torch.randn(count, generator=torch.Generator().manual_seed(count))
    return predictions(by + apart * (labels - 0.5) + noise, labels)


@pytest.mark.parametrize("by", [-9.0, 9.0])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_the_threshold_between_the_classes_is_found(by: float, share: float) -> None:
    train, test = (shifted(count, by, share=share) for count in (200, 300))
    found = better_threshold(train, test)
    usual = share if by > 0 else 1 - share  # what one answer to all gets
    if usual > 0.85:
        assert found is None, "few answers would change"
        return
    assert found is not None
    assert abs(found.value - by) < 2
    assert found.train.value > 0.95
    odds = test.logits[:, 1]
    assert found.test.value == pytest.approx(
        float(((odds > found.value) == test.labels.bool()).double().mean())
    )


def test_none_where_chance_would_make_it_so_or_the_answers_are_as_good() -> None:
    train, test = shifted(200, 0.0), shifted(300, 0.0)
    assert better_threshold(train, test) is None, "0 is in the middle"
    assert better_threshold(shifted(200, 9.0, apart=0.0), test) is None, "nothing is ranked"
    reversed_ = shifted(200, 0.0), shifted(300, 0.0)
    reversed_ = tuple(predictions(-each.logits[:, 1], each.labels) for each in reversed_)
    assert better_threshold(*reversed_) is None, "one answer to all is better, and tells nothing"
    few = shifted(12, 9.0)
    assert better_threshold(few, shifted(10, 9.0)) is None, "too few examples"
    three = Predictions.of(torch.zeros(4, 3), torch.arange(4) % 3)
    assert better_threshold(three, three) is None
    same = predictions(torch.ones(50), torch.arange(50) % 2)
    assert better_threshold(same, same) is None
    lost = predictions(torch.full((50,), torch.nan), torch.arange(50) % 2)
    assert better_threshold(lost, lost) is None


def ranking(z: Tensor, y: Tensor) -> Tensor:
    """A logistic loss of pairs: one of each class."""
    return softplus(z[y == 0][None] - z[y == 1][:, None]).mean()


def weighted(z: Tensor, y: Tensor) -> Tensor:
    logits = torch.stack([torch.zeros_like(z), z], 1)
    return cross_entropy(logits, y, weight=1 / torch.bincount(y).float())


def plain(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(torch.stack([torch.zeros_like(z), z], 1), y)


def watched(loss: Loss, out: Path, *, share: float, steps: int, noise: float = 0.0) -> str:
    """The verdict on a network that is trained with this loss, begun far from a threshold of 0."""
    draw = torch.Generator().manual_seed(0)

    def examples(count: int) -> tuple[Tensor, Tensor]:
        y = (torch.rand(count, generator=draw) < share).long()
        x = torch.randn(count, 16, generator=draw)
        x[:, :4] += 1.5 * y[:, None]
        wrong = torch.rand(count, generator=draw) < noise
        return x, torch.where(wrong, 1 - y, y)

    train, test = examples(150), examples(300)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    with torch.no_grad():
        model[2].bias.fill_(4.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with watch(
        model, train=train, test=test, out=out, every=1000, quiet=True, pictures=False
    ) as watcher:
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(train[0]), train[1]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    return watcher.verdict.replace("\n", " ")


def test_a_ranking_network_is_told_by_what_it_would_get_right(tmp_path: Path) -> None:
    said = watched(ranking, tmp_path / "run", share=0.5, steps=100)
    assert said.startswith(SAID)
    assert "is about the threshold" in said
    assert "More training" not in said
    assert "may help" not in said


@pytest.mark.parametrize("loss", [plain, weighted])
@pytest.mark.parametrize(
    ("share", "steps", "noise"), [(0.5, 400, 0.0), (0.1, 400, 0.0), (0.2, 60, 0.0), (0.5, 400, 0.3)]
)
def test_an_ordinary_network_is_not(
    loss: Loss, share: float, steps: int, noise: float, tmp_path: Path
) -> None:
    said = watched(loss, tmp_path / "run", share=share, steps=steps, noise=noise)
    assert SAID not in said


def test_a_run_of_the_lab_says_so_too(tmp_path: Path) -> None:
    """A network that is trained as if another class had been far more frequent."""
    file = tmp_path / "own.py"
    file.write_text(
        "import torch\nfrom torch.nn.functional import cross_entropy\n\n"
        "def own(logits, batch):\n"
        "    return cross_entropy(logits + torch.tensor([0.0, 40.0]), batch.labels)\n"
    )
    config = tiny(
        tmp_path / "runs", objective=f"{file}:own", num_train=64, num_test=16, steps=150,
        model="mlp", width=16, learning_rate=3e-3,
    )  # fmt: skip
    said = RunDir(start(config).folder).summary()["verdict"].replace("\n", " ")
    assert said.startswith("Its outputs rank the faces far better than its answers tell")
    assert "--num-train" not in said
