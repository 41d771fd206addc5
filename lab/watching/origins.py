"""Where a dataset takes its examples from: which of another one's, and whether two are the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from lab.models import same_tensor
from lab.worlds.datasets import INNER

LABELS = ("labels", "label", "y", "target", "targets")
"""Where an example that is a dictionary has its label."""

CONTENTS = ("samples", "data", "tensors")
"""Attributes in which datasets keep all their examples: torchvision's folders, its other sets,
TensorDataset."""

CHANGES = ("transform", "transforms", "target_transform")
"""Attributes of a dataset that change its examples and not which ones they are."""

TRIED = 16
"""Examples on which it is tried where a dataset takes them from."""

READ = 4
"""Examples of the inner dataset that a wrapper may read for one of its own (mixup reads two)."""


class Part(NamedTuple):
    """Examples that are taken from one dataset: their positions (N,) in the source, and their
    numbers (N,) in `dataset`."""

    dataset: Any
    positions: np.ndarray
    numbers: np.ndarray


def parts_of(dataset: Any, positions: np.ndarray, numbers: np.ndarray) -> Iterator[Part]:
    """The innermost datasets that the examples `numbers` (N,) of `dataset` are known to come from;
    `positions` (N,) are theirs in the source."""
    if _has_method_of(dataset, ConcatDataset):
        begin = 0
        for each, end in zip(dataset.datasets, dataset.cumulative_sizes, strict=True):
            inside = (numbers >= begin) & (numbers < end)
            if inside.any():
                yield from parts_of(each, positions[inside], numbers[inside] - begin)
            begin = end
        return
    inner, taken = _inside(dataset)
    if inner is None:
        yield Part(dataset, positions, numbers)
    else:
        taken = np.where(taken < 0, taken + len(inner), taken)
        yield from parts_of(inner, positions, taken[numbers])


def is_same(one: Any, other: Any) -> bool:
    """Whether two datasets hold the same examples in the same order, their transforms aside: it is
    known of one and the same, and of two that keep equal files, arrays or tensors, one for each
    example, or that differ in nothing but their transforms, if some of their examples agree."""
    if one is other:
        return one is not None
    if type(one) is not type(other):
        return False
    with suppress(Exception):  # of the user's code, or of contents that cannot be compared
        return len(one) == len(other) and _holds_same(one, other) and _agree(one, other)
    return False


def _has_method_of(dataset: Any, kind: type) -> bool:
    """Whether it takes its examples as `kind` does."""
    return isinstance(dataset, kind) and _method(type(dataset)) is _method(kind)


def _method(kind: type) -> Any:
    return getattr(kind, "__getitem__", None)


def _inside(dataset: Any) -> tuple[Any, np.ndarray]:
    """The dataset that `dataset` (N examples) takes its examples from, and the number of each in
    that one (N,); None and nothing where that is not known."""
    nothing: tuple[Any, np.ndarray] = None, np.arange(0)
    if _has_method_of(dataset, Subset):
        with suppress(TypeError, ValueError):  # of indices that are no numbers
            return dataset.dataset, _whole_numbers(dataset.indices)
        return nothing
    for name in _inner_names(dataset):
        inner: Any = getattr(dataset, name)
        if not _method(type(inner)):
            continue
        with suppress(Exception):  # of the user's code
            usual, others = _candidates(dataset, len(inner))
            if (found := _taken(dataset, name, inner, usual, others)) is not None:
                return inner, found
    return nothing


def _inner_names(dataset: Any) -> list[str]:
    """The attributes in which a dataset may keep the one that it takes its examples from: those of
    `INNER` that it has, or else the only one, whatever its name, that is a dataset of torch."""
    own = getattr(dataset, "__dict__", {})
    others = [name for name, each in own.items() if isinstance(each, Dataset)]
    found = [name for name in INNER if getattr(dataset, name, None) is not None]
    found = found or (others if len(others) == 1 else [])
    return [name for name in found if getattr(dataset, name) is not dataset]


def _candidates(dataset: Any, inside: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What may be the numbers (N,) of a dataset's examples in another one of `inside`: its
    `indices`, and all of that one in their order; and other attributes with a whole number below
    `inside` for each."""
    count, usual, others = len(dataset), [], []
    for name in {**getattr(dataset, "__dict__", {}), "indices": None}:
        values: Any = getattr(dataset, name, None)
        if isinstance(values, (list, tuple, range, np.ndarray, Tensor)) and len(values) == count:
            with suppress(Exception):  # of what holds anything else
                numbers = _whole_numbers(values)
                if name == "indices":
                    usual.append(numbers)
                elif numbers.min(initial=0) >= 0 and numbers.max(initial=0) < inside:
                    others.append(numbers)
    if inside == count:
        usual.append(np.arange(count))
    return usual, others


def _whole_numbers(indices: Any) -> np.ndarray:
    return np.array([int(index) for index in indices], dtype=np.int64)


class _Asked:
    """Stands in for a dataset, and keeps which of its examples are asked for."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.numbers: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)

    def __getitem__(self, index: Any) -> Any:
        self.numbers.append(int(index))
        return self._inner[index]


def _taken(
    dataset: Any, name: str, inner: Any, usual: Sequence[np.ndarray], others: Sequence[np.ndarray]
) -> np.ndarray | None:
    """Which of the candidates (N,), `usual` and `others`, are the numbers of the examples that
    `dataset` reads of `inner`, its attribute `name`: the first that holds for some of them. If it
    reads none (it keeps what it has read, or gets at them otherwise), all of its labels must be
    theirs. In an attribute of another name than `INNER` has, and for `others`, each must be read,
    alone, and be a whole example: none is taken twice, as for windows of one record, and those that
    are arrays keep their shape."""
    seen = copy.copy(dataset)
    asked = _Asked(inner)
    setattr(seen, name, asked)
    tried = _some(len(dataset))
    read: list[list[int]] = []
    for position in tried:
        asked.numbers.clear()
        seen[position]
        read.append([number % len(inner) for number in asked.numbers])
    for numbers in (*usual, *others):
        wanted = [int(numbers[position]) % len(inner) for position in tried]
        if name not in INNER or any(numbers is each for each in others):
            alone = all({w} == {*own} for w, own in zip(wanted, read, strict=True))
            if (
                alone
                and len({*numbers.tolist()}) == len(numbers)
                and _same_shape(
                    [dataset[position] for position in tried], [inner[number] for number in wanted]
                )
            ):
                return numbers
        elif any(read):
            if all(w in own[:READ] for w, own in zip(wanted, read, strict=True)):
                return numbers
        elif all(
            _same_label(dataset[position], inner[number])
            for position, number in zip(tried, wanted, strict=True)
        ):
            return numbers
    return None


def _same_shape(items: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether the inputs of some examples, where both are arrays or tensors, are of the shape of
    those of others."""
    arrays = Tensor, np.ndarray
    pairs = [(_input(item), _input(other)) for item, other in zip(items, others, strict=True)]
    both = [each for each in pairs if all(isinstance(one, arrays) for one in each)]
    return all(tuple(one.shape) == tuple(other.shape) for one, other in both)


def _some(count: int) -> list[int]:
    """Positions of a few of `count` examples."""
    return sorted({int(each) for each in np.linspace(0, count - 1, min(count, TRIED))})


def _holds_same(one: Any, other: Any) -> bool:
    """Whether they keep equal contents, one for each example, or share all that they keep."""
    for name in CONTENTS:
        mine, others = getattr(one, name, None), getattr(other, name, None)
        if _are_examples(mine, len(one)) and _are_examples(others, len(other)):
            return _equal(mine, others)
    mine, others = (
        {name: value for name, value in vars(each).items() if name not in CHANGES}
        for each in (one, other)
    )
    plain = [isinstance(value, (str, int, float, type(None))) for value in mine.values()]
    return (
        mine.keys() == others.keys()
        and not all(plain)
        and all(
            value is others[name] or (is_plain and value == others[name])
            for (name, value), is_plain in zip(mine.items(), plain, strict=True)
        )
    )


def _are_examples(contents: Any, count: int) -> bool:
    """Whether they have one row for each of `count` examples."""
    if isinstance(contents, (str, bytes)) or not hasattr(contents, "__len__"):
        return False
    if isinstance(contents, (list, tuple)) and len(contents) != count:  # TensorDataset's tensors
        arrays = [each for each in contents if isinstance(each, (Tensor, np.ndarray))]
        return bool(arrays) and all(each.ndim and len(each) == count for each in arrays)
    return len(contents) == count


def _agree(one: Any, other: Any) -> bool:
    """Whether a few examples of two datasets have the same labels, and of two without transforms
    one has the same inputs at least (chance may change the others)."""
    pairs = [(one[i], other[i]) for i in _some(len(one))]
    if not all(_same_label(mine, others) for mine, others in pairs):
        return False
    if any(getattr(each, name, None) is not None for each in (one, other) for name in CHANGES):
        return True
    return any(same_numbers(_input(mine), _input(others)) for mine, others in pairs) or not any(
        same_numbers(_input(one[i]), _input(one[i])) for i in _some(len(one))[:2]
    )


def _same_label(one: Any, other: Any) -> bool:
    mine, others = _label(one), _label(other)
    return mine is not None and same_numbers(mine, others)


def _label(item: Any) -> Any:
    """The label of an example as the dataset gives it; None where that is not known."""
    if isinstance(item, Mapping):
        return next((item[name] for name in LABELS if name in item), None)
    return item[1] if isinstance(item, (list, tuple)) and len(item) > 1 else None


def _input(item: Any) -> Any:
    """What is left of an example without its label."""
    if isinstance(item, Mapping):
        return [value for name, value in item.items() if name not in LABELS]
    return item[0]


def same_numbers(one: Any, other: Any) -> bool:
    """Whether two examples, or parts of them, hold the same numbers."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_numbers(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_numbers, one, other))
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return same_tensor(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        if len(one) == len(other) and any(isinstance(each, (Tensor, np.ndarray)) for each in one):
            return all(map(_equal, one, other))
        with suppress(RuntimeError, ValueError):  # of arrays further inside
            return bool(one == other)
        return False
    return isinstance(one, (str, int, float)) and one == other
