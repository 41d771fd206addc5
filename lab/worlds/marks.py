"""Marks: what may tell which pictures belong together, as those of one patient, by a column or by
folders, and whether it does."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from lab.core.text import plain

FEW = 1.5
"""Pictures that a cluster by names, or by a column whose name does not say that they are clusters,
has on the mean, at least: fewer happen to be alike."""

MOST = 50
"""Pictures that a cluster by a column of `EITHER`, or by names of which there are few, has on the
mean, at most: more are a kind, as a breed of dogs."""

MANY = 20
"""Values that a column has at least, and pictures that each has on the mean, at most, if its name
does not say that they are clusters: others are kinds, such as a camera."""

ALONE = (
    r"patient(?:en)?|paciente|paziente|proband|subject|sujet|person|participant|individual|donor"
    r"|lesion|scene|video|clip|sequence|burst|animal|specimen|writer|child|speaker|signer|mrn"
)
"""Words by which clusters are called, and no kinds."""

EITHER = re.compile(
    r"case|stud(?:y|ie)|serie|exam|visit|session|track|sample|slide|plant|tree|famil(?:y|ie)|user"
    r"|cluster|group"
)
"""Those by which both are, as studies in several countries."""

CALLED = re.compile(rf"{ALONE}|{EITHER.pattern}")
"""Words by which columns of clusters are called, alone or with some of `NUMBERED`."""

NAMED = 10
"""Values that marks have at least, if little else says that they are clusters: those of columns
that are called so but without numbers, as names of persons, or by one of `EITHER`, and beginnings
of names up to a number that is not the last one. Fewer are kinds."""

NUMBERED = {
    "",
    "id",
    "ids",
    "uid",
    "no",
    "nr",
    "num",
    "number",
    "index",
    "idx",
    "name",
    "code",
    "instance",
}

DOTS = 4
"""Dots that numbers with separators have fewer of."""

_SEPARATORS = re.compile(r"[\s_.,:;#()\-–—]+")
"""What stands between the parts of a mark, and says nothing."""

_COUNTED = re.compile(
    rf"(?:{CALLED.pattern}|pat|subj?|id|no|nr|img|image|im|dsc|photo|scan|frame|slice|file|page)s?"
)
"""Words before a number that has no sign."""

UNKNOWN = {"", "none", "nan", "na", "n/a", "null", "unknown", "?", "-"}
"""Values of columns that say that something is not known."""

Kind = Literal["folder", "column", "names", "parts", "pattern", "given"]

T = TypeVar("T", bound=Hashable)
"""What a picture is known by."""


@dataclass(frozen=True)
class Marks(Generic[T]):
    """What may tell which pictures belong together: the mark that each of some pictures has.
    `column` is the name of the column that they stand in; `least`: fewer marks are kinds; `anew`:
    names of files seem to begin anew in each set (those of folders where they lie), so that a mark
    in one may not be that of another; `named`: names of files or folders say that they are of
    clusters; `mean`: how many pictures each mark has on the mean, where that is not the number of
    `of`; `across`: folders or files of one name in several folders have one mark; `stated`: the
    user says that they are of clusters; `spelled`: two spellings of one mark, if there are any."""

    kind: Kind
    of: Mapping[T, str]
    column: str = ""
    least: int = 1
    anew: bool = False
    named: bool = False
    mean: float | None = None
    across: bool = False
    stated: bool = False
    spelled: tuple[str, str] | None = None

    def joined(self) -> Marks[T]:
        """The same with one mark where several differ in capitals, in separators or in leading
        zeros alone, as T001, t-001 and T1 do: the first of them in the order of texts."""
        first: dict[str, str] = {}
        every = sorted({*self.of.values()})
        one = {mark: first.setdefault(self._plainly(mark), mark) for mark in every}
        spelled = next(((one[mark], mark) for mark in every if one[mark] != mark), None)
        if spelled is None:
            return self
        of = {item: one[mark] for item, mark in self.of.items()}
        return replace(self, of=of, spelled=spelled)

    def _plainly(self, mark: str) -> str:
        """What the spellings of one mark have in common. The class, which the path of a folder or
        file begins with, stays as it is."""
        label, slash, rest = mark.partition("/")
        if self.kind in ("column", "pattern", "given") or not slash:
            return spelled_plainly(mark)
        return label + slash + spelled_plainly(rest)

    def are_clusters(self, whole: Sequence[Counter[str]], pictures: int) -> bool:
        """Whether they may be those of clusters, by how many pictures of each folder with classes
        have each, of `pictures` in all."""
        counts = sum(whole, Counter[str]())
        if self.kind == "folder":
            few_and_full = len(counts) < MANY and counts.total() > MANY * len(counts)
            return _are_numbered(counts) or not few_and_full
        mean = counts.total() / len(counts)
        if _called(self.column):
            return _are_names(self.column, counts, mean)
        different = {mark.rpartition("/")[2] for mark in counts}  # in whatever class
        if 2 * counts.total() < pictures or (len(different) < self.least and not self.named):
            return False
        if self.kind in ("names", "parts"):
            few_and_full = len(counts) < NAMED and mean > MOST
            return self.named or ((self.mean or mean) >= FEW and not few_and_full)
        numbers = all(map(_is_number, counts))  # as ages
        return not numbers and mean >= FEW and _are_many(counts, mean)


def column_marks(name: str, values: Mapping[T, str]) -> Marks[T]:
    """The marks of pictures by a column, of which these are the `values`."""
    known = {item: one_number(plain(value).strip()) for item, value in values.items()}
    of = {item: value for item, value in known.items() if value.lower() not in UNKNOWN}
    return Marks("column", of, plain(name)).joined()


def one_number(text: str) -> str:
    """A text, or the whole number that it is, in one form: 7.0, as pandas writes numbers beside
    missing ones, and 007, of which Excel leaves 7, are 7."""
    return re.sub(r"^(-?)0*(\d+)(?:\.0+)?$", r"\1\2", text)


def spelled_plainly(text: str) -> str:
    """A text without capitals, without leading zeros in numbers, and without blanks, underscores,
    brackets, points and hyphens but for one between two numbers: t1_2 of T-001_02.

    Numbers with decimals stay as they are, and what may be a sign stays: a hyphen before a number,
    unless zeros follow it or a word such as patient stands before it, and one at an end (-10C,
    lon-35, A-)."""
    parts = re.split(r"(\d+|[^\W\d_]+)", unicodedata.normalize("NFKC", text).casefold())
    tokens, between = parts[1::2], parts[0::2]
    found, is_decimal = [], False
    for place, gap in enumerate(between):
        before = tokens[place - 1] if place else ""
        after = tokens[place] if place < len(tokens) else ""
        two_numbers = before.isdecimal() and after.isdecimal()
        is_decimal = two_numbers and gap in (".", ",")
        kept = _SEPARATORS.sub("", gap)
        if is_decimal:
            kept = "."
        elif two_numbers and not kept:
            kept = "_"
        elif gap.endswith("-") and (not before or not after or after.isdecimal()):
            is_joint = gap == "-" and (after.startswith("0") or _COUNTED.fullmatch(before))
            kept += "" if before and after and is_joint else "-"
        found += [kept, after if is_decimal or not after.isdecimal() else after.lstrip("0") or "0"]
    return "".join(found) or text


def _is_number(text: str) -> bool:
    """Whether it is one, and no UID of DICOM, such as 1.2.826.0.1.3680043.8."""
    return bool(re.fullmatch(r"[-+]?[\d.,]+", text)) and text.count(".") < DOTS


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
