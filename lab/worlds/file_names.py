"""What the names of files and folders say about which pictures belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import PurePath
from typing import NamedTuple

from lab.worlds.marks import ALONE, FEW, NAMED, Marks, T
from lab.worlds.set_names import OF_SETS

RECURRING = 3
"""Names from which on an end recurs, or those of two sets begin anew in each."""

NAMED_AS = re.compile(
    rf"(?<![^\W\d_])(?:{ALONE}|subj?|pat|volume|vol|series)s?[\W_]*"
    r"(?:(?:id|no|nr|num|number)[\W_]*)?\d",
    re.IGNORECASE,
)
"""Words in names that say what the number after them is of: patient012, Subject-3."""

PART_OF = re.compile(r"(?:slices?|frames?|fr|z|mpr)[\W_]*\d+", re.IGNORECASE)
"""What begins the rest of a name of which the beginning is a volume or video: slice_041_flair."""

DATED = re.compile(
    r"(?:(?:19|20)\d\d(?:[-_.]?\d\d){2}|\d\d([-_.])\d\d\1(?:19|20)\d\d)"
    r"(?:[-_. T]*(?:at )?\d\d(?:[-_.h]?\d\d){1,2})?"
)
"""A day in a file's name, with or without a time."""

YEAR = re.compile(r"(?:19|20)\d\d")
MONTH = re.compile(rf"{YEAR.pattern}[-_.]\d\d(?!\d)")

AFTER_A_DAY = re.compile(r"[\W_]+(([^\W\d_]+)\d+)(?![^\W_])")
"""A word with a number after a day or year, as in 2018_place012."""

COUNTED = re.compile(
    r"(?:img|image|im|pict?|picture|photo|foto|bild|dsc[nf]?|pxl|mvi|vid|wa|scan|frame|f|file|page|p"
    r"|no|nr|n|screenshot|dji|gopr|cimg|sam|snap|shot|month|week|day|q|v|batch)",
    re.IGNORECASE,
)
"""Words before counters of pictures, which say nothing of what these show."""

LETTERED = re.compile(r"(.*\d)([^\W\d_]{1,2})")
"""A name that ends with a number and a letter or two, as 012L."""

LAST_LETTERS = r"[^\W_]*\d(?=[^\W\d_]{1,2}$)|[^\W_]+"
"""Parts of such a name, of which the last one is the letters."""

ANEW = 0.1
"""Share of the names of files in the smaller of two sets that are in the other one, too, from which
on they begin anew in each."""

LEVELS = 3
"""Numbers in a file's name up to which beginnings are looked at, but for the last one."""

TELLING = 0.25
"""From which share on the ends of names tell the class, of 1 where each is in one class only and 0
where they have nothing to do with it: a quarter where half of the pictures of two classes are at
random in either."""


def file_marks(*sets: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks of pictures in files, of which these are the paths from the classes on, in each
    folder with classes: folders below the classes, and how the names of files begin, up to the
    first number, to later ones, and but for their last part. First come those that say what they
    are of, where there are folders."""
    paths = {item: path for each in sets for item, path in each.items()}
    folders = {item: path for item, path in paths.items() if len(path.parts) > 2}
    by_folders = _by_folders(folders)
    flat = _without_folders(sets)
    names = {item: path for each in flat for item, path in each.items()}
    dated = {item: mark for item, path in names.items() if (mark := _after_a_day(path.stem))}
    # as of 2018_cat03.jpg in the folder cat
    words = Counter((mark.word, names[item].parent) for item, mark in dated.items())
    undated = {} if _tell_the_class(words, rare=True) else dated
    lettered = _lettered(names)
    cuts = {
        item: _cuts(path.stem, undated.get(item), lettered=item in lettered)
        for item, path in names.items()
    }
    marks: list[Marks[T]] = []
    for level in range(max((len(each) for each in cuts.values()), default=0) - 1):
        if level == LEVELS:
            break
        at = {item: each[level] for item, each in cuts.items() if level < len(each) - 1}
        marks += _by_names(flat, at, least=NAMED)
    marks += _by_names(flat, {item: each[-1] for item, each in cuts.items() if each})
    # patients by their names, which may lie in folders that say nothing
    first = [mark for mark in marks if mark.named] if folders else []
    named = [mark for mark in by_folders if mark.named]
    others = [mark for mark in by_folders if not mark.named]
    return [*named, *first, *others, *(mark for mark in marks if mark not in first)]


def _by_folders(paths: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks of pictures by the folders below the classes that they lie in, but for years; and
    before these by those that hold further folders, the outermost first, where their names say what
    they are of, or there are many."""
    found = []
    for depth in range(2, max((len(path.parts) for path in paths.values()), default=0)):
        outer = {i: path.parts[:depth] for i, path in paths.items() if len(path.parts) > depth + 1}
        names = {parts[-1] for parts in outer.values()}
        if outer and (say_of_what(names) or (len(names) >= NAMED and not _are_dates(names))):
            found.append(_of_folders(outer))
    inmost = {item: path.parts[:-1] for item, path in paths.items()}
    if not _are_dates({parts[-1] for parts in inmost.values()}, YEAR):
        found.append(_of_folders(inmost))
    return found


def _of_folders(folders: Mapping[T, tuple[str, ...]]) -> Marks[T]:
    named = say_of_what({parts[-1] for parts in folders.values()})
    return Marks("folder", {item: "/".join(parts) for item, parts in folders.items()}, named=named)


def _are_dates(names: Collection[str], *kinds: re.Pattern[str]) -> bool:
    """Whether most names are dates, of some kinds (YEAR alone, or of any)."""
    kinds = kinds or (YEAR, MONTH, DATED)
    return 2 * sum(any(kind.fullmatch(name) for kind in kinds) for name in names) > len(names)


def _without_folders(sets: Sequence[Mapping[T, PurePath]]) -> list[dict[T, PurePath]]:
    """The files of each set as class and name, those in folders below the classes where names are
    not the same in several of these, or say what they are of."""
    found = []
    for each in sets:
        inner = {item: path for item, path in each.items() if len(path.parts) > 2}
        short = {item: PurePath(path.parts[0], path.name) for item, path in inner.items()}
        again = len({*short.values()}) < len(short)
        if again and not say_of_what([path.stem for path in short.values()]):
            short = {}
        flat = {item: path for item, path in each.items() if item not in inner}
        found.append(
            {item: flat.get(item) or short[item] for item in each if item in flat or item in short}
        )
    return found


def _lettered(names: Mapping[T, PurePath]) -> set[T]:
    """The files whose names end with a number and a letter or two which tell apart what begins
    alike, as the eyes of a patient do, 012L and 012R."""
    found = {item: cut[1] for item, path in names.items() if (cut := LETTERED.fullmatch(path.stem))}
    begins = {*found.values()}
    enough = len(found) >= FEW * len(begins) or say_of_what(begins)
    return {*found} if enough and len(begins) < len({names[i].stem for i in found}) else set()


def _by_names(
    sets: Sequence[Mapping[T, PurePath]], found: Mapping[T, tuple[str, str]], *, least: int = 1
) -> list[Marks[T]]:
    """The marks of files by how their names begin, in one class and in all; `found` are beginnings
    and rests of some, of which those that name a set say nothing, as 12_test.jpg."""
    found = {item: cut for item, cut in found.items() if not _names_a_set(*cut)}
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
    free = not (any(map(_restarting, names)) or _tell_the_class(ends, rare=True))
    begun = {
        item: begin if free else (flat[item].parent / begin).as_posix()
        for item, (begin, _) in found.items()
    }
    # in several classes: what tells such pictures apart is a number, and not the class
    across = {item: begin for item, (begin, rest) in found.items() if re.search(r"\d", rest)}
    if max(map(_restarting, names)) >= ANEW and not say_of_what(across.values()):
        across = {}
    if _tell_the_class(ends, rare=False):  # as of 00017_3.png in the folder 3, but not of w17_3.png
        across = {item: begin for item, begin in across.items() if not _is_counter(begin)}
    known = set(begun.values())
    for item, path in flat.items():  # as 12.jpg beside 12_copy.jpg
        whole = path.stem if free else (path.parent / path.stem).as_posix()
        if item not in begun and whole in known:
            begun[item] = whole
    parts = sum(bool(PART_OF.match(rest)) for _, rest in found.values())
    named = 2 * parts > len(found)
    return [
        Marks(
            "names", each, least=least, anew=anew, named=named or say_of_what(each.values()),
            mean=_mean(each, flat),
        )
        for each in (begun, across)
    ]  # fmt: skip


def say_of_what(marks: Collection[str]) -> bool:
    """Whether most marks say what their number is of, as patient012."""
    return 2 * sum(bool(NAMED_AS.search(mark.rpartition("/")[2])) for mark in marks) > len(marks)


def _mean(marks: Mapping[T, str], paths: Mapping[T, PurePath]) -> float:
    """How many pictures each mark has on the mean. One of the same name in two sets counts once,
    since counters begin anew."""
    names = {(paths[item], mark) for item, mark in marks.items()}
    return len(names) / max(1, len({*marks.values()}))


def _names_a_set(begin: str, rest: str) -> bool:
    """Whether the rest of a name says which set a picture is of and nothing else, as of 12_test,
    and the beginning not what it is of."""
    is_set = OF_SETS.fullmatch(rest) or rest.lower() in ("tr", "trn", "te", "tst")
    return bool(is_set) and not NAMED_AS.search(begin)


def _is_counter(begin: str) -> bool:
    """Whether a beginning is a number, alone or after a word such as img."""
    return bool(re.fullmatch(rf"(?:{COUNTED.pattern})?[\W\d_]*", begin, re.IGNORECASE))


def _begin_anew(sets: Sequence[Collection[PurePath]]) -> bool:
    """Whether names of files begin anew in each set: many are in two of them, in the same class."""
    return any(
        len({*one} & {*other}) >= max(RECURRING, ANEW * min(len(one), len(other)))
        for one, other in combinations(sets, 2)
    )


class Dated(NamedTuple):
    """A name with a day or year before what a picture is of, as 2018_place012_3: that `day`, its
    `word`, here place, the `mark` place012, and the `rest` from that on."""

    day: str
    word: str
    mark: str
    rest: str


def _after_a_day(name: str) -> Dated | None:
    """What a file's name says after a day or year; None: nothing but a counter."""
    lead = DATED.match(name) or MONTH.match(name) or YEAR.match(name)
    found = AFTER_A_DAY.match(name, lead.end()) if lead else None
    if lead is None or found is None or COUNTED.fullmatch(found[2]):
        return None
    return Dated(lead[0], found[2].lower(), found[1], name[found.start(1) :])


def _cuts(
    name: str, dated: Dated | None = None, *, lettered: bool = False
) -> list[tuple[str, str]]:
    """The beginnings and rests of a file's name without its ending: p1 and day2_03, p1_day2 and 03
    of p1_day2_03. All end with a number, but for the last one, which is all but the last part; none
    before that ends with a year, a day or a time. Empty where the last one has no number, as of
    cat_03, or is a year. Of a name that is `dated` the day or year counts as the rest: place012 and
    2018 of 2018_place012. Of a `lettered` one the letters at its end are a part: 012 and L."""
    if dated is not None:
        return _cuts(dated.rest, lettered=lettered) or [(dated.mark, dated.day)]
    parts = list(re.finditer(LAST_LETTERS if lettered else r"[^\W_]+", name))
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


def _restarting(paths: Collection[PurePath]) -> float:
    """The share of the names of files in several classes that one in another class has, too: above
    0 where they begin anew in each."""
    names = {(path.parent, path.stem) for path in paths}
    return 1 - len({stem for _, stem in names}) / max(1, len(names))


def _tell_the_class(ends: Counter[tuple[str, PurePath]], *, rare: bool) -> bool:
    """Whether the ends of names, counted with the classes, tell the class, as of 12_cat.jpg; `rare`
    where most of them are in no more than one or two names, as counters are."""
    of_end, of_class = Counter[str](), Counter[PurePath]()
    for (end, _), number in ends.items():
        of_end[end] += number
    recurring = {end for end, number in of_end.items() if number >= RECURRING}
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
