"""The inputs of a drawing: named numbers and colors, one row for each picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.core.text import unknown


class Inputs(dict[str, Tensor]):
    """The inputs of some pictures by name: numbers (n, 1, 1, 1) and colors (n, 3, 1, 1).

    A name that the drawing does not compute raises `KeyError` with the nearest match.
    """

    def __missing__(self, name: str) -> Tensor:
        raise KeyError(unknown("input of the drawing", name, self))

    def replaced(self, **changes: Tensor) -> Inputs:
        """The same inputs but for some, which must exist."""
        for name in changes.keys() - self.keys():
            self.__missing__(name)
        return Inputs({**self, **changes})


@dataclass(frozen=True)
class InputTable:
    """The inputs of N pictures as the columns of one matrix, which the C backend reads directly."""

    packed: Tensor  # (N, K) float32
    columns: tuple[tuple[str, int], ...]  # name and width: 1, or 3 for a color

    @staticmethod
    def of(numbers: Mapping[str, Tensor], colors: Mapping[str, Tensor]) -> InputTable:
        """The table of numbers (N,) and colors (3, N), which float64 may have computed."""
        rows = torch.cat([torch.stack(list(numbers.values())), *colors.values()])
        return InputTable(
            rows.float().t().contiguous(),
            tuple((name, 1) for name in numbers) + tuple((name, 3) for name in colors),
        )

    def rows(self, rows: slice | Tensor, device: torch.device) -> Inputs:
        """The inputs of some rows, on `device`."""
        block = self.packed[rows].to(device)[:, :, None, None]
        widths = [width for _, width in self.columns]
        names = (name for name, _ in self.columns)
        return Inputs(zip(names, torch.split(block, widths, dim=1), strict=True))
