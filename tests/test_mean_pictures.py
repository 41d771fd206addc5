"""Test pictures that are dark where those for training are bright are told; others are not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab import watch
from lab.runs.train import start
from lab.worlds import save_npz
from lab.worlds.mean_pictures import opposite, opposite_told
from support.configs import tiny

SAID = "where training pictures are bright on the mean, test pictures are dark"


def centered(count: int, seed: int, *, side: int = 20) -> tuple[Tensor, Tensor]:
    """Bright disks (label 0) and squares (1) in the middle of dark noise, uint8 (N, 3, S, S)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 2
    place = torch.arange(side) - (side - 1) / 2
    rows, columns = place[:, None], place[None, :]
    size = side / 5 + side / 6 * torch.rand(count, 1, 1, generator=generator)
    disk = (rows.square() + columns.square()).sqrt() < size
    square = torch.maximum(rows.abs(), columns.abs()) < size
    shape = torch.where((y == 0)[:, None, None], disk, square).float()
    noise = torch.rand(count, 3, side, side, generator=generator)
    return (shape[:, None] * 150 + 100 * noise).byte(), y


def scattered(count: int, seed: int, *, side: int = 20) -> tuple[Tensor, Tensor]:
    """A bright square anywhere, whose mean is about gray."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(count, 3, side, side)
    for each in x:
        top, left = torch.randint(0, side - 4, (2,), generator=generator).tolist()
        each[:, top : top + 5, left : left + 5] = 200
    return x.byte(), torch.arange(count) % 2


def negative(x: Tensor) -> Tensor:
    return 255 - x


def by_numpy(x: Tensor, z: Tensor) -> float:
    """The correlation of the mean pictures, as NumPy has it."""
    one, other = (each.numpy().mean(axis=(0, 1)).ravel() for each in (x, z))
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("count", [8, 60, 400])
def test_negatives_are_opposite(count: int) -> None:
    (x, y), (z, labels) = centered(count, 0, side=16), centered(count, 1, side=16)
    assert opposite(x, y, z, labels) is None
    found = opposite(x, y, negative(z), labels)
    assert found == pytest.approx(by_numpy(x, negative(z)), abs=1e-6)
    assert opposite(negative(x), y, z, labels) == pytest.approx(found, abs=1e-6)
    dim = (negative(z).float() * 0.3 + 100).byte()
    assert opposite(x, y, dim, labels) == pytest.approx(found, abs=0.02)
    half = torch.where((torch.arange(count) % 4 < 2)[:, None, None, None], negative(z), z)
    assert opposite(x, y, half, labels) is None


def test_a_class_with_one_picture_does_not_count() -> None:
    (x, y), (z, labels) = centered(60, 0), centered(60, 1)
    y, labels = y.clone(), labels.clone()
    y[0] = labels[5] = 2
    labels[0] = 3
    assert opposite(x, y, negative(z), labels) is not None
    assert opposite(x, y, z, labels) is None


def test_pictures_that_lie_head_down_are_opposite() -> None:
    """Bright above and dark below."""
    x, y = centered(60, 0)
    sky = (x.float() * 0.3 + torch.linspace(170, 0, 20)[:, None]).byte()
    assert opposite(sky, y, sky.flip(2), y) is not None
    assert opposite(sky, y, sky.flip(3), y) is None


def test_other_shares_of_classes_are_not_opposite() -> None:
    """One class is bright where the other is dark."""
    x, _ = centered(80, 0)
    of = torch.arange(80) % 2
    both = torch.where((of == 0)[:, None, None, None], x, negative(x))
    mostly = [torch.cat([both[of == k][:36], both[of != k][:4]]) for k in (0, 1)]
    labels = [torch.tensor([k] * 36 + [1 - k] * 4) for k in (0, 1)]
    assert by_numpy(*mostly) < -0.8
    assert opposite(mostly[0], labels[0], mostly[1], labels[1]) is None


def test_pictures_without_a_common_place_are_never_opposite() -> None:
    for seed in range(20):
        (x, y), (z, labels) = scattered(100, seed), scattered(100, seed + 100)
        assert opposite(x, y, negative(z), labels) is None
        assert opposite(x, y, z, labels) is None
    flat = torch.full((10, 3, 20, 20), 7, dtype=torch.uint8)
    assert opposite(flat, torch.arange(10) % 2, flat, torch.arange(10) % 2) is None
    assert opposite(flat, torch.zeros(10), flat, torch.ones(10)) is None


def test_they_are_told_by_runs_and_watched_loops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a network that is wrong on them more often than a guess is not said to have learned what
    is not so."""
    (x, y), (z, labels) = centered(120, 0), centered(120, 1)
    for changed in (False, True):
        place = tmp_path / f"{changed}"
        place.mkdir()
        shown = negative(z) if changed else z
        file = save_npz(place / "own.npz", (x, y), test=(shown, labels))
        result = start(
            tiny(place / "runs", data=str(file), num_train=120, num_test=120, image_size=20)
        )
        in_verdict = result.verdict.startswith("Its test pictures are dark on the mean")
        assert in_verdict is changed
        assert (SAID in " ".join(capsys.readouterr().out.split())) is changed
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        train, test = (x / 255, y), (shown / 255, labels)
        with watch(model, train=train, test=test, out=place / "watched", pictures=False) as watched:
            for _ in range(100):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(train[0]), y).backward()
                optimizer.step()
                watched()
        assert (SAID in capsys.readouterr().out) is changed
    assert watched.metrics["accuracy/test"].value < 0.4
    verdict = " ".join(watched.verdict.split())
    assert verdict.startswith("Its test pictures are dark on the mean where its training pictures")
    assert "It gets unseen pictures right less often than a guess would." in verdict
    assert "exchanging light and dark" in verdict


def test_the_sentence_names_the_correlation() -> None:
    assert opposite_told(None, "pictures") == []
    (said,) = opposite_told(-0.973, "pictures")
    assert said.startswith(SAID)
    assert "-0.97" in said
