"""Networks that people bring: each trains, is kept and comes back, or one line says beforehand what
is wrong with it."""

import dataclasses
import json
import os
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.text import one_line
from lab.experiments import make_grid, make_jobs
from lab.experiments.runner.run import check_jobs
from lab.measure import predict
from lab.models import ModelSpec, NetworkError, first_pass
from lab.runs.load import open_run
from lab.runs.network import dry_run, model_spec
from lab.runs.train import resume, start
from lab.training import (
    LAST,
    Checkpoint,
    Damaged,
    EpochBatches,
    Processes,
    Trial,
    fit,
    give_state,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    try_out,
)
from lab.training.train_step import TrainStep
from support.configs import tiny
from support.scripts import is_a_good_line, told
from support.scripts import load_script as script

SPEC = ModelSpec(image_size=16)
CONFIG = TrainConfig(batch_size=8)
IMAGES = torch.randint(0, 256, (40, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
EPOCHS = EpochBatches(IMAGES, torch.arange(40) % 2, batch_size=8, seed=3)


def body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    )  # fmt: skip


class Net(nn.Module):
    """One that works; the others differ from it in one thing."""

    def __init__(self) -> None:
        super().__init__()
        self.net = body()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


# What trains


class Lazy(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.LazyConv2d(4, 4, stride=4), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2)
        )


class MakesItsHead(Net):
    """Makes a layer at its first pass."""

    def __init__(self) -> None:
        super().__init__()
        self.head: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        seen = self.net[:3](x)
        if self.head is None:
            self.head = nn.Linear(seen.shape[1], 2)
        out: Tensor = self.head(seen)
        return out


class KeepsATable(Net):
    """Keeps what it computes at its first pass, outside its state."""

    table: Tensor | None = None

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None:
            self.table = torch.linspace(-1, 1, x.shape[-1])
        return super().forward(x + self.scale * self.table)


class KeepsATableInItsState(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", None)

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None:
            self.table = torch.linspace(-1, 1, x.shape[-1])
        return super().forward(x + self.table)


class AddsABuffer(Net):
    """Has a buffer from its first step of training on."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not hasattr(self, "mean"):
            self.register_buffer("mean", x.detach().mean((0, 2, 3))[:, None, None])
        return super().forward(x - self.mean if hasattr(self, "mean") else x)


class Queue(Net):
    """Has a buffer that grows in training and is used."""

    queue: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("queue", torch.zeros(0, 2))

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        if self.training:
            self.queue = torch.cat([self.queue, out.detach()])[-20:]
        return out + self.queue.sum(0)


class ReturnsNothing(Net):
    """Its train() and eval() do not return it."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)

    def eval(self) -> None:  # type: ignore[override]
        super().train(False)


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(3, 16, 9, dtype=torch.complex64))
        self.last = nn.Linear(768, 2)

    def forward(self, x: Tensor) -> Tensor:
        filtered = torch.fft.irfft2(torch.fft.rfft2(x) * self.filter, s=(16, 16))
        out: Tensor = self.last(filtered.flatten(1))
        return out


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 4, sparse=True)
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        level = ((x.mean((1, 2, 3)) + 1) * 10).long().clamp(0, 19)
        out: Tensor = self.last(self.table(level))
        return out


class Wide(Net):
    """Double precision inside."""

    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.double())


class Counts(Net):
    """Keeps a plain number as extra state."""

    count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += self.training
        return super().forward(x) + self.count

    def get_extra_state(self) -> object:
        return {"count": self.count}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.count = state["count"]


class InPlace(Net):
    """Writes into what it is shown."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(1).mul_(0.5))


class Merges(Net):
    """Adds one matrix to another in eval mode and takes it off again in training mode, as layers of
    low rank do."""

    merged = False

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.full((2, 64), 0.5))

    def train(self, mode: bool = True) -> "Merges":
        if mode == self.merged:
            self.net[3].weight.data.add_(self.low.data, alpha=-1.0 if mode else 1.0)
            self.merged = not mode
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        return out if self.merged else out + self.net[:3](x) @ self.low.T


class Thaws(Net):
    """Trains its first layer from its second step on; and has a weight that is never trained."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.places = nn.Parameter(torch.arange(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.net[0].requires_grad_(int(self.steps) > 0)
            self.steps += torch.is_grad_enabled()
        return super().forward(x) + self.places


class Follows(Net):
    """Has a parameter that follows another in training, without a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(out.mean(0), 0.1)
        return out - self.mean


class OfAnotherKindOfTensor(Net):
    class Kind(Tensor):
        pass

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).as_subclass(self.Kind)


class Unused(Net):
    """Has a weight that gets no gradient, two that are one, and an empty one."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(3, 3)
        self.same = self.net[3].weight
        self.empty = nn.Parameter(torch.zeros(0))


WORKS = [
    Net, Lazy, MakesItsHead, KeepsATable, KeepsATableInItsState, AddsABuffer, Queue, ReturnsNothing,
    Complex, Sparse, Wide, Counts, InPlace, Merges, OfAnotherKindOfTensor,
    Thaws, Unused, Follows,
]  # fmt: skip


def built(kind: Callable[[], nn.Module]) -> Callable[[int], nn.Module]:
    def build(seed: int = 1) -> nn.Module:
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        return kind()

    return build


def tried(kind: Callable[[], nn.Module], config: TrainConfig = CONFIG) -> Trial:
    return try_out(built(kind), SPEC, config, name="mine", seed=0)


def fresh(kind: Callable[[], nn.Module]) -> nn.Module:
    """One that is ready to be trained."""
    model = built(kind)()
    if tried(kind).unfinished:
        first_pass(model, SPEC)
    return model


def ready(kind: Callable[[], nn.Module]) -> nn.Module:
    """One that is ready to get weights."""
    model = built(kind)()
    first_pass(model, SPEC)
    return model


def same(one: object, other: object) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def asks(model: nn.Module) -> dict[str, float]:
    """An evaluator that asks, and one whose best weights are those of the third evaluation."""
    predict(model, IMAGES)
    return {"accuracy/train": 0.5}


@pytest.mark.parametrize("kind", WORKS)
def test_it_trains_goes_on_exactly_and_comes_back(kind: type[nn.Module], tmp_path: Path) -> None:
    found = tried(kind)
    assert found.warnings == ()
    config = TrainConfig(steps=6, batch_size=8, eval_every=2)
    whole, parts = fresh(kind), fresh(kind)
    weights = {name: value.clone() for name, value in whole.named_parameters()}
    fit(whole, EPOCHS, config, seed=3, evaluators=[asks], checkpoints=tmp_path / "whole")
    assert any(not torch.equal(value, weights[n]) for n, value in whole.named_parameters())

    short = dataclasses.replace(config, steps=3)  # of another schedule, so of other weights
    fit(parts, EPOCHS, short, seed=3, evaluators=[asks], checkpoints=tmp_path / "parts")
    ends = []
    for again in (False, True):
        model = parts if not again else ready(kind)
        train_step = TrainStep(model, EPOCHS, config, seed=3)
        train_step.restore(load_checkpoint(tmp_path / "parts" / LAST))
        train_step.take()
        train_step.take()
        ends.append(train_step.state())
    assert same(*ends)

    last = load_checkpoint(tmp_path / "whole" / LAST)
    back = ready(kind)
    load_weights(back, last, tmp_path)
    assert torch.equal(predict(back, IMAGES), predict(whole, IMAGES))


def test_only_what_is_needed_is_done_to_a_network_before_it_is_trained() -> None:
    found = {kind: tried(kind).unfinished for kind in WORKS}
    assert {kind for kind, unfinished in found.items() if unfinished} == {
        Lazy, MakesItsHead, KeepsATableInItsState,
    }  # fmt: skip


def test_measuring_a_merged_network_unmerges_it() -> None:
    model = Merges()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predict(model, IMAGES)
    assert not model.merged
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_sparse_gradients_train_as_dense_ones_do() -> None:
    ends = []
    for sparse in (True, False):
        model = built(Sparse)()
        model.table.sparse = sparse
        fit(model, EPOCHS, TrainConfig(steps=5, batch_size=8), seed=3)
        ends.append(model.state_dict())
    assert same(*ends)


def test_complex_weights_train_as_pairs_of_real_ones_do() -> None:
    class Pairs(Complex):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.view_as_real(self.filter.data).clone())

        def forward(self, x: Tensor) -> Tensor:
            filtered = torch.fft.irfft2(
                torch.fft.rfft2(x) * torch.view_as_complex(self.filter), s=(16, 16)
            )
            out: Tensor = self.last(filtered.flatten(1))
            return out

    one, other = built(Complex)(), built(Pairs)()
    for model in (one, other):
        fit(model, EPOCHS, TrainConfig(steps=5, batch_size=8, weight_decay=0.1), seed=3)
    torch.testing.assert_close(torch.view_as_real(one.filter.data), other.filter.data)
    torch.testing.assert_close(one.last.weight, other.last.weight)


# What does not train


class Frozen(Net):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)


class NoWeights(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))[:, :2]


class Detached(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class Blind(Net):
    """Its logits have a gradient that reaches no weight."""

    def forward(self, x: Tensor) -> Tensor:
        return x.requires_grad_().mean((2, 3))[:, :2]


class TwoAnswers(Net):
    def forward(self, x: Tensor) -> object:
        out = super().forward(x)
        return (out, out) if self.training else out


class Whole(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).round().long()


class Overflows(Net):
    """With gradients only."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (float("inf") if torch.is_grad_enabled() else 1.0)


class OfOtherPrecision(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        raise RuntimeError("\x1b[31mno\nway back\x1b[0m")


class BrokenBackwards(Net):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = Broken.apply(super().forward(x))
        return out


class Exits(Net):
    def forward(self, x: Tensor) -> Tensor:
        raise SystemExit(3)


class OneAtATime(Net):
    """Knows single pictures only in training, as normalization over a batch does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768), nn.Linear(768, 2))


class KeepsNumbersOfNumpy(Net):
    def get_extra_state(self) -> object:
        return {"scale": [1.0, np.float32(1.0)]}

    def set_extra_state(self, state: object) -> None:
        pass


class KeepsThemLate(Net):
    """From its first step on."""

    scale = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.scale = np.float64(2.0)
        return super().forward(x)

    def get_extra_state(self) -> object:
        return self.scale

    def set_extra_state(self, state: object) -> None:
        pass


class KeepsWhatCannotBeWritten(Net):
    def get_extra_state(self) -> object:
        return lambda: None

    def set_extra_state(self, state: object) -> None:
        pass


class TakesNothingBack(Net):
    def get_extra_state(self) -> object:
        return 1


class Forgets(Net):
    """Learns something that is not in its state."""

    learned = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.learned += 1.0
        return super().forward(x) * (1 + self.learned)


class ForgetsABuffer(Net):
    learned: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("learned", torch.ones(2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.learned = self.learned + torch.tensor([1.0, -1.0])
        return super().forward(x) * self.learned


class MakesAWeightLate(Net):
    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(2))
        return super().forward(x) + (self.late if hasattr(self, "late") else 0.0)


class ReplacesAWeight(Net):
    """As codebooks that are averaged in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = nn.Parameter(0.9 * self.mean.detach())
        out: Tensor = super().forward(x) + self.mean
        return out


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Frozen, "all its 4 parameters are frozen"),
        (NoWeights, "no parameters"),
        (Detached, "no gradient"),
        (Blind, "do not depend on any parameter"),
        (TwoAnswers, r"in training mode, must return a tensor, not a tuple"),
        (Whole, r"must return real numbers, not torch\.int64"),
        (Overflows, "break at once: the loss of step 1 is not a finite number"),
        (OfOtherPrecision, r"pictures are torch\.float32, its weights torch\.float64"),
        (BrokenBackwards, rf"RuntimeError: no way back \(.*{Path(__file__).name}:\d+"),
        (Exits, rf"SystemExit: 3 \(.*{Path(__file__).name}:\d+\)"),
        (OneAtATime, r"shape \(1, 3, 16, 16\) in training mode, fails: ValueError"),
        (KeepsNumbersOfNumpy, r"get_extra_state.* holds a numpy\.float32"),
        (KeepsThemLate, r"get_extra_state.* holds a numpy\.float64"),
        (KeepsWhatCannotBeWritten, r"get_extra_state.* holds a builtins\.function"),
        (TakesNothingBack, "cannot take back its own state: .*_extra_state"),
        (Forgets, "answers otherwise after its checkpoint is read back"),
        (ForgetsABuffer, "answers otherwise after its checkpoint is read back"),
        (MakesAWeightLate, "makes its parameter 'late' while it is trained"),
        (ReplacesAWeight, "another parameter in the place of its 'mean' while it is trained"),
    ],
)
def test_one_line_says_beforehand_what_is_wrong(kind: type[nn.Module], said: str) -> None:
    config = dataclasses.replace(CONFIG, batch_size=1) if kind is OneAtATime else CONFIG
    with pytest.raises(ValueError, match=said) as caught:
        tried(kind, config)
    is_a_good_line(str(caught.value), names="--model mine")


def test_a_loss_of_pairs_of_one_class_gets_such_pairs(tmp_path: Path) -> None:
    file = tmp_path / "pairs.py"
    file.write_text(
        """
import torch

def pairs(logits, batch):
    alike = batch.labels[:, None] == batch.labels[None]
    other = ~torch.eye(len(logits), dtype=torch.bool)
    apart = (logits[:, None] - logits[None]).square().sum(dim=2)
    pulled, pushed = apart[alike & other].mean(), (1 - apart[~alike]).relu().mean()
    return torch.nn.functional.cross_entropy(logits, batch.labels) + pulled + pushed
"""
    )
    assert not tried(Net, dataclasses.replace(CONFIG, objective=f"{file}:pairs")).warnings


def test_a_network_of_other_weights_each_time_is_warned_of() -> None:
    class Unseeded(Net):
        def __init__(self) -> None:
            super().__init__()
            with torch.no_grad():
                self.net[0].bias.fill_(np.random.default_rng().random())

    (warning,) = tried(Unseeded).warnings
    assert "--seed" in warning


def test_a_network_of_the_same_weights_with_every_seed_is_warned_of() -> None:
    class Seeded(Net):
        def __init__(self) -> None:
            torch.manual_seed(42)
            super().__init__()

    (warning,) = tried(Seeded).warnings
    assert "--seed" in warning


def test_probabilities_in_place_of_logits_are_warned_of() -> None:
    class Sure(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).softmax(dim=1)

    class SureInBfloat16(Net):
        def forward(self, x: Tensor) -> Tensor:
            logits = 1e-3 * super().forward(x) + torch.tensor([2.0, 1.0]).log()
            return logits.bfloat16().softmax(dim=1).float()  # rows sum to 1.002

    for kind in (Sure, SureInBfloat16):
        (warning,) = tried(kind).warnings
        assert "softmax" in warning


@pytest.mark.parametrize(("last", "told"), [("nn.Softmax(1)", True), ("nn.ReLU()", False)])
def test_a_verdict_says_that_outputs_are_probabilities(
    last: str, told: bool, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        f"def net(spec): return nn.Sequential(nn.Flatten(), nn.Linear(768, 2), {last})\n"
    )
    found = start(tiny(tmp_path, name="run", model=f"{tmp_path}/net.py:net"))
    assert ("they are probabilities" in " ".join(found.verdict.split())) == told


def test_a_part_that_no_picture_of_the_trial_reached_is_not_warned_of() -> None:
    class Routes(Net):
        """Asks one of many experts for each picture."""

        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ParameterList(torch.randn(2) for _ in range(64))

        def forward(self, x: Tensor) -> Tensor:
            places = (x[:, 0, 0, 0].abs() * 1e4).long() % 64
            chosen = torch.stack([self.experts[place] for place in places.tolist()])
            out: Tensor = super().forward(x) + chosen
            return out

    assert not any("gradient" in warning for warning in tried(Routes).warnings)


def test_layers_that_are_dropped_at_random_are_not_said_to_get_no_gradient() -> None:
    """As in stochastic depth, in all pictures of a batch at once."""

    class Deep(Net):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(16))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = super().forward(x)
            for layer in self.layers:
                if not self.training or random.random() < 0.5:
                    out = out + layer(out)
            return out

    assert not any("gradient" in warning for warning in tried(Deep).warnings)


def test_a_network_that_needs_more_steps_is_not_said_to_keep_its_first_answer_only() -> None:
    class Vanishes(Net):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = super().forward(x if self.training else 0 * x)
            return out

    (warning,) = tried(Vanishes).warnings
    assert "all pictures the same logits" in warning
    assert "BatchNorm" in warning


def test_a_body_that_is_not_trained_is_warned_of() -> None:
    class HeadAlone(Net):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                x = self.net[:3](x)
            out: Tensor = self.net[3](x)
            return out

    (warning,) = tried(HeadAlone).warnings
    count = 4 * 3 * 4 * 4 + 4
    assert f"{count} of its {count + 64 * 2 + 2} parameters get no gradient" in warning
    assert "'net.0.weight'" in warning

    class Frozen(HeadAlone):
        def __init__(self) -> None:
            super().__init__()
            self.net[0].requires_grad_(False)

    assert tried(Frozen).warnings == (), "that is meant"


def test_averages_of_weights_are_not_said_to_stay_as_they_are_drawn() -> None:
    class Averages(Net):
        """Answers, in eval mode, with a moving average of its weights, as the copies of
        `torch.optim.swa_utils.AveragedModel`, whose parameters take gradients."""

        def __init__(self) -> None:
            super().__init__()
            self.mean = deepcopy(self.net)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                with torch.no_grad():
                    for mean, own in zip(
                        self.mean.parameters(), self.net.parameters(), strict=True
                    ):
                        mean.lerp_(own, 0.1)
            out: Tensor = (self.net if self.training else self.mean)(x)
            return out

    assert tried(Averages).warnings == ()


def test_weights_that_are_no_parameters_are_warned_of() -> None:
    class InAList(Net):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Conv2d(3, 3, 1), nn.ReLU()]

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)
            return super().forward(x)

    class APlainTensor(Net):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.ones(12, 1, 1).requires_grad_()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * self.scale.view(3, 4, 1, 1).sum(1))

    class OfItsInput(Net):
        """A leaf of each pass is no weight."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.clone().requires_grad_())

    for kind in (InAList, APlainTensor):
        (warning,) = tried(kind).warnings
        assert " 12 weights" in warning
        assert "neither trained nor saved" in warning
    assert tried(OfItsInput).warnings == ()


def test_a_network_may_offer_some_of_its_parameters_for_training() -> None:
    class OffersItsHead(Net):
        def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
            return self.net[3].parameters(recurse)

    (warning,) = tried(OffersItsHead).warnings
    assert "196 of its 326 parameters" in warning
    assert "unless that changes later, they stay as they are drawn" in warning


def test_no_more_is_said_of_a_body_that_is_trained_later_than_is_known(tmp_path: Path) -> None:
    """Gradual unfreezing by `detach`: what the first steps do not reach later ones do."""

    class Later(Net):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros((), dtype=torch.long))

        def forward(self, x: Tensor) -> Tensor:
            self.seen += self.training
            h = self.net[:3](x)
            out: Tensor = self.net[3](h if self.seen > 100 else h.detach())
            return out

    (warning,) = tried(Later).warnings
    assert "get no gradient in its first steps" in warning
    assert "unless that changes later" in warning


class KeepsItsFirstAnswer(nn.Module):
    """In eval mode every batch gets the answer that the first one of its size got."""

    def __init__(self) -> None:
        super().__init__()
        self.body = body()
        self.kept: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.body(x)  # type: ignore[no-any-return]
        return self.kept.setdefault(len(x), self.body(x))


def test_a_network_that_keeps_its_first_answer_is_caught() -> None:
    try:
        said = " ".join(tried(KeepsItsFirstAnswer).warnings)
    except ValueError as error:
        said = str(error)
    assert "do not depend on the pictures" in said or "is read back" in said


def test_a_network_that_cannot_go_on_exactly_is_warned_of() -> None:
    class OwnNoise(Net):
        def __init__(self) -> None:
            super().__init__()
            self.noise = torch.Generator().manual_seed(0)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                x = x + torch.randn(x.shape, generator=self.noise)
            return super().forward(x)

    (warning,) = tried(OwnNoise).warnings
    assert "--resume" in warning


class CountsInVain(Net):
    """Keeps a number that comes to matter long after a dry run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        return super().forward(functional.dropout(x, min(0.5, max(0.0, self.calls / 100 - 1))))


class CountsInABuffer(CountsInVain):
    """And does not save it."""

    def __init__(self) -> None:
        super().__init__()
        del self.calls
        self.register_buffer("calls", torch.tensor(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + self.training
        return Net.forward(self, x)


class KeepsAMean(Net):
    """Of all batches, in one of its layers, within a container."""

    def __init__(self) -> None:
        super().__init__()
        self.net[0].means = {"of": [torch.zeros(3)]}

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            kept = self.net[0].means["of"]
            kept[0] = 0.9 * kept[0] + 0.1 * x.mean((0, 2, 3)).detach()
        return super().forward(x)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(CountsInVain, "'calls'"), (CountsInABuffer, "'calls'"), (KeepsAMean, "'net.0.means'")],
)
def test_what_training_changes_and_no_checkpoint_has_is_named(
    kind: type[nn.Module], name: str
) -> None:
    (warning,) = tried(kind).warnings
    assert name in warning
    assert "--resume" in warning
    assert "\n" not in warning


class KeepsWhatItComputes(Net):
    """What is computed anew at each step, in every way, a record of it, and settings."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.names, self.seen = 0.5, ("a", "b"), [0.0]
        self.last: object = None
        self.noise = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        self.last = {"input": x, "mean": float(x.mean()), "shape": tuple(x.shape)}
        self.drawn = torch.rand(3)
        self.seen.append(float(x.mean()))
        return super().forward(x)


@pytest.mark.parametrize("kind", [KeepsWhatItComputes, Counts, Queue, KeepsATable, Thaws])
def test_what_is_computed_anew_or_saved_is_not_named(kind: type[nn.Module]) -> None:
    assert tried(kind).warnings == ()


def test_a_state_that_decides_the_next_step_is_named_in_the_same_line() -> None:
    class Anneals(CountsInVain):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * (1 + 0.1 * self.calls * self.training)

    (warning,) = tried(Anneals).warnings
    assert "does not go on exactly" in warning
    assert "'calls'" in warning


def test_a_dry_run_leaves_the_process_as_it_was() -> None:
    before = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())
    tried(functional_noise)
    after = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def functional_noise() -> nn.Module:
    class Drops(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(functional.dropout(x, 0.5, training=True))

    return Drops()


# Whole runs


NETS = """
import torch
from torch import nn

class Counted(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if torch.is_grad_enabled():
            self.steps += 1
            if self.steps > 4:
                raise RuntimeError("\\x1b[31mtoo far\\x1b[0m")  # HERE
        return self.net(x)

def breaks(spec):
    return Counted(spec)

class Divides(Counted):
    def forward(self, x):
        if not torch.is_grad_enabled() and self.steps > 2:
            return self.net(x) / (1 // 0)  # THERE
        return self.net(x.clone()) + 0 * self.step_on()

    def step_on(self):
        self.steps += self.training and torch.is_grad_enabled()
        return 0

def divides(spec):
    return Divides(spec)

def frozen(spec):
    return Counted(spec).requires_grad_(False)

class Norm(nn.BatchNorm1d):
    def forward(self, x):
        return torch.cat([super(Norm, self).forward(part) for part in x.split(8)])

def Ghost(spec):
    flat = nn.Linear(3 * spec.image_size**2, 4)
    return nn.Sequential(nn.Flatten(), flat, Norm(4), nn.Linear(4, spec.num_outputs))

def halves(logits, batch):
    assert len(logits) % 2 == 0
    return nn.functional.cross_entropy(logits, batch.labels)

def lazy(spec):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(spec.num_outputs))
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


def flags(nets: Path, name: str, out: Path, **others: object) -> list[str]:
    words = {
        "model": f"{nets}:{name}", "out": out, "name": "run", "num-train": 16, "num-test": 20,
        "image-size": 16, "steps": 8, "batch-size": 8, "eval-every": 4, "counterfactuals": 0,
    } | others  # fmt: skip
    return ["--no-pictures", *(f"--{flag}={word}" for flag, word in words.items())]


@pytest.mark.parametrize(("name", "mark", "step"), [("breaks", "HERE", 4), ("divides", "THERE", 4)])
def test_an_error_of_the_network_in_a_run_is_its_own_line(
    name: str, mark: str, step: int, nets: Path, tmp_path: Path
) -> None:
    code, said = told(script("train").train, flags(nets, name, tmp_path / "runs"))
    number = next(n for n, line in enumerate(NETS.splitlines(), 1) if mark in line)
    assert code == 2
    assert said.count("\n") == 1
    is_a_good_line(said[:-1], names=f"{nets}:{number}")
    summary = json.loads((tmp_path / "runs" / "run" / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("failed", step)
    assert f"{nets}:{number}" in summary["verdict"]
    assert "\x1b" not in summary["verdict"]


def test_what_cannot_be_trained_makes_no_folder(nets: Path, tmp_path: Path) -> None:
    code, said = told(script("train").train, flags(nets, "frozen", tmp_path / "runs"))
    assert code == 2
    is_a_good_line(said[:-1], names="frozen")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("size", "faces", "processes", "refused"),
    [
        (9, 40, 1, 9), (40, 17, 1, 17), (8, 40, 1, 0), (16, 40, 1, 0), (10, 40, 1, 0),
        (18, 40, 2, 9), (17, 40, 2, 9), (19, 40, 2, 9), (16, 40, 2, 0),
    ],
)  # fmt: skip
def test_a_batch_of_the_run_s_own_size_is_tried_before_it(
    size: int, faces: int, processes: int, refused: int, nets: Path
) -> None:
    """Virtual batches of eight pictures cannot have a last one of one picture."""
    config = RunConfig(
        data=DataConfig(num_train=faces, image_size=16), model=ModelConfig(model=f"{nets}:Ghost"),
        train=TrainConfig(batch_size=size), world_size=processes,
    )  # fmt: skip
    spec = model_spec(config, ("a", "b"))
    if refused:
        said = rf"^--model .*Ghost, in batches of {refused} pictures: .*nets\.py:\d+\)$"
        with pytest.raises(ValueError, match=said):
            dry_run(config, spec)
    else:
        assert dry_run(config, spec).warnings == ()
    assert dry_run(config, spec, whole_batches=False).warnings == ()


def test_a_loss_is_tried_on_a_whole_batch_too(nets: Path, tmp_path: Path) -> None:
    loss = f"{nets}:halves"
    words = {"objective": loss, "batch-size": 9}
    code, said = told(script("train").train, flags(nets, "lazy", tmp_path / "runs", **words))
    assert code == 2
    is_a_good_line(said[:-1], names="in batches of 9 pictures")
    assert not (tmp_path / "runs").exists()
    code, said = told(script("train").train, flags(nets, "lazy", tmp_path / "runs", objective=loss))
    assert (code, said) == (0, "")


def test_muon_without_a_matrix_to_update_is_told(nets: Path) -> None:
    def idle(model: str, **settings: Any) -> bool:
        config = RunConfig(
            data=DataConfig(image_size=16), model=ModelConfig(model=model, width=4),
            train=TrainConfig(**settings),
        )  # fmt: skip
        warnings = dry_run(config, model_spec(config, ("a", "b"))).warnings
        return any("--optimizer muon changes nothing" in warning for warning in warnings)

    for model in ("linear", f"{nets}:lazy"):
        assert idle(model, optimizer="muon")
        assert not idle(model)
    for model in ("cnn", "mlp", "resnet", "vit"):
        assert not idle(model, optimizer="muon")


def test_a_grid_tells_that_muon_is_idle_and_goes_on(tmp_path: Path) -> None:
    base = tiny(tmp_path, model="linear", width=16)
    jobs = make_jobs(base, make_grid({"optimizer": ["adamw", "muon"]}), seeds=1, out=tmp_path)
    (warning,) = check_jobs(jobs)
    assert warning.startswith("--model linear: --optimizer muon")
    assert check_jobs(jobs[:1]) == ()


def test_lazy_layers_are_drawn_from_the_seed(nets: Path, tmp_path: Path) -> None:
    config = RunConfig(
        data=DataConfig(num_train=16, num_test=20, image_size=16),
        model=ModelConfig(model=f"{nets}:lazy"),
        train=TrainConfig(steps=0, batch_size=8),
        counterfactuals=0, pictures=False,
    )  # fmt: skip
    folders = [
        start(dataclasses.replace(config, seed=seed, out=tmp_path / str(number))).folder
        for number, seed in enumerate((0, 0, 1))
    ]
    one, again, other = (load_checkpoint(f / "checkpoints" / LAST).model for f in folders)
    assert same(one, again)
    assert not same(one, other)
    assert same(open_run(folders[2]).model.state_dict(), other)


# Checkpoints


def test_a_state_that_could_not_be_read_back_is_refused_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(path, Checkpoint(step=1, model={"w": torch.ones(1), "_extra_state": 1}))
    bad = Checkpoint(step=2, model={"w": torch.ones(1), "a._extra_state": {"x": np.int64(1)}})
    with pytest.raises(ValueError, match=r"get_extra_state of its module 'a' holds a numpy\.int64"):
        save_checkpoint(path, bad)
    assert load_checkpoint(path).step == 1
    assert os.listdir(tmp_path) == [LAST]


def test_a_whole_file_is_never_called_damaged(tmp_path: Path) -> None:
    """Nobody is told to delete it."""
    path = tmp_path / LAST
    values = Checkpoint(step=1, model={}, progress={"x": np.int64(1)})
    save_checkpoint(path, values)
    with pytest.raises(ValueError, match="numpy") as caught:
        load_checkpoint(path)
    assert not isinstance(caught.value, Damaged)
    is_a_good_line(str(caught.value), names=str(path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged):
        load_checkpoint(path)


def test_no_advice_to_delete_a_whole_file(nets: Path, tmp_path: Path) -> None:
    assert told(script("train").train, flags(nets, "lazy", tmp_path))[0] == 0
    checkpoints = tmp_path / "run" / "checkpoints"
    (tmp_path / "run" / "summary.json").unlink()
    last = load_checkpoint(checkpoints / LAST)
    odd = dataclasses.replace(last, progress={"x": np.int64(1)})
    save_checkpoint(checkpoints / LAST, odd, keep=checkpoints / "previous.pt")
    for use in (open_run, resume):
        with pytest.raises(ValueError, match="numpy") as caught:
            use(tmp_path / "run")
        assert "delete it" not in str(caught.value)


def test_weights_that_do_not_fit_say_which(tmp_path: Path) -> None:
    other = Checkpoint(step=1, model={**Net().state_dict(), "more.weight": torch.ones(1)})
    with pytest.raises(ValueError, match=r"another network.*more\.weight"):
        load_weights(Net(), other, tmp_path / LAST)


def test_buffers_come_back_in_the_shape_in_which_they_were_kept() -> None:
    state = Queue().state_dict()
    state["queue"] = torch.rand(7, 2)
    model = Queue()
    give_state(model, state)
    assert same(dict(model.state_dict()), dict(state))
    with pytest.raises(RuntimeError, match="size mismatch"):  # a weight is no buffer
        give_state(model, {**state, "net.3.weight": torch.ones(3, 64)})


# Several processes


class Two(Processes):
    """One of two processes, whose companion's gradients are `theirs`."""

    def __init__(self, theirs: list[Tensor | None]) -> None:
        super().__init__(0, 2)
        self._theirs = theirs

    def all_reduce_sum_(self, tensors: object) -> None:
        mine = list(tensors)  # type: ignore[call-overload]
        there = [t for t in self._theirs if t is not None]
        used = torch.tensor([float(t is not None) for t in self._theirs])
        row = [torch.zeros_like(m) if t is None else t for m, t in zip(mine, self._theirs)]  # noqa: B905
        assert len(there) <= len(row)
        for tensor, other in zip(mine, [*row, used, torch.zeros(())], strict=True):
            tensor.add_(other)

    def broadcast_(self, tensors: object) -> None:
        pass


def test_a_weight_that_one_process_uses_is_trained_in_all() -> None:
    class Chooses(nn.Module):
        """Uses the first weight here, the companion the second; the third nobody."""

        def __init__(self) -> None:
            super().__init__()
            self.all = nn.ParameterList([nn.Parameter(torch.ones(2)) for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:
            return x.mean((1, 2, 3))[:, None] * self.all[0]

    model = Chooses()
    half = EpochBatches(IMAGES, torch.arange(40) % 2, batch_size=8, seed=3, part=slice(0, None, 2))
    train_step = TrainStep(
        model, half, TrainConfig(steps=5), seed=0, processes=Two([None, torch.ones(2), None])
    )
    train_step.take()
    moved = [not torch.equal(weight, torch.ones(2)) for weight in model.all]
    assert moved == [True, True, False]


def test_quoted_errors_are_plain_text() -> None:
    for text in ("\x1b[1;31mred\x1b[0m", "\x1b]8;;http://x\x07red\x1b]8;;\x07", "\x1b(Bred\x07"):
        assert one_line(ValueError(f"{text}\nand more\u200b")) == "ValueError: red and more"


def test_a_network_error_is_a_users_to_mend() -> None:
    assert issubclass(NetworkError, ValueError)


USES_NOTHING = """
from torch import nn
from torch.nn.functional import dropout


def plain(spec):
    return nn.Sequential(nn.Flatten(), nn.Linear(768, spec.num_outputs))


class Inside(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.spec, self.last = spec, nn.Linear(768, spec.num_outputs)

    def forward(self, x):
        return self.last(dropout(x.flatten(1), self.spec.dropout, self.training))
"""


def test_a_setting_that_changes_nothing_in_the_network_is_told(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(USES_NOTHING)
    data = DataConfig(image_size=16)

    def idle(model: str, **settings: Any) -> list[str]:
        config = RunConfig(data=data, model=ModelConfig(model=model, **settings))
        found = dry_run(config, model_spec(config, ("a", "b"))).warnings
        return [word for word in ("--width 8", "--dropout 0.3") if f"{word} ch" in " ".join(found)]

    both = {"width": 8, "dropout": 0.3}
    for model in (f"{file}:plain", "linear"):
        assert idle(model) == []
        assert idle(model, **both) == ["--width 8", "--dropout 0.3"]
    assert idle(f"{file}:Inside", **both) == ["--width 8"]
    assert idle("cnn_s", **both) == ["--width 8"]
    assert idle("cnn", **both) == []


def test_the_lab_s_own_networks_are_tried_once_for_all_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.py"
    file.write_text(USES_NOTHING)
    tried_out: list[str] = []

    def counted(*arguments: Any, name: str, **settings: Any) -> Trial:
        tried_out.append(name)
        return try_out(*arguments, name=name, **settings)

    monkeypatch.setattr("lab.runs.network.try_out", counted)

    def trials(model: str, objective: str = "erm", *, batch_sizes: tuple[int, ...] = (7,)) -> int:
        tried_out.clear()
        for seed in (0, 1):
            for size in batch_sizes:
                config = RunConfig(
                    data=DataConfig(image_size=16), model=ModelConfig(model=model, width=3),
                    train=TrainConfig(objective=objective, batch_size=size), seed=seed,
                )  # fmt: skip
                dry_run(config, model_spec(config, ("a", "b")))
        return len(tried_out)

    own_loss = tmp_path / "loss.py"
    own_loss.write_text(
        "from torch.nn.functional import cross_entropy\n"
        "def loss(logits, batch): return cross_entropy(logits, batch.labels)\n"
    )
    assert trials("cnn") == 1
    assert trials("cnn") == 0
    assert trials("cnn", batch_sizes=(7, 5)) == 1, "another batch is another trial"
    assert trials("cnn", f"{own_loss}:loss") == 2
    assert trials(f"{file}:plain") == 2


@pytest.mark.parametrize("itself", [False, True])
def test_a_network_that_calls_torch_compile_is_told_before_it_is_compiled(
    itself: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[bool] = []

    def backend(graph: Any, _: Any) -> Any:
        told.append("calls torch.compile" in caplog.text)
        return graph

    def build(_: int) -> nn.Module:
        network = body()
        if itself:
            network.compile(backend=backend)
            return network
        return nn.Sequential(torch.compile(network, backend=backend))

    name = f"compiled_{itself}"
    try_out(build, SPEC, CONFIG, name=name, seed=0)
    assert told[0]
    assert caplog.text.count(name) == 1
