"""A network that knew much more of its training set at an earlier evaluation."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lab import watch
from lab.core.config import ModelConfig
from lab.core.estimate import wilson
from lab.core.run_dir import RunDir
from lab.measure.smallest_right import SmallestRight
from lab.runs.train import start
from lab.verdict import findings, peak_of, verdict
from lab.verdict.lost import lost
from lab.verdict.setting import Peak
from support.configs import tiny
from support.made_up import figures, kinds, setting


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(0.95, 60, True), (0.75, 60, True), (0.69, 60, False), (0.5, 60, False), (1.0, 95, False)],
)
def test_it_is_told_where_training_accuracy_fell_much(before: float, now: int, told: bool) -> None:
    assert bool(lost(Peak(400, before), wilson(now, 100), "faces", guess=0.5)) is told


def test_a_loop_may_have_gone_back_to_the_weights_of_an_earlier_step() -> None:
    fell = Peak(400, 1.0)
    unless = "if these are not the weights of an earlier step, some of what it had learned"
    for flags in (True, False):
        said = verdict(figures(0.6, 0.55), setting(peak=fell, flags=flags))
        assert "lost again" in said
        assert (unless in said) is not flags


def test_few_examples_can_fall_by_chance() -> None:
    assert not lost(Peak(400, 0.75), wilson(6, 10), "faces", guess=0.5)
    assert not lost(None, wilson(6, 10), "faces", guess=0.5)


@pytest.mark.parametrize(
    ("peak", "count", "guess", "told"),
    [
        (0.5, 100, 0.5, False), (0.58, 100, 0.5, False), (0.62, 100, 0.5, True),
        (0.8, 100, 0.8, False), (0.95, 100, 0.8, True), (0.3, 1000, 0.1, True),
    ],
)  # fmt: skip
def test_what_a_guess_gets_is_nothing_that_was_learned(
    peak: float, count: int, guess: float, told: bool
) -> None:
    assert bool(lost(Peak(0, peak), wilson(0, count), "faces", guess=guess)) is told


def test_the_verdict_knows_what_a_guess_gets_of_the_training_examples() -> None:
    def told(**known: object) -> bool:
        return "lost" in kinds(findings(figures(0.6, 0.6), setting(peak=Peak(400, 0.9), **known)))

    assert told()
    assert told(frequent_train=0.6)
    assert told(frequent=0.9), "that is the test set's"
    assert not told(frequent_train=0.9)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_loop_with_the_opposite_labels_has_lost_nothing(tmp_path: Path, share: float) -> None:
    """Before its training it answers as a guess does, or always the same."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(200, 4, generator=draw), (torch.rand(200, generator=draw) < share).long()
    x[:, 0] += 6 * y - 3
    model = nn.Linear(4, 2)
    model.weight.data.zero_()
    model.bias.data = torch.tensor([0.0, 0.1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    given = {"train": (x[:150], y[:150]), "test": (x[150:], y[150:])}
    with watch(model, **given, out=tmp_path / "run", quiet=True, every=10) as watcher:
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[:150]), 1 - y[:150]).backward()
            optimizer.step()
            watcher()
    rows = RunDir(tmp_path / "run").metrics()
    assert rows[0]["accuracy/train"] > rows[-1]["accuracy/train"] + 0.4
    assert "lost again" not in " ".join(watcher.verdict.split())


def test_the_best_earlier_evaluation_is_taken() -> None:
    rows = [
        {"step": 0, "accuracy/train": 0.5}, {"step": 5, "accuracy/train": 0.8},
        {"step": 9, "accuracy/train": None}, {"step": 12, "accuracy/train": 0.7},
        {"step": 20, "accuracy/train": 1.0}, {"step": 21},
    ]  # fmt: skip
    assert peak_of(rows, before=20, classes=2) == Peak(5, 0.8)
    assert peak_of(rows, before=21, classes=2) == Peak(20, 1.0)
    assert peak_of([], before=5, classes=2) is None


@pytest.mark.parametrize(("loss", "counts"), [(0.3, True), (0.6, False), (None, False)])
def test_what_a_new_network_gets_right_by_chance_is_nothing_that_it_knew(
    loss: float | None, counts: bool
) -> None:
    """Its answers are one draw for all examples; one that was trained has a loss that shows it."""
    rows = [{"step": 0, "accuracy/train": 0.9, "loss/train": loss}]
    assert peak_of(rows, before=5, classes=2) == (Peak(0, 0.9) if counts else None)
    for unrecognized in (False, True):  # it never learned from inputs as they are measured
        known = setting(peak=Peak(0, 0.9), unrecognized=unrecognized)
        assert ("lost" in kinds(findings(figures(0.6, 0.6), known))) is not unrecognized


@pytest.mark.parametrize("unrecognized", [False, True])
def test_where_no_input_of_a_loop_is_known_other_causes_are_not_the_only_ones(
    unrecognized: bool,
) -> None:
    loops = {"flags": False, "unrecognized": unrecognized}
    told = "none of those that it was seen to feed is one of the measured ones"
    for known in ({"relabeled": "others"}, {"smallest": SmallestRight(wilson(60, 100), True)}):
        first, *_ = findings(figures(0.1, 0.1), setting(**loops, **known))
        assert (told in first.text) is unrecognized
    *_, advice = findings(figures(0.5, 0.5), setting(**loops))
    assert advice.kind == "advice"
    assert advice.text.startswith("None of the inputs that the loop") is unrecognized
    assert advice.text.endswith("Training it longer, or a larger network, may help.")
    *_, advice = findings(figures(0.8, 0.5), setting(**loops))  # it memorized some of them
    assert advice.text.startswith("None of the inputs that the loop") is unrecognized
    assert "None of the inputs" not in findings(figures(1.0, 0.9), setting(**loops))[-1].text


@pytest.mark.parametrize(
    ("change", "is_known"),
    [("as they are", True), ("noise", False), ("turned", False), ("noise at first", True)],
)
def test_a_loop_is_seen_to_change_inputs_in_no_way_that_is_known(
    change: str, is_known: bool, tmp_path: Path
) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(120, 10, generator=draw), torch.arange(120) % 2
    axes, _ = torch.linalg.qr(torch.randn(10, 10, generator=draw))
    model = nn.Linear(10, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    with watch(
        model, train=(x[:80], y[:80]), test=(x[80:], y[80:]), out=tmp_path / "run", quiet=True
    ) as watcher:
        for k in range(40):
            fed = x[:80].roll(k, 0)[:16]
            if change == "noise" or (change == "noise at first" and k < 10):
                fed = fed + 0.5 * torch.randn(16, 10, generator=draw)
            fed = fed @ axes if change == "turned" else fed
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(fed), y[:80].roll(k, 0)[:16]).backward()
            optimizer.step()
            watcher()
    said = "None of the inputs that the loop was seen to feed it" in " ".join(
        watcher.verdict.split()
    )
    assert said is not is_known


def test_the_verdict_says_so_and_does_not_advise_longer_training() -> None:
    found = findings(figures(0.6, 0.6), setting(peak=Peak(400, 0.95)))
    assert kinds(found)[:2] == [kinds(findings(figures(0.6, 0.6), setting()))[0], "lost"]
    assert found[1].text.startswith("After 400 steps it got 95.0 % of these training faces right")
    assert found[-1].text == "Try a smaller --learning-rate or --early-stopping 5."
    steady = findings(figures(0.6, 0.6), setting(peak=Peak(400, 0.6)))
    assert "lost" not in kinds(steady)
    assert "--steps" in steady[-1].text


def test_of_weights_from_before_training_not_more_faces_are_advised() -> None:
    """Where early stopping gave up before the validation loss fell."""
    found = findings(figures(0.5, 0.5), setting(kept=0, patience=2, steps=20, shown=0))
    assert found[-1].text == (
        "No evaluation had a lower validation loss than before training: try --early-stopping 6, or"
        " a larger --num-validation."
    )
    later = findings(figures(0.5, 0.5), setting(kept=10, patience=2, steps=20, shown=100))
    assert "than before training" not in later[-1].text


def test_a_watched_loop_that_breaks_its_network_is_told(tmp_path: Path) -> None:
    x, y = torch.randn(80, 4, generator=torch.Generator().manual_seed(0)), torch.arange(80) % 2
    x[:, 0] += 4 * y - 2
    model = nn.Linear(4, 2)
    good, bad = torch.zeros(2, 4), torch.zeros(2, 4)
    good[1, 0], bad[1, 1] = 1, 1
    given = {"train": (x[:60], y[:60]), "test": (x[60:], y[60:])}
    with watch(model, **given, out=tmp_path / "run", quiet=True, every=1) as watcher:
        for weight in (good, bad):
            model.weight.data, model.bias.data = weight.clone(), torch.zeros(2)
            watcher()
    rows = RunDir(tmp_path / "run").metrics()
    right = rows[1]["accuracy/train"]
    assert right > rows[-1]["accuracy/train"] + 0.2
    verdict = " ".join(watcher.verdict.split())
    assert f"After 1 step it got {100 * right:.1f} % of these training examples right" in verdict
    assert "A smaller learning rate, or the weights of an earlier step, may help." in verdict


NET = """
import torch
from torch import nn

class Breaking(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.rest = nn.Sequential(nn.Flatten(), nn.LazyLinear(spec.num_outputs))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.calls += 1
        out = self.rest(x)
        return out if self.calls <= 60 else -out
"""


def test_a_run_that_loses_what_it_had_learned_is_told(tmp_path: Path) -> None:
    """After 60 steps the network gives the opposite answers, and learns no more."""
    (tmp_path / "net.py").write_text(NET)
    usual = {"model": f"{tmp_path}/net.py:Breaking", "width": ModelConfig().width, "num_train": 40}
    for steps in (60, 64):
        config = tiny(tmp_path / "runs", steps=steps, eval_every=20, name=f"of-{steps}", **usual)
        verdict = " ".join(start(config).verdict.split())
        assert ("lost again" in verdict) is (steps == 64)
    rows = RunDir(tmp_path / "runs" / "of-64").metrics()
    best = max(rows[:-1], key=lambda row: row["accuracy/train"])
    assert f"After {best['step']} steps it got" in verdict
