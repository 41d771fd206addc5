"""What only a GPU can show; without one these tests are skipped, and their counterfactuals run on
the CPU."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from lab import watch
from lab.core.config import TrainConfig
from lab.core.estimate import Estimate
from lab.measure import predict
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import EpochBatches, Interrupted, Stop, fit, list_objectives
from lab.training.train_step import TrainStep
from lab.worlds.faces import render, sample_prior
from support.configs import stateful
from support.loops import network as watched_network
from support.loops import pictures
from support.run_folders import assert_same_run
from support.training import EPOCHS, IMAGES, LABELS, network

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use"
)
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
    train_step.take()  # the first fetches the order of the faces
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            train_step.take()
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    train_step.check()
    assert train_step.step == 6


@needs_gpu
def test_a_gpu_learns_what_a_cpu_does() -> None:
    """Without TF32 the logits agree after some steps; AdamW makes much of gradients near 0, so
    single weights may differ."""
    models = [network(), network().cuda()]
    there = EpochBatches(IMAGES.cuda(), LABELS.cuda(), batch_size=16, seed=3)
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        for model, batches in zip(models, (EPOCHS, there), strict=True):
            fit(model, batches, TrainConfig(steps=5, batch_size=16), seed=3)
        here, on_gpu = predict(models[0], IMAGES), predict(models[1], IMAGES.cuda())
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
    torch.testing.assert_close(on_gpu.cpu(), here, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("device", DEVICES)
def test_a_deterministic_run_goes_on_exactly(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle and resumed, on a GPU with kernels that repeat themselves."""
    from lab.runs import train

    strict = torch.are_deterministic_algorithms_enabled()
    try:
        jobs = [
            dataclasses.replace(stateful(tmp_path / name), device=device, deterministic=True)
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
