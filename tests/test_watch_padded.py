"""Examples of several lengths, which each batch of a loop pads to its longest one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lab import watch
from lab.watching import Watcher

Items = list[tuple[Tensor, int]]

LONGEST = 30


def texts(count: int, seed: int) -> Items:
    """Numbers of 3 to 30 places, of whose mean a class is made."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, LONGEST + 1, (count,), generator=generator).tolist()
    rows = [torch.rand(length, generator=generator) + 0.5 for length in lengths]
    return [(row, int(row.mean() > 1)) for row in rows]


def padded(items: Items) -> tuple[Tensor, Tensor]:
    rows = nn.utils.rnn.pad_sequence([row for row, _ in items], batch_first=True)
    return rows, torch.tensor([label for _, label in items])


class Mean(nn.Module):
    """The mean of all places, padded ones too: it does not mask them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(9.0))

    def forward(self, rows: Tensor) -> Tensor:
        z = self.scale * (rows.mean(dim=1) - 1)
        return torch.stack([torch.zeros_like(z), z], dim=1)


def watched(train: Any, test: Any, out: Path) -> Watcher:
    with watch(Mean(), train=train, test=test, out=out, quiet=True) as watcher:
        pass
    return watcher


def by_hand(loader: DataLoader[Any]) -> tuple[float, float]:
    """Accuracy and mean loss, batch by batch as the loader makes them."""
    with torch.no_grad():
        found = [(Mean()(rows), labels) for rows, labels in loader]
    logits, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    right = (logits.argmax(dim=1) == labels).double().mean()
    return float(right), float(cross_entropy(logits, labels))


@pytest.mark.parametrize("batch", [1, 7, 8, 130])
def test_the_figures_are_those_of_the_batches_of_the_loader(batch: int, tmp_path: Path) -> None:
    """Also where each part of 100 that is read has one of the longest examples."""
    sets = [texts(210, seed) for seed in range(2)]
    loaders = [DataLoader(each, batch, collate_fn=padded) for each in sets]  # type: ignore[arg-type]
    found = watched(*loaders, tmp_path / "run").metrics
    for name, loader in zip(("train", "test"), loaders, strict=True):
        right, loss = by_hand(loader)
        assert found[f"accuracy/{name}"].value == pytest.approx(right)  # type: ignore[union-attr]
        assert found[f"loss/{name}"].value == pytest.approx(loss, rel=1e-5)  # type: ignore[union-attr]
    alone = DataLoader(sets[1], 1, collate_fn=padded)  # type: ignore[arg-type]
    answers = [
        torch.cat([Mean()(rows).argmax(dim=1) for rows, _ in each])[:200]
        for each in (loaders[1], alone)
    ]
    changed = float((answers[0] != answers[1]).double().mean())
    assert (changed == 0) is (batch == 1)
    tag = "answers/changed_when_alone"
    assert found[tag].value == pytest.approx(changed)  # type: ignore[union-attr]


def test_the_verdict_says_that_answers_depend_on_the_others(tmp_path: Path) -> None:
    loaders = [DataLoader(texts(150, k), 8, collate_fn=padded) for k in range(2)]  # type: ignore[arg-type, var-annotated]
    verdict = " ".join(watched(*loaders, tmp_path / "run").verdict.split())
    assert "Its answers are not a function of the example:" in verdict
    assert "change when the example is shown alone" in verdict
    assert "picture" not in verdict


def test_examples_of_both_sets_are_found_whatever_pads_them(tmp_path: Path) -> None:
    """A longer one in a batch of one set makes other rows of the same examples."""
    train = [(row[:20], label) for row, label in texts(120, 0)]
    test = [(torch.rand(LONGEST), 1), *train[:50], *((r[:20], y) for r, y in texts(60, 1))]
    given = [DataLoader(each, 8, collate_fn=padded) for each in (train, test)]  # type: ignore[arg-type]
    verdict = " ".join(watched(*given, tmp_path / "run").verdict.split())
    assert "Of the 111 test examples it studied 50," in verdict


def test_examples_that_are_padded_to_one_length_are_held(tmp_path: Path) -> None:
    """A collate function that pads to a fixed length makes each row whatever the others are."""

    def fixed(items: Items) -> tuple[Tensor, Tensor]:
        rows, labels = padded([*items, (torch.zeros(LONGEST), 0)])
        return rows[:-1], labels[:-1]

    sets = [texts(120, k) for k in range(2)]
    loaders = [DataLoader(each, 8, collate_fn=fixed) for each in sets]  # type: ignore[arg-type]
    found = watched(*loaders, tmp_path / "run").metrics
    assert found["answers/changed_when_alone"].value == 0  # type: ignore[union-attr]
    assert found["accuracy/test"].value == pytest.approx(by_hand(loaders[1])[0])  # type: ignore[union-attr]
