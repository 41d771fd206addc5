"""A watched loop that shows its network classes one after the other."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lab import watch
from lab.measure import Predictions
from lab.watching import Watcher
from lab.watching.course import Course


def trained(
    out: Path, tasks: Sequence[Sequence[int]], steps: int = 60, rate: float = 0.1
) -> Watcher:
    """A linear network, trained on the classes of each task in turn."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(240) % 6
    x = torch.randn(240, 8, generator=generator) / 3
    x[torch.arange(240), y] += 3
    x[:, 7] = 30  # what all classes have in common
    torch.manual_seed(0)
    model = nn.Linear(8, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    with watch(model, train=(x[:180], y[:180]), test=(x[180:], y[180:]), out=out, quiet=True,
               every=steps) as watcher:  # fmt: skip
        for task in tasks:
            chosen = torch.isin(y[:180], torch.tensor(task))
            for _ in range(steps):
                optimizer.zero_grad()
                cross_entropy(model(x[:180][chosen]), y[:180][chosen]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                watcher()
    return watcher


def test_forgotten_classes_are_told_and_not_taken_for_other_labels(tmp_path: Path) -> None:
    watcher = trained(tmp_path / "run", [(0, 1), (2, 3), (4, 5)], steps=200, rate=0.5)
    verdict = " ".join(watcher.verdict.split())
    assert "It has forgotten 3 classes (0, 1, 3): at an earlier measurement" in verdict
    assert "other labels" not in verdict
    assert "Training it longer" not in verdict


def test_nothing_is_forgotten_where_all_classes_are_shown(tmp_path: Path) -> None:
    for name, steps in (("long", 100), ("short", 2)):
        verdict = trained(tmp_path / name, [range(6), range(6)], steps=steps).verdict
        assert "forgotten" not in verdict


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        (["0123", "0123"], ()),
        (["0122", "0023"], ()),  # one class is lost, another one found
        (["0123", "2223"], ("0", "1")),
        (["0123", "0000", "2223"], ("0", "1")),
        (["0000", "1111", "2323"], ()),  # one answer to all is no knowledge
        (["0123", "2222"], ()),  # a network that broke
        (["2223", "0123"], ()),
    ],
)
def test_what_was_known_at_once_and_is_not_any_more(
    answers: Sequence[str], names: tuple[str, ...]
) -> None:
    """Four classes of ten examples, each with one answer."""
    course, labels = Course(), torch.arange(40) // 10
    for each in answers:
        given = torch.tensor([int(each[label]) for label in labels])
        logits = nn.functional.one_hot(given, 4).float()
        course.add(Predictions.of(logits, labels))
    assert course.forgotten() == names
