"""`lab.watching.coverage`: a loop that trains on a part of its training examples alone is told."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab import watch
from lab.watching.coverage import Coverage, Part
from lab.watching.known import Known

Draw = torch.Generator
Order = Callable[[int, int, Draw], Tensor]

ROWS = 16
"""Inputs of a batch that are looked at."""

HEALTHY: dict[str, Order] = {
    "shuffled": lambda count, epoch, draw: torch.randperm(count, generator=draw),
    "in one order": lambda count, epoch, draw: torch.arange(count),
    "drawn": lambda count, epoch, draw: torch.randint(0, count, (count,), generator=draw),
    "balanced": lambda count, epoch, draw: torch.multinomial(
        torch.where(torch.arange(count) % 20 == 0, 19.0, 1.0), count, True, generator=draw
    ),
    "by tasks": lambda count, epoch, draw: (
        epoch // 12 % 5 * (count // 5) + torch.randperm(count // 5, generator=draw)
    ),
}


def looked_at(
    order: Order, count: int, *, batch: int, epochs: int, seed: int, whole: int | None = None
) -> Part | None:
    """What is found of `whole` examples where a loop goes through the first `count` of them, of
    which every eighth step or so is looked at."""
    whole = whole or count
    known = Known(torch.arange(whole).reshape(-1, 1, 1))
    found, draw, chance = Coverage(), torch.Generator().manual_seed(seed), random.Random(seed)
    step, following = 0, 16.0
    for epoch in range(epochs):
        for rows in order(count, epoch, draw).split(batch):
            step += 1
            if step >= following:
                following = step + 8 * chance.uniform(0.5, 1.5)
                few = rows[torch.randperm(len(rows), generator=draw)[:ROWS]]
                found.note([few.reshape(-1, 1, 1)], known)
    return found.part(known, whole)


@pytest.mark.parametrize("epochs", [10, 60, 120])
@pytest.mark.parametrize(("count", "batch"), [(60, 8), (100, 8), (400, 32), (400, 128), (1000, 32)])
@pytest.mark.parametrize("order", HEALTHY)
def test_of_loops_that_go_through_all_examples_nothing_is_told(
    order: str, count: int, batch: int, epochs: int
) -> None:
    for seed in range(4):
        assert looked_at(HEALTHY[order], count, batch=batch, epochs=epochs, seed=seed) is None


@pytest.mark.parametrize("order", ["shuffled", "in one order", "drawn"])
@pytest.mark.parametrize(("count", "whole"), [(320, 400), (80, 100), (900, 1000)])
def test_a_loop_that_leaves_a_part_out_is_told(order: str, count: int, whole: int) -> None:
    for seed in range(4):
        part = looked_at(HEALTHY[order], count, batch=32, epochs=250, seed=seed, whole=whole)
        assert part is not None
        assert abs(part.trained - count) <= 0.01 * count
        assert (part.whole, part.seen <= count) == (whole, True)
        assert part.looked > 3 * part.seen


def test_too_few_looks_tell_nothing() -> None:
    assert looked_at(HEALTHY["shuffled"], 320, batch=32, epochs=15, seed=0, whole=400) is None
    assert Coverage().part(Known(torch.zeros(4, 1, 1)), 4) is None


def seen(times: dict[int, int], whole: int, *, at_once: int = 1) -> Part | None:
    """What is found where each of these numbers of examples was seen so many times, so many of them
    in one step."""
    known, found = Known(torch.arange(whole).reshape(-1, 1, 1)), Coverage()
    first = 0
    for count, number in times.items():
        for rows in (first + torch.arange(count)).split(at_once):
            for _ in range(number):
                found.note([rows.reshape(-1, 1, 1)], known)
        first += count
    return found.part(known, whole)


def test_a_batch_that_chance_may_have_missed_is_no_part() -> None:
    """Of twelve batches, the same ones each time, one is missed where the others are seen four
    times on the mean in 20 % of loops, and in none where they are seen twenty times."""
    assert seen({88: 4}, 96, at_once=8) is None
    assert seen({88: 20}, 96, at_once=8) == Part(88, 96, 88, 1760)


def test_examples_that_are_seen_once_stand_for_others() -> None:
    """Of 44 of 50 examples three were seen once and five twice: there may be six more."""
    assert seen({36: 10, 3: 1, 5: 2}, 50) is None
    assert seen({44: 9}, 50) == Part(44, 50, 44, 396)


def test_examples_must_be_seen_three_times_on_the_mean() -> None:
    assert seen({400: 1, 401: 3, 799: 2}, 2000) is None
    assert seen({400: 3, 401: 5, 799: 3}, 2000) == Part(1600, 2000, 1600, 5602)


def test_the_same_batch_in_several_calls_of_a_step_counts_once() -> None:
    """As with an optimizer that evaluates a batch several times."""
    known, found = Known(torch.arange(100).reshape(-1, 1, 1)), Coverage()
    for k in range(20):
        rows = (torch.arange(4) + 4 * k).reshape(-1, 1, 1)
        found.note([rows] * 10, known)
    assert found.part(known, 100) is None


def test_where_few_inputs_are_known_nothing_is_told() -> None:
    """Those that a loop leaves as they are may always be the same ones."""
    known, found = Known(torch.arange(100).reshape(-1, 1, 1)), Coverage()
    for others in (0, 40):
        for _ in range(50):
            rows = torch.cat([torch.arange(40), 1000 + torch.arange(others)])
            found.note([rows.reshape(-1, 1, 1)], known)
        part = found.part(known, 100)
        assert part == (Part(40, 100, 40, 2000) if not others else None)


def test_examples_that_are_the_same_count_as_one() -> None:
    known, found = Known(torch.arange(100).remainder(50).reshape(-1, 1, 1)), Coverage()
    for _ in range(50):
        found.note([torch.arange(50).reshape(-1, 1, 1)], known)
    assert found.part(known, 100) is None
    half = Coverage()
    for _ in range(50):
        half.note([torch.arange(25).reshape(-1, 1, 1)], known)
    assert half.part(known, 100) == Part(50, 100, 25, 1250)


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "noise": lambda x: x + 0.1 * torch.randn(x.shape),
    "mirrored at random": lambda x: torch.where(torch.rand(len(x), 1) < 0.5, x, x.flip(1)),
}


@pytest.mark.parametrize(
    ("share", "change", "is_told"),
    [(0.75, "none", True), (1.0, "none", False), (0.75, "noise", False),
     (1.0, "mirrored at random", False)],
)  # fmt: skip
def test_a_loop_with_a_validation_set_of_its_own_is_told(
    share: float, change: str, is_told: bool, tmp_path: Path
) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(160, 10, generator=draw), torch.arange(160) % 2
    model = nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    own = torch.randperm(120, generator=draw)[: int(share * 120)]
    with watch(
        model, train=(x[:120], y[:120]), test=(x[120:], y[120:]), out=tmp_path / "run", quiet=True
    ) as watcher:
        for _ in range(150):
            for rows in own[torch.randperm(len(own), generator=draw)].split(20):
                loss = nn.functional.cross_entropy(model(CHANGES[change](x[rows])), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watcher()
            with torch.no_grad():
                model(x[:120])  # which is no training
    told = "The loop seems to train it on about 90 of the 120 training examples alone"
    assert (told in " ".join(watcher.verdict.split())) is is_told


def test_where_a_sampler_draws_by_weights_that_are_known_nothing_is_estimated(
    tmp_path: Path,
) -> None:
    """How many it has not drawn follows from them."""
    x, y = torch.randn(160, 10), torch.arange(160) % 2
    weights = [1e-9 if k < 30 else 1.0 for k in range(120)]
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x[:120], y[:120]), batch_size=20,
        sampler=torch.utils.data.WeightedRandomSampler(weights, 120),
    )  # fmt: skip
    model = nn.Linear(10, 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with watch(
        model, train=loader, test=(x[120:], y[120:]), out=tmp_path / "run", quiet=True
    ) as watcher:
        for _ in range(100):
            for inputs, labels in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), labels).backward()
                optimizer.step()
                watcher()
    assert "The loop seems to train it" not in " ".join(watcher.verdict.split())
