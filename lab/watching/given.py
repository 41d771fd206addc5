"""What a watcher was given: the two sets of examples, as they are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lab.core.text import plain
from lab.core.words import percent, those
from lab.watching.doubts import (
    copies_told,
    differences_told,
    opposite_sets,
    overlap_told,
    redrawn_told,
    repeated_told,
    shape_told,
    unscaled_told,
)
from lab.watching.labels import as_labels
from lab.watching.set_scales import compared, filled_told, scale_told
from lab.watching.sets import (
    MeasuredSet,
    alike,
    class_names,
    named_groups,
    relabeled,
    shared,
)
from lab.watching.sources import Source
from lab.worlds.association import first_ones
from lab.worlds.clusters import Clusters, clusters_of, clusters_told
from lab.worlds.file_names import file_marks
from lab.worlds.shares import judged_examples, shares_told
from lab.worlds.stated_clusters import by_values

MOST_GROUPS = 200
"""Groups that are measured at most: more of them have too few examples each."""

UNEVEN = 1.5
"""Times that a class may be as frequent in the test set as a guess expects, without a word."""


@dataclass(frozen=True, kw_only=True)
class GivenSets:
    """The training and the test set of a loop, as they are measured.

    `whole` is the training set as the loop goes through it, of which `train` may be another form
    (`clean`). `truth` (N,) int64 are the labels of its examples without label noise. `told` are the
    names of the classes that were given, `known` those that the datasets have. `shared`: how many
    test examples are training examples, too; `alike`: how many are the same as some, maybe by
    chance; `shared_otherwise`: how many of either have other labels in training. `other_scale`,
    `other_shape`: the inputs of the test set have another one; `filled`: one number of them is most
    often the same in one of the sets alone; `opposite` is the correlation of the mean pictures, as
    `lab.worlds.mean_pictures` has it. `redrawn`: which parts of a training example, "inputs" or
    "labels", are others each time that it is read; `test_redrawn`: of a test example. `clusters`:
    which examples may belong together, by their files, or where it is stated, are in both sets;
    `numbers` are the stated clusters (N,) int64 of the two that are measured. `copies` are those of
    the training and of the test set, as `MeasuredSet.copies` has them. `doubts` are sentences.
    """

    whole: Source
    train: MeasuredSet
    test: MeasuredSet
    truth: Tensor
    told: tuple[str, ...]
    known: tuple[str, ...]
    shared: int
    shared_otherwise: int
    alike: int
    other_scale: bool
    filled: bool
    other_shape: bool
    opposite: float | None
    redrawn: frozenset[str]
    test_redrawn: frozenset[str]
    clusters: Clusters | None
    numbers: tuple[Tensor, Tensor] | None
    copies: tuple[Tensor | None, Tensor | None]
    doubts: tuple[str, ...]

    def clusters_of(self, what: str) -> Tensor | None:
        """The stated clusters (N,) int64 of the examples of "train" or "test" that are measured."""
        return None if self.numbers is None else self.numbers[0 if what == "train" else 1]

    @property
    def numbers_of_clusters(self) -> tuple[int, int] | None:
        """Of how many clusters the examples of both sets are that are measured; None: it is not
        stated."""
        if self.numbers is None:
            return None
        mine, theirs = (len(set(each.tolist())) for each in self.numbers)
        return mine, theirs

    @property
    def largest_label(self) -> int:
        """The largest label of all, the true ones included."""
        return int(torch.cat([self.train.labels, self.test.labels, self.truth]).max())

    @property
    def frequent(self) -> float:
        """The share of the most frequent class among the test examples."""
        return _largest_share(self.test.labels)

    @property
    def frequent_train(self) -> float:
        """The share of the most frequent label among the training examples that are measured."""
        return _largest_share(self.train.labels)

    def named(self, count: int, *, single: bool = False) -> tuple[tuple[str, ...], list[str]]:
        """The names of the `count` classes that the network tells apart, by a `single` output if
        so, and what is doubtful about the classes. `ValueError` if there are larger labels, or
        other names than classes."""
        if self.largest_label >= count:
            one_output = (
                ". Its one output was taken for the log odds of class 1. Where it is a number such"
                " as a count, forward= makes logits of it: forward=lambda model, x:"
                f" -(model(x).reshape(-1, 1) - torch.arange({self.largest_label + 1}.0)) ** 2"
            ) * single
            raise ValueError(
                f"there is a label {self.largest_label}, and the model tells {count} classes apart"
                f" (labels count from 0){one_output}"
            )
        names, known, doubts = class_names(self.told, count, self.known), self.known, []
        if not self.told and (fewer := self._fewer_than(count)):
            doubts.append(
                f"the model returns {count:,} numbers for each example, and {fewer}: all of them"
                " count as classes. If they are features or an"
                " embedding, give forward= with the head, as in lambda model, x: head(model(x)); if"
                " it is a head for more classes, nothing is wrong"
            )
        if known and set(known) == set(names) and known != names:
            doubts.append(
                f"classes= has the names of the dataset's own classes, {listed(known)}, in another"
                " order: numbers of classes are named in the order that is given"
            )
        met = len(torch.unique(self.test.labels))  # a head may tell more classes apart
        if met > 1 and self.frequent > UNEVEN / min(count, met):
            doubts.append(
                f"the classes are not equally frequent: always giving the same answer gets"
                f" {percent(self.frequent)} of the test examples right"
            )
        studied = self.train.labels
        chosen, called = judged_examples(studied, self.truth)
        own, fresh = map(_first_ones, self.copies, (self.train, self.test))
        numbers, others, judged, mine, theirs = (
            torch.bincount(labels, minlength=count).tolist()
            for labels in (
                studied, self.test.labels, studied[chosen], studied[chosen & own],
                self.test.labels[fresh],
            )
        )  # fmt: skip
        said = shares_told(
            names, numbers, others, noun="examples", sets=("train", "test"), judged=judged,
            called=called, different=(mine, theirs), is_sample=self.train.is_sample,
        )  # fmt: skip
        return names, doubts + [each.removesuffix(".") for each in said]

    def _fewer_than(self, count: int) -> str:
        """In words, that there are fewer classes than `count`, where that is known: by the dataset,
        or by the labels (those of a sample may lack some classes, but hardly every second one)."""
        if self.known:
            few = len(self.known)
            return f"the dataset has {few:,} classes" if count > few else ""
        few = max(2, self.largest_label + 1)
        is_sample = self.train.is_sample or self.test.is_sample
        if count < 2 * few if is_sample else count <= few:
            return ""
        return f"the labels are from 0 to {self.largest_label:,}"

    def grouped(
        self, groups: Mapping[str, Sequence[Any]], classes: Sequence[str]
    ) -> tuple[Tensor, tuple[str, ...]] | None:
        """Each test example's group, class × values of columns, as `named_groups`; None without
        columns. `ValueError` if a column makes no groups, or there are too many."""
        if not groups:
            return None
        columns = {name: self.test.column(each, name) for name, each in groups.items()}
        for name, each in groups.items():
            if len(set(map(str, _plain_values(each)))) == 1:
                raise ValueError(
                    f"groups: {name} has one value for all {len(each):,} test examples, so that"
                    " it makes no groups: give a column with two values or more"
                )
        found = named_groups(self.test.labels, classes, columns)
        if len(found[1]) > MOST_GROUPS:
            raise ValueError(
                f"groups make {len(found[1]):,} groups of class and"
                f" {', '.join(groups)}, and {MOST_GROUPS} are the most: use coarser values"
            )
        return found


def read_sets(
    given_train: Any,
    given_test: Any,
    *,
    clean: Any,
    clean_labels: Any,
    classes: Sequence[str],
    most: int | None,
    as_they_are: bool,
    clusters: tuple[Any, Any] | None = None,
) -> GivenSets:
    """Read what `lab.watch` was given, under the same names; `as_they_are`: the network gets the
    inputs as they are in the sets. `ValueError` if it cannot be measured."""
    train, test = (
        Source(given, what, classes)
        for given, what in ((given_train, "train"), (given_test, "test"))
    )
    if train.classes and test.classes and train.classes != test.classes and not classes:
        raise ValueError(
            f"train has the classes {listed(train.classes)}, and test {listed(test.classes)}:"
            " the same label would stand for different ones. Give both the same classes"
        )
    known, whole = train.classes or test.classes, train
    if clean is not None:
        train = _cleaned(whole, clean, classes)
    doubts: list[str] = []
    redrawn: dict[str, frozenset[str]] = {}
    with ExitStack() as stack:
        for source in (train, test):
            stack.enter_context(source.undisturbed())
        for source in (train, test):
            source.refuse_reordered()
            if parts := source.random_parts():
                redrawn[source.what] = frozenset(parts)
                doubts.append(redrawn_told(source.what, parts))
        doubts += dict.fromkeys((*train.doubts, *test.doubts))
        studied = MeasuredSet(train, most=most, seed=0)
        tested = MeasuredSet(test, most=most, seed=0)
        opposite = opposite_sets(studied, tested)
        tensors = compared(studied, tested)
        doubts += (other_scale := scale_told(tensors))
        doubts += (filled := filled_told(tensors))
        doubts += (other_shape := shape_told(studied, tested))
        doubts += differences_told(studied, tested, opposite)
    for chosen in (studied, tested):
        if known and not classes and chosen.renumbers(known):
            doubts.append(
                f"{chosen.source.what} gives other labels than its dataset has in targets, so that"
                f" {listed(known)} are not their names; classes= names them"
            )
            known = ()
    which = shared(studied, tested)
    in_both = int(which.sum())
    if not in_both:
        which = alike(studied, tested)
    same = int(which.sum())
    otherwise = relabeled(studied, tested, which)
    doubts += overlap_told(
        studied, tested, shared=in_both, alike=same - in_both, relabeled=otherwise
    )
    numbers, found = None, None
    if clusters is None:
        found = _clusters(whole, tested)
    else:
        numbers, found, doubt = _stated(studied, tested, clusters)
        doubts += doubt
    doubts += [
        each.removesuffix(".") for each in clusters_told(found, "examples", ("train", "test"))
    ]
    if as_they_are:
        doubts += unscaled_told(studied, tested)
    with train.undisturbed():
        different = train.different()
    doubts += (repeated := repeated_told(train.count, different))
    truth = studied.labels
    if clean_labels is not None:
        column = studied.column(clean_labels, "clean_labels")
        truth = as_labels(column, "clean_labels", classes or known)
    copies = studied.copies(truth), tested.copies(tested.labels)
    doubts += [
        copies_told(chosen, numbers)
        for chosen, numbers in zip((studied, tested), copies, strict=True)
        if numbers is not None and not (chosen is studied and repeated)
    ]
    return GivenSets(
        whole=whole, train=studied, test=tested, truth=truth, told=tuple(classes), known=known,
        shared=in_both, alike=same - in_both, shared_otherwise=otherwise,
        other_scale=bool(other_scale), filled=bool(filled),
        other_shape=bool(other_shape), opposite=opposite,
        clusters=found, numbers=numbers, copies=copies,
        redrawn=redrawn.get(train.what, frozenset()),
        test_redrawn=redrawn.get(test.what, frozenset()), doubts=tuple(doubts),
    )  # fmt: skip


def _first_ones(copies: Tensor | None, chosen: MeasuredSet) -> Tensor:
    """Which examples (N,) bool of a set are no copies of earlier ones."""
    return first_ones(range(len(chosen)) if copies is None else copies.tolist())


def _clusters(whole: Source, tested: MeasuredSet) -> Clusters | None:
    """The clusters that the examples of a loop and those of the test set that are measured may be
    in, where they are files in folders of their classes."""
    with whole.undisturbed(), tested.undisturbed():
        train, test = whole.files(), tested.source.files()
    measured = set(tested.positions.tolist())
    sets = [
        {(kind, place): path for place, path in each.items()}
        for kind, each in enumerate((train, test))
    ]
    items = [[(item, path.parts[0]) for item, path in each.items()] for each in sets]
    test_items = [each for each in items[1] if each[0][1] in measured]
    return clusters_of(file_marks(*sets), items[0], test_items, items)


def _stated(
    studied: MeasuredSet, tested: MeasuredSet, clusters: tuple[Any, Any]
) -> tuple[tuple[Tensor, Tensor], Clusters | None, list[str]]:
    """The clusters of the examples that are measured, of both sets, those in both, and what is
    doubtful, by a value for each training and each test example; `ValueError` if they are none."""
    if not isinstance(clusters, (tuple, list)) or len(clusters) != 2:
        raise ValueError(
            "clusters must be a pair: a value for each example of train, and one for each of test"
        )
    values: dict[tuple[str, int], str] = {}
    labeled: list[list[tuple[tuple[str, int], int]]] = []
    for column, chosen in zip(clusters, (studied, tested), strict=True):
        what = chosen.source.what
        chosen.column(column, f"clusters, of {what},")  # refuses what is no column
        for place, value in enumerate(_plain_values(column)):
            values[what, place] = str(value)
        positions = chosen.positions.tolist()
        labels = chosen.labels.tolist()
        labeled.append([((what, k), label) for k, label in zip(positions, labels, strict=True)])
    stated = by_values(values)
    shared = stated.between(labeled[0], labeled[1])
    if studied.is_sample:  # of others the labels are not known
        every = [(("train", place), None) for place in range(studied.source.count)]
        found = stated.between(every, labeled[1])
        shared = None if found is None else replace(found, others=0.5)
    mine, theirs = (stated.numbers([item for item, _ in each]) for each in labeled)
    alone = len(values) - len(stated.marks.of)
    doubt = [
        f"clusters has no value for {those(alone, 'example', 'examples')}: each counts as one that"
        " belongs with no other"
    ]
    doubts = [*doubt * bool(alone), *[stated.spelled_told] * bool(stated.spelled_told)]
    return (mine, theirs), shared, doubts


def _cleaned(whole: Source, clean: Any, classes: Sequence[str]) -> Source:
    """The training set as it is measured: with another transform, or from another dataset."""
    if isinstance(clean, nn.Module) or not (
        isinstance(clean, DataLoader) or hasattr(clean, "__getitem__")
    ):
        return whole.with_transform(clean)
    train = Source(clean, "clean", classes)
    with whole.undisturbed(), train.undisturbed():
        train.refuse_others(whole)
    train.doubts, train.batch = [*whole.doubts, *train.doubts], whole.batch
    train.weights = whole.weights
    return train


def listed(names: Sequence[str]) -> str:
    """The first names, in words."""
    return plain(", ".join(map(str, names[:5])) + (", …" if len(names) > 5 else ""))


def _plain_values(column: Any) -> Any:
    return column.tolist() if hasattr(column, "tolist") else column


def _largest_share(labels: Tensor) -> float:
    """The share of the most frequent of the labels (N,) int64."""
    return float(torch.bincount(labels).max()) / len(labels)
