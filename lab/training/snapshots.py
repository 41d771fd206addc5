"""Snapshots: the network's weights at some steps of its training, within a bound of bytes.

They are what a run is looked at over time with; nothing goes on from them. A snapshot is a
checkpoint (`lab.training.checkpoint`) of weights alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lab.core.atomic import draft, replace
from lab.core.run_dir import snapshot_name
from lab.training.checkpoint import Checkpoint, encode

DENSEST = 4
"""Most snapshots in each doubling of the step."""


def snapshot_steps(steps: int, *, most: int) -> tuple[int, ...]:
    """The steps, in rising order, at which a run of at most `steps` steps keeps a snapshot: 0 (the
    untrained network) and then at even ratios, since a network changes most at first; `most` or
    fewer. The last step has none: the trained network has a checkpoint."""
    if most < 1:
        return ()
    chosen: tuple[int, ...] = (0,)
    for parts in range(1, DENSEST * max(steps, 1).bit_length() + 1):
        finer = {round(steps ** (part / parts)) for part in range(parts)} if steps > 1 else set()
        found = tuple(sorted({0, *finer} - {steps}))
        if len(found) > most:
            break
        chosen = found
    return chosen


def bytes_of(state: Mapping[str, Any]) -> int:
    """The bytes of the tensors of a network's state."""
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """Keeps the weights at `steps` in `folder`; `provenance` is stored with them."""

    folder: Path
    steps: frozenset[int]
    provenance: str = ""

    @classmethod
    def within(
        cls, megabytes: float, model: nn.Module, folder: Path, *, steps: int, provenance: str = ""
    ) -> Snapshots:
        """Those of a run of at most `steps` steps that take at most so many megabytes (10^6
        bytes), which may be none."""
        size = bytes_of(model.state_dict())
        most = int(megabytes * 1e6 / size) if size else 0
        return cls(
            folder=folder,
            steps=frozenset(snapshot_steps(steps, most=most)),
            provenance=provenance,
        )

    def take(self, step: int, model: nn.Module) -> None:
        """Keep the weights after `step` steps, if that is one of the steps: whole or not at all.
        Raises `OSError` naming the file."""
        if step not in self.steps:
            return
        kept = Checkpoint(step=step, model=model.state_dict(), provenance=self.provenance)
        path = self.folder / snapshot_name(step)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft(path) as new:
                new.write_bytes(encode(kept))
                replace(new, path)
        except OSError as error:
            error.filename, error.filename2 = str(path), None
            raise
