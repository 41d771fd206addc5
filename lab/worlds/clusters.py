"""Clusters: pictures from disk that may belong together, as those of one patient, scene or video.

They are not independent: where a cluster has pictures in both sets, test accuracy is too good, and
where it has several test pictures, intervals are too narrow. Which pictures belong together is not
said anywhere, so what is there is looked at: folders below the classes, columns beside the
pictures, and how the names of files begin.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import PurePath
from typing import Generic, Literal, NamedTuple, TypeVar

from lab.core.text import plain
from lab.core.words import those
from lab.worlds.set_names import OF_SETS

LEAST = 3
"""Clusters of a class from which on they are looked at: fewer are parts such as indoors and
outdoors, whose pictures do not belong together."""

FEW = 1.5
"""Pictures that a cluster by names, or by a column whose name does not say that they are clusters,
has on the mean, at least: fewer happen to be alike."""

MOST = 50
"""Pictures that a cluster by names, or by a column of `EITHER`, has on the mean, at most: more are
a kind, as a breed of dogs."""

MANY = 20
"""Values that a column has at least, and pictures that each has on the mean, at most, if its name
does not say that they are clusters: others are kinds, such as a camera."""

CALLED = re.compile(
    r"patient(?:en)?|paciente|paziente|proband|subject|sujet|person|participant|individual|donor"
    r"|lesion|case|stud(?:y|ie)|serie|exam|visit|session|scene|video|clip|sequence|track|burst|animal"
    r"|specimen|sample|slide|plant|tree|famil(?:y|ie)|writer|user|child|speaker|signer|mrn|cluster"
)
"""Words by which columns of clusters are called, alone or with some of `NUMBERED`."""

NAMED_AS = re.compile(rf"(?:{CALLED.pattern})[\W_]*\d", re.IGNORECASE)
"""How names begin that say what the number after a word is of: patient012, Subject-3."""

EITHER = re.compile(
    r"case|stud(?:y|ie)|serie|exam|visit|session|track|sample|slide|plant|tree|famil(?:y|ie)|user"
    r"|cluster"
)
"""Those of them that columns of kinds are called by, too, as of studies in several countries."""

NAMED = 10
"""Values that marks have at least, if little else says that they are clusters: those of columns
that are called so but without numbers, as names of persons, or by one of `EITHER`, and beginnings
of names up to a number that is not the last one. Fewer are kinds."""

DATED = re.compile(
    r"(?:(?:19|20)\d\d(?:[-_.]?\d\d){2}|\d\d([-_.])\d\d\1(?:19|20)\d\d)"
    r"(?:[-_. T]*(?:at )?\d\d(?:[-_.h]?\d\d){1,2})?"
)
"""A day in a file's name, with or without a time."""

YEAR = re.compile(r"(?:19|20)\d\d")

AFTER_A_DAY = re.compile(r"[\W_]+(([^\W\d_]+)\d+)(?![^\W_])")
"""A word with a number after a day or year, as in 2018_place012."""

COUNTED = re.compile(
    r"(?:img|image|im|pict?|picture|photo|foto|bild|dsc[nf]?|pxl|mvi|vid|wa|scan|frame|f|file|page|p"
    r"|no|nr|n|screenshot)",
    re.IGNORECASE,
)
"""Words before counters of pictures, which say nothing of what these show."""

ANEW = 0.1
"""Share of the names of files in the smaller of two sets that are in the other one, too, from which
on they begin anew in each."""

LEVELS = 3
"""Numbers in a file's name up to which beginnings are looked at, but for the last one."""

NUMBERED = {"", "id", "ids", "uid", "no", "nr", "num", "number", "index", "idx", "name", "code"}

UNKNOWN = {"", "none", "nan", "na", "n/a", "null", "unknown", "?", "-"}
"""Values of columns that say that something is not known."""

CROWDED = 1.2
"""How many times as large the variance of a test figure is as for independent pictures, at least,
if those of a cluster are all alike: less makes its interval at most a tenth too narrow."""

TELLING = 0.25
"""From which share on the ends of names tell the class, of 1 where each is in one class only and 0
where they have nothing to do with it: a quarter where half of the pictures of two classes are at
random in either."""

Kind = Literal["folder", "column", "names"]

T = TypeVar("T", bound=Hashable)
"""What a picture is known by."""


@dataclass(frozen=True)
class Marks(Generic[T]):
    """What may tell which pictures belong together: the mark that each of some pictures has.
    `column` is the name of the column that they stand in; `least`: fewer marks are kinds; `anew`:
    names of files seem to begin anew in each set, so that a mark in one may not be that of another;
    `mean`: how many pictures each mark has on the mean, where that is not the number of `of`."""

    kind: Kind
    of: Mapping[T, str]
    column: str = ""
    least: int = 1
    anew: bool = False
    mean: float | None = None

    def are_clusters(
        self, sets: Sequence[Counter[str]], whole: Sequence[Counter[str]], pictures: int
    ) -> bool:
        """Whether the marks that the pictures of two `sets` have may be those of clusters, by those
        of the `whole` that these are of, with `pictures` in all."""
        counts = sum(whole, Counter[str]())
        if self.kind == "folder":
            few_and_full = len(counts) < MANY and counts.total() > MANY * len(counts)
            return _are_numbered(counts) or not few_and_full
        if 2 * counts.total() < pictures or len(counts) < self.least:
            return False
        mean = counts.total() / len(counts)
        if self.kind == "names":
            several = max(each.total() / len(each) for each in sets if each)
            return (self.mean or mean) >= FEW and several <= MOST
        if _called(self.column):
            return _are_names(self.column, counts, mean)
        numbers = all(re.fullmatch(r"[-+]?[\d.,]+", mark) for mark in counts)  # as ages
        return not numbers and mean >= FEW and _are_many(counts, mean)


@dataclass(frozen=True)
class Clusters:
    """Of the `tested` test pictures that are in clusters, by marks of a `kind`: how many `clusters`
    these are, how many of them are `shared` (have training pictures, too), and the `first` one of
    those, or of all. `crowded`: so many of them have several test pictures that intervals are too
    narrow, by `CROWDED`. `anew`: those that are shared may be other ones, as `Marks` says."""

    kind: Kind
    column: str
    tested: int
    clusters: int
    shared: int
    first: str
    crowded: bool
    anew: bool = False

    @property
    def counted(self) -> str:
        """How many there are, in words."""
        return {
            "folder": those(self.clusters, "folder", "folders") + " below the classes",
            "column": those(self.clusters, "value", "values") + f" of the column {self.column}",
            "names": those(self.clusters, "beginning", "beginnings") + " of file names",
        }[self.kind]

    def if_together(self, noun: str) -> str:
        """The condition under which pictures, called `noun`, are such clusters."""
        alike = {
            "folder": f"the {noun} of a folder",
            "column": f"the {noun} with one value of {self.column}",
            "names": f"{noun} whose names begin alike",
        }[self.kind]
        return f"if {alike} belong together, as of one patient or one scene,"

    def if_the_same(self, noun: str, narrow: str, sets: str) -> str:
        """The condition under which those that are shared are the same in both `sets`, where names
        seem to begin anew in each. `narrow` is what follows for intervals if they are not."""
        then = f"{narrow}, and if" if self.crowded else "and"
        not_anew = f"files are not numbered anew in {sets}, as they seem to be,"
        return f"{self.if_together(noun)} {then} {not_anew}"

    @property
    def of_training_too(self) -> str:
        """How many of them are shared, after `counted`."""
        return f"{'all' if self.shared == self.clusters else f'{self.shared:,}'} of which are those"


def file_marks(*sets: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks of pictures in files, of which these are the paths from the classes on, in each
    folder with classes: folders below the classes, and of files that lie in none how their names
    begin, up to the first number, to later ones, and but for their last part."""
    paths = {item: path for each in sets for item, path in each.items()}
    folders = {item: path.parent.as_posix() for item, path in paths.items() if len(path.parts) > 2}
    flat = [{item: path for item, path in each.items() if item not in folders} for each in sets]
    marks: list[Marks[T]] = [Marks("folder", folders)]
    names = {item: path for each in flat for item, path in each.items()}
    dated = {item: mark for item, path in names.items() if (mark := _after_a_day(path.stem))}
    # as of 2018_cat03.jpg in the folder cat
    words = Counter((mark.word, names[item].parent) for item, mark in dated.items())
    undated = {} if _tell_the_class(words, rare=True) else dated
    cuts = {item: _cuts(path.stem, undated.get(item)) for item, path in names.items()}
    for level in range(max((len(each) for each in cuts.values()), default=0) - 1):
        if level == LEVELS:
            break
        at = {item: each[level] for item, each in cuts.items() if level < len(each) - 1}
        marks += _by_names(flat, at, least=NAMED)
    marks += _by_names(flat, {item: each[-1] for item, each in cuts.items() if each})
    return marks


def _by_names(
    sets: Sequence[Mapping[T, PurePath]], found: Mapping[T, tuple[str, str]], *, least: int = 1
) -> list[Marks[T]]:
    """The marks of files by how their names begin, in one class and in all; `found` are beginnings
    and rests of some, of which those that name a set say nothing, as 12_test.jpg."""
    found = {item: cut for item, cut in found.items() if not OF_SETS.fullmatch(cut[1])}
    flat = {item: path for each in sets for item, path in each.items()}
    begins = {begin for begin, _ in found.values()}
    anew = _begin_anew([{*each.values()} for each in sets])
    names = [
        {
            path
            for item, path in each.items()
            if item in found or (item in flat and path.stem in begins)
        }
        for each in sets
    ]
    ends = Counter((rest, flat[item].parent) for item, (_, rest) in found.items())
    # as the two eyes of a patient, 10_left.jpg and 10_right.jpg, each in its own class
    free = not (any(map(_restart, names)) or _tell_the_class(ends, rare=True))
    begun = {
        item: begin if free else (flat[item].parent / begin).as_posix()
        for item, (begin, _) in found.items()
    }
    # in several classes: what tells such pictures apart is a number, and not the class
    across = {item: begin for item, (begin, rest) in found.items() if re.search(r"\d", rest)}
    if _tell_the_class(ends, rare=False):  # as of 00017_3.png in the folder 3, but not of w17_3.png
        across = {item: begin for item, begin in across.items() if not _is_counter(begin)}
    known = set(begun.values())
    for item, path in flat.items():  # as 12.jpg beside 12_copy.jpg
        whole = path.stem if free else (path.parent / path.stem).as_posix()
        if item not in begun and whole in known:
            begun[item] = whole
    return [
        Marks("names", each, least=least, anew=anew, mean=_mean(each, flat))
        for each in (begun, across)
    ]


def _mean(marks: Mapping[T, str], paths: Mapping[T, PurePath]) -> float:
    """How many pictures each mark has on the mean. One of the same name in two sets counts once,
    since counters begin anew, but for names such as patient012_1, of which both count."""
    called = sum(bool(NAMED_AS.match(mark.rpartition("/")[2])) for mark in marks.values())
    several = 2 * called > len(marks)
    names = marks if several else {(paths[item], mark) for item, mark in marks.items()}
    return len(names) / max(1, len({*marks.values()}))


def _is_counter(begin: str) -> bool:
    """Whether a beginning is a number, alone or after a word such as img."""
    return bool(re.fullmatch(rf"(?:{COUNTED.pattern})?[\W\d_]*", begin, re.IGNORECASE))


def _begin_anew(sets: Sequence[Collection[PurePath]]) -> bool:
    """Whether names of files begin anew in each set: many are in two of them, in the same class."""
    return any(
        len({*one} & {*other}) >= max(LEAST, ANEW * min(len(one), len(other)))
        for one, other in combinations(sets, 2)
    )


def column_marks(name: str, values: Mapping[T, str]) -> Marks[T]:
    """The marks of pictures by a column, of which these are the `values`."""
    known = {item: plain(value) for item, value in values.items()}
    of = {item: value for item, value in known.items() if value.lower() not in UNKNOWN}
    return Marks("column", of, plain(name))


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


def clusters_told(found: Clusters | None, noun: str, sets: tuple[str, str]) -> list[str]:
    """A sentence on clusters, if there are any; `sets` are what holds the two sets."""
    if found is None:
        return []
    first = f"{plain(found.first)}/" if found.kind == "folder" else plain(found.first)
    have = f"{found.tested:,} test {noun} have {found.counted} ({first} the first)"
    together = _capital(found.if_together(noun))
    advice = f": put all {noun} of each into one set, {sets[0]} or {sets[1]}."
    if not found.shared:
        return [f"{have}. {together} intervals are too narrow: they take {noun} for independent."]
    if found.anew:
        same = found.if_the_same(noun, "intervals are too narrow", " and ".join(sets))
        return [
            f"{have}, {found.of_training_too} of training {noun}, too. {_capital(same)} test"
            f" accuracy is too good{advice}"
        ]
    are = f"{'has' if found.shared == 1 else 'have'} training {noun}, too"
    narrow = ", and its interval too narrow" if found.crowded else ""
    return [
        f"{found.shared:,} of {found.counted} among the test {noun} ({first} the first) {are}."
        f" {together} test accuracy is too good{narrow}{advice}"
    ]


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _by(
    marks: Marks[T],
    train: Sequence[tuple[T, Hashable]],
    test: Sequence[tuple[T, Hashable]],
    whole: Sequence[Sequence[tuple[T, Hashable]]],
) -> Clusters | None:
    """The clusters of two sets of a `whole` by the marks of one kind."""
    of_class: dict[Hashable, set[str]] = defaultdict(set)
    for each in whole:
        for item, label in each:
            if item in marks.of:
                of_class[label].add(marks.of[item])
    known = {mark for each in of_class.values() if len(each) >= LEAST for mark in each}
    studied, tested, *of_whole = (
        Counter(mark for item, _ in each if (mark := marks.of.get(item, "")) in known)
        for each in (train, test, *whole)
    )
    if not tested or not marks.are_clusters((studied, tested), of_whole, sum(map(len, whole))):
        return None
    shared = tested.keys() & studied.keys()
    crowded = sum(number**2 for number in tested.values()) > CROWDED * tested.total()
    if not (shared or crowded):
        return None
    first = min(shared or tested)
    total = tested.total()
    return Clusters(
        marks.kind, marks.column, total, len(tested), len(shared), first, crowded,
        anew=marks.anew and bool(shared),
    )  # fmt: skip


class Dated(NamedTuple):
    """A name with a day or year before what a picture is of, as 2018_place012_3: that `day`, its
    `word`, here place, the `mark` place012, and the `rest` from that on."""

    day: str
    word: str
    mark: str
    rest: str


def _after_a_day(name: str) -> Dated | None:
    """What a file's name says after a day or year; None: nothing but a counter."""
    lead = DATED.match(name) or YEAR.match(name)
    found = AFTER_A_DAY.match(name, lead.end()) if lead else None
    if lead is None or found is None or COUNTED.fullmatch(found[2]):
        return None
    return Dated(lead[0], found[2].lower(), found[1], name[found.start(1) :])


def _cuts(name: str, dated: Dated | None = None) -> list[tuple[str, str]]:
    """The beginnings and rests of a file's name without its ending: p1 and day2_03, p1_day2 and 03
    of p1_day2_03. All end with a number, but for the last one, which is all but the last part; none
    before that ends with a year, a day or a time. Empty where the last one has no number, as of
    cat_03, or is a year. Of a name that is `dated` the day or year counts as the rest: place012 and
    2018 of 2018_place012."""
    if dated is not None:
        return _cuts(dated.rest) or [(dated.mark, dated.day)]
    parts = list(re.finditer(r"[^\W_]+", name))
    before = name[: parts[-2].end()] if len(parts) > 1 else ""
    if not re.search(r"\d", before) or YEAR.fullmatch(before):
        return []
    days = [day.span() for day in DATED.finditer(name)]
    found = []
    for part, after in pairwise(parts):
        end = part.end()
        day = YEAR.fullmatch(part[0]) or any(start < end <= stop for start, stop in days)
        if after is parts[-1] or (re.search(r"\d", part[0]) and not day):
            found.append((name[:end], name[after.start() : parts[-1].end()]))
    return found


def _restart(paths: Collection[PurePath]) -> bool:
    """Whether names of files begin anew in each class: one is in two of them."""
    return len({path.stem for path in paths}) < len({(path.parent, path.stem) for path in paths})


def _tell_the_class(ends: Counter[tuple[str, PurePath]], *, rare: bool) -> bool:
    """Whether the ends of names, counted with the classes, tell the class, as of 12_cat.jpg; `rare`
    where most of them are in no more than one or two names, as counters are."""
    of_end, of_class = Counter[str](), Counter[PurePath]()
    for (end, _), number in ends.items():
        of_end[end] += number
    recurring = {end for end, number in of_end.items() if number >= LEAST}
    counts = {key: number for key, number in ends.items() if key[0] in recurring}
    for (_, label), number in counts.items():
        of_class[label] += number
    if 2 * of_class.total() < ends.total():
        return rare
    if len(of_class) < 2:
        return True
    # how often two pictures are of one class: of those with one end, and of all
    pairs = sum(of_end[end] * (of_end[end] - 1) for end in recurring)
    same = sum(number * (number - 1) for number in counts.values()) / pairs
    total = of_class.total()
    usual = sum(number * (number - 1) for number in of_class.values()) / (total * (total - 1))
    return same - usual >= TELLING * (1 - usual)


def _called(column: str, by: re.Pattern[str] = CALLED) -> bool:
    """Whether a column is called as one of clusters, such as PatientID: by such words alone."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()
    told = [word for word in re.split(r"[^a-z]+", words) if word not in NUMBERED]
    return bool(told) and all(by.fullmatch(word.removesuffix("s")) for word in told)


def _are_names(column: str, values: Collection[str], mean: float) -> bool:
    """Whether these may be the values of a column that is called as one of clusters, each of so
    many pictures on the mean."""
    if _called(column, EITHER):
        return len(values) >= NAMED and mean <= MOST
    return _are_numbered(values) or len(values) >= NAMED


def _are_numbered(values: Collection[str]) -> bool:
    """Whether at least half of the values have numbers."""
    return 2 * sum(any(map(str.isdigit, value)) for value in values) >= len(values)


def _are_many(values: Collection[str], mean: float) -> bool:
    """Whether values are too many for kinds, with too few pictures each."""
    return len(values) >= MANY >= mean


def is_of_clusters(column: str, values: Collection[str], pictures: int) -> bool:
    """Whether a column which has these `values` for all `pictures` that there are is taken for one
    of clusters."""
    mean = pictures / max(1, len(values))
    return _are_names(column, values, mean) if _called(column) else _are_many(values, mean)
