"""The guess: the choices that a reader has before the results, and the one that the runs show."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.core.words import decides
from lab.experiments.lessons.claims import Claim, Numbers
from lab.experiments.plan import Tables
from lab.measure import mean_of_seeds

Answer = Callable[[Tables, Sequence[Claim]], int | None]
"""From the tables and the tested claims to the number of the choice, from 0; None: the runs do not
decide between them."""


@dataclass(frozen=True)
class Guess:
    """The choices, and which of them the runs show."""

    choices: tuple[str, ...]
    answer: Answer

    def __post_init__(self) -> None:
        assert len(set(self.choices)) == len(self.choices) >= 2


def if_confirmed(choice: int, *claims: int) -> Answer:
    """The `choice` if these claims (by their place; none: all of them) are confirmed, else None."""

    def answer(tables: Tables, tested: Sequence[Claim]) -> int | None:
        wanted = [tested[place] for place in claims] or list(tested)
        return choice if all(claim.verdict == "confirmed" for claim in wanted) else None

    return answer


def bin_of(
    values: Numbers, bounds: Sequence[float], *, ends: Sequence[float] = (0, 1)
) -> int | None:
    """The number of the bin between ascending `bounds` that holds the whole 95 % interval of the
    mean of `values` (S,), from one of the `ends` of what they can be to the other; None: the
    interval lies in two of them, or there is none, as all values are the same."""
    mean = mean_of_seeds(values.tolist())
    low, high = (bisect.bisect_right(bounds, end) for end in mean.interval)
    return low if low == high and decides(mean, ends=ends) else None
