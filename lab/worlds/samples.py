"""`Samples`: a batch of attribute values, and drawing one from the priors by address."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import bits, uniforms
from lab.worlds.schema import Attribute, Schema, find

Value = str | int | float | Tensor | Sequence[str | int | float]


@dataclass(frozen=True)
class Samples:
    """N samples: for each attribute a CPU tensor (N,), int64 codes or counts, or float32 numbers.

    `samples["smile"]` is an attribute's tensor, `samples[3:7]` or `samples[mask]` a smaller batch.
    `identity` (N,) int64 is each sample's random address: what no attribute controls (the grain of
    the noise, where strays lie) follows from it. `visibility` says for some color attributes how
    far their colors lie apart: 1 as in the palette (and without an entry), 0 all the same. `schema`
    describes the attributes. Pictures that were not drawn have no attributes, and an identity that
    stands for their content.
    """

    values: Mapping[str, Tensor]
    identity: Tensor
    visibility: Mapping[str, float] = field(default_factory=dict)
    schema: Schema = field(kw_only=True, repr=False)

    def __len__(self) -> int:
        return len(self.identity)

    @overload
    def __getitem__(self, key: str) -> Tensor: ...
    @overload
    def __getitem__(self, key: slice | Tensor | Sequence[int]) -> "Samples": ...
    def __getitem__(self, key: str | slice | Tensor | Sequence[int]) -> "Tensor | Samples":
        if isinstance(key, str):
            if key not in self.values:
                find(self.schema, key)
            return self.values[key]
        return self.take(key)

    def __iter__(self) -> Iterator["Samples"]:
        return (self.take(slice(i, i + 1)) for i in range(len(self)))

    def take(self, index: slice | Tensor | Sequence[int]) -> "Samples":
        """The samples at `index`: a slice, a boolean mask (N,) or positions (M,)."""
        if not isinstance(index, (slice, Tensor)):
            index = torch.as_tensor(index, dtype=None if len(index) else torch.long)
        values = {name: v[index] for name, v in self.values.items()}
        return replace(self, values=values, identity=self.identity[index])

    def do(self, **changes: Value) -> "Samples":
        """The same samples with some attributes set: `samples.do(color="blue", size=1.2)`.

        A change is one value for all, or a sequence or tensor of one for each sample (tensors hold
        codes). Everything else stays bit-identical. Raises `ValueError` naming the attribute, the
        value and what is allowed.
        """
        values = dict(self.values)
        for name, change in changes.items():
            values[name] = _column(find(self.schema, name), change, len(self))
        return replace(self, values=values)

    def redrawn(self, columns: Mapping[str, Tensor]) -> "Samples":
        """The same samples with whole columns (N,) replaced, such as `draw` makes."""
        return replace(self, values={**self.values, **columns})

    def names(self, name: str) -> list[str]:
        """An attribute's values in words, one for each sample."""
        row, column = find(self.schema, name), self.values[name].tolist()
        if row.kind == "categorical":
            return [str(row.values[code]) for code in column]
        return [f"{value:g}" for value in column]

    @staticmethod
    def cat(batches: Sequence["Samples"]) -> "Samples":
        """Several batches as one, in order; they must agree in `visibility`."""
        assert all(b.visibility == batches[0].visibility for b in batches), "one drawing for all"
        return replace(
            batches[0],
            values={
                name: torch.cat([b.values[name] for b in batches]) for name in batches[0].values
            },
            identity=torch.cat([b.identity for b in batches]),
        )


def sample_at(
    schema: Schema,
    indices: npt.NDArray[np.int64],
    *,
    seed: int,
    split: str,
    variation: float = 1.0,
) -> Samples:
    """The samples with the addresses (seed, split, i) for i in `indices` (N,), every attribute
    drawn on its own from its prior."""
    if not 0 <= variation <= 1:
        raise ValueError(f"variation must be 0 to 1, not {variation!r}")
    values = {
        name: draw(row, indices, seed=seed, split=split, variation=variation)
        for name, row in schema.items()
    }
    identity = torch.from_numpy(bits(indices, seed, split, "identity").view(np.int64))
    return Samples(values, identity, schema=schema)


def draw(
    row: Attribute,
    indices: npt.NDArray[np.int64],
    *,
    seed: int,
    split: str,
    variation: float = 1.0,
) -> Tensor:
    """One attribute's prior at the addresses `indices` (N,): the first of the streams of attempts
    from which `lab.worlds.population.draw_relevant` draws."""
    u = uniforms(indices, seed, split, row.name, 0)
    return as_column(row, row.quantile(u, variation=variation))


def as_column(row: Attribute, numbers: npt.NDArray[np.float64]) -> Tensor:
    """Codes or numbers (N,) as the tensor that a batch holds for this attribute."""
    kind = np.float32 if row.kind == "continuous" else np.int64
    return torch.from_numpy(numbers.astype(kind))


def _column(row: Attribute, change: Value, count: int) -> Tensor:
    if isinstance(change, (str, int, float)):
        return as_column(row, np.full(count, row.code(change), dtype=np.float64))
    try:
        if isinstance(change, Tensor):
            known = dict(enumerate(row.values)) if row.kind == "categorical" else {}
            names = [known.get(code, code) for code in change.detach().cpu().flatten().tolist()]
        else:
            names = list(change)
    except (TypeError, RuntimeError):  # no sequence, or a tensor that holds no plain numbers
        raise ValueError(
            f"{row.name} takes a value, a sequence or a tensor, not {type(change).__name__}"
        ) from None
    if len(names) != count:
        raise ValueError(
            f"{row.name} needs one value for each of {count} samples, got {len(names)}"
        )
    return as_column(row, np.array([row.code(name) for name in names], dtype=np.float64))
