"""Classes, or groups, that are not as frequent in a test set as in the training set: what is said
of them before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from lab.core.compared import Counts, counted_by_place, right_ones_alone
from lab.core.estimate import shares_differ
from lab.core.words import first_few, percent, singular

APART = 0.05
"""How much shares may differ without a word: the sum of what is more in one of the sets."""


class Follows(NamedTuple):
    """What follows from other shares: `shares`, of `{one}` (a class) and `{test}`, and `lacking`,
    where the training set lacks some. `judged`: that goes by the `judged_examples` of the training
    set; False: by all of them, with their true labels."""

    shares: str
    lacking: str
    judged: bool


FIGURES = Follows(
    shares="the gap and the membership AUC come from that, too. What is said of memory goes by"
    " figures with each {one} at its share of {test}.",
    lacking=" What is said of memory compares the others.",
    judged=True,
)
"""What follows from other shares for a run."""

CLASSES, GROUPS = ("class", "classes"), ("group", "groups")
"""What may be counted, one and several."""


class Judged(NamedTuple):
    """The training examples that are compared with the test set: `chosen` (N,) bool; `called` are
    the words for that after those for the training set."""

    chosen: Tensor
    called: str


def judged_examples(given: Tensor, clean: Tensor) -> Judged:
    """Which training examples memory is judged by, from their given and their true labels (N,): all
    by their given labels, or the rightly labeled ones alone."""
    right = given == clean
    if right_ones_alone(int(right.sum()), len(right)):
        return Judged(right, " without its wrong labels")
    return Judged(right | True, "" if bool(right.all()) else " by its given labels")


def shares_told(
    names: Sequence[str],
    counts: Sequence[int],
    others: Sequence[int],
    *,
    noun: str,
    sets: tuple[str, str] = ("the training set", "the test set"),
    what: tuple[str, str] = CLASSES,
    hint: str = "",
    then: Follows = FIGURES,
    judged: Sequence[int] | None = None,
    called: str = "",
    different: Counts | None = None,
    is_sample: bool = False,
) -> list[str]:
    """A sentence on classes that the training set lacks, and one if the shares of the others surely
    differ, so that each class counts at its share of the test set. `counts` and `others` are the
    numbers of each in the training and in the test set, which are called `sets`; `noun` is what
    their examples are called, `what` what is counted; `hint` is added where there are classes that
    the training set lacks; `then` is what follows. `judged` are the numbers of each among the
    training examples that are compared, which the words `called` tell; None: all. `different` are
    the numbers of each among those and in the test set with copies counted once, by which shares
    are judged to differ; None: there are no copies. `is_sample`: the training examples that are
    counted are a sample, so that the training set may have what they lack."""
    said = []
    (train, test), (one, many) = sets, what
    judged = counts if judged is None else judged
    own, fresh = different or (judged, others)
    by_place = counted_by_place(own, fresh)
    lacking = [place for place, n in enumerate(counts) if not n and others[place]]
    if lacking:
        unknown, named = sum(others[k] for k in lacking), first_few([names[k] for k in lacking])
        has = f"{train} has no {singular(noun)}"
        if is_sample:
            has = f"of {train} the {sum(counts):,} {noun} that are measured have none"
        unknowable = what == CLASSES and not is_sample
        said.append(
            f"{has} of {len(lacking):,} of the {len(names):,} {many}"
            f" ({named}), and {unknown:,} of the {sum(others):,} {noun} of {test} are of these"
            f"{': no network can know them' * unknowable}."
            f"{then.lacking if by_place else ''}{hint}"
        )
    known = [place for place, n in enumerate(judged) if n]
    mine, theirs = [judged[place] for place in known], [others[place] for place in known]
    if not by_place or not shares_differ([own[k] for k in known], [fresh[k] for k in known]):
        return said
    apart = [n / sum(mine) - other / sum(theirs) for n, other in zip(mine, theirs, strict=True)]
    all_apart = sum(abs(each) for each in apart) / 2
    if all_apart <= APART:
        return said
    most = max(range(len(known)), key=lambda k: abs(apart[k]))
    name, place = names[known[most]], known[most]
    shares = percent(judged[place] / sum(mine)), percent(others[place] / sum(theirs))
    rest = " without those" if sum(theirs) < sum(others) else ""
    more = "" if abs(apart[most]) > all_apart / 2 else f", and other {many} differ, too"
    said.append(
        f"the {one} {name} is {shares[0]} of {train}{called} and {shares[1]} of {test}{rest}{more}:"
        f" {then.shares.format(one=one, test=test)}"
    )
    return said
