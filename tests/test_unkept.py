"""What training changes beside the state_dict is said before a run, and again where it is lost."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from lab.core.config import RunConfig
from lab.runs.train import resume, start
from lab.tracking.writer import Tracker
from lab.training import LAST, Interrupted, Unkept, load_checkpoint
from support.configs import tiny

NETS = """
import random
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))

    def forward(self, x):
        return self.net(x)

class Counts(Net):
    steps = 0

    def forward(self, x):
        self.steps += self.training
        return self.net(x)

class CountsMuch(Net):
    a = b = c = d = e = 0

    def forward(self, x):
        if self.training:
            self.a, self.b, self.c, self.d, self.e = (
                each + 1 for each in (self.a, self.b, self.c, self.d, self.e)
            )
        return self.net(x)

class Decides(Counts):
    def forward(self, x):
        return super().forward(x) * (1 + self.steps if self.training else 1)

class Draws(Net):
    def __init__(self, spec):
        super().__init__(spec)
        self.chance = random.Random(0)

    def forward(self, x):
        return self.net(x) * (0.5 + self.chance.random() if self.training else 1)

class InABuffer(Net):
    def __init__(self, spec):
        super().__init__(spec)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.steps += self.training
        return self.net(x)

class Extra(Counts):
    def get_extra_state(self):
        return self.steps

    def set_extra_state(self, state):
        self.steps = state

class ComputesAnew(Net):
    seen = None

    def forward(self, x):
        self.seen = x.mean()
        return self.net(x)
"""


def a_run(folder: Path, network: str) -> RunConfig:
    model = network
    if network[0].isupper():
        (folder / "nets.py").write_text(NETS)
        model = f"{folder / 'nets.py'}:{network}"
    return tiny(
        folder / "runs",
        model=model,
        num_train=16,
        steps=8,
        batch_size=8,
        eval_every=2,
        name="run",
        width=16,
    )


def stopped(config: RunConfig, at: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped at a step with an evaluation."""
    folder = config.out / "run"
    scalars = Tracker.scalars

    def tell(tracker: Tracker, step: int, figures: object) -> None:
        scalars(tracker, step, figures)  # type: ignore[arg-type]
        if step == at:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "scalars", tell)
        with pytest.raises(Interrupted):
            resume(folder) if folder.exists() else start(config)
    return folder


def warnings_of(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("warning: --model")]


@pytest.mark.parametrize(
    ("network", "lost", "sure"),
    [
        ("Counts", "what training has changed in its 'steps'", False),
        ("CountsMuch", "what training has changed in its 'a', 'b', 'c' and others", False),
        ("Decides", "what training has changed in its 'steps'", True),
        ("Draws", "something beside its state_dict", True),
    ],
)
def test_what_is_lost_is_said_at_each_resume(
    network: str,
    lost: str,
    sure: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = a_run(tmp_path, network)
    folder = stopped(config, 2, monkeypatch)
    (before,) = warnings_of(capsys.readouterr().out)
    assert "goes on from" not in before
    assert load_checkpoint(folder / "checkpoints" / LAST).step == 2
    stopped(config, 6, monkeypatch)
    for step in (2, 6):
        if step == 6:
            assert resume(folder) is not None
        (line,) = warnings_of(capsys.readouterr().out)
        assert line.startswith(
            f"warning: --model {config.model.model}: it goes on from step {step}"
        )
        assert f"without {lost}" in line
        assert ("its training depends on that" in line) == sure
        assert "no checkpoint has that" in line
    assert resume(folder) is None
    assert not warnings_of(capsys.readouterr().out)


LOSSES = """
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective

STEP = 0

def counts(logits, batch):
    global STEP
    STEP += 1
    return cross_entropy(logits, batch.labels)

class Kept(Objective):
    step = 0

    def __call__(self, logits, batch):
        self.step += 1
        return cross_entropy(logits, batch.labels)

    def state(self):
        return {"step": self.step}

    def restore(self, state):
        self.step = state["step"]
"""


@pytest.mark.parametrize(("name", "told"), [("counts", True), ("Kept", False)])
def test_what_an_objective_loses_is_said_at_resume(
    name: str,
    told: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said() -> list[str]:
        lines = capsys.readouterr().out.splitlines()
        return [line for line in lines if line.startswith("warning: --")]

    (tmp_path / "losses.py").write_text(LOSSES)
    config, objective = a_run(tmp_path, "cnn"), f"{tmp_path / 'losses.py'}:{name}"
    config = replace(config, train=replace(config.train, objective=objective))
    folder = stopped(config, 2, monkeypatch)
    before = said()
    assert resume(folder) is not None
    after = said()
    assert len(before) == len(after) == told
    for line in before:
        assert line.startswith(f"warning: --objective {objective}: training changes its 'losses.S")
    for line in after:
        assert line.startswith(f"warning: --objective {objective}: it goes on from step 2 without")
        assert "what training has changed in its 'losses.STEP'" in line


@pytest.mark.parametrize("network", ["Net", "InABuffer", "Extra", "ComputesAnew", "cnn", "resnet"])
def test_a_network_that_loses_nothing_is_resumed_without_a_word(
    network: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = stopped(a_run(tmp_path, network), 4, monkeypatch)
    assert "unkept" not in load_checkpoint(folder / "checkpoints" / LAST).progress
    assert resume(folder) is not None
    assert not warnings_of(capsys.readouterr().out)


def test_nothing_is_lost_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stopped(a_run(tmp_path, "Counts"), 0, monkeypatch)
    capsys.readouterr()
    assert load_checkpoint(folder / "checkpoints" / LAST).step == 0
    assert resume(folder) is not None
    assert not warnings_of(capsys.readouterr().out)


def test_a_run_without_a_checkpoint_begins_with_the_words_of_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stopped(a_run(tmp_path, "Counts"), 4, monkeypatch)
    (before,) = warnings_of(capsys.readouterr().out)
    for path in (folder / "checkpoints").glob("*.pt"):
        path.unlink()
    assert resume(folder) is not None
    assert warnings_of(capsys.readouterr().out) == [before]


@pytest.mark.parametrize("state", [None, {}, {"names": 3}, [1], {"names": []}])
def test_of_a_checkpoint_that_says_nothing_nothing_is_known(state: object) -> None:
    assert not Unkept.of(state)
    found = Unkept(("steps",), decides=True, objective=("calls",))
    assert Unkept.of(found.state()) == found


def test_names_are_quoted_as_plain_text() -> None:
    name = "a\x1b[31m"
    for found in (Unkept((name,)), Unkept(objective=(name,))):
        lines = [*found.lost_at(3, "net", "erm"), *found.told("net", "erm")]
        assert len(lines) == 2
        assert "\x1b" not in "".join(lines)
