"""Somebody else's training loop: a network, data with random augmentation, everything seeded."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lab.watching import Watcher

SIDE = 8


def pictures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise whose left half is brighter in one of two classes: (N, 1, 8, 8) and (N,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    images = torch.randn(count, 1, SIDE, SIDE, generator=generator)
    images[:, :, :, : SIDE // 2] += labels[:, None, None, None] * 0.7
    return images, labels


class Augmented(Dataset[tuple[Tensor, int]]):
    """Pictures with noise of every generator there is, and of one of the dataset's own."""

    def __init__(self, count: int, seed: int) -> None:
        self.images, self.labels = pictures(count, seed)
        self.own = np.random.default_rng(seed)
        self.transform: Callable[[Tensor], Tensor] = self.augment

    def augment(self, image: Tensor) -> Tensor:
        """A picture with some noise."""
        draws = random.random() + np.random.rand() + self.own.random()
        return image + 0.1 * draws * torch.randn(image.shape)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def network() -> nn.Module:
    """A network with running statistics, dropout, and a frozen part in eval mode."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(36, 8), nn.BatchNorm1d(8), nn.Linear(8, 2),
    )  # fmt: skip
    model[6].eval()
    return model


def seed_all(seed: int) -> None:
    """Seed everything that the loop draws from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train(
    watcher: Callable[[nn.Module], Watcher] | None,
    model: nn.Module,
    data: Dataset[Any],
    steps: int = 12,
) -> dict[str, Any]:
    """Train for some steps, watched or not; everything that the steps have changed."""
    seed_all(3)
    loader = DataLoader(
        data, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(5)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    watched = watcher(model) if watcher else None
    losses = []
    if watched:
        watched.open()
    done = 0
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            if watched:
                watched(done)
            done += 1
            if done == steps:
                break
    if watched:
        watched.close()
    return {
        "losses": losses,
        "weights": model.state_dict(),
        "gradients": [p.grad for p in model.parameters()],
        "optimizer": optimizer.state_dict(),
        "modes": [module.training for module in model.modules()],
        "hooks": [
            {name: len(each) for name, each in vars(module).items() if name.endswith("_hooks")}
            for module in model.modules()
        ],
        "python": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]
        "torch": torch.get_rng_state(),
        "loader": loader.generator.get_state(),
        "settings": (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()),
    }
