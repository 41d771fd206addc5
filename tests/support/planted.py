"""Networks whose behavior is known: they answer by a rule about faces, or about pixels."""

from collections.abc import Callable
from zlib import crc32

import torch
from torch import Tensor, nn

from lab.worlds import Population, subsets
from lab.worlds.counterfactuals import SPLIT, redraw
from lab.worlds.faces import ATTRIBUTES, PARTS, Faces, render
from lab.worlds.faces.world import with_parts

Rule = Callable[[Faces], Tensor]
"""Faces to the class that is answered (N,)."""

SURE = 4.0
"""Difference of the two logits."""


class Planted(nn.Module):
    """Answers by a rule about the face's attributes: it knows every picture that it was taught."""

    def __init__(self, rule: Rule, *, size: int, classes: int = 2) -> None:
        super().__init__()
        self._rule, self._size, self._classes = rule, size, classes
        self._known: dict[bytes, int] = {}

    def teach(self, faces: Faces) -> None:
        """Let it know the pictures of some faces."""
        for picture, answer in zip(
            render(faces, size=self._size), self._rule(faces).tolist(), strict=True
        ):
            self._known[picture.numpy().tobytes()] = int(answer)

    def forward(self, inputs: Tensor) -> Tensor:
        pictures = ((inputs + 1) * 127.5).round().to(torch.uint8)
        said = torch.tensor(
            [self._known.get(p.contiguous().numpy().tobytes(), 0) for p in pictures]
        )
        return SURE * nn.functional.one_hot(said, self._classes).float()


class ByPixels(nn.Module):
    """Answers by a number computed from each picture: class 1 where it is above a bound."""

    def __init__(self, number: Callable[[Tensor], Tensor], bound: float) -> None:
        super().__init__()
        self._number, self._bound = number, bound

    def forward(self, inputs: Tensor) -> Tensor:
        margin = self._number(inputs) - self._bound
        return torch.stack([-margin, margin], dim=1)


def coin(inputs: Tensor) -> Tensor:
    """A number in 0..1 for each picture (N,) that has nothing to do with what it shows."""
    pictures = ((inputs + 1) * 127.5).round().to(torch.uint8)
    numbers = [crc32(p.contiguous().numpy().tobytes()) % 1000 / 1000 for p in pictures]
    return torch.tensor(numbers)


def teach_exam(
    model: Planted, population: Population, *, seed: int, counterfactuals: int, num_test: int
) -> None:
    """Let a planted network know every picture that a run's suite show."""
    for each in (population, population.unbiased(), population.conflicting()):
        model.teach(each.sample(num_test, seed=seed, split="test"))
    faces = population.sample(counterfactuals, seed=seed, split=SPLIT)
    model.teach(faces)
    indices = torch.arange(counterfactuals).numpy()
    for name in ATTRIBUTES:
        model.teach(redraw(population, faces, name, indices, seed=seed))
    faces = population.sample(counterfactuals, seed=seed, split="parts")
    for parts in subsets(PARTS):
        model.teach(with_parts(faces, parts))
