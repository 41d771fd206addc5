"""How fast the lab draws, trains and measures on a GPU, against a bare loop on the same GPU."""

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benches.table import Row
from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.core.machine import processors
from lab.experiments.runner.gpus import MPS
from lab.measure import predict
from lab.models import ModelSpec, create_model
from lab.runs.batches import training_batches
from lab.training import EpochBatches
from lab.training.batches import WHOLE
from lab.training.cuda_graph import SWITCH
from lab.training.train_step import TrainStep
from lab.worlds import open_world
from lab.worlds.faces import render, sample_prior

PICTURES = 4096
"""Pictures that are drawn, trained on and predicted."""

BY_TORCH = 256
"""Pictures that torch draws on the GPU, which takes it long."""

SHAPES = ((2, 64), (16, 64), (64, 64), (16, 1024), (64, 1024))
"""Width of the network and batch size of each training row."""

MAP = "num_train=16,32,64,128,256,512 width=1,2,4,8 cues=,eye_color:0.9"
"""The grid of the sweep: 48 cells with two seeds."""

ROOT = Path(__file__).parents[2]


def measure(*, quick: bool) -> list[Row]:
    """Rates in pictures per second on the wall; one row without a number where there is no GPU."""
    if not torch.cuda.is_available():
        return [Row(what="on a GPU", value=math.nan, note="torch finds no NVIDIA GPU here")]
    turns = 3 if quick else 5
    rows = [*_drawing(turns), *_training(turns), *_fresh(turns)]
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2), seed=1).cuda().eval()
    images = render(sample_prior(PICTURES, seed=1), size=32, device="cuda")
    rows.append(_rate("predicting", PICTURES, _seconds(lambda: predict(model, images), turns)))
    rows += _commands(quick=quick)
    return [*rows, Row(what=torch.cuda.get_device_name(), value=math.nan, note="the GPU")]


def _drawing(turns: int) -> list[Row]:
    faces = sample_prior(PICTURES, seed=1)
    few = faces.take(slice(0, BY_TORCH))
    rows = []
    for size in (32, 64):
        one = _seconds(lambda size=size: render(faces, size=size), turns)
        rows.append(_rate(f"drawing {size} px in C on one core", PICTURES, one))
        seconds = _seconds(lambda size=size: render(faces, size=size, device="cuda"), turns)
        what = f"drawing {size} px in C on {processors()} cores, copied to the GPU"
        rows.append(_rate(what, PICTURES, seconds))
        seconds = _seconds(
            lambda size=size: render(few, size=size, device="cuda", backend="torch"), 1
        )
        rows.append(_rate(f"drawing {size} px by torch on the GPU", BY_TORCH, seconds))
    return rows


def _training(turns: int) -> list[Row]:
    images = render(sample_prior(PICTURES, seed=1), size=32, device="cuda")
    labels = torch.arange(PICTURES, device="cuda") % 2
    rows = []
    for width, batch in SHAPES:
        for precision in ("float32", "bfloat16") if (width, batch) == (64, 1024) else ("float32",):
            what = f"width {width}, batch {batch:,}" + ", bfloat16" * (precision != "float32")
            seconds = {
                "lab": _step(images, labels, width, batch, precision),
                "launched": _step(images, labels, width, batch, precision, graph=False),
                "bare": _bare(images, labels, width, batch, precision),
                "replayed": _replayed(images, labels, width, batch, precision),
            }
            found = _in_turns(seconds, 30 * turns)
            rows.append(_rate(f"training, {what}", batch, found["lab"]))
            for name, other in (
                ("its own steps without a CUDA graph", "launched"),
                ("a bare loop", "bare"),
                ("a bare loop's CUDA graph", "replayed"),
            ):
                value = found[other] / found["lab"]
                rows.append(Row(what=f"against {name}, {what}", value=value, unit="×"))
            waits = max(0.0, 1 - _busy(seconds["lab"]) / found["lab"])
            rows.append(Row(what=f"the GPU waits, {what}", value=100 * waits, unit="%"))
    return rows


def _fresh(turns: int) -> list[Row]:
    """Training on new faces at every step, drawn ahead or as they are needed."""
    rows = []
    for name, ahead in (("ahead", True), ("when needed", False)):
        steps = 256 * 4 * turns
        config = RunConfig(
            data=DataConfig(num_train=64), train=TrainConfig(online=True, steps=10**6)
        )
        world = open_world(config.data, seed=0, device="cuda")
        model = create_model("cnn", ModelSpec(), seed=1).cuda()
        train = world.load("train", 64)
        known = model if ahead else None
        batches = training_batches(config, world, train, WHOLE, model=known)
        step = TrainStep(model, batches, config.train, seed=0)
        for _ in range(256):
            step.take()
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step.take()
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - began) / steps
        rows.append(_rate(f"training on new faces, drawn {name}", batches.batch_size, seconds))
    return rows


def _commands(*, quick: bool) -> list[Row]:
    """Whole commands on the GPU and on this machine's processors, from shell to verdict."""
    train = ["scripts/train.py"]
    rows = [_command("train.py", train, "cuda"), _command("train.py", train, "cpu")]
    if quick:
        return rows
    useful = "train.py --preset useful"
    return [*rows, _command(useful, [*train, "--preset", "useful"], "cuda"), *_map()]


def _map() -> list[Row]:
    """A sweep of many small networks, with as many processes as there are processors."""
    what = f"a map of 96 runs, {processors()} processes"
    words = ["scripts/sweep.py", "--grid", *MAP.split(), "--seeds", "2", "--steps", "600"]
    rows = [_command(what, words, "cpu"), _command(what, words, "cuda")]
    if shutil.which(MPS) is None:
        return rows
    with tempfile.TemporaryDirectory() as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = {**os.environ, **own}
        subprocess.run([MPS, "-d"], check=True, env=environment)
        try:
            return [*rows, _command(f"{what}, with MPS", words, "cuda", environment)]
        finally:
            subprocess.run([MPS], input=b"quit\n", check=False, env=environment, timeout=60)


def _command(
    what: str, words: list[str], device: str, environment: dict[str, str] | None = None
) -> Row:
    """Seconds on the wall of one call of a script."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, *words, "--device", device, "--out", folder], env=environment,
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    return Row(what=f"{what}, --device {device}", value=seconds, unit="s")


def _rate(what: str, count: int, seconds: float) -> Row:
    return Row(what=what, value=count / seconds, unit="images/s")


def _seconds(job: Callable[[], object], repetitions: int) -> float:
    """Median seconds of one call on the wall, in five runs of `repetitions` calls in a row, each
    with one wait for the GPU at its end; after a warm-up."""
    return _in_turns({"": job}, repetitions)[""]


def _in_turns(jobs: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """As `_seconds` of each job, the five runs in turns."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        for _ in range(10 if repetitions > 10 else 1):
            job()
    for _ in range(5):
        for name, job in jobs.items():
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(repetitions):
                job()
            torch.cuda.synchronize()
            found[name].append((time.perf_counter() - began) / repetitions)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _busy(job: Callable[[], object], count: int = 30) -> float:
    """Seconds of one call in which the GPU computes, from the durations of its kernels."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True
    ) as profile:
        for _ in range(count):
            job()
        torch.cuda.synchronize()
    spent = sum(event.self_device_time_total for event in profile.key_averages())
    return spent / 1e6 / count


def _step(
    images: Tensor, labels: Tensor, width: int, batch: int, precision: str, *, graph: bool = True
) -> Callable[[], object]:
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2, width=width), seed=1)
    batches = EpochBatches(images, labels, batch_size=batch, seed=3)
    config = TrainConfig(steps=10_000_000, batch_size=batch, precision=precision)
    before = os.environ.pop(SWITCH, None)
    if not graph:
        os.environ[SWITCH] = "off"
    try:
        return TrainStep(model.cuda(), batches, config, seed=3).take
    finally:
        os.environ.pop(SWITCH, None)
        if before is not None:
            os.environ[SWITCH] = before


def _bare(
    images: Tensor, labels: Tensor, width: int, batch: int, precision: str, **options: bool
) -> Callable[[], None]:
    """The same step written by hand, on the same pictures again and again."""
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2, width=width), seed=1)
    model.cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True, **options)
    inputs, targets = images[:batch].float() / 127.5 - 1, labels[:batch]

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _replayed(
    images: Tensor, labels: Tensor, width: int, batch: int, precision: str
) -> Callable[[], None]:
    """That step as a CUDA graph, as torch's documentation has it."""
    step = _bare(images, labels, width, batch, precision, capturable=True)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    return partial(_replay, graph, step)


def _replay(graph: torch.cuda.CUDAGraph, step: Callable[[], None]) -> None:
    """Replay the graph of a step, which has the tensors that the graph computes with."""
    graph.replay()
