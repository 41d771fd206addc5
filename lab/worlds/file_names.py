"""What the names of files say about which pictures belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import PurePath

from lab.worlds.folder_names import by_folders, without_folders
from lab.worlds.marks import FEW, NAMED, Kind, Marks, T, spelled_plainly
from lab.worlds.name_parts import (
    DATED,
    NAMED_AS,
    PART_OF,
    PERSONS,
    PLACE,
    Named,
    after_a_day,
    are_codes,
    count_on,
    cuts_of,
    in_several,
    is_counter,
    lettered_ones,
    named_in,
    of_what,
    say_of_what,
)
from lab.worlds.set_names import OF_SETS

RECURRING = 3
"""Names from which on an end recurs, or those of two sets begin anew in each."""

ANEW = 0.1
"""Share of the names of files in the smaller of two sets that are in the other one, too, from which
on they begin anew in each."""

LEVELS = 3
"""Numbers in a file's name up to which beginnings are looked at, but for the last one."""

COARSER = 0.9
"""How many marks without what stands before them there are at most, of those with it, if pictures
share them."""

TELLING = 0.25
"""From which share on the ends of names tell the class, of 1 where each is in one class only and 0
where they have nothing to do with it: a quarter where half of the pictures of two classes are at
random in either."""


def file_marks(*sets: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks that `_file_marks` finds, each with one mark where several are spelled alike."""
    return [mark.joined() for mark in _file_marks(*sets)]


def _file_marks(*sets: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks of pictures in files, of which these are the paths from the classes on, in each
    folder with classes: folders below the classes, and how the names of files begin, up to the
    first number, to later ones, and but for their last part; at last whole names, of files of
    several types. First come those that say what they are of, where there are folders."""
    paths = {item: path for each in sets for item, path in each.items()}
    folders = {item: path for item, path in paths.items() if len(path.parts) > 2}
    outer = by_folders(folders)
    if _begin_anew([{*each.values()} for each in sets]):  # train/run/001/1.png, test/run/001/1.png
        outer = [mark if mark.across else replace(mark, anew=True) for mark in outer]
    flat = without_folders(sets)
    names = {item: path for each in flat for item, path in each.items()}
    dated = {item: mark for item, path in names.items() if (mark := after_a_day(path.stem))}
    # as of 2018_cat03.jpg in the folder cat
    words = Counter((mark.word, names[item].parent) for item, mark in dated.items())
    undated = {} if _tell_the_class(words, rare=True) else dated
    lettered = lettered_ones(names)
    cuts = {
        item: cuts_of(path.stem, undated.get(item), lettered=item in lettered)
        for item, path in names.items()
    }
    marks: list[Marks[T]] = []
    for level in range(max((len(each) for each in cuts.values()), default=0) - 1):
        if level == LEVELS:
            break
        # a name with fewer numbers by its last one, as img_12_flip.jpg beside img_12_rot_15.jpg
        at = {item: each[min(level, len(each) - 1)] for item, each in cuts.items() if each}
        marks += _by_names(flat, at, least=NAMED)
    marks += _by_names(flat, {item: each[-1] for item, each in cuts.items() if each})
    # patients by their names, which may lie in folders that say nothing
    first = [mark for mark in marks if mark.named] if folders else []
    named = [mark for mark in outer if mark.named]
    others = [mark for mark in outer if not mark.named]
    further = [mark for mark in marks if mark not in first]
    found = [*named, *first, *others, *further, _of_several_types(sets)]
    if (things := _of_one_thing(flat)).of:  # and not of what stands before, as a view
        return [*named, *others, things] if things.anew else [things, *named, *others]
    several = _of_several_classes(names)
    return [*found, several] if several.anew else [several, *found]


def _of_several_types(sets: Sequence[Mapping[T, PurePath]]) -> Marks[T]:
    """The marks of files by their names but for the type, as of 7.jpg and 7.png in one folder; none
    where no two of a set have the same. Sets of one type each may both count from 1."""
    names = [{item: path.with_suffix("") for item, path in each.items()} for each in sets]
    files, different = (sum(len({*each.values()}) for each in every) for every in (sets, names))
    of = {item: name.as_posix() for each in names for item, name in each.items()}
    return Marks(
        "names", of if files > different else {},
        anew=_begin_anew([{*each.values()} for each in names]), mean=files / max(1, different),
    )  # fmt: skip


def _of_several_classes(names: Mapping[T, PurePath]) -> Marks[T]:
    """The marks of pictures by what their names say that they are of, where some of several classes
    are of the same, as a patient before and after a treatment; else none."""
    of = {item: mark for item, path in names.items() if (mark := of_what(path.stem))}
    of_class: dict[PurePath, set[str]] = {}
    for item, mark in of.items():
        of_class.setdefault(names[item].parent, set()).add(mark)
    shared = in_several(of_class.values()) if 2 * len(of) > len(names) else ""
    anew = shared == "all" and count_on({*of.values()})
    return Marks("names", of if shared else {}, anew=anew, named=bool(shared), across=True)


def _of_one_thing(sets: Sequence[Mapping[T, PurePath]]) -> Marks[T]:
    """The marks of pictures by what their names say that they are of, after something else, as of
    0001_patient012.jpg, visit2_patient012.jpg and 2018-05-03_patient012.jpg; none where names begin
    with that, or where things are numbered within what stands before, as in 1000_lesion1.jpg.
    Numbers at several places, as of site2_patient012.jpg, are of others, and so they may be where
    what stands before is the class."""
    paths = {item: path for each in sets for item, path in each.items()}
    of_word: dict[str, dict[T, Named]] = {}
    for item, path in paths.items():
        for told in named_in(path.stem):
            of_word.setdefault(told.word, {}).setdefault(item, told)
    most = [word for word, found in of_word.items() if 2 * len(found) > len(paths)]
    word = min(most, key=lambda word: not PERSONS.fullmatch(word), default="")  # else the first one
    found = of_word.get(word, {})
    if not any(told.before for told in found.values()):
        return Marks("parts", {})
    marks = {item: told.mark for item, told in found.items()}
    whole = {item: told.before + told.mark for item, told in found.items()}
    before = Counter((told.before, paths[item].parent) for item, told in found.items())
    at_places = 2 * sum(bool(PLACE.search(told.before)) for told in found.values()) > len(found)
    coarser = len({*marks.values()}) <= COARSER * len({*whole.values()})
    if at_places or not coarser or _tell_the_class(before, rare=False):  # as tumor_patient012
        marks = whole
    # a few things other than persons, of which each has a number in hardly any other picture
    few = len({*marks.values()}) < NAMED and not PERSONS.fullmatch(word)
    if (marks is whole or few) and _are_numbered_within(whole.values(), [e for e, _ in before]):
        return Marks("parts", {})
    of_class: dict[PurePath, set[str]] = {}
    for item, mark in marks.items():
        of_class.setdefault(paths[item].parent, set()).add(mark)
    shared = in_several(of_class.values())
    anew = _begin_anew([{*each.values()} for each in sets])
    anew = anew or (shared == "all" and count_on({*marks.values()}))
    kind: Kind = "names" if marks is whole else "parts"
    return Marks(kind, marks, anew=anew, named=True, across=bool(shared))


def _are_numbered_within(names: Collection[str], before: Collection[str]) -> bool:
    """Whether things with these `names`, the same for pictures of one thing, are numbered within
    what stands `before`: hardly two pictures are of one, and what stands before are numbers that
    several have, and no days, nor slices or frames, which may be numbers alone that count on."""
    numbered = {each for each in before if re.search(r"\d", each)}
    places = {e for e in numbered if not (PART_OF.search(e) or DATED.search(e))}
    bare = {re.sub(r"[\W_]+$", "", each) for each in places}
    if all(map(str.isdigit, bare)) and count_on(bare):
        return False
    few = len(names) < FEW * len({*names})
    return few and len(places) >= NAMED and len(names) >= FEW * len(places)


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
        {path for item, path in each.items() if item in found or _whole(path) in begins}
        for each in sets
    ]
    ends = Counter((rest, flat[item].parent) for item, (_, rest) in found.items())
    # as the two eyes of a patient, 10_left.jpg and 10_right.jpg, each in its own class
    restart = any(map(_restarting, names))
    free = not (restart or _tell_the_class(ends, rare=True))
    begun = {
        item: begin if free else (flat[item].parent / begin).as_posix()
        for item, (begin, _) in found.items()
    }
    # in several classes: what tells such pictures apart is a number, and not the class
    across = {item: begin for item, (begin, rest) in found.items() if re.search(r"\d", rest)}
    coded = are_codes(begins) or not count_on(begins)  # such do not begin anew in a class
    if max(map(_restarting, names)) >= ANEW and not (coded or say_of_what(across.values())):
        across = {}
    if _tell_the_class(ends, rare=False):  # as of 00017_3.png in the folder 3, but not of w17_3.png
        across = {item: begin for item, begin in across.items() if not is_counter(begin)}
    known = set(begun.values())
    for item, path in flat.items():  # as 12.jpg beside 12_copy.jpg
        whole = _whole(path) if free else (path.parent / _whole(path)).as_posix()
        if item not in begun and whole in known:
            begun[item] = whole
    parts = sum(bool(PART_OF.match(rest)) for _, rest in found.values())
    named = 2 * parts > len(found)
    # codes such as C99P60, which no class has of its own
    every = len(across) == len(begun) and not any(map(is_counter, across.values()))
    codes = every and (coded or not restart)
    return [
        Marks(
            "names", each, least=least, anew=anew, named=named or say_of_what(each.values()),
            mean=_mean(each, flat),
        )
        for each in ((across, begun) if codes else (begun, across))
    ]  # fmt: skip


def _whole(path: PurePath) -> str:
    """A file's name as a beginning: cat (4 of cat (4).jpg, beside cat (4)_mask.jpg."""
    return re.sub(r"[\W_]+$", "", path.stem)


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


def _begin_anew(sets: Sequence[Collection[PurePath]]) -> bool:
    """Whether names of files begin anew in each set: many are in two of them, in the same class."""
    every = [{(path.parts[0], *map(spelled_plainly, path.parts[1:])) for path in e} for e in sets]
    return any(
        len(one & other) >= max(RECURRING, ANEW * min(len(one), len(other)))
        for one, other in combinations(every, 2)
    )


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
