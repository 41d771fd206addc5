"""Stored worlds: labeled pictures that exist, in a folder or in arrays, and are not drawn.

They have labels, but no attributes that could be intervened on. The training and the test set are
given, or each class is split by the run's seed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.compared import Counts, counted_by_place
from lab.core.config import DataConfig
from lab.core.words import first_few, of_class
from lab.worlds.association import copy_keys, digests, first_ones
from lab.worlds.clusters import (
    Clusters,
    clusters_of,
    clusters_told,
    clusters_validated_told,
    copies_validated_told,
    without_clusters,
    without_clusters_told,
)
from lab.worlds.division import Labeled, T
from lab.worlds.examples import Examples
from lab.worlds.kept import Kept, Progress, Rows, quiet
from lab.worlds.marks import Marks
from lab.worlds.metadata import Column
from lab.worlds.samples import Samples
from lab.worlds.shares import FIGURES, Follows, judged_examples, shares_told
from lab.worlds.splits import check_split
from lab.worlds.stated_clusters import FLAG as CLUSTERS
from lab.worlds.stated_clusters import StatedClusters
from lab.worlds.stored_settings import FLAG
from lab.worlds.tasks import Subpopulation
from lab.worlds.validate import check_memory
from lab.worlds.world import World, check_training_end

STORED = "pictures"
"""What pictures that are not drawn are called."""

UNEVEN = 1.5
"""Times that the largest class of a set may have as many pictures as the smallest without a word:
figures are compared with a guess among equally frequent classes."""

FEW = 10
"""A class with fewer test pictures is told of: the interval of its accuracy is then wider than 50
points if half of them are right (Wilson's)."""


@dataclass(frozen=True, kw_only=True)
class StoredWorld(World, Generic[T]):
    """Pictures that are at hand: `pool` those for training and validation, `tested` those for the
    test. `root` is the folder or file that they come from. `stated`: which belong together, where
    the user says it."""

    root: Path
    data: DataConfig
    seed: int
    device: str | torch.device
    names: tuple[str, ...]
    pool: Labeled[T]
    tested: Labeled[T]
    stated: StatedClusters[T] | None = None
    ahead: dict[tuple[str, int], Tensor] = field(default_factory=dict, compare=False, repr=False)

    @property
    def noun(self) -> str:
        """What they are called."""
        return STORED

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.names

    @property
    def subpopulations(self) -> tuple[Subpopulation, ...]:
        """One for each class."""
        return tuple(Subpopulation(name=name, label=label) for label, name in enumerate(self.names))

    @property
    def grouped_by(self) -> tuple[Column, ...]:
        """The columns that --groups names."""
        return ()

    @property
    def resized(self) -> str:
        """How pictures are made square, as the version says it: nothing for the default."""
        usual = DataConfig().resize
        return "" if self.data.resize == usual else f"resize {self.data.resize}"

    @property
    def majority(self) -> float:
        """Share of the most frequent class in the test set, 0 to 1: what always giving the same
        answer gets right at most."""
        return self.most_frequent[1]

    @property
    def most_frequent(self) -> tuple[str, float]:
        """The name of the most frequent class in the test set, and its share, 0 to 1."""
        counts = Counter(label for _, label in self.tested[: self.data.num_test])
        ((label, count),) = counts.most_common(1)
        return self.names[label], count / counts.total()

    @property
    def num_pictures(self) -> int:
        """How many pictures there are, used or not."""
        return len(self.pool) + len(self.tested)

    def would_read(self, folder: Path) -> bool:
        """Whether pictures in such a folder would be some of its own."""
        return False

    def added_since(self, version: str, when: int) -> list[str]:
        """The pictures, by name, that came after the time `when` (ns since the epoch) and without
        which they have that `version`; none where that is not so, or cannot be told."""
        return []

    def written_since(self, when: int) -> list[str]:
        """The pictures, by name, that were written after the time `when` (ns since the epoch), as
        far as that can be told."""
        return []

    @abstractmethod
    def called(self, item: T) -> str:
        """A picture's name in messages and tables."""

    @abstractmethod
    def samples(self, items: Sequence[T]) -> Samples:
        """What is known of pictures beside their labels, and their identities."""

    @abstractmethod
    def rows(self, items: Sequence[T]) -> Rows:
        """The pictures as rows of pixels that can be kept."""

    def has_unused_bits(self, item: T) -> bool:
        """Whether a picture is stored with more bits than it makes use of, which makes it dark."""
        return False

    @cached_property
    def marks(self) -> Sequence[Marks[T]]:
        """What may tell which pictures belong together."""
        return ()

    def clusters(self, num_train: int, num_test: int) -> Clusters | None:
        """The clusters that the first `num_train` and `num_test` pictures of the training and the
        test set may be in, as `clusters_of` says; where they are stated, those in both sets."""
        train, test = self._items("train")[:num_train], self._items("test")[:num_test]
        if self.stated is not None:
            return self.stated.between(train, test)
        return clusters_of(self.marks, train, test, self.whole)

    def validation_doubts(self, count: int, *, stops: bool) -> list[str]:
        """A sentence if some of the `count` validation pictures, which are taken from among those
        for training, are training pictures, too, and one if some may belong together with such;
        `stops`: as `clusters_validated_told` says."""
        if not count:
            return []
        told = copies_validated_told(self._validated_copies(count), count, self.noun, stops=stops)
        if self.stated is not None:
            return told  # those for validation are of other clusters
        train = self._items("train")
        found = clusters_of(self.marks, train, self._items("validation")[:count], self.whole)
        return told + clusters_validated_told(found, self.noun, stops=stops)

    def _validated_copies(self, count: int) -> int:
        """How many of the first `count` validation pictures have the pixels of a training one."""
        counts = {"train": self.data.num_train, "validation": count}

        def found() -> list[list[int]]:
            train, validated = (self._digests(*each) for each in counts.items())
            known = {*train}
            return [[sum(each in known for each in validated)]]

        return self.once("validation pictures among those for training", found, **counts)[0][0]

    def _digests(self, split: str, count: int) -> Iterator[bytes]:
        """A digest of the pixels of each of the first `count` pictures of a split."""
        for part in self.batches(split, count):
            yield from digests(part.images)

    def unmarked(self) -> str:
        """A sentence if nothing says of most pictures which belong together; else empty. Where the
        user says it, one on that."""
        if self.stated is not None:
            train, test = (
                [item for item, _ in self._items(split)[:count]]
                for split, count in (("train", self.data.num_train), ("test", self.data.num_test))
            )
            return self.stated.told(train, test, self.noun)
        which = without_clusters(self.marks, self.whole)
        return without_clusters_told(which, self.noun, self.looked_at, self.sets, CLUSTERS)

    def clusters_doubted(self, num_train: int, num_test: int) -> list[str]:
        """A sentence on the clusters that `clusters` finds, if there are any."""
        found, flag = self.clusters(num_train, num_test), "" if self.has_sets else CLUSTERS
        return clusters_told(found, self.noun, self.sets, flag=flag)

    @property
    @abstractmethod
    def has_sets(self) -> bool:
        """Whether it is given which pictures are for training and which for the test."""

    @property
    @abstractmethod
    def looked_at(self) -> str:
        """Words for what is looked at to tell which pictures belong together."""

    @property
    def whole(self) -> Sequence[Labeled[T]]:
        """All pictures, those of sets that are given apart from each other."""
        return self.pool, self.tested

    def training_clusters(self, num_train: int) -> Clusters | None:
        """The clusters that the first `num_train` training pictures may be in, as `clusters_of`
        says of a test set; None where none is known to have several of them."""
        if self.stated is not None:
            return self.stated.within(self._items("train")[:num_train])
        return clusters_of(self.marks, (), self._items("train")[:num_train], self.whole)

    @property
    def sets(self) -> tuple[str, str]:
        """What holds the two sets, where they are given."""
        return "train/", "test/"

    def left_out(self) -> list[str]:
        """A sentence each on what lies beside the pictures and is not used."""
        return []

    def available(self, split: str) -> int:
        """How many pictures a split has."""
        return len(self._items(split))

    def most_training(self, validation: int) -> int:
        """The most training pictures, 0 or more, beside which so many are left for validation."""
        most = max(0, len(self.pool) - validation)
        if self.stated is None or most == len(self.pool):
            return most
        number = self.stated.number
        while most and number[self.pool[most - 1][0]] == number[self.pool[most][0]]:
            most -= 1  # to the end of a cluster
        return most

    def clusters_in(self, split: str, count: int) -> Tensor | None:
        """The cluster of each of the first pictures of a split (N,) int64, a number that is the
        same in all splits; None: the user does not say which belong together."""
        if self.stated is None:
            return None
        return self.stated.numbers([item for item, _ in self._items(split)[:count]])

    def name(self, split: str, position: int) -> str:
        """The name of a split's picture, such as its path below the folder."""
        return self.called(self.item(split, position))

    def names_of(self, split: str, count: int) -> tuple[str, ...]:
        """The names of its first pictures."""
        return tuple(self.called(item) for item, _ in self._items(split)[:count])

    def item(self, split: str, position: int) -> T:
        """What a split's picture is known by: where it is stored."""
        return self._items(split)[position][0]

    def trained_on(self, item: T) -> bool:
        """Whether a picture is in the training set."""
        return any(item == one for one, _ in self._items("train"))

    def read_ahead(self, *, progress: Progress = quiet, **counts: int) -> None:
        """Read the first pictures of splits, as many as are named for each, for the next `load` of
        exactly these: a damaged one is told (`ValueError`) before anything is begun."""
        if not Kept.maps(sum(counts.values()), self.data.image_size):
            check_memory(sum(counts.values()), size=self.data.image_size)
        for split, count in counts.items():
            items = [item for item, _ in self._items(split)[:count]]
            self.ahead[split, count] = Kept.here().pictures(self.rows(items), progress)

    def load(
        self,
        split: str,
        count: int,
        *,
        start: int = 0,
        keep: Tensor | None = None,
        online: bool = False,
    ) -> Examples:
        """The pictures of a split, as `World.load` says, square and scaled."""
        if split == "train" and not online:
            check_training_end(self, start, count)
        items = self._items(split, online=online)
        if start < 0 or count < 0 or start + count > len(items):
            raise ValueError(
                f"{FLAG} {self.root} has {len(items):,} pictures for the split {split!r};"
                f" {start + count:,} were asked for"
            )
        chosen = items[start : start + count]
        clean = torch.tensor([label for _, label in chosen], dtype=torch.int64)
        labels = self.given_labels(clean, split, start=start)
        where = range(count) if keep is None else keep.tolist()
        wanted = [chosen[i][0] for i in where]
        if keep is not None:
            clean, labels = clean[keep], labels[keep]
        whole = start == 0 and keep is None
        images = self.ahead.pop((split, count), None) if whole else None
        if images is None:
            images = Kept.here().pictures(self.rows(wanted))
        return Examples(
            images=images.to(self.device),
            labels=labels.to(self.device),
            clean_labels=clean.to(self.device),
            subpopulations=clean.to(self.device),
            classes=self.classes,
            all_subpopulations=self.subpopulations,
            samples=self.samples(wanted),
        )

    def batches(self, split: str, count: int, batch: int | None = None) -> Iterator[Examples]:
        """As `World.batches` says. What is kept in a mapped file is opened once, not part by
        part."""
        if not Kept.maps(count, self.data.image_size) or torch.device(self.device).type != "cpu":
            yield from super().batches(split, count, batch)
            return
        examples = self.load(split, count)
        step = batch or max(1, 2**20 // self.data.image_size**2)
        for start in range(0, count, step):
            yield examples.take(slice(start, start + step))

    def once(
        self, what: str, make: Callable[[], list[list[int]]], **counts: int
    ) -> list[list[int]]:
        """Rows of numbers that follow from the first pictures of splits, as many as are named for
        each, and are computed once for them. `what` names the computation and all that it depends
        on but the pictures."""
        sets = [
            self.rows([item for item, _ in self._items(split)[:count]])
            for split, count in counts.items()
        ]
        return Kept.here().numbers(what, sets, make)

    @property
    def numbers_of_clusters(self) -> tuple[int, int] | None:
        """Of how many clusters training and test pictures are; None: the user does not say which
        belong together."""
        sets = (("train", self.data.num_train), ("test", self.data.num_test))
        mine, theirs = (self.clusters_in(split, count) for split, count in sets)
        if mine is None or theirs is None:
            return None
        return len(set(mine.tolist())), len(set(theirs.tolist()))

    def own(self, split: str, count: int) -> Tensor:
        """Which of the first `count` pictures of a split are no copies of earlier ones, with the
        same pixels and labels: (N,) bool."""

        def found() -> list[list[int]]:
            known: dict[bytes, int] = {}
            return [[known.setdefault(each, len(known)) for each in self._digests(split, count)]]

        (numbers,) = self.once("numbers of equal pictures", found, **{split: count})
        clean = torch.tensor([label for _, label in self._items(split)[:count]], dtype=torch.int64)
        given = self.given_labels(clean, split, start=0)
        return first_ones(zip(numbers, given.tolist(), clean.tolist(), strict=True))

    def doubts(
        self, then: Follows = FIGURES, *, sets: tuple[Examples, Examples] | None = None
    ) -> list[str]:
        """A sentence each on what is left out, if classes are not about equally frequent, if few
        pictures of one are for the test, and if one has another share of the test set than of the
        training set (`then` as in `shares_told`). `sets` are the two, where they are loaded."""
        said = self.left_out()
        for what, counts in zip(("training", "test"), self._class_counts(), strict=True):
            rare = np.where(counts, counts, counts.max()).argmin()  # of those that it has
            if counts.max() > UNEVEN * counts[rare]:
                most, least = self.names[counts.argmax()], self.names[rare]
                known = what == "test"
                said.append(
                    f"the {what} pictures are not evenly spread over the classes:"
                    f" {of_class(counts.max(), most)}, {of_class(counts[rare], least)}."
                    f"{self._one_answer(counts) if known else self._one_answer_in_training()}"
                )
            few = [
                of_class(count, name)
                for name, count in zip(self.names, counts.tolist(), strict=True)
                if count < FEW
            ]
            if what == "test" and few:
                said.append(
                    f"fewer than {FEW} test pictures of a class say little about it:"
                    f" {first_few(few)}."
                )
        return [*said, *self.shares_doubted(then, sets=sets)]

    def _one_answer(self, counts: npt.NDArray[np.int64], by: str = "") -> str:
        """What one answer to all pictures gets right, of so many in each class; `by`: by which
        labels."""
        return (
            f" Always answering {self.names[counts.argmax()]} gets"
            f" {counts.max() / counts.sum():.1%} of them right{by}, not 1 of {len(self.names)}."
        )

    def _one_answer_in_training(self) -> str:
        """The same of the training pictures, by the labels they are given; empty where wrong labels
        make these about equally frequent."""
        given, clean = self._training_labels()
        counts = np.bincount(given.numpy(), minlength=len(self.names))
        if counts.max() <= UNEVEN * counts[counts > 0].min():
            return ""
        wrong = bool((given != clean).any())
        return self._one_answer(counts, " by the labels they are given" if wrong else "")

    def _training_labels(self) -> tuple[Tensor, Tensor]:
        """The given and the true labels (N,) of the training pictures."""
        items = self.pool[: self.data.num_train]
        clean = torch.tensor([label for _, label in items], dtype=torch.int64)
        return self.given_labels(clean, "train", start=0), clean

    def shares_doubted(
        self, then: Follows = FIGURES, *, sets: tuple[Examples, Examples] | None = None
    ) -> list[str]:
        """A sentence if the training set lacks classes, and one if they have other shares in the
        test set; `then` says what follows from that, as in `shares_told`. `sets` are the two, where
        they are loaded."""
        hint, needed = "", self._least_with_all()
        if needed > self.data.num_train:
            hint = f" --num-train {needed:,} or more takes some of each."
        train, test = (counts.tolist() for counts in self._class_counts())
        given, clean = self._training_labels()
        chosen, called = judged_examples(given if then.judged else clean, clean)
        compared = given if then.judged else clean
        tested = torch.tensor([label for _, label in self._items("test")[: self.data.num_test]])

        def counts(own: Tensor, fresh: Tensor) -> Counts:
            mine, theirs = (
                torch.bincount(labels, minlength=len(train)).tolist()
                for labels in (compared[chosen & own], tested[fresh])
            )
            return mine, theirs

        every = counts(torch.ones_like(chosen), torch.ones_like(tested, dtype=torch.bool))
        differ = counted_by_place(*every)  # if not, no picture need be read
        return shares_told(
            self.names, train, test, noun=self.noun, hint=hint, then=then,
            judged=every[0] if then.judged else None, called=called,
            different=counts(*self._own(sets)) if differ else None,
        )  # fmt: skip

    def _own(self, sets: tuple[Examples, Examples] | None) -> tuple[Tensor, Tensor]:
        """Which training (N,) and test pictures (M,) are no copies of earlier ones: bool."""
        if sets is not None:
            return first_ones(copy_keys(sets[0])), first_ones(copy_keys(sets[1]))
        return self.own("train", self.data.num_train), self.own("test", self.data.num_test)

    def _class_counts(self) -> Iterator[npt.NDArray[np.int64]]:
        """How many pictures each class has, in the training and in the test set."""
        for items in (self.pool[: self.data.num_train], self.tested[: self.data.num_test]):
            yield np.bincount([label for _, label in items], minlength=len(self.names))

    def _least_with_all(self) -> int:
        """How many of the first training pictures have each class that any of them has."""
        first: dict[int, int] = {}
        for place, (_, label) in enumerate(self.pool):
            first.setdefault(label, place)
        return 1 + max(first.values(), default=-1)

    def _items(self, split: str, *, online: bool = False) -> Labeled[T]:
        check_split(split)
        known = {
            "train": self.pool[: None if online else self.data.num_train],
            "validation": self._beside(self.data.num_train),
            "test": self.tested,
        }
        if split not in known:
            raise ValueError(
                f"{FLAG} {self.root} has the splits {', '.join(known)}, not {split!r}: its pictures"
                " are not drawn"
            )
        return known[split]

    def _beside(self, num_train: int) -> Labeled[T]:
        """The pictures of the pool that are not among the first for training, nor of a stated
        cluster with some among these."""
        rest = self.pool[num_train:]
        if self.stated is None or not num_train:
            return rest
        number = self.stated.number
        last = number[self.pool[num_train - 1][0]]
        return tuple((item, label) for item, label in rest if number[item] != last)
