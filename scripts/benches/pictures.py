"""Pictures from disk: decoding a folder against torchvision's loader, and batches of a mapped file
against those of a tensor."""

import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benches.table import Row
from lab.core.config import DataConfig
from lab.experiments.timing import rate, ratio, take_turns
from lab.training import EpochBatches
from lab.worlds import StoredWorld, kept, open_world

SIDE, SIZE, BATCH, WORKERS = 96, 64, 256, 2
"""Pixels of the files and of the pictures, pictures of a batch, processes of the loader."""


def measure(*, quick: bool) -> list[Row]:
    """A folder of small JPEGs, read as a run reads it for the first time, and then in epochs."""
    number, turns = (4000, 2) if quick else (8000, 5)
    before = os.environ.get(kept.FOLDER)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "photos")
        _write(folder, number)
        tries = count()

        def read() -> int:
            os.environ[kept.FOLDER] = str(Path(place, f"kept{next(tries)}"))
            return len(_opened(folder, number).load("train", number).images)

        try:
            decoding = take_turns(
                {"here": read, "loader": lambda: _loaded(folder)},
                repetitions=turns,
                clock=time.perf_counter,  # the work is that of other processes
            )
            images = _opened(folder, number).load("train", number).images
        finally:
            os.environ.pop(kept.FOLDER)
            if before is not None:
                os.environ[kept.FOLDER] = before
        epochs = take_turns(
            {"mapped": _epoch(images), "tensor": _epoch(images.clone())}, repetitions=4 * turns
        )
    speed, spread = ratio(decoding["loader"], decoding["here"])
    again, spread_again = ratio(epochs["tensor"], epochs["mapped"])
    what = f"{number:,} JPEGs of {SIDE} px to {SIZE} px"
    return [
        Row(what=f"reading {what} for the first time", value=rate(decoding["here"]), unit="/s"),
        Row(
            what=f"  against DataLoader + ImageFolder, {WORKERS} workers", value=speed, least=1.0,
            note=spread,
        ),
        Row(
            what="  batches of the mapped file against those of a tensor", value=again, least=0.9,
            note=spread_again,
        ),
    ]  # fmt: skip


def _write(folder: Path, number: int) -> None:
    random = np.random.default_rng(0)
    for i in range(number):
        place = folder / "train" / f"class{i % 4}"
        place.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.integers(0, 255, (6, 8, 3)).astype(np.uint8))
        small.resize((SIDE, SIDE * 5 // 6), Image.Resampling.BICUBIC).save(place / f"{i:05}.jpg")
        if i < 8:
            (folder / "test" / f"class{i % 4}").mkdir(parents=True, exist_ok=True)
            small.resize((SIDE, SIDE)).save(folder / "test" / f"class{i % 4}" / f"{i}.jpg")


def _opened(folder: Path, number: int) -> StoredWorld:
    data = DataConfig(data=str(folder), num_train=number, image_size=SIZE)
    world = open_world(data, seed=0)
    assert isinstance(world, StoredWorld)
    return world


def _loaded(folder: Path) -> int:
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    dataset = ImageFolder(
        str(folder / "train"), Compose([Resize(SIZE), CenterCrop(SIZE), PILToTensor()])
    )
    loader = DataLoader(dataset, batch_size=BATCH, num_workers=WORKERS)
    return sum(len(labels) for _, labels in loader)


def _epoch(images: torch.Tensor) -> Callable[[], int]:
    batches = EpochBatches(
        images, torch.zeros(len(images), dtype=torch.int64), batch_size=BATCH, seed=0
    )
    steps = count()

    def go() -> int:
        for _ in range(len(images) // BATCH):
            batches(next(steps)).images.float()
        return len(images) // BATCH * BATCH

    return go
