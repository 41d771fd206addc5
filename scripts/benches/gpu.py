"""How fast the lab draws, trains and predicts on a GPU, against a bare loop on the same GPU."""

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benches.table import Row
from lab.core.config import TrainConfig
from lab.measure import predict
from lab.models import ModelSpec, create_model
from lab.training import EpochBatches
from lab.training.train_step import TrainStep
from lab.worlds.faces import render, sample_prior

PICTURES = 4096
"""Pictures that are drawn, trained on and predicted."""

SHAPES = ((2, 64), (16, 64), (64, 64), (16, 1024), (64, 1024))
"""Width of the network and batch size of each training row."""


def measure(*, quick: bool) -> list[Row]:
    """Rates in pictures per second on the wall; one row without a number where there is no GPU."""
    if not torch.cuda.is_available():
        return [Row(what="on a GPU", value=math.nan, note="torch finds no NVIDIA GPU here")]
    turns = 3 if quick else 9
    faces = sample_prior(PICTURES, seed=1)
    rows = []
    for size in (32, 64):
        for name, backend in (("in C on the host, copied", "c"), ("by torch on the GPU", "torch")):
            seconds = _seconds(
                lambda size=size, backend=backend: render(
                    faces, size=size, device="cuda", backend=backend
                ),
                turns,
            )
            rows.append(_rate(f"drawing {size} px {name}", PICTURES, seconds))
    images = render(faces, size=32, device="cuda")
    labels = torch.arange(PICTURES, device="cuda") % 2
    for width, batch in SHAPES:
        ours, bare = _step(images, labels, width, batch), _bare(images, labels, width, batch)
        lab, other = _seconds(ours, 50 * turns), _seconds(bare, 50 * turns)
        what = f"width {width}, batch {batch:,}"
        rows.append(_rate(f"training, {what}", batch, lab))
        rows.append(Row(what=f"against a bare loop, {what}", value=other / lab, unit="×"))
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2), seed=1).cuda().eval()
    rows.append(_rate("predicting", PICTURES, _seconds(lambda: predict(model, images), turns)))
    return [*rows, Row(what=torch.cuda.get_device_name(), value=math.nan, note="the GPU")]


def _rate(what: str, count: int, seconds: float) -> Row:
    return Row(what=what, value=count / seconds, unit="images/s")


def _seconds(job: Callable[[], object], repetitions: int) -> float:
    """Median seconds of one call on the wall, in five runs of `repetitions` calls in a row, each
    with one wait for the GPU at its end; after a warm-up."""
    job()
    found = []
    for _ in range(5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(repetitions):
            job()
        torch.cuda.synchronize()
        found.append((time.perf_counter() - began) / repetitions)
    return statistics.median(found)


def _step(images: Tensor, labels: Tensor, width: int, batch: int) -> Callable[[], object]:
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2, width=width), seed=1)
    batches = EpochBatches(images, labels, batch_size=batch, seed=3)
    config = TrainConfig(steps=10_000_000, batch_size=batch)
    return TrainStep(model.cuda(), batches, config, seed=3).take


def _bare(images: Tensor, labels: Tensor, width: int, batch: int) -> Callable[[], object]:
    """The same step written by hand, on the same pictures again and again."""
    model = create_model("cnn", ModelSpec(image_size=32, num_outputs=2, width=width), seed=1)
    model.cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    inputs, targets = images[:batch].float() / 127.5 - 1, labels[:batch]

    def step() -> None:
        loss = cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
