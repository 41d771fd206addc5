"""What only a GPU can show; without one these tests are skipped, and their counterfactuals run on
the CPU."""

import dataclasses
import json
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lab import watch
from lab.core.config import TrainConfig
from lab.core.estimate import Estimate
from lab.models import ModelSpec, create_model
from lab.runs.batches import training_batches
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import (
    Batch,
    Diverged,
    EpochBatches,
    Interrupted,
    Stop,
    list_objectives,
    make_deterministic,
)
from lab.training.batches import WHOLE
from lab.training.cuda_graph import EAGER_STEPS, SWITCH
from lab.training.train_step import TrainStep
from lab.worlds import open_world
from lab.worlds.faces import render, sample_prior
from support.configs import stateful, tiny
from support.loops import network as watched_network
from support.loops import pictures
from support.run_folders import assert_same_run
from support.training import IMAGES, LABELS, network

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use"
)


def deep() -> nn.Module:
    """A network with hidden convolutions, which Muon trains, dropout and running statistics."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(200, 16), nn.ReLU(), nn.Linear(16, 2),
    ).to(memory_format=torch.channels_last)  # fmt: skip


DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_faces_are_the_same_on_every_device(device: str) -> None:
    faces = sample_prior(40, seed=1)
    there, here = render(faces, size=32, device=device), render(faces, size=32)
    assert there.device.type == device
    assert torch.equal(there.cpu(), here)
    drawn_there = render(faces, size=32, device=device, backend="torch")
    assert (drawn_there.cpu().int() - here.int()).abs().max() <= 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("objective", list_objectives())
def test_data_and_steps_stay_on_the_device(device: str, precision: str, objective: str) -> None:
    """On a GPU no step may wait for the host, which torch is told to take as an error."""
    chosen = TrainConfig(
        steps=8,
        batch_size=16,
        precision=precision,  # type: ignore[arg-type]
        objective=objective,
    )
    batches = EpochBatches(IMAGES.to(device), LABELS.to(device), batch_size=16, seed=3)
    train_step = TrainStep(network(dropout=0.3).to(device), batches, chosen, seed=3)
    for _ in range(EAGER_STEPS + 1):  # the first fetches the order of the faces, the last captures
        train_step.take()
    if device == "cuda":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is a prototype
            torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            train_step.take()
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    train_step.check()
    assert train_step.step == EAGER_STEPS + 6


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("objective", list_objectives())
def test_replayed_steps_are_those_launched_one_by_one(
    precision: str, optimizer: str, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with dropout and running statistics, weight decay and a changing rate."""
    chosen = TrainConfig(
        steps=30,
        batch_size=16,
        precision=precision,  # type: ignore[arg-type]
        optimizer=optimizer,  # type: ignore[arg-type]
        objective=objective,
        weight_decay=0.1,
    )
    batches = EpochBatches(IMAGES.cuda(), LABELS.cuda(), batch_size=16, seed=3)
    found = []
    strict = torch.are_deterministic_algorithms_enabled()
    try:
        make_deterministic()
        for switch in ("off", ""):
            monkeypatch.setenv(SWITCH, switch)
            train_step = TrainStep(deep().cuda(), batches, chosen, seed=3)
            for _ in range(30):
                train_step.take()
            train_step.check()
            assert train_step.captured == (switch == "")
            found.append((train_step.state(), train_step.loss(), train_step.metrics()))
    finally:
        torch.use_deterministic_algorithms(strict)
    (state, loss, metrics), (other, again, others) = found
    assert loss == again
    assert metrics["optim/gradient_norm"] == others["optim/gradient_norm"]
    assert_same(state, other)
    assert "tensor" not in repr(rates_of(state["optimizer"]))


def rates_of(state: Any) -> list[Any]:
    """The learning rates in an optimizer's state, however deep."""
    if isinstance(state, list):
        return [rate for each in state for rate in rates_of(each)]
    if not isinstance(state, dict):
        return []
    return [state["lr"]] if "lr" in state else [r for v in state.values() for r in rates_of(v)]


def assert_same(one: object, other: object) -> None:
    """Two states are the same, to the bit."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.equal(other)  # type: ignore[arg-type]
    elif isinstance(one, dict):
        assert one.keys() == other.keys()  # type: ignore[attr-defined]
        for key, value in one.items():
            assert_same(value, other[key])  # type: ignore[index]
    elif isinstance(one, list):
        for each, its in zip(one, other, strict=True):  # type: ignore[call-overload]
            assert_same(each, its)
    else:
        assert one == other


@needs_gpu
def test_a_replayed_step_that_diverges_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights stay as they were before it, as without a graph."""
    batches = EpochBatches(IMAGES.cuda(), LABELS.cuda(), batch_size=16, seed=3)
    steps, weights = [], []
    for switch in ("off", ""):
        monkeypatch.setenv(SWITCH, switch)
        train_step = TrainStep(
            network().cuda(), batches, TrainConfig(steps=40, batch_size=16), seed=3
        )
        for number in range(30):
            if number == 20:
                with torch.no_grad():
                    next(train_step.model.parameters()).mul_(float("inf"))
            train_step.take()
        with pytest.raises(Diverged) as raised:
            train_step.check()
        steps.append(raised.value.step)
        weights.append([each.clone() for each in train_step.model.parameters()][1:])
    assert steps == [20, 20]
    for one, other in zip(*weights, strict=True):
        torch.testing.assert_close(one, other)


@needs_gpu
def test_a_capture_that_fails_costs_only_speed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer that reads numbers back, though it is taken for a known one; torch's streams and
    generators are as they were, so that steps with dropout go on."""
    monkeypatch.setattr("lab.training.cuda_graph.failed", [])

    class Reading(nn.ReLU):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) * float(input.abs().sum() >= 0)

    Reading.__module__ = "torch.nn.modules.activation"
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 4, 3, stride=4), Reading(), nn.Flatten(), nn.Dropout(), nn.Linear(64, 2)
    model = nn.Sequential(*layers).cuda()
    stream = torch.cuda.current_stream()
    batches = EpochBatches(IMAGES.cuda(), LABELS.cuda(), batch_size=16, seed=3)
    train_step = TrainStep(model, batches, TrainConfig(steps=40, batch_size=16), seed=3)
    with caplog.at_level("WARNING"):
        for _ in range(20):
            train_step.take()
    train_step.check()
    assert torch.cuda.current_stream() == stream
    assert [record.name for record in caplog.records] == ["lab.training.cuda_graph"]
    assert "without a CUDA graph" in caplog.text


@pytest.mark.parametrize("device", DEVICES)
def test_examples_drawn_ahead_are_the_same(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.runs.batches.processors", lambda: 2)
    found = []
    for model in (None, create_model("cnn", ModelSpec(image_size=16), seed=0)):
        config = tiny(Path("runs"), online=True, steps=5_000, batch_size=10)
        world = open_world(config.data, seed=3, device=device)
        batches = training_batches(config, world, world.load("train", 12), WHOLE, model=model)
        found.append([batches(step) for step in (0, 1, 29, 2, 500, 2000, 4000, 1)])
    for one, other in zip(*found, strict=True):
        assert one.images.device.type == device
        for each in fields(Batch):
            assert getattr(one, each.name).equal(getattr(other, each.name))


@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("device", DEVICES)
def test_a_deterministic_run_goes_on_exactly(
    device: str, augment: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle and resumed, on a GPU with kernels that repeat themselves; steps with
    augmentation are launched one by one, the others are replayed."""
    from lab.runs import train

    strict = torch.are_deterministic_algorithms_enabled()
    try:
        jobs = [
            dataclasses.replace(
                stateful(tmp_path / name, augment=augment), device=device, deterministic=True
            )
            for name in ("whole", "pieces")
        ]
        whole = start(jobs[0]).folder
        real = train.fit

        def stopped(*args: object, **kwargs: object) -> object:
            stop, left = Stop(), [3]

            def log(step: int, figures: object) -> None:
                kept(step, figures)
                left[0] -= 1
                stop.signal = 0 if left[0] else 15

            kept = kwargs["log"]  # type: ignore[assignment]
            return real(*args, **{**kwargs, "log": log, "stop": stop})  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(train, "fit", stopped)
            with pytest.raises(Interrupted):
                start(jobs[1])
        pieces = jobs[1].out / "run"
        assert json.loads((pieces / "summary.json").read_text())["status"] == "stopped"
        resume(pieces)
        assert_same_run(pieces, whole)
        open_run(pieces, device="cpu")
    finally:
        torch.use_deterministic_algorithms(strict)


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_is_watched_on_its_device_without_a_trace(device: str, tmp_path: Path) -> None:
    model = watched_network().to(device)
    states = torch.cuda.get_rng_state_all() if device == "cuda" else [torch.get_rng_state()]
    weights = {name: each.clone() for name, each in model.state_dict().items()}
    with watch(
        model, train=pictures(40, 0), test=pictures(30, 1), out=tmp_path / "run", quiet=True
    ) as watched:
        watched(0)
    now = torch.cuda.get_rng_state_all() if device == "cuda" else [torch.get_rng_state()]
    assert all(torch.equal(one, other) for one, other in zip(states, now, strict=True))
    assert all(torch.equal(each, weights[name]) for name, each in model.state_dict().items())
    with watch(
        watched_network(), train=pictures(40, 0), test=pictures(30, 1), out=tmp_path / "cpu",
        quiet=True,
    ) as here:  # fmt: skip
        pass
    found, expected = (each.metrics["loss/test"] for each in (watched, here))
    assert isinstance(found, Estimate)
    assert isinstance(expected, Estimate)
    assert found.value == pytest.approx(expected.value, rel=1e-4)
