"""Evaluators: nothing is kept between calls, and the world decides which there are."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

import lab.evaluators.suite as suite_module
from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.evaluators import (
    EVALUATORS,
    Evaluation,
    EvaluatorSuite,
    LoadedSplit,
    Result,
    Setup,
    StreamedSplit,
    SuiteResult,
    splits_of,
)
from lab.evaluators.memorization import predicted_examples
from lab.measure import accuracy
from lab.models import ModelSpec, create_model
from lab.worlds import open_world
from support.picture_folders import fill

DATA = DataConfig(num_train=16, num_test=30, image_size=16, cues=("eye_color:0.8",))


@cache
def suite_of(**data: Any) -> EvaluatorSuite:
    config = RunConfig(data=replace(DATA, **data), counterfactuals=4)
    world = open_world(config.data)
    train, test = world.load("train", 16), world.load("test", 30)
    return EvaluatorSuite.of_run(train, test, world, config)


def model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return create_model("cnn", ModelSpec(image_size=16, width=4)).eval()


class Recorder:
    """A tracker that notes what it is given, as plain values."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []

    def __getattr__(self, method: str) -> Callable[..., None]:
        def note(*given: Any, **named: Any) -> None:
            parts = [*given, *named.values()]
            self.written.append((method, [_plain(part) for part in parts]))

        return note


def _plain(part: Any) -> Any:
    if isinstance(part, torch.Tensor):
        part = part.numpy()
    return (part.shape, part.dtype, part.tobytes()) if isinstance(part, np.ndarray) else part


def shown(result: SuiteResult) -> list[tuple[str, Any]]:
    recorder: Any = Recorder()
    result.show_distributions(recorder, 3)
    result.show_pictures(recorder, 3)
    result.show_final(recorder, 3)
    return recorder.written  # type: ignore[no-any-return]


def test_a_result_is_that_of_its_own_model_whatever_is_measured_later() -> None:
    """Two models in turn, shown afterwards, in the other order and again."""
    suite = suite_of()
    alone = [(result.metrics, shown(result)) for result in map(suite, (model(0), model(1)))]
    results = [suite(model(0)), suite(model(1))]
    finals = [suite.final(result) for result in reversed(results)]
    assert [(r.metrics, shown(r)) for r in reversed(results)] == alone[::-1]
    assert shown(results[0]) == alone[0][1] != alone[1][1]
    assert finals[1].metrics == suite.final(suite(model(0))).metrics != finals[0].metrics
    assert {name for name, _ in alone[0][1]} == {"image", "histogram", "pr_curve", "text"}


def test_the_world_and_the_settings_decide_which_there_are(tmp_path: Path) -> None:
    whole = set(suite_of().names)
    assert {"groups", "reliance", "components", "memorization"} <= whole
    assert "groups" not in suite_of(cues=()).names
    for name in ("cat", "dog"):
        fill(tmp_path / name, 12)
    data = DataConfig(data=str(tmp_path), num_train=8, num_test=4, image_size=16)
    world = open_world(data)
    config = RunConfig(data=world.data, counterfactuals=4)
    train = world.load("train", world.data.num_train)
    test = world.load("test", world.data.num_test)
    pictures = set(EvaluatorSuite.of_run(train, test, world, config).names)
    assert whole - pictures == {"groups", "reliance", "components"}
    assert pictures - whole == {"perturbations", "label doubts"}
    streamed = StreamedSplit(name="test", world=world, count=world.data.num_test)
    no_training = EvaluatorSuite(
        Setup(world=world, splits=splits_of(world, test=streamed), counterfactuals=4)
    )
    assert pictures - set(no_training.names) == {"memorization", "label doubts"}


def test_a_streamed_split_is_the_loaded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world(DATA)
    loaded = LoadedSplit("test", world.load("test", 30), world.cues).predict(model(0))
    monkeypatch.setattr("lab.evaluators.evaluation.BATCH", 7 * 16**2)
    seen: list[int] = []
    streamed = StreamedSplit(
        name="test", world=world, count=30, progress=lambda what, done, total: seen.append(done)
    ).predict(model(0))
    assert seen == [0, 7, 14, 21, 28, 30]
    for name in ("labels", "clean_labels", "groups", "subpopulations"):
        assert torch.equal(getattr(loaded, name), getattr(streamed, name)), name
    assert torch.allclose(loaded.logits, streamed.logits, atol=1e-5)
    assert loaded.group_names == streamed.group_names


def test_each_split_is_predicted_once_in_an_evaluation() -> None:
    asked: list[tuple[int, bytes]] = []

    class Counting(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            asked.append((len(inputs), inputs.numpy().tobytes()))
            return inputs.flatten(1)[:, :2]

    counting = Counting()
    counting.weight = nn.Parameter(torch.zeros(1))
    config = RunConfig(data=DATA, train=TrainConfig(num_validation=9), counterfactuals=0)
    world = open_world(DATA)
    train, test = world.load("train", 16), world.load("test", 30)
    EvaluatorSuite.of_run(train, test, world, config)(counting)
    assert len(set(asked)) == len(asked), "no pictures are predicted twice"
    sizes = Counter(size for size, _ in asked)  # an evaluator may have pictures of its own, too
    assert sizes >= Counter([16, 30, 30, 30, 9]), "train, three test sets, validation"


def test_an_evaluator_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(setup: Setup) -> Callable[[Evaluation], Result]:
        return lambda e: Result(metrics={"own/first_logit": float(e.on("test").logits[0, 0])})

    def forgotten(setup: Setup) -> Callable[[Evaluation], Result]:
        return lambda e: Result(metrics={"no/row": 1.0})

    world = open_world(DATA)
    setup = Setup(world=world, splits=splits_of(world, test=_test_split()))
    monkeypatch.setattr(suite_module, "EVALUATORS", {**EVALUATORS, "mine": prepare})
    found = EvaluatorSuite(setup)(model(0))
    logits: npt.NDArray[np.float32] = found.evaluation.on("test").logits.numpy()
    assert found.metrics["own/first_logit"] == logits[0, 0]
    monkeypatch.setattr(suite_module, "EVALUATORS", {**EVALUATORS, "mine": forgotten})
    with pytest.raises(ValueError, match="no/row"):
        EvaluatorSuite(setup)(model(0))


def test_pictures_show_the_class_that_accuracy_counts() -> None:
    """Also where the two logits differ by so little that their probabilities in float32 do not."""
    low = torch.tensor(0.1)
    logits = torch.stack([low, torch.nextafter(low, torch.tensor(1.0))])
    assert logits.softmax(dim=0).unique().numel() == 1

    class Close(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return logits.expand(len(x), 2)

    split = _test_split()
    predictions = split.predict(Close())
    shown = predicted_examples(split, predictions)
    assert shown.predicted.tolist() == [1] * 30
    assert shown.right.float().mean().item() == pytest.approx(
        accuracy(predictions.logits, predictions.labels).value
    )


def _test_split() -> LoadedSplit:
    world = open_world(DATA)
    return LoadedSplit("test", world.load("test", 30), world.cues)
