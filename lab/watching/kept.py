"""Copies of the inputs of several calls of a network, in bounded memory."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from lab.watching.backward import Backward

HELD = 2**26
"""Bytes of the inputs that are kept, at most."""


class Call(NamedTuple):
    """Some of the inputs of a call, (N, …) on the CPU, in float32 or whole numbers, and whether the
    network was trained on them."""

    rows: Tensor
    trained: Backward


class Kept:
    """Of the inputs of each of some `calls` at most `most` rows, drawn by `random`, one from each
    of so many equal parts; of all of them `count` rows were seen.

    All together are at most `limit` rows, of `HELD` bytes: where there are more, fewer of each call
    are kept, and where that would be less than one, of each one in two, four, … calls.
    """

    def __init__(self, most: int, limit: int, random: Random) -> None:
        self._most, self._limit, self._random = float(most), limit, random
        self.calls: list[Call] = []
        self.count = 0

    def add(self, inputs: Tensor, *, learns: bool = False) -> Backward:
        """Keep rows of `inputs` (N, …); what it returns is to follow whether the network is trained
        on them, as `Backward` says."""
        trained, inputs = Backward(inputs.shape, learns=learns), inputs.detach()
        self.count += len(inputs)
        room = HELD // max(1, 4 * inputs[0].numel())
        few = self._few(inputs, min(self._most, room))
        if len(few):
            few = few.float() if few.is_floating_point() else few.long()
            self.calls.append(Call(few.cpu().clone(), trained))
        while self._are_too_many():
            self._most /= 2
            fewer = [
                Call(self._few(rows, max(self._most, len(rows) / 2)), told)
                for rows, told in self.calls
            ]
            self.calls = [each for each in fewer if len(each.rows)]
        return trained

    def _are_too_many(self) -> bool:
        every = [each.rows for each in self.calls]
        return (
            sum(map(len, every)) > self._limit
            or sum(each.numel() * each.element_size() for each in every) > HELD
        )

    def _few(self, rows: Tensor, most: float) -> Tensor:
        """At most `most` of the rows (N, …): below 1 that is the chance that there is one."""
        if len(rows) <= most:
            return rows
        wanted = int(most + self._random.random()) if most < 1 else int(most)
        part = len(rows) / max(1, wanted)
        places = [int((k + self._random.random()) * part) for k in range(wanted)]
        return rows[torch.tensor(places, dtype=torch.long, device=rows.device)]
