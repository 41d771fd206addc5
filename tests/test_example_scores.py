"""Scores of training examples: against loops in NumPy, counted by hand, and in a run's folder."""

import csv
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lab.core.config import TrainConfig
from lab.measure import intervals
from lab.measure.example_scores import (
    CURVATURE_EVERY,
    EARLY,
    SCORES,
    Dynamics,
    ScoreCollector,
    doubt,
    error_norm,
    forgetting_events,
    gradient_norms,
    loss_curvature,
    margin,
    mean_loss,
    negative_area_under_margin,
)
from lab.models import ModelSpec, create_model, to_input
from lab.runs.train import resume, start
from lab.training import EpochBatches, fit
from support.configs import stateful, tiny
from support.killing import folder_of, kill_at_stage, until_done
from support.run_folders import assert_same_run, edit_settings, stop
from support.scripts import is_a_good_line, run_here
from support.training import EPOCHS, IMAGES, LABELS, network

NUMBERS = st.floats(-30, 30, width=32)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits (N, C) and labels (N,)."""
    count, classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    row = st.lists(NUMBERS, min_size=classes, max_size=classes)
    logits = draw(st.lists(row, min_size=count, max_size=count))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count))
    return torch.tensor(logits), torch.tensor(labels)


@given(predictions())
def test_measures_of_predictions_are_those_of_a_loop(given_: tuple[Tensor, Tensor]) -> None:
    logits, labels = given_
    found = (error_norm(logits, labels), margin(logits, labels), doubt(logits))
    for i, label in enumerate(labels.tolist()):
        z = logits[i].double().numpy()
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        norm = math.sqrt(sum((p[k] - (k == label)) ** 2 for k in range(len(z))))
        least = z[label] - max(z[k] for k in range(len(z)) if k != label)
        rest = sum(np.sort(p)[:-1])
        for value, wanted in zip(found, (norm, least, rest), strict=True):
            assert float(value[i]) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(predictions(), NUMBERS)
def test_a_number_added_to_all_logits_of_an_example_changes_nothing(
    given_: tuple[Tensor, Tensor], shift: float
) -> None:
    logits, labels = given_[0].double(), given_[1]
    for measure in (error_norm, margin, lambda z, labels: doubt(z)):
        torch.testing.assert_close(measure(logits + shift, labels), measure(logits, labels))


def dynamics_of(right: Sequence[str]) -> Dynamics:
    """Those of examples whose predictions after each epoch were right ("+") or wrong ("-"), with
    logits 1 apart."""
    labels = torch.zeros(len(right), dtype=torch.int64)
    found = Dynamics.none(len(right))
    for marks in zip(*right, strict=True):
        hits = torch.tensor([mark == "+" for mark in marks])
        logits = torch.stack([hits.float(), (~hits).float()], dim=1)
        found = found.after_epoch(logits, labels)
    return found


def test_forgetting_events_are_counted_by_hand() -> None:
    cases = {"++++": 0, "-+++": 0, "+-+-": 2, "+--+": 1, "-+-+": 1, "+---": 1, "----": 4}
    found = forgetting_events(dynamics_of(list(cases)))
    assert found.tolist() == list(cases.values())


@given(st.lists(st.text("+-", min_size=5, max_size=5), min_size=1, max_size=5))
def test_means_over_the_epochs_are_those_of_a_loop(marks: list[str]) -> None:
    found = dynamics_of(marks)
    events = forgetting_events(found)
    for i, word in enumerate(marks):
        losses = [math.log1p(math.exp(-1 if mark == "+" else 1)) for mark in word]
        assert float(mean_loss(found)[i]) == pytest.approx(sum(losses) / 5)
        margins = [1 if mark == "+" else -1 for mark in word]
        assert float(negative_area_under_margin(found)[i]) == pytest.approx(-sum(margins) / 5)
        assert int(events[i]) == (word.count("+-") if "+" in word else 5)


def test_gradient_norms_are_those_of_a_linear_network_by_hand() -> None:
    """Its gradient is (p - y) xᵀ and p - y for the bias, so its norm |p - y| √(|x|² + 1)."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    found = gradient_norms(model, IMAGES[:7], LABELS[:7])
    inputs = to_input(IMAGES[:7]).flatten(1).double().numpy()
    weight, bias = (p.detach().double().numpy() for p in model.parameters())
    for i, x in enumerate(inputs):
        z = weight @ x + bias
        p = np.exp(z) / np.exp(z).sum()
        error = p - np.eye(2)[int(LABELS[i])]
        wanted = np.sqrt((error**2).sum() * ((x**2).sum() + 1))
        assert float(found[i]) == pytest.approx(wanted, rel=1e-4)
    model[1].weight.requires_grad_(False)
    bias_only = gradient_norms(model, IMAGES[:7], LABELS[:7])
    torch.testing.assert_close(
        bias_only, error_norm(model(to_input(IMAGES[:7])).detach(), LABELS[:7]),
        rtol=1e-4, atol=1e-6,
    )  # fmt: skip


class Odd(nn.Module):
    """A network with complex weights and a last layer in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3 * 16 * 16, 4, dtype=torch.cfloat)
        self.end = nn.Linear(4, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        """Logits in float64."""
        seen = self.first(x.flatten(1).cfloat())
        return self.end(torch.tanh(seen.real + 2 * seen.imag).double())


def test_gradient_norms_of_complex_weights_are_those_of_their_parts() -> None:
    torch.manual_seed(0)
    model = Odd()
    found = gradient_norms(model, IMAGES[:5], LABELS[:5])
    for image, label, norm in zip(IMAGES, LABELS, found.tolist(), strict=False):
        parts: list[Tensor] = []
        made = {}
        for name, weight in model.named_parameters():
            real = torch.view_as_real(weight) if weight.is_complex() else weight
            parts.append(real.detach().clone().requires_grad_())
            made[name] = torch.view_as_complex(parts[-1]) if weight.is_complex() else parts[-1]
        logits = torch.func.functional_call(model, made, (to_input(image[None]),))
        loss = nn.functional.cross_entropy(logits, label[None])
        slopes = torch.autograd.grad(loss, parts)
        wanted = math.sqrt(sum(float(slope.double().square().sum()) for slope in slopes))
        assert norm == pytest.approx(wanted, rel=1e-5)


class Standardized(nn.Linear):
    """A linear layer with standardized weights, which in eval mode it computes for each call, or
    `once` until its mode changes."""

    def __init__(self, *, once: bool) -> None:
        super().__init__(3 * 16 * 16, 2)
        self.once, self.kept = once, torch.zeros(0)

    def train(self, mode: bool = True) -> "Standardized":
        """Forget what was computed."""
        self.kept = torch.zeros(0)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        if self.training or not self.once or not len(self.kept):
            self.kept = (self.weight - self.weight.mean()) / self.weight.std()
        return x.flatten(1) @ self.kept.T / 100


def test_weights_that_are_computed_once_for_all_examples_have_gradients() -> None:
    models = []
    for once in (True, False):
        torch.manual_seed(0)
        models.append(Standardized(once=once))
    for measure in (gradient_norms, partial(loss_curvature, seed=0)):
        one, other = (measure(model, IMAGES[:9], LABELS[:9]) for model in models)
        assert torch.equal(one, other)
    assert bool((gradient_norms(models[0], IMAGES[:9], LABELS[:9]) > 0).all())


WITHOUT = """import contextlib
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, spec, kind):
        super().__init__()
        self.net, self.kind = nn.Linear(3 * spec.image_size**2, spec.num_outputs, bias=False), kind
        self.register_buffer("mean", self.net.weight.detach().clone())

    def forward(self, x):
        x = x.flatten(1)
        if self.training or self.kind == "usual":
            with torch.no_grad():
                self.mean.lerp_(self.net.weight, 0.5)
            return self.net(x)
        if self.kind == "averaged":
            return x @ self.mean.T
        if self.kind == "detached":
            return self.net(x.detach())
        if self.kind == "broken" and torch.is_grad_enabled():
            raise RuntimeError("no gradients here")
        with torch.inference_mode() if self.kind == "inference" else torch.no_grad():
            return self.net(x)

def usual(spec): return Net(spec, "usual")
def averaged(spec): return Net(spec, "averaged")
def detached(spec): return Net(spec, "detached")
def inference(spec): return Net(spec, "inference")
def off(spec): return Net(spec, "off")
def broken(spec): return Net(spec, "broken")
"""

BOTH = {"gradient_norm", "curvature"}

MISSING = {
    "usual": set[str](), "averaged": {"gradient_norm"}, "detached": {"curvature"},
    "inference": BOTH, "off": BOTH, "broken": BOTH,
}  # fmt: skip
"""The scores that networks of `WITHOUT` lack."""


@pytest.fixture
def without(tmp_path: Path) -> Path:
    """The file of networks that lack gradients in eval mode."""
    place = tmp_path / "without.py"
    place.write_text(WITHOUT)
    return place


@pytest.mark.parametrize("kind", MISSING)
def test_scores_that_need_gradients_are_left_out_where_there_are_none(
    kind: str, without: Path
) -> None:
    model = create_model(f"{without}:{kind}", ModelSpec(image_size=16, num_outputs=2))
    collector = ScoreCollector(IMAGES, LABELS, batch_size=16, seed=0)
    fit(model, EPOCHS, TrainConfig(steps=40), seed=0, collector=collector)
    other = ScoreCollector(IMAGES, LABELS, batch_size=16, seed=0)
    other.restore(collector.state())
    for each in (collector, other):
        scores = each.finish(model)
        assert set(each.left_out) == MISSING[kind]
        assert list(scores) == [s.name for s in SCORES if s.name not in MISSING[kind]]
        assert all(bool(values.isfinite().all()) for values in scores.values())
    for name, why in collector.left_out.items():
        is_a_good_line(why)
        what = {"gradient_norm": "trained weights", "curvature": "its input"}[name]
        assert ("no gradients here" if kind == "broken" else what) in why


@pytest.mark.parametrize("kind", sorted(MISSING.keys() - {"broken"}))  # which no run begins with
def test_a_run_says_before_it_begins_which_scores_it_leaves_out(
    kind: str, without: Path, tmp_path: Path
) -> None:
    words = FLAGS.replace("linear", f"{without}:{kind}").split()
    done = run_here("train", *words, "--out", str(tmp_path / "runs"), "--name", "mine")
    assert done.code == 0, done.err
    (row, *_) = table(tmp_path / "runs" / "mine")
    lacking = MISSING[kind]
    assert set(row) & {score.name for score in SCORES} == {s.name for s in SCORES} - lacking
    before, _, after = done.out.partition("says how hard each training shape was to learn")
    for name, heading in (("gradient_norm", "gradient norm (GraNd)"), ("curvature", "loss curv")):
        warned = [line for line in before.splitlines() if line.startswith("warning: ")]
        named = [line for line in warned if "--scores leaves out" in line and heading in line]
        assert len(named) == (name in lacking)
        assert (f"left out: {heading}" in after) == (name in lacking)


def test_killed_and_resumed_a_run_leaves_out_the_same_scores(without: Path, tmp_path: Path) -> None:
    model = f"{without}:averaged"
    settings: dict[str, Any] = {"model": model, "width": 16, "scores": True, "dropout": 0.0}
    whole = start(stateful(tmp_path / "whole", **settings)).folder
    mine = stateful(tmp_path / "mine", **settings)
    assert kill_at_stage(mine, "step", 17) == 1
    until_done(mine)
    one, other = (place / "example_scores.csv" for place in (folder_of(mine), whole))
    assert one.read_bytes() == other.read_bytes()
    assert "gradient_norm" not in table(whole)[0]


def test_curvature_is_that_of_a_linear_network_by_hand() -> None:
    """The loss of two classes has the second derivative p (1 - p) along w, the difference of the
    weights: |H v| = p (1 - p) |w·v| |w| for every direction v, and 0 where w is."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2)).double()

    def doubled(images: Tensor) -> Tensor:
        return to_input(images).double()

    images, labels = IMAGES[:5], LABELS[:5]
    found = loss_curvature(model, images, labels, seed=4, directions=3, step=1e-4, to_input=doubled)
    signs = torch.randint(2, (3, *images.shape), generator=torch.Generator().manual_seed(4))
    w = (model[1].weight[1] - model[1].weight[0]).detach().numpy()
    p = model(doubled(images)).detach().softmax(dim=1)[:, 1].numpy()
    for i in range(5):
        v = (2 * signs[:, i] - 1).flatten(1).double().numpy()
        wanted = np.mean(p[i] * (1 - p[i]) * np.abs(v @ w) * np.linalg.norm(w))
        assert float(found[i]) == pytest.approx(wanted, rel=1e-2)
    with torch.no_grad():
        model[1].weight.zero_()
    flat = loss_curvature(model, images, labels, seed=0, to_input=doubled)
    assert flat.tolist() == [0.0] * 5


class Still(nn.Module):
    """Says the same of every picture, whatever its only weight is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("said", torch.tensor([0.3, -0.4]))

    def forward(self, x: Tensor) -> Tensor:
        """The same logits for each."""
        return self.said + 0 * self.weight * x.flatten(1).mean(dim=1, keepdim=True)


def test_a_loss_that_never_falls_is_its_own_mean() -> None:
    collector = ScoreCollector(IMAGES, LABELS, batch_size=16, seed=0)
    model = Still()
    fit(model, EPOCHS, TrainConfig(steps=40), seed=0, collector=collector)
    scores = collector.finish(model)
    assert collector.dynamics.epochs == 40 * 16 // 50
    losses = nn.functional.cross_entropy(
        model.said.double().expand(50, 2), LABELS, reduction="none"
    )
    torch.testing.assert_close(scores["mean_loss"], losses)
    torch.testing.assert_close(scores["final_loss"], losses)
    torch.testing.assert_close(collector.dynamics.loss_sum, 12 * losses)
    right = LABELS == 0
    assert scores["forgetting_events"].tolist() == torch.where(right, 0, 12).tolist()
    assert scores["curvature"].tolist() == [0.0] * 50
    assert scores["gradient_norm"].tolist() == [0.0] * 50


@given(st.integers(1, 40), st.integers(1, 40))
def test_every_epoch_is_measured_once(count: int, batch: int) -> None:
    size = min(count, batch)
    collector = ScoreCollector(
        torch.zeros(count, 3, 2, 2, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64),
        batch_size=size, seed=0,
    )  # fmt: skip
    seen = [step * size / count for step in range(1, 50) if collector.due(step)]
    assert [math.floor(epochs) for epochs in seen] == list(range(1, 49 * size // count + 1))


@pytest.mark.parametrize("epochs", [0, 3, EARLY, EARLY + CURVATURE_EVERY])
def test_measured_along_a_training_they_are_those_of_its_networks(epochs: int) -> None:
    """Every score again, by a loop over what the network was after each epoch."""
    seen: list[dict[str, Any]] = []
    batches = EpochBatches(IMAGES[:20], LABELS[:20], batch_size=10, seed=1)
    collector = ScoreCollector(IMAGES[:20], LABELS[:20], batch_size=10, seed=5)
    measure = collector.collect

    def noting(model: nn.Module) -> None:
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        measure(model)

    collector.collect = noting  # type: ignore[method-assign]
    model = network()
    fit(model, batches, TrainConfig(steps=max(1, 2 * epochs)), seed=2, collector=collector)
    scores = collector.finish(model)
    assert len(seen) == max(1, epochs)
    assert list(scores) == [score.name for score in SCORES]

    def logits_of(state: dict[str, Any]) -> np.ndarray:
        other = network()
        other.load_state_dict(state)
        with torch.no_grad():
            return other.eval()(to_input(IMAGES[:20])).double().numpy()

    history = np.stack([logits_of(state) for state in seen])
    end = logits_of(model.state_dict())
    early = history[EARLY - 1] if epochs >= EARLY else end
    for i, label in enumerate(LABELS[:20].tolist()):
        z = history[:, i]
        wanted = {
            "mean_loss": np.mean(np.log(np.exp(z).sum(axis=1)) - z[:, label]),
            "negative_aum": -np.mean(z[:, label] - z[:, 1 - label]),
            "final_loss": np.log(np.exp(end[i]).sum()) - end[i, label],
            "final_doubt": 1 - np.max(np.exp(end[i]) / np.exp(end[i]).sum()),
            "el2n": math.sqrt(2) / (1 + math.exp(early[i, label] - early[i, 1 - label])),
        }
        for name, value in wanted.items():
            assert float(scores[name][i]) == pytest.approx(value, rel=1e-3, abs=1e-5), name
        hits = "".join("+" if row.argmax() == label else "-" for row in z)
        assert int(scores["forgetting_events"][i]) == (
            hits.count("+-") if "+" in hits else len(seen)
        )
    assert collector.dynamics.curvatures == 1 + (max(1, epochs) - 1) // CURVATURE_EVERY
    assert all(bool((column > 0).all()) for n, column in scores.items() if n == "gradient_norm")


def test_wrong_labels_of_a_learnable_world_are_found(tmp_path: Path) -> None:
    """All of them are learned by heart: memorization scores of ten networks put them above others
    in 90 % of pairs (`pool.py` with these settings)."""
    config = tiny(
        tmp_path, task="glasses", num_train=120, width=8, model="mlp", steps=600, variation=0.0,
        learning_rate=0.005, batch_size=32, label_noise=0.2, label_noise_kind="flip", scores=True,
        eval_every=600,
    )  # fmt: skip
    rows = table(start(config).folder)
    wrong = torch.tensor([row["mislabeled"] == "True" for row in rows])
    assert 12 < int(wrong.sum()) < 36
    areas = {}
    for score in SCORES:
        values = torch.tensor([float(row[score.name]) for row in rows])
        areas[score.name] = intervals.area(values[~wrong], values[wrong]).value
    print(areas)
    assert max(areas.values()) >= 0.9
    assert min(areas.values()) > 0.5, "all scores point upwards"


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's scores."""
    text = (folder / "example_scores.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_a_run_with_scores_is_the_run_without(tmp_path: Path) -> None:
    """With all that could draw random numbers or keep state in the network."""
    one, other = (
        start(stateful(tmp_path / name, scores=scores)).folder
        for name, scores in (("with", True), ("without", False))
    )
    assert_same_run(one, other)
    assert (one / "example_scores.csv").exists()
    assert not (other / "example_scores.csv").exists()


def test_killed_and_resumed_a_run_has_the_same_scores(tmp_path: Path) -> None:
    whole = start(stateful(tmp_path / "whole", scores=True)).folder
    mine, kills = stateful(tmp_path / "mine", scores=True), 0
    for stage, times in (("step", 17), ("evaluation", 2)):
        kills += kill_at_stage(mine, stage, times)
    until_done(mine)
    assert kills == 2
    assert_same_run(folder_of(mine), whole)
    names = [place / "example_scores.csv" for place in (folder_of(mine), whole)]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_a_run_that_began_without_scores_does_not_go_on_with_them(tmp_path: Path) -> None:
    """Its first epochs were not scored: one line, and nothing is changed."""
    folder = start(tiny(tmp_path, task="shape", steps=4, checkpoint_every=0.0)).folder
    stop(folder)
    edit_settings(folder, {"scores": True})
    with pytest.raises(ValueError, match="was trained without --scores") as caught:
        resume(folder)
    is_a_good_line(str(caught.value), str(folder))
    edit_settings(folder, {"scores": False})
    assert resume(folder) is not None


def test_a_state_is_kept_whole_and_that_of_other_examples_refused() -> None:
    one, other, less = (
        ScoreCollector(IMAGES[:n], LABELS[:n], batch_size=16, seed=0) for n in (50, 50, 40)
    )
    one.collect(network())
    other.restore(one.state())
    torch.testing.assert_close(one.state(), other.state(), rtol=0, atol=0, equal_nan=True)
    with pytest.raises(ValueError, match="its scores are of 50 examples"):
        less.restore(one.state())


FLAGS = (
    "--task shape --num-train 20 --num-test 10 --image-size 16 --model linear --steps 9"
    " --batch-size 8 --label-noise 0.3 --device cpu --counterfactuals 0 --no-pictures --scores"
)


def test_the_command_says_where_the_scores_are(tmp_path: Path) -> None:
    done = run_here("train", *FLAGS.split(), "--out", str(tmp_path), "--name", "mine")
    assert done.code == 0, done.err
    place = tmp_path / "mine" / "example_scores.csv"
    assert f"{place} says how hard each training shape was to learn" in done.out
    rows = table(tmp_path / "mine")
    assert [int(row["number"]) for row in rows] == list(range(20))
    for row in rows:
        assert (row["label"] != row["true_label"]) == (row["mislabeled"] == "True")
        assert all(math.isfinite(float(row[score.name])) for score in SCORES)
    refused = run_here("evaluate", str(tmp_path / "mine"), "--examples", str(place))
    assert refused.code == 2
    assert "that is the run's own" in refused.err


def test_scores_without_a_fixed_training_set_are_refused(tmp_path: Path) -> None:
    done = run_here("train", *FLAGS.split(), "--online", "--out", str(tmp_path / "runs"))
    assert done.code == 2
    assert "--scores is about a fixed training set, which --online does not have" in done.err
    is_a_good_line(done.err.rstrip("\n"))
    assert not (tmp_path / "runs").exists()
