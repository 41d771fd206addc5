"""Networks that answer otherwise in training mode than in eval mode, in which they are measured."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab import watch
from lab.core.estimate import wilson
from lab.measure.training_mode import better_in_training_mode
from lab.runs.train import start
from support.configs import tiny

SAID = "In training mode it gets "


class InOneMode(nn.Module):
    """A normalization that is made in training mode alone."""

    def forward(self, x: Tensor) -> Tensor:
        return (0.3 - x) / 0.3 if self.training else x


class Unsettled(nn.BatchNorm1d):
    """Running statistics that hardly follow."""

    def __init__(self, features: int) -> None:
        super().__init__(features, momentum=1e-6)


def examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    x = torch.rand(count, 12, generator=generator)
    x[torch.arange(count), 4 * y] += 0.8
    return 2 + x, y


def trained(first: nn.Module, *, epochs: int = 40) -> nn.Module:
    torch.manual_seed(0)
    x, y = examples(120, 0)
    model = nn.Sequential(first, nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(epochs):
        for some in torch.randperm(120).split(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[some]), y[some]).backward()
            optimizer.step()
    return model


@pytest.mark.parametrize(
    ("first", "is_told"),
    [
        (InOneMode(), True), (Unsettled(12), True), (nn.BatchNorm1d(12, momentum=0.3), False),
        (nn.Dropout(0.6), False), (nn.Identity(), False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("epochs", [4, 40])
def test_what_is_right_in_training_mode_is_found(
    first: nn.Module, is_told: bool, epochs: int
) -> None:
    model = trained(deepcopy(first), epochs=epochs)
    x, y = examples(120, 0)
    with torch.no_grad():
        hits = deepcopy(model).eval()(x).argmax(dim=1) == y
        own = (deepcopy(model).train()(x).argmax(dim=1) == y).double().mean().item()
    before, drawn = deepcopy(model.state_dict()), torch.get_rng_state()
    found = better_in_training_mode(
        model, x, y, wilson(int(hits.sum()), 120), batch=120, to_input=torch.clone
    )
    assert (found is not None) is is_told
    if found is not None:
        assert found.value == pytest.approx(own, abs=0.02)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert model.training


def test_networks_that_cannot_be_asked_in_training_mode_are_not() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            return (x, x) if self.training else x

    few = wilson(0, 12)
    asked = Two(), torch.eye(12), torch.arange(12), few
    assert better_in_training_mode(*asked, batch=4, to_input=torch.clone) is None


def test_answers_that_are_not_finite_are_not_right() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.nan

    labels = torch.zeros(12, dtype=torch.int64)
    none = wilson(0, 12)
    assert (
        better_in_training_mode(
            Broken(), torch.eye(12), labels, none, batch=4, to_input=torch.clone
        )
        is None
    )


@pytest.mark.parametrize("first", [InOneMode(), nn.Identity()])
def test_a_watched_network_of_two_modes_is_told(first: nn.Module, tmp_path: Path) -> None:
    """And it is not said that its labels are others."""
    torch.manual_seed(0)
    (x, y), test = examples(120, 0), examples(90, 1)
    model = nn.Sequential(deepcopy(first), nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    with watch(model, train=(x, y), test=test, out=tmp_path / "run", quiet=True) as watched:
        for _ in range(40):
            for some in torch.randperm(120).split(20):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[some]), y[some]).backward()
                optimizer.step()
                watched()
    said = " ".join(watched.verdict.split())
    assert said.startswith(SAID) is isinstance(first, InOneMode)
    assert "other labels" not in said
    if isinstance(first, InOneMode):
        assert "may help" not in said


NETWORK = """
from torch import nn

class Norm(nn.Module):
    def forward(self, x):
        return (0.4 - x) / 0.2 if self.training else x

def net(spec):
    return nn.Sequential(
        Norm(), nn.Flatten(), nn.Linear(spec.in_channels * spec.image_size**2, spec.num_outputs)
    )
"""


def test_a_run_of_a_network_of_two_modes_is_told(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(NETWORK)
    told = []
    for model in (f"{tmp_path / 'two.py'}:net", "cnn"):
        config = tiny(tmp_path / "runs", model=model, num_train=40, steps=60)
        told.append(" ".join(start(config).verdict.split()).startswith(SAID))
    assert told == [True, False]
