"""What a network keeps beside its state is seen whatever it is kept in."""

from collections import deque

import pytest
import torch
from torch import Tensor, nn

from lab.training.plain_state import lost, plain_state


class Keeps(nn.Module):
    """One attribute."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.layer.kept = value  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [(0, 1, True), (0.0, 0.5, True), (1.0, 1.0 + 1e-6, False), (False, True, True),
     ("warm", "cold", True), (None, 3, True), ([1, 2], [1, 3], True), ([1, 2], [1, 2, 3], False),
     (deque([1, 2]), deque([2, 3]), True), ({"a": (1, [2])}, {"a": (1, [3])}, True),
     (torch.zeros(2), torch.ones(2), True), (torch.zeros(2), torch.zeros(3), True),
     ([torch.zeros(2)], [torch.ones(2)], True), (float("nan"), float("nan"), False),
     (torch.Generator(), torch.Generator(), False), ([object()], [object()], False)],
)  # fmt: skip
def test_what_steps_changed_and_a_checkpoint_did_not_bring_back(
    before: object, after: object, seen: bool
) -> None:
    was, now = plain_state(Keeps(before)), plain_state(Keeps(after))
    assert lost(was, now, was) == (["layer.kept"] if seen else [])
    assert lost(was, now, now) == [], "it is back"
    assert lost(now, now, was) == [], "no step changed it"


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [(0, 1, True), ("a", "b", True), (0.0, 1.0, False), ([1, 2], [2, 1], True),
     ([0.0], [1.0], False), (torch.zeros(1), torch.ones(1), False)],
)  # fmt: skip
def test_where_rounding_differs_only_what_is_counted_matters(
    before: object, after: object, seen: bool
) -> None:
    was, now = plain_state(Keeps(before)), plain_state(Keeps(after))
    assert bool(lost(was, now, was, counts_only=True)) == seen


def test_it_is_a_copy_without_what_every_module_has() -> None:
    kept: list[Tensor] = [torch.zeros(2)]
    model = Keeps(kept)
    model.register_buffer("unsaved", torch.zeros(1), persistent=False)
    model.register_buffer("saved", torch.zeros(1))
    found = plain_state(model)
    kept[0] += 1
    assert torch.equal(found["layer.kept"][0], torch.zeros(2))
    assert "unsaved" in found
    assert "saved" not in found
    assert not [name for name in found if "hooks" in name or "training" in name]


def test_a_list_of_weights_is_not_told_besides_them() -> None:
    """As that of an LSTM: checkpoints have the weights."""
    lstm = nn.LSTM(3, 2)
    assert "_flat_weights" in vars(lstm)
    before = plain_state(lstm)
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.add_(1)
    assert lost(before, plain_state(lstm), before) == []
