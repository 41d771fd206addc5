"""The user's examples as they come: tensors, arrays, a map-style dataset, a loader."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    default_collate,
)

from lab.core.text import one_line, plain
from lab.watching.generators import as_plain, generators_of, restore, state_of
from lab.watching.in_place import changed_in_place
from lab.watching.labels import as_labels, is_texts
from lab.watching.lazy import as_before
from lab.watching.loaders import chances, drawn_in_part, sampled
from lab.watching.origins import LABELS, Part, is_same, parts_of, same_numbers
from lab.watching.trees import Tree, as_tree, form, leaves, like, row_digests, rows
from lab.worlds.datasets import known_classes

FORMS = "a map-style dataset, a DataLoader, or (inputs, labels) as tensors or arrays"


class Source:
    """Numbered examples: `read(positions)` gives inputs, a row for each, and labels (N,).

    `given` is what the user gave, `what` the name of that argument, `names` those of the classes,
    where the user gives them: labels may be these names. `doubts` are sentences on what was found
    odd about it, `batch` how many a loader puts into a batch (None: not known), `weights` how
    likely each is drawn (N,), where a sampler draws with replacement. `ValueError` says in one line
    what is wrong with it.
    """

    def __init__(self, given: Any, what: str, names: Sequence[str] = ()) -> None:
        self.what, self._names = what, tuple(map(str, names))
        self._collate: Callable[[list[Any]], Any] = default_collate
        self._tensors: tuple[Tree, Tree] | None = None
        self._copies: bool | None = None
        self.doubts: list[str] = []
        self.batch: int | None = None
        self.weights: Tensor | None = None
        if isinstance(given, DataLoader):
            if given.batch_size is None and given.batch_sampler is None:
                raise ValueError(
                    f"{what} is a loader of what are batches already (batch_size=None): give a"
                    " dataset of single examples"
                )
            self._collate = given.collate_fn
            self.batch = given.batch_size or getattr(given.batch_sampler, "batch_size", None)
            self.weights = chances(given)
            part = drawn_in_part(given)
            given = sampled(given, what)
            if part and what == "train":
                self.doubts.append(
                    f"{what} is a loader that draws {part[0]:,} of {part[1]:,} examples in each"
                    " epoch, and all of them count as studied: give what the loop went through if"
                    " that is less"
                )
        self.dataset = given
        if isinstance(given, IterableDataset):
            raise ValueError(
                f"{what} is an iterable dataset, whose examples have no numbers: give {FORMS}"
            )
        if isinstance(given, (list, tuple)) and len(given) == 2 and not all(map(_is_item, given)):
            labels = given[1]
            if is_texts(labels) or isinstance(labels, (list, tuple)):
                labels = self._labels(labels)
            self._tensors = as_tree(given[0], what), as_tree(labels, what)
            counts = {len(leaf) for each in self._tensors for leaf in leaves(each)}
            listed = isinstance(given[0], (list, tuple)) and counts != {len(given[0])}
            if listed and len(given[0]) == len(leaves(self._tensors[1])[0]):
                raise ValueError(
                    f"{what}: its inputs are a list of {len(given[0]):,}, which are taken for the"
                    f" parts of one input: give torch.stack({what}[0]) in place of the list, or one"
                    " list of (input, label)"
                )
            if len(counts) != 1:
                raise ValueError(f"{what}: {' and '.join(map(str, sorted(counts)))} examples")
        elif isinstance(given, Mapping) and 0 not in given:
            names = [repr(name) for name in given][:5]
            pair = ", ".join(f"{what}[{name}]" for name in names[:2])
            raise ValueError(
                f"{what} is a dictionary of {plain(', '.join(names))}: give {FORMS}, such as"
                f" ({pair}) if these are they"
            )
        elif isinstance(given, type) or not (
            hasattr(given, "__len__") and hasattr(given, "__getitem__")
        ):
            inner = "; give its dataset" if hasattr(given, "dataset") else ""
            raise ValueError(f"{what} must be {FORMS}, not {type(given).__name__}{inner}")
        self.count = len(leaves(self._tensors[1])[0]) if self._tensors else len(given)
        if self.count < 2:
            raise ValueError(f"{what} has {self.count} examples: 2 or more are needed")
        known = known_classes(self.dataset)
        if len(known) > 1 and () not in known and not self._names:
            one, other = (plain(", ".join(each[:5])) for each in known[:2])
            self.doubts.append(
                f"{what} puts datasets together that name their classes {one} and {other}: if a"
                " label does not stand for the same in both, give them the same classes; classes="
                " names them"
            )

    @property
    def name(self) -> str:
        """What it is called: the kind of dataset."""
        if self._tensors:
            return "tensors"
        inner = self.dataset
        while hasattr(inner, "dataset"):  # a subset of another
            inner = inner.dataset
        return type(inner).__name__

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, where the dataset knows them (of several that are put
        together: all of them the same); else ()."""
        known = known_classes(self.dataset)
        return known[0] if len(known) == 1 else ()

    @property
    def is_tensors(self) -> bool:
        """Whether it was given as tensors or arrays."""
        return self._tensors is not None

    @property
    def length(self) -> int:
        """How many examples there are by now."""
        return self.count if self._tensors else len(self.dataset)

    def labels(self, positions: Tensor) -> Tensor:
        """The labels (N,) at `positions` (N,) by now."""
        if self._tensors:
            return self._labels(rows(self._tensors[1], positions))
        return self.read(positions)[1]

    def different(self) -> int:
        """How many different examples of the datasets that they are taken from there are, as far as
        these are known."""
        numbers: dict[int, set[int]] = {}
        for part in self.parts():
            numbers.setdefault(id(part.dataset), set()).update(part.numbers.tolist())
        return sum(map(len, numbers.values())) or self.count

    def never_drawn(self, draws: int) -> float:
        """How many of the examples a sampler that draws with replacement has most likely not drawn
        in so many `draws`; 0 for others."""
        if self.weights is None:
            return 0.0
        return float(torch.exp(draws * torch.log1p(-self.weights.clamp(max=1 - 1e-12))).sum())

    def with_transform(self, transform: Callable[[Any], Any]) -> Source:
        """The same examples, with `transform` in place of the dataset's own."""
        if not callable(transform):
            raise ValueError(f"clean must be a dataset or a transform, not {transform!r:.60}")
        return Source.__new__(Source)._like(self, _retransformed(self.dataset, transform))

    def read(self, positions: Tensor) -> tuple[Tree, Tensor]:
        """The inputs and labels at `positions` (N,)."""
        if self._tensors:
            inputs, labels = (rows(each, positions) for each in self._tensors)
            return inputs, self._labels(labels, beside=inputs)
        items = self._items(positions.tolist())
        try:
            batch = self._collate(items)
        except (TypeError, RuntimeError) as error:
            raise ValueError(
                f"{self.what}: its items cannot be put into a batch ({one_line(error)}): each must"
                " be (input, label), the input a tensor or array of the same shape"
            ) from None
        given, labels = self._split(batch)
        inputs = as_tree(given, self.what)
        labels = self._labels(labels, beside=inputs)
        for each in (labels, *leaves(inputs)):
            if not each.ndim or len(each) != len(items):
                made = f"{len(each):,} rows" if each.ndim else "a number"
                what = "Leave examples out in a torch.utils.data.Subset"
                if any(_are_offsets(part, len(items)) for part in leaves(inputs)):
                    what = (
                        "Inputs that are concatenated, with the offset of each (EmbeddingBag),"
                        " cannot be measured: pad them to one length instead, and take the padding"
                        " away in forward="
                    )
                raise ValueError(
                    f"{self.what}: its collate function makes {made} of {len(items):,} examples:"
                    f" one for each is needed. {what}"
                )
        return inputs, labels

    def _items(self, positions: Sequence[int]) -> list[Any]:
        """The examples at positions, each in memory of its own: where the dataset gives all of them
        in the same memory, each is copied before the next one is fetched."""
        if self._copies is None and len(positions) > 1:
            one = self.dataset[positions[0]]
            before = _copied(one)
            places = zip(_places(one), _places(self.dataset[positions[-1]]), strict=False)
            self._copies = any(a == b for a, b in places) and not same_numbers(before, one)
            if self._copies:
                self.doubts.append(
                    f"{self.what} gives all examples in the same memory, so that a batch of several"
                    " has the last one in each row: copy it in __getitem__ if your loop makes such"
                    " batches. They are measured as they are one at a time"
                )
        if self._copies:
            return [_copied(self.dataset[i]) for i in positions]
        return [self.dataset[i] for i in positions]

    def parts(self) -> list[Part]:
        """The datasets that its examples are taken from, where it is a subset, a wrapper or a
        concatenation of others (of others); none for tensors."""
        if self._tensors:
            return []
        every = np.arange(self.count)
        return list(parts_of(self.dataset, every, every))

    def files(self) -> dict[int, PurePath]:
        """The files of examples by their positions, as paths from the folders of the classes on,
        where they are taken from a dataset as torchvision's `ImageFolder`."""
        found = {}
        for part in self.parts():
            samples, root = getattr(part.dataset, "samples", None), getattr(part.dataset, "root", 0)
            if not (isinstance(samples, list) and isinstance(root, (str, PurePath))):
                continue
            with suppress(Exception):  # of other datasets with attributes of these names
                for position, number in zip(part.positions, part.numbers, strict=True):
                    path = PurePath(samples[number][0])
                    found[int(position)] = path.relative_to(root)
        return found

    def random_parts(self, count: int = 16, *, more: int = 256) -> list[str]:
        """What of "inputs" and "labels" is something else when some examples of the whole set are
        read again: random augmentation. Where nothing is, though random numbers were drawn, `more`
        are tried, which finds what changes one in 50 with a probability of 0.99; `doubts` says if
        none has changed. `ValueError` if it is the stored examples that change."""
        if self._tensors:
            return []
        before = self._random_states()
        if found := self._changes(count):
            return found
        if before == self._random_states():
            return []
        if found := self._changes(more):
            return found
        tried = min(more, self.count)
        self.doubts.append(
            f"{self.what} draws random numbers when it is read, and {tried:,} of its examples were"
            " the same twice: if it changes few of them (random augmentation), one draw of each is"
            " measured"
        )
        return []

    def _changes(self, count: int) -> list[str]:
        """What of `count` examples is something else when they are read again."""
        positions = torch.linspace(0, self.count - 1, min(count, self.count)).long()
        (one, label), (again, relabel) = (self.read(positions) for _ in range(2))
        moved = {
            "inputs": row_digests(one) != row_digests(again),
            "labels": not torch.equal(label, relabel),
        }
        if moved["inputs"]:
            self._refuse_in_place()
        return [name for name, other in moved.items() if other]

    def _refuse_in_place(self) -> None:
        """Raise `ValueError` if reading an example changes what its dataset stores."""
        changed = changed_in_place(
            self.parts(), lambda position: self.read(torch.tensor([position]))
        )
        if changed:
            raise ValueError(
                f"{self.what}: its dataset changes what it stores in {changed!r} when an example is"
                " read, so that it gives another one each time (with workers of a loader, their"
                f" copies of it change): let it work on a copy, such as self.{changed}[i].clone()"
            )

    def _random_states(self) -> list[Any]:
        """The states of all random generators that it may draw from, as comparable values."""
        own = [state_of(each) for each in generators_of(self.dataset)]
        shared = random.getstate(), np.random.get_state(), torch.get_rng_state()
        return [repr(as_plain(each)) for each in (*own, *shared)]

    def refuse_reordered(self, count: int = 32) -> None:
        """Raise `ValueError` if a loader's collate function puts examples into another order: then
        what is given beside them, and the answer for one alone, would be those of others."""
        if self._tensors or self._collate is default_collate:
            return
        positions = torch.linspace(0, self.count - 1, min(count, self.count)).long()
        inputs, labels = self.read(positions)
        try:
            alone = [self.read(position) for position in positions[:, None]]
        except Exception:  # of a collate function that takes no single example
            return
        here, there = row_digests(inputs), [row_digests(each)[0] for each, _ in alone]
        moved = here != there and sorted(here) == sorted(there)
        if moved or not torch.equal(torch.cat([each for _, each in alone]), labels):
            raise ValueError(
                f"{self.what}: its collate function puts the examples of a batch into another"
                " order (by length?), so that it is not known which is which: keep their order"
            )

    def pads(self, count: int = 32) -> bool:
        """Whether a loader's collate function gives examples another shape in a batch than alone:
        it pads them to the longest one, say."""
        if self._tensors or self._collate is default_collate:
            return False
        positions = torch.linspace(0, self.count - 1, min(count, self.count)).long()
        whole = form(self.read(positions)[0])
        try:
            return any(form(self.read(each)[0]) != whole for each in positions[:, None])
        except Exception:  # of a collate function that takes no single example
            return False

    def refuse_others(self, whole: Source, count: int = 32) -> None:
        """Raise `ValueError` if these are not the examples of `whole` in the same order with the
        same labels: as many, which some labels and, where both take them from one dataset, their
        numbers in it tell. Labels that chance draws anew, and soft ones, tell nothing."""
        same = "they must be the same ones in the same order, with the same labels"
        if self.count != whole.count:
            raise ValueError(
                f"{self.what} has {self.count:,} examples, {whole.what} {whole.count:,}: {same}"
            )
        positions = torch.linspace(0, self.count - 1, min(count, self.count)).long()
        differ = torch.zeros(len(positions), dtype=torch.bool)
        with suppress(Exception):  # of labels that `whole` alone has, and that nobody needs
            one, again = (whole.read(positions)[1] for _ in range(2))
            differ = (one == again) & (one != self.read(positions)[1])
        if bool(differ.any()):
            raise ValueError(
                f"{self.what} has other labels than {whole.what}, such as that of example"
                f" {int(positions[differ][0]):,} (counted from 0): {same}"
            )
        for mine, others in zip(self.parts(), whole.parts(), strict=False):
            if is_same(mine.dataset, others.dataset) and not (
                np.array_equal(mine.positions, others.positions)
                and np.array_equal(mine.numbers, others.numbers)
            ):
                raise ValueError(
                    f"{self.what} takes other examples of its dataset than {whole.what}, or in"
                    f" another order: {same}"
                )

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Random generators that the dataset keeps for itself go on afterwards as if nothing had
        been read inside, and files that it has opened are not open."""
        found = list(generators_of(self.dataset)) if not self._tensors else []
        states = [state_of(each) for each in found]
        try:
            with as_before(self.dataset if not self._tensors else ()):
                yield
        finally:
            for each, state in zip(found, states, strict=True):
                restore(each, state)

    def _like(self, other: Source, dataset: Any) -> Source:
        self.what, self.count, self.dataset = other.what, other.count, dataset
        self._collate, self._tensors, self._names = other._collate, None, other._names
        self._copies, self.doubts, self.batch = None, other.doubts, other.batch
        self.weights = other.weights
        return self

    def _split(self, batch: Any) -> tuple[Any, Any]:
        if isinstance(batch, Mapping):
            for name in LABELS:
                if name in batch:
                    inputs = {k: v for k, v in batch.items() if k != name and not is_texts(v)}
                    return inputs, batch[name]
            raise ValueError(
                f"{self.what}: none of {', '.join(map(str, batch))} is a label: call it 'labels'"
            )
        if isinstance(batch, (list, tuple)) and len(batch) == 2:
            return batch[0], batch[1]
        parts = f"{len(batch)} parts" if isinstance(batch, (list, tuple)) else "no label"
        pairs = ""
        if isinstance(batch, (list, tuple)) and len(batch) > 2:
            pairs = ": give one of pairs, such as [item[:2] for item in dataset]"
        raise ValueError(f"{self.what}: its items have {parts}; each must be (input, label){pairs}")

    def _labels(self, given: Any, beside: Tree | None = None) -> Tensor:
        return as_labels(given, self.what, self._names or self.classes, beside=beside)


def _are_offsets(part: Tensor, count: int) -> bool:
    """Whether a part of the inputs may be where each of `count` examples begins in another part."""
    return (
        part.ndim == 1
        and len(part) == count > 1
        and not part.is_floating_point()
        and int(part[0]) == 0 < int(part[-1])
        and bool((part.diff() >= 0).all())
    )


def _is_item(value: Any) -> bool:
    """Whether a list of two holds examples, not (inputs, labels)."""
    return isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple)


def _retransformed(dataset: Any, transform: Callable[[Any], Any]) -> Any:
    """A shallow copy of a dataset, or of a subset of one, with another transform of its inputs."""
    if hasattr(dataset, "transform"):
        other = copy.copy(dataset)
        other.transform = transform
        both = getattr(other, "transforms", None)
        if hasattr(both, "transform") and hasattr(both, "target_transform"):  # torchvision's pair
            other.transforms = copy.copy(both)
            other.transforms.transform = transform
        return other
    if hasattr(dataset, "dataset"):
        other = copy.copy(dataset)
        other.dataset = _retransformed(dataset.dataset, transform)
        return other
    if isinstance(dataset, ConcatDataset):
        other = copy.copy(dataset)
        other.datasets = [_retransformed(each, transform) for each in dataset.datasets]
        return other
    raise ValueError(
        f"clean is a transform, but {type(dataset).__name__} has no attribute 'transform' that it"
        " could replace: give a dataset without augmentation"
    )


def _copied(item: Any) -> Any:
    """An example as the dataset gives it, in memory of its own."""
    if isinstance(item, Tensor):
        return item.clone()
    if isinstance(item, np.ndarray):
        return item.copy()
    if isinstance(item, Mapping):
        return {name: _copied(each) for name, each in item.items()}
    if isinstance(item, (list, tuple)):
        return like(item, [_copied(each) for each in item])
    return item


def _places(item: Any) -> list[int]:
    """Where in memory the arrays and tensors of an example begin."""
    if isinstance(item, Tensor):
        return [item.data_ptr()] if item.numel() else []
    if isinstance(item, np.ndarray):
        return [item.ctypes.data] if item.size else []
    if isinstance(item, Mapping):
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        return [place for each in item for place in _places(each)]
    return []
