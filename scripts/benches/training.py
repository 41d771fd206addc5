"""How fast the lab trains, against a bare loop and against a DataLoader over PNGs."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benches.table import Row
from lab.core.config import DataConfig, ModelConfig, TrainConfig
from lab.experiments.timing import rate, ratio, take_turns
from lab.models import ModelSpec, create_model
from lab.training import EpochBatches, fit
from lab.worlds import Examples, draw_examples
from lab.worlds.export import write_folder

GOAL = 0.9
"""Of the bare loop's rate."""

FACES = 2000


def measure(*, quick: bool) -> list[Row]:
    """Rates of the three loops on the same faces with the same network, and their ratios."""
    examples = draw_examples(DataConfig(num_train=FACES), split="train", count=FACES, seed=0)
    steps, repetitions = (40, 7) if quick else (150, 15)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "faces"
        write_folder([examples], pictures)
        seconds = take_turns(
            {
                "the lab's loop": lambda: _with_lab(examples, steps),
                "a bare loop": lambda: bare(examples.images, examples.labels, steps),
                "DataLoader, ImageFolder": _with_loader(pictures, steps // 4),
            },
            repetitions=repetitions,
        )
    rows = [
        Row(what=f"{name}, 32 px, batch {_batch()}", value=rate(values), unit="images/s/core")
        for name, values in seconds.items()
    ]
    lab, bare, loader = seconds.values()
    value, spread = ratio(bare, lab)
    rows.append(
        Row(what="the lab against a bare loop", value=value, unit="×", least=GOAL, note=spread)
    )
    value, spread = ratio(loader, lab)
    rows.append(Row(what="the lab against the DataLoader", value=value, unit="×", note=spread))
    return rows


def _batch() -> int:
    return TrainConfig().batch_size


def _network() -> nn.Module:
    torch.manual_seed(0)
    config = ModelConfig()
    return create_model(config.model, ModelSpec(width=config.width))


def _with_lab(examples: Examples, steps: int) -> int:
    config = TrainConfig(steps=steps)
    batches = EpochBatches(examples.images, examples.labels, batch_size=config.batch_size, seed=0)
    fit(_network(), batches, config, seed=0)
    return steps * _batch()


def bare(images: Tensor, labels: Tensor, steps: int) -> int:
    """What one writes by hand when nothing needs to be watched, resumed or repeated."""
    model, batch = _network().train(), _batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    order = torch.randperm(len(labels))
    position = 0
    for _ in range(steps):
        if position + batch > len(labels):
            order, position = torch.randperm(len(labels)), 0
        chosen = order[position : position + batch]
        position += batch
        loss = cross_entropy(model(images[chosen].float() / 127.5 - 1), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps * batch


def _with_loader(folder: Path, steps: int) -> Callable[[], int]:
    """The way of most tutorials: files, transforms, a loader in the same process."""
    change = v2.Compose([
        v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)
    ])  # fmt: skip
    loader = DataLoader(ImageFolder(str(folder), change), batch_size=_batch(), shuffle=True)

    def job() -> int:
        model = _network().train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
        done = 0
        for _, (images, labels) in zip(range(steps), loader, strict=False):
            loss = cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += len(labels)
        return done

    return job
