"""The examples that a network is measured on: read once, or again at each measurement."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lab.core.seeds import permutation
from lab.core.text import in_tag, only_apart, plain
from lab.core.words import other_answers
from lab.watching.origins import is_same
from lab.watching.sources import Source
from lab.watching.trees import Tree, cat, form, leaves, row_digests, rows, size
from lab.worlds.datasets import renumbers

CHUNK = 100
"""Examples that are read at once."""

HELD = 2**28
"""Bytes of inputs that are held in memory; larger sets are read again at each measurement."""

THUMBNAIL = 64
"""Pixels: largest side of the pictures of examples."""

LONG, BITS = 256, 64
"""Inputs of fewer numbers than the first are short where these have so few values that all together
tell less than so many bits, as rows of a table do: two of them may be the same by chance. Of longer
ones so many numbers are looked at."""

SHORT = 16
"""Numbers below which inputs that are not held in memory are short."""

REAL, DIFFERENT, ENOUGH = 24.0, 0.99, 30
"""Bits that a number tells, if so large a share of so many different inputs, at least, have
different ones at its place: that of a float32's fraction."""

LOOKED_AT = 2000
"""Different inputs by which it is told whether they are short, at most."""

READ = 32
"""Examples of which the range of the inputs is looked at, if they are not in memory."""

SOME = 0.02
"""Share of the test examples that are the same as training examples, maybe by chance, from which on
that is said."""

LOW = 16
"""Numbers across from which on what is longer than twice that may be a picture; else it is a
record: of several signals, one number of each at a time."""

NAMED = 50
"""Classes of which each is measured and shown by itself, at most."""


class MeasuredSet:
    """At most `most` examples of a source: all, or a fixed random sample of them.

    `inputs(positions)` are the inputs of those at positions (N,) in this set; `labels` (N,) int64;
    `thumbnails` uint8 (N, 3, S, S), or None where the inputs are no pictures; `keys` are digests of
    the inputs, one for each; `unscaled`: whether the first are pictures as files have them;
    `broken`: how many have numbers that are not finite. `batch`: of how many a loader makes each
    batch, where it pads them to the longest one in it, so that answers may depend on the others;
    None: it does not. `is_short`: whether their numbers tell little, as rows of a table, so that
    two may be the same by chance; `form`: the shapes of the tensors of an example, None where these
    differ; `tells`: whether they surely tell so much that two are hardly
    ever, however much one number says of the others.
    """

    def __init__(self, source: Source, *, most: int | None, seed: int) -> None:
        self.source = source
        count = source.count
        self.positions = torch.arange(count)
        if most is not None and count > most:
            chosen = np.sort(permutation(count, seed, "watch", source.what)[:most])
            self.positions = torch.from_numpy(chosen)
        chunks, labels = [], []
        held, self.unscaled, self.broken, self.is_short = True, False, 0, False
        keys: list[bytes] = []
        forms: set[tuple[tuple[int, ...], ...]] = set()
        small: list[Tensor] | None = []
        for start in range(0, len(self), CHUNK):
            inputs, given = source.read(self.positions[start : start + CHUNK])
            labels.append(given)
            if start == 0:
                held = size(inputs) / len(given) * len(self) <= HELD
            keys += row_digests(inputs)
            self.broken += int(_are_broken(inputs).sum())
            if small is not None:
                shown = _shrunk(inputs)
                small = [*small, shown] if shown is not None else None
            if start == 0:
                first = inputs
                are_pictures = small is not None and not _are_records(inputs)
                self.unscaled = are_pictures and _are_unscaled(leaves(inputs)[0])
                self.is_short = sum(leaf[0].numel() for leaf in leaves(inputs)) < SHORT
            forms.add(form(inputs))
            if held:
                chunks.append(inputs)
        self.labels = torch.cat(labels)
        self._held: Tree = None
        self.batch: int | None = None
        self.form: tuple[tuple[int, ...], ...] | None = next(iter(forms), None)
        if len(forms) > 1 or source.pads():
            self.batch, held, self.form = source.batch or 1, False, None
            keys = self._digests(keys)
        self.keys = tuple(keys)
        if held:
            self._held = first = cat(chunks)
        numbers, bits = sum(leaf[0].numel() for leaf in leaves(first)), self._bits(first)
        if held:
            self.is_short = numbers < LONG and sum(bits) < BITS
        # of pictures by half of all entropies, since neighbors are alike, and of others by places
        # where nearly all differ: words, and columns made of others, may be few in all
        half = sum(bits) / max(1, len(bits)) * numbers / 2
        real = REAL * bits.count(REAL)
        self.tells = (half if small else real) >= BITS
        self.thumbnails = _visible(small) if small and are_pictures else None
        self.digest = hashlib.sha256(b"".join((*keys, self.labels.numpy().tobytes()))).hexdigest()

    def _digests(self, padded: list[bytes]) -> list[bytes]:
        """The digests of the inputs without what a batch pads them with: each read alone; where
        that cannot be, those of the `padded` ones."""
        try:
            return [row_digests(self.source.read(each)[0])[0] for each in self.positions[:, None]]
        except Exception:  # of a collate function that takes no single example
            return padded

    def __len__(self) -> int:
        return len(self.positions)

    def copies(self, truth: Tensor) -> Tensor | None:
        """A number for each example (N,) int64, which those have in common that have the same
        inputs, bit for bit, and the same given and true labels (`truth`, (N,) int64); None: no two
        have, or inputs are short."""
        if self.is_short:
            return None
        told = zip(self.keys, self.labels.tolist(), truth.tolist(), strict=True)
        known: dict[tuple[bytes, int, int], int] = {}
        numbers = [known.setdefault(each, number) for number, each in enumerate(told)]
        return torch.tensor(numbers) if len(known) < len(self) else None

    def _bits(self, inputs: Tree) -> list[float]:
        """How many bits the numbers tell at each place, or at `LONG` places, of the first `inputs`:
        of the different ones among these, at most `LOOKED_AT`."""
        count = len(leaves(inputs)[0])
        first = {key: place for place, key in reversed([*enumerate(self.keys[:count])])}
        different = torch.tensor(sorted(first.values()))
        number = min(LOOKED_AT, len(different))
        some = different[torch.linspace(0, len(different) - 1, number).long()]
        told = []
        for leaf in leaves(inputs):
            flat = leaf.reshape(count, -1)
            places = torch.linspace(0, flat.shape[1] - 1, min(LONG, flat.shape[1])).long()
            told += [_entropy(column) for column in _real(flat[some[:, None], places]).T]
        return told

    @property
    def is_sample(self) -> bool:
        """Whether it is a sample of the source."""
        return len(self) < self.source.count

    def inputs(self, positions: Tensor) -> Tree:
        """The inputs of the examples at `positions` (N,), in memory of their own."""
        if self._held is not None:
            return rows(self._held, positions)
        return self.source.read(self.positions[positions])[0]

    def some(self) -> list[Tensor]:
        """The tensors (M, …) of the inputs of some examples, on the CPU: of fewer if they must be
        read."""
        count = READ if self._held is None else READ * 4
        some = self.inputs(torch.linspace(0, len(self) - 1, min(count, len(self))).long())
        return [each.detach().cpu() for each in leaves(some)]

    def renumbers(self, names: Sequence[str]) -> bool:
        """Whether the `names` of the dataset's classes are not those of these labels, as
        `lab.worlds.datasets.renumbers` says."""
        if self.source.is_tensors:
            return False
        positions, labels = self.positions.tolist(), self.labels.tolist()
        return renumbers(self.source.dataset, names, positions, labels)

    def undisturbed(self) -> AbstractContextManager[None]:
        """As `Source.undisturbed`."""
        return self.source.undisturbed()

    def column(self, values: Any, what: str) -> Any:
        """A sequence with a value for each example of the source, for those of this set. Its order
        counts, also where its values have an index of their own, as a column of pandas."""
        if isinstance(values, (Mapping, Set)):
            raise ValueError(
                f"{what} must be a sequence of values in the order of the examples of"
                f" {self.source.what}, not a {type(values).__name__}"
            )
        count = len(values) if hasattr(values, "__len__") else -1
        if count != self.source.count:
            found = f"{count:,} values" if count >= 0 else type(values).__name__
            raise ValueError(
                f"{what} needs a value for each of the {self.source.count:,} examples of"
                f" {self.source.what}, not {found}"
            )
        if isinstance(values, Tensor):
            return values.detach().cpu()[self.positions]
        if isinstance(values, np.ndarray):
            return values[self.positions.numpy()]
        listed = list(values)
        return [listed[i] for i in self.positions.tolist()]


def equal(train: MeasuredSet, test: MeasuredSet) -> Tensor:
    """Which examples of `test` (N,) bool have the same bits as one of `train`."""
    keys = set(train.keys)
    return torch.tensor([key in keys for key in test.keys])


def alike(train: MeasuredSet, test: MeasuredSet) -> Tensor:
    """Which examples of `test` (N,) bool have the same bits as one of `train`, where that may be
    chance and these are, of short ones, at least a share of `SOME`, less where `train` is a sample;
    else none."""
    found = equal(train, test)
    least = SOME * len(test) * len(train) / train.source.count if train.is_short else 0
    return found & (not train.tells and int(found.sum()) >= least)


def shared(train: MeasuredSet, test: MeasuredSet) -> Tensor:
    """Which examples of `test` (N,) bool are known to be in the source of `train`: those of which
    the inputs are the same bits as of one in `train`, if these tell much, so that this is no
    chance, and those that both take from one dataset by its number."""
    found = equal(train, test) & train.tells
    with train.undisturbed(), test.undisturbed():
        studied, tested = train.source.parts(), test.source.parts()
        known = np.zeros(test.source.count, dtype=bool)
        for mine in tested:
            for others in studied:
                if is_same(others.dataset, mine.dataset):
                    known[mine.positions[np.isin(mine.numbers, others.numbers)]] = True
    return found | torch.from_numpy(known)[test.positions]


def _entropy(column: Tensor) -> float:
    """The entropy of the numbers (N,) at one place; `REAL` where nearly all are different, as those
    of a measurement that is not rounded."""
    _, counts = torch.unique(column, return_counts=True)
    if len(counts) >= DIFFERENT * len(column) >= DIFFERENT * ENOUGH:
        return REAL
    shares = counts.double() / len(column)
    return -float((shares * shares.log2()).sum())


def _real(numbers: Tensor) -> Tensor:
    """Numbers (N, P) of a kind that `torch.unique` knows: complex ones as two each."""
    if numbers.is_complex():
        numbers = torch.view_as_real(numbers.resolve_conj()).flatten(1)
    if numbers.is_floating_point():
        return numbers.double()
    unsigned = numbers.dtype in (torch.uint16, torch.uint32, torch.uint64)
    return numbers.long() if unsigned else numbers


def relabeled(train: MeasuredSet, test: MeasuredSet, which: Tensor) -> int:
    """Of how many examples of `test` at `which` (N,) bool, that are in `train`, too, the labels are
    others there, as `other_answers` has it; of those that are no bits of measured training
    examples, as where these are augmented, that is not known, and half of them count."""
    known: dict[bytes, Counter[int]] = {}
    for key, label in zip(train.keys, train.labels.tolist(), strict=True):
        known.setdefault(key, Counter())[label] += 1
    pairs = zip(test.keys, test.labels.tolist(), which.tolist(), strict=True)
    shared = [(known.get(key), label) for key, label, is_shared in pairs if is_shared]
    unknown = sum(labels is None for labels, _ in shared)
    others = sum(
        other_answers(labels[label], labels.total() - labels[label])
        for labels, label in shared
        if labels is not None
    )
    return unknown // 2 + math.ceil(others)


def named_groups(
    labels: Tensor, classes: Sequence[str], columns: Mapping[str, Any]
) -> tuple[Tensor, tuple[str, ...]]:
    """Each example's group, its class × its values of the columns: positions (N,) int64, and the
    names of the groups that there are, such as "cat,place=indoors". `ValueError` if two of them
    would have one name."""
    words = [[classes[label] for label in labels.tolist()]]
    for name, values in columns.items():
        plain_values = values.tolist() if isinstance(values, (Tensor, np.ndarray)) else values
        only_apart(f"groups: {name}", map(str, plain_values))
        words.append([f"{name}={value}" for value in plain_values])
    only_apart("groups", (",".join(parts) for parts in zip(*words, strict=True)))
    told = [in_tag(",".join(parts)) for parts in zip(*words, strict=True)]
    names = tuple(sorted(set(told)))
    places = {name: i for i, name in enumerate(names)}
    return torch.tensor([places[name] for name in told]), names


def class_names(given: Sequence[str], count: int, known: Sequence[str]) -> tuple[str, ...]:
    """The names of `count` classes: those given (`ValueError` unless there are so many, all
    different), those that the dataset knows, or numbers."""
    if given:
        names = tuple(plain(str(name)).replace("/", "_") for name in given)
        if len(names) != count or len(set(names)) != count or not all(names):
            raise ValueError(
                f"classes names {len(set(names))} different classes, and the model has {count}"
            )
        return names
    names = tuple(plain(name).replace("/", "_") for name in known)
    if len(names) == count and len(set(names)) == count and all(names):
        return names
    return tuple(map(str, range(count)))


def _are_broken(inputs: Tree) -> Tensor:
    """Which rows (N,) bool have numbers that are not finite."""
    return torch.stack([_not_finite(leaf.detach().cpu()) for leaf in leaves(inputs)]).any(dim=0)


def _not_finite(numbers: Tensor) -> Tensor:
    """The same of one tensor (N, …)."""
    flat = numbers.reshape(len(numbers), -1)
    if not flat.is_floating_point() and not flat.is_complex():
        return torch.zeros(len(flat), dtype=torch.bool)
    if bool(flat.sum().isfinite()):  # a quarter of the time; a sum of finite ones may overflow
        return torch.zeros(len(flat), dtype=torch.bool)
    return ~flat.isfinite().all(dim=1)


def _are_unscaled(pictures: Tensor) -> bool:
    """Whether they are floats that are whole numbers from 0 to 255, which most loops scale before a
    network sees them."""
    if not pictures.is_floating_point() or not bool(((pictures >= 0) & (pictures <= 255)).all()):
        return False
    return bool((pictures == pictures.round()).all()) and bool((pictures > 1).any())


def _shrunk(inputs: Tree) -> Tensor | None:
    """Inputs (N, 1 or 3, H, W) or (N, H, W) as small float pictures (N, 1 or 3, S, S); None where
    they are no pictures."""
    found = leaves(inputs)
    if len(found) != 1 or found[0].is_complex():
        return None
    pictures = found[0].detach().cpu().float()
    if pictures.ndim == 3:
        pictures = pictures[:, None]
    if pictures.ndim != 4:
        return None
    if pictures.shape[1] not in (1, 3) and pictures.shape[3] in (1, 3):  # channels last
        pictures = pictures.permute(0, 3, 1, 2)
    if pictures.shape[1] not in (1, 3) or min(pictures.shape[2:]) < 4:
        return None
    side = min(THUMBNAIL, max(pictures.shape[2:]))
    if pictures.shape[2:] != (side, side):
        pictures = interpolate(pictures, size=(side, side), mode="area")
    return pictures


def _are_records(inputs: Tree) -> bool:
    """Whether inputs (N, H, W) or (N, 1, H, W) are so narrow that they are records of signals."""
    *before, high, wide = leaves(inputs)[0].shape[1:]
    low, long = sorted((high, wide))
    return before in ([], [1]) and low < LOW and long > 2 * low


def _visible(parts: Sequence[Tensor]) -> Tensor:
    """Float pictures (N, 1 or 3, S, S), in several parts, as uint8 (N, 3, S, S): the darkest value
    of each channel 0, the brightest 255, whatever they were normalized to. Numbers that are not
    finite count as 0, and parts of other sizes get that of the largest."""
    kept = [part.nan_to_num(0.0, 0.0, 0.0) for part in parts]
    if len({part.shape[1:] for part in kept}) > 1:
        side = max(part.shape[-1] for part in kept)
        kept = [interpolate(part.expand(-1, 3, -1, -1), (side, side), mode="area") for part in kept]
    ends = [torch.stack([part.amin(dim=(0, 2, 3)), part.amax(dim=(0, 2, 3))]) for part in kept]
    low = torch.stack(ends)[:, 0].amin(dim=0)[:, None, None]
    high = torch.stack(ends)[:, 1].amax(dim=0)[:, None, None]
    width = (high - low).clamp(min=1e-12)
    seen = torch.empty(sum(map(len, kept)), 3, *kept[0].shape[2:], dtype=torch.uint8)
    start = 0
    for part in kept:
        seen[start : start + len(part)] = part.sub_(low).div_(width).mul_(255).round_()
        start += len(part)
    return seen
