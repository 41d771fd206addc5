"""`lab.watching.changes`: what a loop does to all inputs in the same way is told, what chance does
to them is not; of rows of tables, and of records of several signals in both layouts."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lab.watching.changes import Difference, difference
from lab.watching.probes import channel_axis, probed

EXAMPLES, FED = 300, 48

Draw = torch.Generator


def rows(kind: str, places: int, draw: Draw) -> Tensor:
    """Rows of a table (N, P)."""
    x = torch.randn(EXAMPLES, places, generator=draw)
    if kind == "raw":
        return 10 ** torch.linspace(0, 4, places) * (3 + x)
    if kind == "binary":
        return (x > 0.3).float()
    if kind == "answers":
        return torch.randint(1, 6, x.shape, generator=draw).float()
    if kind == "alike":  # nearly in a plane
        plane = torch.randn(EXAMPLES, 2, generator=draw) @ torch.randn(2, places, generator=draw)
        return plane + 0.05 * x
    if kind == "spectra":
        place, z = torch.linspace(0, 1, places), torch.randn(EXAMPLES, 3, generator=draw)
        bands = torch.exp(-((place - 0.4) ** 2) / 0.02) + 0.5 * torch.exp(
            -((place - 0.8) ** 2) / 0.01
        )
        return (1 + 0.1 * z[:, :1]) * bands + 0.05 * z[:, 1:2] + 0.02 * z[:, 2:] * place + 0.002 * x
    if kind == "mixed":
        x[:, ::3], x[:, 1::3] = (x[:, ::3] > 0).float(), x[:, 1::3].exp()
    return x


def signals(kind: str, length: int, count: int, draw: Draw) -> Tensor:
    """Records (N, L, C)."""
    shape = EXAMPLES, length, count
    if kind == "walks":
        level = 10 * torch.randn(EXAMPLES, 1, count, generator=draw)
        return torch.randn(shape, generator=draw).cumsum(1) + level
    if kind == "rare":
        return (torch.rand(shape, generator=draw) < 0.1).float()
    time = torch.linspace(0, 6.28, length)[:, None]
    speed, phase = (torch.rand(EXAMPLES, 1, count, generator=draw) for _ in range(2))
    noise = 0.1 * torch.randn(shape, generator=draw)
    return (
        torch.sin(time * (1 + 3 * speed) + 6.28 * phase)
        + noise
        + torch.randn(count, generator=draw)
    )


def compared(
    x: Tensor, change: Callable[[Tensor, Tensor, Draw], Tensor], draw: Draw, *, turn: bool = False
) -> Difference:
    """How some of `x` differ after a change, which gets all of `x`, too; `turn`: of records as
    (N, C, L)."""
    layout: Callable[[Tensor], Tensor] = (
        (lambda a: a.transpose(1, 2).contiguous()) if turn else torch.clone
    )
    few = x[torch.randint(0, len(x), (FED,), generator=draw)]
    return difference(layout(change(few, x, draw)), probed(layout(x)), expected=FED)


def unit(x: Tensor, draw: Draw) -> Tensor:
    """A random number from 0 to 1 for each example (N, 1, …)."""
    return torch.rand(len(x), *[1] * (x.ndim - 1), generator=draw)


def another(x: Tensor, whole: Tensor, draw: Draw) -> Tensor:
    return whole[torch.randint(0, len(whole), (len(x),), generator=draw)]


RANDOM: dict[str, Callable[[Tensor, Tensor, Draw], Tensor]] = {
    "noise": lambda x, whole, draw: x + 0.05 * whole.std(0) * torch.randn(x.shape, generator=draw),
    "dropout": lambda x, whole, draw: x * (torch.rand(x.shape, generator=draw) < 0.8),
    "mixed": lambda x, whole, draw: 0.6 * x + 0.4 * another(x, whole, draw),
    "scaled": lambda x, whole, draw: x * (0.7 + 0.6 * unit(x, draw)),
    "shifted": lambda x, whole, draw: x + whole.std() * (unit(x, draw) - 0.5),
    "negated": lambda x, whole, draw: torch.where(unit(x, draw) < 0.5, -x, x),
    "dropped, others larger": lambda x, whole, draw: (
        x * (torch.rand(*x.shape[:2], *[1] * (x.ndim - 2), generator=draw) < 0.9) / 0.9
    ),
    "filled by means": lambda x, whole, draw: torch.where(
        torch.rand(x.shape, generator=draw) < 0.3, whole.mean(0), x
    ),
    "between": lambda x, whole, draw: x + unit(x, draw) * (another(x, whole, draw) - x),
}


@pytest.mark.parametrize("change", RANDOM)
@pytest.mark.parametrize("kind", ["plain", "raw", "binary", "answers", "alike", "mixed", "spectra"])
@pytest.mark.parametrize("places", [6, 8, 15, 20])
def test_of_rows_that_chance_changes_nothing_is_told(kind: str, places: int, change: str) -> None:
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        assert not compared(rows(kind, places, draw), RANDOM[change], draw).said


@pytest.mark.parametrize("change", RANDOM)
@pytest.mark.parametrize("kind", ["waves", "walks", "rare"])
@pytest.mark.parametrize("turn", [False, True])
def test_of_records_that_chance_changes_nothing_is_told(kind: str, change: str, turn: bool) -> None:
    for length, count in ((50, 6), (24, 4), (12, 3), (16, 16)):
        draw = torch.Generator().manual_seed(0)
        assert not compared(
            signals(kind, length, count, draw), RANDOM[change], draw, turn=turn
        ).said


@pytest.mark.parametrize("places", [8, 20])
def test_a_change_of_all_rows_some_of_which_chance_changes_further_is_told(places: int) -> None:
    """Half of them are negated, or have noise."""
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        x = rows("plain", places, draw)

        def noisy(x: Tensor, whole: Tensor, draw: Draw) -> Tensor:
            some = unit(x, draw) < 0.5
            return torch.where(some, x + 0.5 * torch.randn(x.shape, generator=draw), x) / 3 + 2

        assert "as 0.333 x + 2" in compared(x, noisy, draw).said


def own(x: Tensor) -> Tensor:
    """Each row, or signal, by its own mean and spread."""
    return (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True)


SAME: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "negated": (lambda x: -x, "as -1 x"),
    "doubled": (lambda x: 2 * x, "as 2 x"),
    "both": (lambda x: 2 * x + 1, "as 2 x + 1"),
    "own": (own, "each training example normalized by its own mean and spread"),
}


@pytest.mark.parametrize("change", SAME)
@pytest.mark.parametrize("places", [6, 8, 15, 16])
def test_a_change_of_all_rows_of_a_table_is_told(change: str, places: int) -> None:
    made, said = SAME[change]
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        found = compared(rows("plain", places, draw), lambda x, whole, draw: made(x), draw)
        assert said in found.said


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize(("length", "count"), [(50, 6), (24, 4), (50, 3)])
def test_a_change_of_all_records_is_told_in_either_layout(
    length: int, count: int, turn: bool
) -> None:
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        x = signals("walks", length, count, draw) + 20 * torch.arange(count)
        changes = {
            "as 0": lambda x: (x - x.mean(dim=(0, 1))) / x.std(dim=(0, 1)),
            "normalized by its own mean and spread": own,
            "shifted by a number of its own": lambda x: x - x.mean(dim=1, keepdim=True),
            "as -1 x": lambda x: -x,
        }
        for said, made in changes.items():
            found = compared(x, lambda x, whole, draw, made=made: made(x), draw, turn=turn)
            assert said in found.said, made


@pytest.mark.parametrize("shape", [(3, 20, 20), (20, 20, 3), (3, 40), (40, 3)])
def test_the_code_for_channels_in_another_order_gives_that_order(shape: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(EXAMPLES, *shape, generator=draw)
    axis = channel_axis(torch.Size(shape))
    assert axis is not None
    changed = x.index_select(1 + axis, torch.tensor([2, 0, 1]))
    found = difference(changed[:FED], probed(x), expected=FED)
    assert "with their channels in the order 2, 0, 1" in found.said
    assert torch.equal(eval(found.code, {"x": x}), changed)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 32, 32), 0), ((32, 32, 3), 2), ((1, 28, 28), 0), ((28, 28, 1), 2), ((64, 64, 13), 2),
        ((13, 64, 64), 0), ((6, 50), 0), ((50, 6), 1), ((16, 16), None), ((12, 3), None),
        ((60, 20), None), ((20,), None), ((), None), ((2, 3), None),
    ],
)  # fmt: skip
def test_channels_are_few_of_many_numbers_each(shape: tuple[int, ...], axis: int | None) -> None:
    assert channel_axis(torch.Size(shape)) == axis


REORDERED: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "records": ((24, 5), lambda x: x.transpose(1, 2)),
    "records in one row": ((24, 5), lambda x: x.transpose(1, 2).flatten(1)),
    "a row taken for records": ((120,), lambda x: x.reshape(-1, 24, 5).transpose(1, 2)),
    "a row in another order": ((120,), lambda x: x.reshape(-1, 24, 5).transpose(1, 2).flatten(1)),
    "channels first": ((12, 10, 3), lambda x: x.permute(0, 3, 1, 2)),
    "channels last": ((3, 12, 12), lambda x: x.permute(0, 2, 3, 1)),
    "rows and columns": ((1, 12, 10), lambda x: x.transpose(2, 3)),
    "frames": ((4, 3, 8, 6), lambda x: x.transpose(1, 2)),
}


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", REORDERED)
def test_axes_in_another_order_are_told_with_the_code_for_it(kind: str, scaled: bool) -> None:
    shape, made = REORDERED[kind]
    x = torch.rand(EXAMPLES, *shape, generator=torch.Generator().manual_seed(0))
    fed = made(x)
    by = 3 if scaled else 1
    found = difference(
        by * fed[:FED].reshape(-1, *shape), probed(x), expected=FED, fed_as=fed.shape[1:]
    )
    if kind == "a row in another order":  # in which of them is not to be told from the row alone
        assert not found.found
        return
    assert "with their axes in another order" in found.said
    assert ("as 3 x" in found.said) is scaled
    made_so = eval(found.code, {"x": x, "normalize": lambda x: 3 * x})
    assert torch.equal(made_so, by * fed)


@pytest.mark.parametrize("kind", REORDERED)
@pytest.mark.parametrize("change", [name for name in RANDOM if "larger" not in name])
def test_of_axes_in_the_same_order_chance_tells_nothing(kind: str, change: str) -> None:
    shape, made = REORDERED[kind]
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(EXAMPLES, *shape, generator=draw)
    fed_as = made(x).shape[1:]
    few = x[torch.randint(0, len(x), (FED,), generator=draw)]
    changed = RANDOM[change](few, x, draw)
    assert not difference(changed, probed(x), expected=FED, fed_as=fed_as).said
