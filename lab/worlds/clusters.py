"""Clusters: pictures from disk that may belong together, as those of one patient, scene or video.

They are not independent: where a cluster has pictures in both sets, test accuracy is too good, and
where it has several test pictures, intervals are too narrow. Where the user does not say which
pictures belong together (`lab.worlds.stated_clusters`), what is there is looked at: folders below
the classes, columns beside the pictures, and how the names of files begin.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab.core.text import plain
from lab.core.words import FEW, capital, off, other_answers, those
from lab.worlds.marks import Kind, Marks, T

LEAST = 3
"""Clusters of a class from which on they are looked at: fewer are parts such as indoors and
outdoors, whose pictures do not belong together."""

CROWDED = 1.2
"""How many times as large the variance of a test figure is as for independent pictures, at least,
if those of a cluster are all alike: less makes its interval at most a tenth too narrow."""


@dataclass(frozen=True)
class Clusters:
    """Of the `tested` test pictures that are in clusters, by marks of a `kind`: how many `clusters`
    these are, how many of them are `shared` (have training pictures, too), and the `first` one of
    those, or of all. `crowded`: so many of them have several test pictures that intervals are too
    narrow, by `CROWDED`. `anew`: those that are shared may be other ones, `across`: those of one
    name in several folders count as one, and `stated`: the user says so, all as `Marks` says.
    `others`: the share of the test pictures of shared ones that have training pictures of other
    classes, as `other_answers` has it, 0 to 1. `spelled`: two spellings that count as one, if
    there are any."""

    kind: Kind
    column: str
    tested: int
    clusters: int
    shared: int
    first: str
    crowded: bool
    anew: bool = False
    across: bool = False
    others: float = 0.0
    stated: bool = False
    spelled: tuple[str, str] | None = None

    def off(self, noun: str) -> str:
        """What follows for what is measured on the test set, if some are shared: a network that
        knows a patient by pictures, called `noun`, of another class answers with that."""
        return off(self.others, what=f"their training {noun} are of other classes")

    @property
    def counted(self) -> str:
        """How many there are, in words."""
        return {
            "folder": (
                those(self.clusters, "name", "names") + " of folders"
                if self.across
                else those(self.clusters, "folder", "folders")
            )
            + " below the classes",
            "column": those(self.clusters, "value", "values") + f" of the column {self.column}",
            "names": those(self.clusters, "beginning", "beginnings") + " of file names",
            "parts": those(self.clusters, "part", "parts") + " of file names",
            "pattern": those(self.clusters, "match", "matches") + f" of {self.column}",
            "given": those(self.clusters, "cluster", "clusters"),
        }[self.kind]

    def if_together(self, noun: str) -> str:
        """The condition under which pictures, called `noun`, are such clusters, or that they are
        where that is `stated`."""
        kinds, named = self._also(", in several classes, too"), self._also("")
        alike = {
            "folder": f"the {noun} of a folder{self._also(', and of those of its name elsewhere')}",
            "column": f"the {noun} with one value of {self.column}{named}",
            "names": f"{noun} whose names begin alike{kinds}",
            "parts": f"{noun} whose names have the same part{kinds}",
            "pattern": f"the {noun} with one match of {self.column}{named}",
            "given": f"the {noun} of one cluster{named}",
        }[self.kind]
        if self.stated:
            return f"since {alike} belong together,"
        return f"if {alike} belong together, as of one patient or one scene,"

    def _also(self, elsewhere: str) -> str:
        """What follows the words for what such pictures have in common: `elsewhere`, if those of
        several folders count as one, and how they may be spelled."""
        told = elsewhere * self.across
        if self.spelled is not None:
            one, other = (plain(each.rpartition("/")[2]) for each in self.spelled)
            told += (
                f", whatever capitals, separators and leading zeros they have ({one} is {other})"
            )
        return told + "," * bool(told)

    def if_the_same(self, noun: str, narrow: str, sets: str) -> str:
        """The condition under which those that are shared are the same in both `sets`, where names
        seem to begin anew in each. `narrow` is what follows for intervals if they are not."""
        then = f"{narrow}, and if" if self.crowded else "and"
        not_anew = f"files are not numbered anew in {sets}, as they seem to be,"
        if self.across:
            files = "files are not numbered anew in each class"
            folders = "folders are not numbered anew in each class, or each part of one"
            not_anew = f"{folders if self.kind == 'folder' else files}, as they may be,"
        return f"{self.if_together(noun)} {then} {not_anew}"

    @property
    def first_in_words(self) -> str:
        """The first one: a folder with a slash, a beginning without an open bracket."""
        if self.kind == "folder":
            return f"{plain(self.first)}/"
        return plain(self.first) + ")" * (self.first.count("(") > self.first.count(")"))

    @property
    def of_training_too(self) -> str:
        """How many of them are shared, after `counted`."""
        return f"{'all' if self.shared == self.clusters else f'{self.shared:,}'} of which are those"


def clusters_of(
    marks: Sequence[Marks[T]],
    train: Sequence[tuple[T, Hashable]],
    test: Sequence[tuple[T, Hashable]],
    whole: Sequence[Sequence[tuple[T, Hashable]]] = (),
) -> Clusters | None:
    """The clusters that the pictures of two sets, each with its class, may be in: of several kinds
    the first one that has pictures in both, or the first one. None: no marks say so, or hardly any
    test pictures share one, of which no training picture is.

    `whole`: all pictures from which those were taken, of each folder with classes by itself; by
    default the two sets."""
    whole = whole or (train, test)
    found = [each for mark in marks if (each := _by(mark, train, test, whole)) is not None]
    return next((each for each in found if each.shared), found[0] if found else None)


def clusters_told(
    found: Clusters | None, noun: str, sets: tuple[str, str], *, flag: str = ""
) -> list[str]:
    """A sentence on clusters, if there are any; `sets` are what holds the two sets, and `flag`
    divides by clusters where they are not given."""
    if found is None:
        return []
    first = found.first_in_words
    have = f"{found.tested:,} test {noun} have {found.counted} ({first} the first)"
    together = capital(found.if_together(noun))
    advice = f": put all {noun} of each into one set, {sets[0]} or {sets[1]}"
    by = f" {found.column}" if found.kind == "column" else ""
    if flag:
        advice += f", or let {flag}{by} divide them"
    advice += "."
    if not found.shared:
        then = f"; with {flag}{by} they do not" if flag and by else ""
        return [
            f"{have}. {together} intervals are too narrow: they take {noun} for independent{then}."
        ]
    if found.anew:
        same = found.if_the_same(noun, "intervals are too narrow", " and ".join(sets))
        return [
            f"{have}, {found.of_training_too} of training {noun}, too. {capital(same)} test"
            f" accuracy is {found.off(noun)}{advice}"
        ]
    are = f"{'has' if found.shared == 1 else 'have'} training {noun}, too"
    narrow = ", and its interval too narrow" if found.crowded else ""
    return [
        f"{found.shared:,} of {found.counted} among the test {noun} ({first} the first) {are}."
        f" {together} test accuracy is {found.off(noun)}{narrow}{advice}"
    ]


def copies_validated_told(number: int, count: int, noun: str, *, stops: bool) -> list[str]:
    """A sentence if a `number` of the `count` validation pictures, called `noun`, have the pixels
    of training pictures; `stops`: as for `clusters_validated_told`."""
    if not number:
        return []
    late = ", and --early-stopping, which goes by it, stops late" if stops else ""
    are = those(
        number, f"of the {count:,} validation {noun} is", f"of the {count:,} validation {noun} are"
    )
    return [f"{are} among the training {noun}, too: the validation loss is too low{late}."]


def clusters_validated_told(found: Clusters | None, noun: str, *, stops: bool) -> list[str]:
    """A sentence if clusters among the validation pictures, `found` as of a test set, have training
    pictures, too; `stops`: the run may stop early by their loss."""
    if found is None or not found.shared:
        return []
    first = found.first_in_words
    late = ": --early-stopping, which goes by it, stops late" if stops else ""
    low = "is too low, and falls on where that on others rises"
    if found.others > FEW:
        low = "is another one than on pictures of others"
        late = ", which --early-stopping goes by" if stops else ""
    return [
        f"{found.counted} are among the validation {noun} ({first} the first),"
        f" {found.of_training_too} of training {noun}, too. {capital(found.if_together(noun))} the"
        f" validation loss {low}{late}."
    ]


def without_clusters(
    marks: Sequence[Marks[T]], whole: Sequence[Sequence[tuple[T, Hashable]]]
) -> Literal["", "most", "most training", "most test", "all"]:
    """Of which pictures of the `whole`, as in `clusters_of`, no marks say that they belong together
    with others: of most ones, or, where these are two sets, of most in one of them."""
    told = set[T]()
    for mark in marks:
        known = _of_clusters(mark, whole)
        if mark.kind in ("names", "parts"):  # a name of one picture says nothing of others
            counts = Counter(mark.of.values())
            known = {value for value in known if counts[value] > 1}
        told |= {item for item, value in mark.of.items() if value in known}
    if not told:
        return "all"
    if 2 * len(told) < sum(map(len, whole)):
        return "most"
    if len(whole) == 2:
        train, test = (2 * sum(item in told for item, _ in each) < len(each) for each in whole)
        return "most training" if train else "most test" if test else ""
    return ""


def without_clusters_told(
    which: str, noun: str, marks: str, sets: tuple[str, str], flag: str
) -> str:
    """A sentence where `marks`, in words, do not say of pictures, called `noun`, that they belong
    together, `which` as `without_clusters` has it; empty where that is so of few. `flag` says it.
    """
    if not which:
        return ""
    found = "nothing was found" if which == "all" else f"for {which} {noun} nothing was found"
    return (
        f"which {noun} belong together, as those of one patient or scene, is not known: {found} in"
        f" {marks}. If some do, say it by {flag}, or put all of each into {sets[0]} or {sets[1]}:"
        " else test accuracy is too good"
    )


def _by(
    marks: Marks[T],
    train: Sequence[tuple[T, Hashable]],
    test: Sequence[tuple[T, Hashable]],
    whole: Sequence[Sequence[tuple[T, Hashable]]],
) -> Clusters | None:
    """The clusters of two sets of a `whole` by the marks of one kind."""
    known = _of_clusters(marks, whole)
    kept = {item: mark for item, mark in marks.of.items() if mark in known}
    found = of_two_sets(replace(marks, of=kept), train, test)
    if found is None or found.shared or (found.crowded and not (marks.across and marks.anew)):
        return found
    return None


def of_two_sets(
    marks: Marks[T], train: Sequence[tuple[T, Hashable]], test: Sequence[tuple[T, Hashable]]
) -> Clusters | None:
    """The clusters of the test pictures of two sets by marks of which each is that of one; None:
    none of these pictures has a mark."""
    studied, tested = (
        Counter(mark for item, _ in each if (mark := marks.of.get(item)) is not None)
        for each in (train, test)
    )
    if not tested:
        return None
    shared = tested.keys() & studied.keys()
    crowded = sum(number**2 for number in tested.values()) > CROWDED * tested.total()
    first = min(shared or tested)
    total = tested.total()
    studied_as = Counter((marks.of.get(item, ""), label) for item, label in train)
    shared_items = [
        (marks.of[item], label) for item, label in test if marks.of.get(item, "") in shared
    ]
    others = sum(
        other_answers(studied_as[each], studied[each[0]] - studied_as[each])
        for each in shared_items
    )
    return Clusters(
        marks.kind, marks.column, total, len(tested), len(shared), first,
        crowded and not marks.stated,  # its intervals allow for it
        anew=marks.anew and bool(shared), across=marks.across,
        others=others / max(1, len(shared_items)), stated=marks.stated,
        spelled=marks.spelled,
    )  # fmt: skip


def _of_clusters(marks: Marks[T], whole: Sequence[Sequence[tuple[T, Hashable]]]) -> set[str]:
    """The marks of one kind in classes with several; empty if they are not those of clusters."""
    of_class: dict[Hashable, set[str]] = defaultdict(set)
    for each in whole:
        for item, label in each:
            if item in marks.of:
                of_class[label].add(marks.of[item])
    known = {mark for each in of_class.values() if len(each) >= LEAST for mark in each}
    counts = [
        Counter(mark for item, _ in each if (mark := marks.of.get(item, "")) in known)
        for each in whole
    ]
    return known if known and marks.are_clusters(counts, sum(map(len, whole))) else set()
