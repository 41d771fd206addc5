"""Answers that are not a function of the picture are found, and said."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.nn.functional import dropout

from lab.core.estimate import Estimate, wilson
from lab.measure import consistency, varying
from lab.models import ModelSpec, create_model, list_models, to_input
from lab.runs.train import start
from support.configs import tiny

REPEATED, ALONE = "answers/changed_when_repeated", "answers/changed_when_alone"
IMAGES = torch.randint(0, 256, (150, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()


class By(nn.Module):
    """Logits by a function of what a linear layer says of the pixels: (N, 2), the more certain the
    larger `scale`."""

    def __init__(self, change: Callable[[Tensor], Tensor], scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(768, 2)
        self.change, self.scale = change, scale

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.scale * self.last(x.flatten(1)))


def flipped(chance: float, draw: Callable[[int], Tensor]) -> Callable[[Tensor], Tensor]:
    """Exchange the two logits of each picture with a chance."""
    return lambda logits: torch.where(draw(len(logits))[:, None] < chance, logits.flip(1), logits)


def python(count: int) -> Tensor:
    return torch.tensor([random.random() for _ in range(count)])


def numpy(count: int) -> Tensor:
    return torch.from_numpy(np.random.rand(count))


UNSEEDED = random.Random(7)


def own(count: int) -> Tensor:
    """From a generator that nobody seeds anew."""
    return torch.tensor([UNSEEDED.random() for _ in range(count)])


@pytest.mark.parametrize("name", list_models())
def test_a_function_of_the_picture_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, ModelSpec(image_size=16, width=4, dropout=0.5))
    found = consistency(model, IMAGES[:30])
    assert [figure.value for figure in found.values()] == [0, 0, 0, 0]
    assert varying(found) == ""


@pytest.mark.parametrize("draw", [torch.rand, python, numpy, own])
@pytest.mark.parametrize("chance", [0.05, 0.5])
def test_the_share_that_chance_changes_is_found(
    chance: float, draw: Callable[[int], Tensor]
) -> None:
    """An answer has changed if one of two draws has flipped it: with a chance of 2 p (1 - p)."""
    found = consistency(By(flipped(chance, draw)), IMAGES)
    changed, true = found[REPEATED], 2 * chance * (1 - chance)
    assert changed.count == len(IMAGES)
    assert abs(changed.value - true) < 4 * (true * (1 - true) / len(IMAGES)) ** 0.5
    assert f"{100 * changed.value:.1f} %" in varying(found)
    assert "again" in varying(found)


@pytest.mark.parametrize("alone", [False, True])
def test_probabilities_that_move_without_another_answer_are_found(alone: bool) -> None:
    """By a common factor: drawn at random, or the spread of all that are asked."""

    def scaled(logits: Tensor) -> Tensor:
        if alone:
            return logits * (4.0 if len(logits) > 1 else 1.0)
        return logits * (1 + 4 * torch.rand(()))

    found = consistency(By(scaled), IMAGES)
    assert found[REPEATED].value == found[ALONE].value == 0
    logits = By(lambda logits: logits)(to_input(IMAGES)).double()
    apart = (logits.softmax(dim=1) - (4 * logits).softmax(dim=1)).abs().amax(dim=1)
    expected = float((apart > 0.1).double().mean())
    if alone:
        assert found["answers/moved_when_repeated"].value == 0
        assert found["answers/moved_when_alone"].value == pytest.approx(expected)
    else:
        assert found["answers/moved_when_repeated"].value > 0
    said = varying(found)
    assert "of 150 none changes when the " in said
    assert "by more than 0.1." in said


def centered(logits: Tensor) -> Tensor:
    """By the mean of all that are asked, as normalization by a batch's statistics is."""
    return logits - (logits.mean(0) if len(logits) > 1 else 0)


@pytest.mark.parametrize(
    "change", [centered, lambda logits: logits * (1 if len(logits) > 1 else -1)]
)
def test_what_depends_on_the_other_pictures_is_found(change: Callable[[Tensor], Tensor]) -> None:
    found = consistency(By(change), IMAGES)
    assert found[REPEATED].value == 0
    assert found[ALONE].value > 0
    assert "alone" in varying(found)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_is_no_change(scale: float) -> None:
    """Logits that all but tie, and move in their last digits at each pass."""

    def rounded(logits: Tensor) -> Tensor:
        tie = logits[:, :1].expand(-1, 2)
        return tie * (1 + 3e-7 * torch.randint_like(tie, -1, 2))

    found = consistency(By(rounded, scale), IMAGES)
    assert [figure.value for figure in found.values()] == [0, 0, 0, 0]


def test_networks_of_16_bits_may_round_more() -> None:
    model = create_model("cnn", ModelSpec(image_size=16, width=4)).to(torch.bfloat16)
    model.register_forward_pre_hook(lambda _, inputs: inputs[0].to(torch.bfloat16))
    found = consistency(model, IMAGES[:50])
    assert [figure.value for figure in found.values()] == [0, 0, 0, 0]
    model.register_forward_hook(lambda _, inputs, out: dropout(out, 0.5, training=True))
    assert consistency(model, IMAGES[:50])[REPEATED].value > 0


def test_nothing_is_said_of_what_was_not_asked() -> None:
    assert varying({}) == ""
    assert varying({REPEATED: wilson(0, 200), ALONE: wilson(0, 200)}) == ""
    assert varying({"accuracy/test": Estimate(0.5, 0.4, 0.6)}) == ""


NET = """
import torch
from torch import nn
from torch.nn.functional import dropout

class Drops(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.last = nn.Linear(3 * spec.image_size**2, spec.num_outputs)

    def forward(self, x):
        return self.last(dropout(x.flatten(1), 0.9))

def drops(spec):
    return Drops(spec)
"""


def test_a_run_says_so_at_its_beginning_and_at_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(NET)
    model = f"{tmp_path / 'net.py'}:drops"
    config = tiny(tmp_path / "runs", model=model, num_train=16, num_test=60, steps=4, batch_size=8)
    result = start(config)
    said = capsys.readouterr().out
    summary = json.loads((result.folder / "summary.json").read_text())
    changed = summary["answers"]["changed_when_repeated"]
    assert 0 < changed["low"] < changed["value"] < changed["high"]
    assert changed["count"] == 60
    assert f"{100 * changed['value']:.1f} %" in summary["verdict"]
    assert "not a function of the picture" in summary["verdict"]
    warning = " ".join(line for line in said.splitlines() if line.startswith("warning:"))
    assert "not a function of the picture" in warning
    events = EventAccumulator(str(result.folder)).Reload()
    (event,) = events.Scalars(REPEATED)
    assert (event.step, event.value) == (4, pytest.approx(changed["value"]))
    assert REPEATED not in (result.folder / "metrics.jsonl").read_text()


FIRST_BATCH = """
import torch
from torch import nn

class Initialized(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.last = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
        self.register_buffer("mean", torch.zeros(1, spec.num_outputs))
        self.register_buffer("begun", torch.tensor(False))

    def forward(self, x):
        logits = self.last(x.flatten(1))
        if not self.begun:  # from its first batch, in whichever mode
            self.mean.copy_(logits.detach().mean(dim=0, keepdim=True))
            self.begun.fill_(True)
        return logits - self.mean
"""


def test_what_holds_of_the_untrained_network_alone_is_said_of_it_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(FIRST_BATCH)
    model = f"{tmp_path / 'net.py'}:Initialized"
    result = start(tiny(tmp_path / "runs", model=model, num_train=16, num_test=60, steps=4))
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if "not a function" in line]
    assert warning.startswith("warning: Before training, its answers are not a function")
    assert "The verdict says whether that is so after training." in warning
    assert "not a function" not in result.verdict


def test_answers_that_are_not_numbers_hide_no_others() -> None:
    def some(logits: Tensor) -> Tensor:
        first, rest = torch.full_like(logits[:1], torch.nan), flipped(0.5, python)(logits[1:])
        return torch.cat([first, rest]) if len(logits) > 1 else logits

    random.seed(0)
    found = consistency(By(some), IMAGES)
    assert 0.3 < found[REPEATED].value < 0.7
    whole = consistency(By(lambda logits: torch.full_like(logits, torch.nan)), IMAGES)
    assert whole[REPEATED].value == 0
