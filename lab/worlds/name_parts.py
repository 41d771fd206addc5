"""The parts of a name of a file or folder: days, words that say what a number is of, counters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from pathlib import PurePath
from typing import Literal, NamedTuple

from lab.worlds.marks import ALONE, CALLED, FEW, T


def _before_a_number(words: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![^\W\d_])(?:{words})s?[\W_]*(?:(?:id|no|nr|num|number)[\W_]*)?\d", re.IGNORECASE
    )


_WORDS = rf"{ALONE}|subj?|pat|volume|vol|series"

NAMED_AS = _before_a_number(_WORDS)
"""Words in names that say what the number after them is of: patient012, Subject-3."""

NAMED_IN = _before_a_number(rf"{_WORDS}|case|plant|tree")
"""The same after something else, and some by which kinds are called, too: 0001_plant012."""

PERSONS = re.compile(
    r"patient(?:en)?|paciente|paziente|proband|subject|sujet|subj?|pat|person|participant"
    r"|individual|donor|animal|specimen|writer|child|speaker|signer|mrn",
    re.IGNORECASE,
)
"""Those of the words that are of somebody, of whom there may be several videos or volumes."""

PLACE = re.compile(
    r"(?<![^\W\d_])(?:site|hospital|hosp|cent(?:er|re)|clinic|cohort|fold|batch|lab|country|city"
    r"|plate|row|block|group|study|dataset|set|school|farm|field)s?[\W\d_]*[A-Za-z]?[\W_]*$",
    re.IGNORECASE,
)
"""The end of what stands before such a word, if persons or things are numbered anew there."""

PART_OF = re.compile(r"(?:slices?|frames?|fr|z|mpr)[\W_]*\d+", re.IGNORECASE)
"""What begins the rest of a name of which the beginning is a volume or video: slice_041_flair."""

DATED = re.compile(
    r"(?<!^[A-Za-z])(?<![\W\d_][A-Za-z])"  # as of p19840512
    r"(?:(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])"
    r"|\d\d([-_.])\d\d\1(?:19|20)\d\d)"
    r"(?:[-_. T]*(?:at )?\d\d(?:[-_.h]?\d\d){1,2})?"
)
"""A day in a file's name, with or without a time."""

YEAR = re.compile(r"(?:19|20)\d\d")

MONTH = re.compile(rf"{YEAR.pattern}[-_.]\d\d(?!\d)")

AFTER_A_DAY = re.compile(
    rf"[\W_]+(([^\W\d_]+)\d+|({CALLED.pattern})s?[\W_]+\d+)(?![^\W_])", re.IGNORECASE
)
"""A word with a number after a day or year, as in 2018_place012, or 2018_plant_012."""

COUNTED = re.compile(
    r"(?:img|image|im|pict?|picture|photo|foto|bild|dsc[nf]?|pxl|mvi|vid|wa|scan|frame|f|file|page|p"
    r"|no|nr|n|screenshot|dji|gopr|cimg|sam|snap|shot|month|week|day|q|v|batch)",
    re.IGNORECASE,
)
"""Words before counters of pictures, which say nothing of what these show."""

LETTERED = re.compile(r"(.*\d)([^\W\d_]{1,5}\d{0,4})")
"""A name that ends with a number and a few letters, as 012L, maybe with a counter, S5028L01."""

COUNTED_ON = 2
"""Times as many as there are names that numbers reach which count on from a small one."""

FORM = 0.8
"""Share of names from which on they have one form."""

BARCODE = r"TCGA-[A-Z\d]{2}-[A-Z\d]{4}"
"""A patient of The Cancer Genome Atlas, as names of its pictures say it."""

PART = rf"{BARCODE}|[^\W_]+"
"""Parts of a name."""

LAST_LETTERS = r"[^\W_]*\d(?=[^\W\d_]{1,5}\d{0,4}$)|[^\W_]+"
"""Parts of such a name, of which the last one is the letters."""


def say_of_what(marks: Collection[str]) -> bool:
    """Whether most marks say what their number is of, as patient012."""
    return 2 * sum(bool(NAMED_AS.search(mark.rpartition("/")[2])) for mark in marks) > len(marks)


def of_what(name: str) -> str:
    """A name up to the number of what it says that it is of: patient012 of patient012_left. Empty
    if it does not say so."""
    found = NAMED_AS.search(name)
    rest = name[found.end() :] if found else ""
    return name[: len(name) - len(rest.lstrip("0123456789"))] if found else ""


class Named(NamedTuple):
    """A part of a name that says what it is of: of 0001_patient012_left the `mark` patient012, its
    `word`, and what is `before` it, 0001_."""

    word: str
    mark: str
    before: str


def named_in(name: str) -> list[Named]:
    """The parts of a name that say what it is of."""
    found = []
    for each in NAMED_IN.finditer(name):
        if mark := re.match(r"\D+\d+", name[each.start() :]):
            word = re.sub(r"[\W\d_]+$", "", mark[0]).lower()
            found.append(Named(word, mark[0], name[: each.start()]))
    return found


def are_of_others(names: Collection[str]) -> bool:
    """Whether names say what they are of, and nearly each is of another, as of another patient."""
    known = [told[-1].mark for name in names if (told := named_in(name))]
    return 2 * len(known) > len(names) and len({*known}) >= FORM * len(known)


def in_several(of_class: Iterable[Collection[str]]) -> Literal["", "some", "all"]:
    """Whether some names of one class are in another one, too: "all" where a class has all names of
    another, as where they begin anew in each."""
    classes = [{*names} for names in of_class]
    having: dict[str, set[int]] = {}
    for number, names in enumerate(classes):
        for name in names:
            having.setdefault(name, set()).add(number)
    if all(len(numbers) == 1 for numbers in having.values()):
        return ""
    for number, names in enumerate(classes):
        others = set(range(len(classes))) - {number} if names else set()
        for name in names:
            others &= having[name]
            if not others:
                break
        if others:
            return "all"
    return "some"


def count_on(names: Collection[str]) -> bool:
    """Whether most names are numbers from a small one on, alone or after the same word, as 001 or
    p07: such may begin anew in each folder, and 3306 or TCGA-A1-A0SB hardly do."""
    forms = Counter(re.sub(r"\d+", "0", name) for name in names)
    numbers = [int(found[-1]) for name in names if (found := re.findall(r"\d+", name))]
    small = sum(number <= COUNTED_ON * len(names) for number in numbers)
    return bool(numbers) and min(small, forms.most_common(1)[0][1]) >= FORM * len(names)


def are_dates(names: Collection[str], *kinds: re.Pattern[str]) -> bool:
    """Whether most names are dates, of some kinds (YEAR alone, or of any)."""
    kinds = kinds or (YEAR, MONTH, DATED)
    return 2 * sum(any(kind.fullmatch(name) for kind in kinds) for name in names) > len(names)


def are_codes(begins: Collection[str]) -> bool:
    """Whether most beginnings are codes such as 0a7c2a8d, in which letters and digits take turns:
    these do not begin anew anywhere, as counters do."""
    turns = [len(re.findall(r"(?<=\d)[^\W\d_]|(?<=[^\W\d_])\d", begin)) for begin in begins]
    return 2 * sum(number > 1 for number in turns) > len(turns)


def is_counter(begin: str) -> bool:
    """Whether a beginning is a number, alone or after a word such as img."""
    return bool(re.fullmatch(rf"(?:{COUNTED.pattern})?[\W\d_]*", begin, re.IGNORECASE))


class Dated(NamedTuple):
    """A name with a day or year before what a picture is of, as 2018_place012_3: that `day`, its
    `word`, here place, the `mark` place012, and the `rest` from that on."""

    day: str
    word: str
    mark: str
    rest: str


def after_a_day(name: str) -> Dated | None:
    """What a file's name says after a day or year; None: nothing but a counter."""
    lead = DATED.match(name) or MONTH.match(name) or YEAR.match(name)
    found = AFTER_A_DAY.match(name, lead.end()) if lead else None
    word = (found[2] or found[3]) if found else ""
    if lead is None or found is None or COUNTED.fullmatch(word):
        return None
    return Dated(lead[0], word.lower(), found[1], name[found.start(1) :])


def cuts_of(
    name: str, dated: Dated | None = None, *, lettered: bool = False
) -> list[tuple[str, str]]:
    """The beginnings and rests of a file's name without its ending: p1 and day2_03, p1_day2 and 03
    of p1_day2_03. All end with a number, but for the last one, which is all but the last part; none
    before that ends with a year, a day or a time. Empty where the last one has no number, as of
    cat_03, or is a year. Of a name that is `dated` the day or year counts as the rest: place012 and
    2018 of 2018_place012. Of a `lettered` one the letters at its end are a part: 012 and L."""
    if dated is not None:
        return cuts_of(dated.rest, lettered=lettered) or [(dated.mark, dated.day)]
    parts = list(re.finditer(LAST_LETTERS if lettered else PART, name))
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


def _have_one_form(names: Collection[str]) -> bool:
    """Whether most names have their letters and digits at the same places."""
    forms = Counter(re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", name)) for name in names)
    return bool(forms) and forms.most_common(1)[0][1] >= FORM * len(names)


def lettered_ones(names: Mapping[T, PurePath]) -> set[T]:
    """The files whose names end with a number and a few letters which tell apart what begins alike,
    as the eyes of a patient do, 012L and 012R."""
    found = {item: cut[1] for item, path in names.items() if (cut := LETTERED.fullmatch(path.stem))}
    if not _have_one_form([path.stem for path in names.values()]):  # as random ones, 9f3ab12
        found = {item: begin for item, begin in found.items() if not names[item].stem[-1].isdigit()}
    begins = {*found.values()}
    enough = len(found) >= FEW * len(begins) or say_of_what(begins)
    return {*found} if enough and len(begins) < len({names[i].stem for i in found}) else set()
