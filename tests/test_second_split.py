"""Second-split forgetting: against NumPy, along a training, and beside a pool."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.experiments.runner.jobs import key_of
from lab.measure import intervals
from lab.measure.example_scores import SCORES
from lab.measure.second_split import (
    ALL_SCORES,
    SECOND_SCORES,
    Forgetting,
    ForgettingCollector,
    negative_forgetting_time,
)
from lab.models import to_input
from lab.pool.beside import WholeJob
from lab.pool.scored import ScoredJob
from lab.pool.second_split import second_split
from lab.pool.store import Trained
from lab.pool.train import Job, do
from lab.runs.resolve import resolve
from lab.training import EpochBatches, fit
from lab.worlds import open_world
from support.configs import tiny
from support.training import IMAGES, LABELS, network


def forgotten(right: Sequence[str]) -> Tensor:
    """The scores of examples whose predictions after each epoch of a second training were right
    ("+") or wrong ("-")."""
    labels = torch.zeros(len(right), dtype=torch.int64)
    found = Forgetting.none(len(right))
    for marks in zip(*right, strict=True):
        hits = torch.tensor([mark == "+" for mark in marks])
        found = found.after_epoch(torch.stack([hits.float(), (~hits).float()], dim=1), labels)
    return negative_forgetting_time(found)


def first_forever(right: npt.NDArray[np.bool_]) -> int:
    """The first epoch from which on all of a history (E,) are wrong; E + 1: none."""
    epochs = len(right)
    return next((t for t in range(1, epochs + 1) if not right[t - 1 :].any()), epochs + 1)


def test_times_are_those_counted_by_hand() -> None:
    cases = {
        "----": 1,  # wrong from the first epoch on
        "+---": 2,
        "++--": 3,
        "+-+-": 4,  # forgotten, learned again, forgotten
        "-++-": 4,
        "+--+": 5,  # forgotten, and learned again in the end
        "++++": 5,  # never forgotten
        "---+": 5,
    }
    assert (-forgotten(list(cases))).tolist() == list(cases.values())


@given(st.integers(1, 8).flatmap(
    lambda n: st.lists(st.text("+-", min_size=n, max_size=n), min_size=1, max_size=6)
))  # fmt: skip
def test_times_are_those_of_a_loop_in_numpy(marks: list[str]) -> None:
    found = forgotten(marks)
    assert found.dtype == torch.float64
    for value, word in zip(found.tolist(), marks, strict=True):
        assert -value == first_forever(np.array([mark == "+" for mark in word]))


@pytest.mark.parametrize("epochs", [0, 1, 7])
def test_measured_along_a_training_it_is_that_of_its_networks(epochs: int) -> None:
    """By a loop over what the network was after each epoch of the second split, which is smaller
    than the first."""
    seen: list[dict[str, Any]] = []
    batches = EpochBatches(IMAGES[30:44], LABELS[30:44], batch_size=5, seed=1)
    collector = ForgettingCollector(IMAGES[:30], LABELS[:30], count=14, batch_size=5)
    measure = collector.collect

    def noting(model: nn.Module) -> None:
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        measure(model)

    collector.collect = noting  # type: ignore[method-assign]
    model = network()
    steps = max(1, -(-14 * epochs // 5))
    fit(model, batches, TrainConfig(steps=steps, learning_rate=0.05), seed=2, collector=collector)
    scores = collector.finish(model)
    assert list(scores) == [score.name for score in SECOND_SCORES]
    assert collector.forgetting.epochs == len(seen) == max(1, epochs)

    def right(state: dict[str, Any]) -> npt.NDArray[np.bool_]:
        other = network()
        other.load_state_dict(state)
        with torch.no_grad():
            answers = other.eval()(to_input(IMAGES[:30])).numpy().argmax(axis=1)
        found: npt.NDArray[np.bool_] = answers == LABELS[:30].numpy()
        return found

    history = np.stack([right(state) for state in seen])
    wanted = [-first_forever(history[:, i]) for i in range(30)]
    assert scores["negative_ssft"].tolist() == wanted
    assert len(set(wanted)) > 1


def test_a_collector_goes_on_from_its_state() -> None:
    one, other = (
        ForgettingCollector(IMAGES[:9], LABELS[:9], count=5, batch_size=5) for _ in range(2)
    )
    one.collect(network())
    other.restore(one.state())
    for each in (one, other):
        each.collect(network().train())
    assert one.forgetting.epochs == other.forgetting.epochs == 2
    assert torch.equal(one.forgetting.last_right, other.forgetting.last_right)


SETTINGS: dict[str, Any] = {
    "task": "shape", "num_train": 40, "num_test": 30, "model": "linear", "steps": 30,
    "batch_size": 8, "label_noise": 0.3, "image_size": 16,
}  # fmt: skip


def trained(config: RunConfig, kind: type[Job] = ScoredJob, **changes: Any) -> Trained:
    """A network beside a pool with these settings."""
    resolved = resolve(config).config
    job = kind(network=1, config=resolved, share=0.7, key=key_of(resolved), keep_weights=True)
    report = do(replace(job, **changes))
    assert report.trained is not None, report.error
    return report.trained


def test_the_first_training_is_that_of_a_network_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: its predictions, its weights and its own scores, with a state in the network."""
    config = tiny(tmp_path, **{**SETTINGS, "model": "cnn", "width": 2, "dropout": 0.3})
    scored, plain = trained(config), trained(config, WholeJob)
    assert plain.scores == {}
    assert plain.second_epochs == 0
    assert torch.equal(scored.train_logits, plain.train_logits)
    assert torch.equal(scored.test_logits, plain.test_logits)
    assert scored.weights == plain.weights
    assert (scored.step, scored.fitted, scored.loss) == (plain.step, plain.fitted, plain.loss)
    assert list(scored.scores) == [score.name for score in ALL_SCORES]
    assert scored.second_epochs == 6, "as many steps as before"
    monkeypatch.setattr("lab.pool.train.train_on", _none)
    alone = trained(config)
    for score in SCORES:
        assert torch.equal(alone.scores[score.name], scored.scores[score.name])


def _none(model: nn.Module, config: RunConfig, **rest: Any) -> Any:
    from lab.pool.second_split import Second

    return Second(scores={}, epochs=0)


def test_a_second_training_follows_from_the_seed(tmp_path: Path) -> None:
    config = tiny(tmp_path, **SETTINGS)
    one, again = trained(config), trained(config)
    other = trained(config, network=2)
    name = "negative_ssft"
    assert torch.equal(one.scores[name], again.scores[name])
    assert one.second_epochs == again.second_epochs
    assert not torch.equal(one.scores[name], other.scores[name])
    lasts = -(one.second_epochs + 1)
    assert bool(((one.scores[name] <= -1) & (one.scores[name] >= lasts)).all())


def test_early_stopping_ends_the_first_training_alone(tmp_path: Path) -> None:
    config = tiny(tmp_path, **SETTINGS, early_stopping=1, num_validation=20, eval_every=2)
    found = trained(config)
    assert found.step < 30
    assert found.second_epochs == 6


def test_the_second_split_of_a_drawn_world_is_new_and_alike() -> None:
    """As many examples, with copies of their own and wrong labels as often, none of them from the
    first."""
    data = DataConfig(
        task="shape", num_train=400, image_size=16, label_noise=0.5, copies=0.3, obscured=0.2
    )
    world = open_world(data, seed=3)
    first, test = world.load("train", 400), world.load("test", 50)
    one, again, other = (second_split(world, test, seed=seed) for seed in (7, 7, 8))
    assert len(one) == 400
    assert torch.equal(one.images, again.images)
    assert torch.equal(one.labels, again.labels)
    assert not torch.equal(one.images, other.images)

    def pictures(images: Tensor) -> set[bytes]:
        return {each.numpy().tobytes() for each in images}

    old, new = pictures(first.images), pictures(one.images)
    assert not old & new
    assert len(new) == pytest.approx(len(old), abs=50)
    assert len(new) < 350, "copies among themselves"
    wrong = (first.mislabeled.double().mean(), one.mislabeled.double().mean())
    assert float(wrong[0]) == pytest.approx(float(wrong[1]), abs=0.1)


def test_the_second_split_of_pictures_at_hand_is_the_test_set(tmp_path: Path) -> None:
    """With labels that are wrong as often as those of the training set."""
    generator = np.random.default_rng(0)
    path = tmp_path / "mine.npz"
    np.savez(
        path,
        x=generator.integers(0, 256, (60, 16, 16, 3)).astype(np.uint8), y=np.arange(60) % 2,
        x_test=generator.integers(0, 256, (200, 16, 16, 3)).astype(np.uint8),
        y_test=np.arange(200) % 2,
    )  # fmt: skip
    data = DataConfig(
        data=str(path), num_train=50, num_test=40, image_size=16, label_noise=0.4,
        label_noise_kind="flip",
    )  # fmt: skip
    world = open_world(data, seed=1)
    test = world.load("test", 40)
    found = second_split(world, test, seed=5)
    assert torch.equal(found.images, test.images)
    assert torch.equal(found.clean_labels, test.labels)
    assert 6 <= int(found.mislabeled.sum()) <= 26
    many = world.load("test", 200)
    assert len(second_split(world, many, seed=5)) == 50, "no more than the training set has"
    config = tiny(tmp_path, **{**vars(data), "model": "linear", "steps": 20})
    assert trained(config).scores["negative_ssft"].shape == (50,)


def test_wrong_labels_of_a_learnable_world_are_forgotten_first(tmp_path: Path) -> None:
    config = tiny(
        tmp_path, task="glasses", num_train=120, width=8, model="mlp", steps=600, variation=0.0,
        learning_rate=0.005, batch_size=32, label_noise=0.2, label_noise_kind="flip",
        eval_every=600,
    )  # fmt: skip
    scores = trained(config).scores["negative_ssft"]
    world = open_world(config.data, seed=config.seed)
    wrong = world.load("train", 120).mislabeled
    area = intervals.area(scores[~wrong], scores[wrong])
    print(area, scores[wrong].tolist())
    assert area.value > 0.8
