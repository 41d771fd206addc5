"""Classes, or groups, that are not as frequent in a test set as in the training set: what is said
of them before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.estimate import shares_differ
from lab.core.words import first_few, percent, singular

APART = 0.05
"""How much shares may differ without a word: the sum of what is more in one of the sets."""

FIGURES = (
    "the gap and the membership AUC come from that, too. What is said of memory goes by figures"
    " with each {one} at its share of {test}."
)
"""What follows from other shares for a run."""

CLASSES, GROUPS = ("class", "classes"), ("group", "groups")
"""What may be counted, one and several."""


def shares_told(
    names: Sequence[str],
    counts: Sequence[int],
    others: Sequence[int],
    *,
    noun: str,
    sets: tuple[str, str] = ("the training set", "the test set"),
    what: tuple[str, str] = CLASSES,
    hint: str = "",
    then: str = FIGURES,
) -> list[str]:
    """A sentence on classes that the training set lacks, and one if the shares of the others surely
    differ. `counts` and `others` are the numbers of each in the training and in the test set, which
    are called `sets`; `noun` is what their examples are called, `what` what is counted; `hint` is
    added where there are classes that the training set lacks; `then` says what follows from other
    shares, of `{one}` (a class) and `{test}`."""
    said = []
    (train, test), (one, many) = sets, what
    lacking = [place for place, n in enumerate(counts) if not n and others[place]]
    if lacking:
        unknown, named = sum(others[k] for k in lacking), first_few([names[k] for k in lacking])
        said.append(
            f"{train} has no {singular(noun)} of {len(lacking):,} of the {len(names):,} {many}"
            f" ({named}), and {unknown:,} of the {sum(others):,} {noun} of {test} are of these"
            f"{': no network can know them' if what == CLASSES else ''}. What is said of"
            f" memory compares the others.{hint}"
        )
    known = [place for place, n in enumerate(counts) if n]
    mine, theirs = [counts[place] for place in known], [others[place] for place in known]
    if not sum(theirs) or not shares_differ(mine, theirs):
        return said
    apart = [n / sum(mine) - other / sum(theirs) for n, other in zip(mine, theirs, strict=True)]
    all_apart = sum(abs(each) for each in apart) / 2
    if all_apart <= APART:
        return said
    most = max(range(len(known)), key=lambda k: abs(apart[k]))
    name, place = names[known[most]], known[most]
    shares = percent(counts[place] / sum(counts)), percent(others[place] / sum(others))
    more = "" if abs(apart[most]) > all_apart / 2 else f", and other {many} differ, too"
    said.append(
        f"the {one} {name} is {shares[0]} of {train} and {shares[1]} of {test}{more}:"
        f" {then.format(one=one, test=test)}"
    )
    return said
