"""A run that is opened again is asked through the network that was trained, or a line says that it
is another one; and what networks do to the process does not lead a run elsewhere."""

import dataclasses
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import sigmoid

from lab.core.config import RunConfig, TrainConfig
from lab.models import ModelSpec, NetworkError
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.tracking.writer import Tracker
from lab.training import (
    EpochBatches,
    Interrupted,
    Trial,
    answers_otherwise,
    fit,
    load_checkpoint,
    sample_answers,
    try_out,
)
from support.configs import tiny

SPEC = ModelSpec(image_size=16)

NETS = """
import os
from pathlib import Path
import torch
from torch import nn
from torch.nn.utils import prune

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))

    def forward(self, x):
        return self.net(x)

class Plain(Net):
    pass

class Late(Net):
    "Counts its steps in a plain attribute, and goes by it later than any dry run looks."
    steps = 0

    def forward(self, x):
        self.steps += self.training
        return self.net(x if self.steps < 6 else x.flip(3))

class OfTheSurroundings(Net):
    def __init__(self, spec):
        super().__init__(spec)
        self.scale = float(os.environ.get("SCALE_OF_A_TEST", "1"))

    def forward(self, x):
        return self.net(x) * self.scale

class OfAFile(Net):
    def __init__(self, spec):
        super().__init__(spec)
        self.scale = float(Path(__file__).with_name("scale.txt").read_text())

    def forward(self, x):
        return self.net(x) * self.scale

class FreezesOnce(Net):
    "Its bias rests from the fifth step on."
    def __init__(self, spec):
        super().__init__(spec)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps == 5:
            self.net[1].bias.requires_grad_(False)
        return self.net(x)

class Other(FreezesOnce):
    def change(self):
        raise NotImplementedError

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps == 6:
            self.change()
        return self.net(x)

class BeginsAnew(Other):
    def change(self):
        self.net[1] = nn.Linear(*reversed(self.net[1].weight.shape))

class Grows(Other):
    def change(self):
        self.net.append(nn.Linear(2, 2))

class Prunes(Other):
    def change(self):
        prune.l1_unstructured(self.net[1], "weight", 0.5)

class Wanders(Net):
    def forward(self, x):
        os.chdir("/")
        return self.net(x)
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


def a_run(nets: Path, network: str, **others: object) -> RunConfig:
    usual = {"num_train": 16, "steps": 8, "batch_size": 8, "eval_every": 4, "name": "run"}
    return tiny(nets.parent / "runs", model=f"{nets}:{network}", **(usual | others))


def verdict_of(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text())["verdict"])


def test_a_network_that_learns_beside_its_state_is_refused(nets: Path) -> None:
    late = start(a_run(nets, "Late")).folder
    assert "another network" in verdict_of(late)
    with pytest.raises(ValueError, match=r"last\.pt: .*answers otherwise.*--changed-code"):
        open_run(late)
    open_run(late, changed_code=True)
    plain = start(a_run(nets, "Plain", name="plain")).folder
    assert "another network" not in verdict_of(plain)
    open_run(plain)


@pytest.mark.parametrize("name", ["OfTheSurroundings", "OfAFile"])
def test_what_a_network_reads_is_known_to_have_changed(
    name: str, nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = nets.with_name("scale.txt")

    def change(scale: str) -> None:
        file.write_text(scale)
        monkeypatch.setenv("SCALE_OF_A_TEST", scale)

    change("1")
    folder = start(a_run(nets, name, num_validation=20, early_stopping=5)).folder
    open_run(folder)
    change("1.5")
    with pytest.raises(ValueError, match="answers otherwise"):
        open_run(folder)
    change("1")
    open_run(folder)


def test_an_interrupted_run_goes_on_with_the_same_network_only(
    nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("lab.evaluators.DataSummary.log", interrupt)
        with pytest.raises(Interrupted):
            start(a_run(nets, "OfTheSurroundings"))
    folder = nets.parent / "runs" / "run"
    with monkeypatch.context() as patch:
        patch.setenv("SCALE_OF_A_TEST", "2")
        with pytest.raises(ValueError, match="answers otherwise"):
            resume(folder)
    assert resume(folder) is not None


def test_what_was_frozen_stays_so(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the network freezes it at one step, and goes on from a checkpoint after that."""
    folder = nets.parent / "runs" / "pieces"
    scalars = Tracker.scalars

    def tell(tracker: Tracker, step: int, figures: Any) -> None:
        scalars(tracker, step, figures)
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    whole = start(a_run(nets, "FreezesOnce", eval_every=3, name="whole")).folder
    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "scalars", tell)
        with pytest.raises(Interrupted):
            start(a_run(nets, "FreezesOnce", eval_every=3, name="pieces"))
    assert resume(folder) is not None
    one, other = (load_checkpoint(f / "checkpoints" / "last.pt").model for f in (whole, folder))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("network", ["BeginsAnew", "Grows", "Prunes"])
def test_weights_that_come_too_late_end_a_run(network: str, nets: Path) -> None:
    with pytest.raises(NetworkError, match=r"by step 8 .* parameter 'net\.\d\.weight"):
        start(a_run(nets, network))
    summary = json.loads((nets.parent / "runs" / "run" / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("failed", 8)


def test_a_run_stays_where_it_was_sent(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its network changes the current folder at every pass."""
    monkeypatch.chdir(nets.parent)
    done = start(dataclasses.replace(a_run(nets, "Wanders"), out=Path("here")))
    assert not done.folder.is_absolute()
    assert Path.cwd() == nets.parent
    assert (nets.parent / "here" / "run" / "summary.json").is_file()
    open_run(done.folder)


# The sample of answers


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


def test_the_sample_knows_a_network_and_leaves_no_trace() -> None:
    torch.manual_seed(0)
    one, other = Net(), Net()
    before = torch.get_rng_state()
    kept = sample_answers(one, SPEC)
    assert not answers_otherwise(one, kept, SPEC)
    assert answers_otherwise(other, kept, SPEC)
    assert not answers_otherwise(other, {}, SPEC)
    other.load_state_dict(one.state_dict())
    assert not answers_otherwise(other, kept, SPEC)
    assert not answers_otherwise(other.double().float(), kept, SPEC)
    assert torch.equal(before, torch.get_rng_state())


def test_chance_is_no_change() -> None:
    class Guesses(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.randn(len(x), 2)

    assert sample_answers(Guesses(), SPEC) == {}


# The dry run


def tried(build: type[nn.Module]) -> Trial:
    def make(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return build()

    return try_out(make, SPEC, TrainConfig(batch_size=8), name="net.py:net", seed=0)


class UnusedLazy(Net):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({"spare": nn.LazyLinear(3)})


class PartlyWithoutNumbers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(2, 2, device="meta")


class WithoutABuffer(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("spare", torch.zeros(2, device="meta"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (UnusedLazy, r"'heads\.spare\.weight' never gets a shape"),
        (PartlyWithoutNumbers, r"'spare\.weight' has no numbers"),
        (WithoutABuffer, "'spare' has no numbers"),
    ],
)
def test_weights_that_are_none_are_one_line(kind: type[nn.Module], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        tried(kind)
    assert "--model net.py:net" in str(caught.value)
    assert "\n" not in str(caught.value)


class Sigmoid(Net):
    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(super().forward(x))


class SigmoidOfAnotherShape(Net):
    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(super().forward(x).reshape(-1, 1, 2)).double().squeeze(1)


class SoftmaxWhenAsked(Net):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits if self.training else logits.softmax(dim=1)


class SigmoidWhenAsked(Net):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits if self.training else logits.sigmoid()


@pytest.mark.parametrize(
    "kind", [Sigmoid, SigmoidOfAnotherShape, SoftmaxWhenAsked, SigmoidWhenAsked]
)
def test_probabilities_of_every_kind_are_warned_of(kind: type[nn.Module]) -> None:
    (warning,) = tried(kind).warnings
    assert "probabilities" in warning
    assert ("eval mode" in warning) == kind.__name__.endswith("WhenAsked")


def test_a_gate_inside_is_no_probability() -> None:
    class Gated(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * sigmoid(x))

    assert tried(Gated).warnings == ()


def test_a_network_may_return_nothing_when_it_is_moved() -> None:
    class Moves(Net):
        def to(self, *args: Any, **kwargs: Any) -> Any:
            super().to(*args, **kwargs)

    assert tried(Moves).warnings == ()


def test_logits_that_depend_on_what_was_asked_before_are_warned_of() -> None:
    class Tires(Net):
        asked: list[int]

        def forward(self, x: Tensor) -> Tensor:
            if not self.training:
                counted.append(len(x))
            return super().forward(x) / (1 + len(counted))

    counted: list[int] = []
    assert any("asked again" in warning for warning in tried(Tires).warnings)


def test_moments_of_the_optimizer_go_to_no_other_weight(tmp_path: Path) -> None:
    """Where the same weights come in another order in another process."""

    class OfASet(nn.Module):
        def __init__(self, names: list[str]) -> None:
            super().__init__()
            self.parts = nn.ParameterDict()
            for name in names:
                self.parts[name] = nn.Parameter(torch.ones(768, 2))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = x.flatten(1) @ (self.parts["a"] * self.parts["b"].sigmoid())
            return out

    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    batches = EpochBatches(images, torch.arange(8) % 2, batch_size=8, seed=0)
    config = TrainConfig(steps=2, batch_size=8)
    names = ["a", "b"]
    random.Random(1).shuffle(names)
    fit(OfASet(names), batches, config, seed=0, checkpoints=tmp_path)
    saved = load_checkpoint(tmp_path / "last.pt")
    fit(OfASet(names), batches, config, seed=0, resume=saved)
    with pytest.raises(ValueError, match="another order"):
        fit(OfASet(names[::-1]), batches, config, seed=0, resume=saved)
