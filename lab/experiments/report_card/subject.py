"""What a report card is about: the pictures that its networks are trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab.core.config import RunConfig
from lab.worlds import DrawnWorld, StoredWorld, World, open_world
from lab.worlds.doubts import doubts_of_pictures

SIZES = (100, 300, 1000, 3000, 10_000)
"""Training examples of the learning curve, where none are named and there is no end of them."""

RANDOM_SIZES = (100, 300, 1000, 3000)
"""Training examples with random labels, where none are named and there are as many."""

ROUND = tuple(factor * 10**power for power in range(1, 6) for factor in (1, 3))
"""The sizes that are taken of a limited number of pictures, beside all of them."""

CLOSE = 0.5
"""Largest share of the largest size that the one before it may be: two points that are nearer say
little more than one."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The pictures of a card's runs.

    Args:
        noun: what they are called, in the plural.
        described: what they are, in the words of a line of conditions.
        classes: the names of the labels.
        drawn: whether the lab draws them, so that it knows all attributes and can change each.
        relevant: attributes that the label depends on.
        grouped: whether they have groups by columns of the user's own.
        tested: how many the test set has, in figures; from … to … where seeds differ.
        most: how many a training set can have; None: no end.
        name: what a title calls them; "": nothing, they are the lab's own.
        source: the folder or file that they come from; "": none.
        usual: the most frequent class of the test set; "": the lab makes them equally frequent.
        frequent: its share of the test set, 0 to 1: what always answering it gets right.
        notes: what should be known of them before a figure is believed, a sentence each.
    """

    noun: str
    described: str
    classes: tuple[str, ...]
    drawn: bool = True
    relevant: tuple[str, ...] = ()
    grouped: bool = False
    tested: str
    most: int | None = None
    name: str = ""
    source: str = ""
    usual: str = ""
    frequent: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """The accuracy of a guess among equally frequent classes."""
        return 1 / len(self.classes)

    def adapted(self, base: RunConfig) -> RunConfig:
        """The settings of the runs. Of pictures that are not drawn nothing can be redrawn: how many
        are says only whether they are perturbed."""
        return base if self.drawn else replace(base, counterfactuals=RunConfig().counterfactuals)

    def sizes(self, named: Sequence[int]) -> tuple[int, ...]:
        """The sizes of the learning curve: those that are `named`, if any are. `ValueError` if they
        are not two or more rising ones, or more than there are."""
        if not named and self.most is None:
            return SIZES
        if not named and self.most is not None:
            return spread(self.most, classes=len(self.classes), count=len(SIZES))
        self._check("--sizes", named, least=2)
        return tuple(named)

    def random_sizes(self, named: Sequence[int]) -> tuple[int, ...]:
        """The sizes of training sets with random labels, as `sizes` has them."""
        if not named and self.most is None:
            return RANDOM_SIZES
        if not named and self.most is not None:
            most = min(self.most, RANDOM_SIZES[-1])
            return spread(most, classes=len(self.classes), count=len(RANDOM_SIZES))
        self._check("--random-sizes", named, least=1)
        return tuple(named)

    def _check(self, flag: str, named: Sequence[int], *, least: int) -> None:
        """Raise `ValueError` for sizes that cannot work."""
        if list(named) != sorted(set(named)) or len(named) < least:
            raise ValueError(
                f"{flag} takes rising numbers, two or more, not {' '.join(map(str, named))}"
            )
        if self.most is not None and named[-1] > self.most:
            raise ValueError(
                f"{flag} {named[-1]}: {self.source} has {self.most:,} {self.noun} to train on; name"
                f" sizes up to {self.most}"
            )


def subject_of(base: RunConfig, *, seeds: int = 1) -> Subject:
    """The pictures that runs with these settings and so many `seeds` are about; `ValueError` in one
    line if there are none, or too few. Where clusters are stated, seeds divide them into sets of
    different sizes."""
    world = open_world(base.data, seed=base.seed)
    if not isinstance(world, StoredWorld):
        return Subject(
            noun=world.noun,
            described=f"Task {base.data.task}",
            classes=world.classes,
            drawn=isinstance(world, DrawnWorld),
            relevant=world.relevant,
            tested=f"{world.data.num_test:,}",
        )
    worlds = [world]
    if world.stated is not None:
        others = (open_world(base.data, seed=base.seed + k) for k in range(1, seeds))
        worlds += [other for other in others if isinstance(other, StoredWorld)]
    most = min(each.most_training(_validation(base, len(each.pool))) for each in worlds)
    tested = [each.data.num_test for each in worlds]
    fewest, largest = min(tested), max(tested)
    if most < LEAST:
        raise ValueError(
            f"--data {world.root} has {most:,} {world.noun} to train on: a learning curve needs"
            f" {LEAST} or more"
        )
    names = len(world.classes)
    usual, frequent = world.most_frequent
    return Subject(
        noun=world.noun,
        described=f"{world.root.name}: {names:,} classes, up to {most:,} {world.noun} to train on",
        name=world.root.name,
        classes=world.classes,
        drawn=False,
        grouped=bool(world.grouped_by),
        tested=f"{fewest:,}" if fewest == largest else f"{fewest:,} to {largest:,}",
        most=most,
        source=str(world.root),
        usual=usual,
        frequent=frequent,
    )


LEAST = 4
"""Fewest pictures that a learning curve can be made of: two sizes, of which the smaller is two."""


def with_notes(subject: Subject, base: RunConfig, size: int, *, seeds: int = 1) -> Subject:
    """The subject with what is suspicious of its pictures, with `size` of them for training: what a
    single run warns of before it begins; of several `seeds`, each of which takes others, it is that
    of the first one, and says so. Drawn ones are as they were made."""
    if subject.drawn:
        return subject
    world = open_world(replace(base.data, num_train=size), seed=base.seed)
    first = ""
    if seeds > 1:
        first = (
            f"with {size:,} training {subject.noun} and seed {base.seed}, the first of {seeds}, "
        )
    return replace(subject, notes=tuple(first + each for each in _notes(world)))


def _notes(world: World) -> list[str]:
    train = world.load("train", world.data.num_train)
    test = world.load("test", world.data.num_test)
    return doubts_of_pictures(world, train, test)


def _validation(base: RunConfig, pool: int) -> int:
    """How many of the pictures that are not for the test are left for validation."""
    return min(base.validation_faces, pool // 5)


def spread(most: int, *, classes: int, count: int) -> tuple[int, ...]:
    """Up to `count` rising sizes, round ones and `most`, which is all that there are; the smallest
    has two examples of each class where that can be."""
    low, high = max(ROUND[0], 2 * classes), CLOSE * most
    found = [size for size in ROUND if low <= size <= high] or [max(2, most // 2)]
    return (*found[1 - count :], most)
