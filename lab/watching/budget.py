"""When to measure: often at first, rarer later, and never for more than a share of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GROWTH = 1.1
"""Ratio of the steps of two measurements at least: 24 of them while the steps rise tenfold."""


class Budget:
    """Seconds spent on measuring, and whether a further measurement is within `share` of all
    seconds since `start`. The first one is always, and the last one is kept back for.

    `every`: measure every so many steps instead, whatever that takes. `steps`: how many there will
    be, if that is known: then the seconds of the whole run are foreseen, and the measurements lie
    at steps in about equal ratios. `clock` gives seconds.
    """

    def __init__(
        self,
        share: float,
        every: int | None,
        steps: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.share, self.every, self.steps = share, every, steps
        self.spent: dict[str, float] = {}
        self.measured = 0
        self._clock, self._began = clock, clock()
        self._next_step = 0
        self._cost = self._last_cost = 0.0

    @contextmanager
    def spending(self, what: str) -> Iterator[None]:
        """Count the seconds inside as spent on `what`."""
        start = self._clock()
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + self._clock() - start

    @contextmanager
    def measuring(self, step: int) -> Iterator[None]:
        """Count what is inside as a measurement after `step`."""
        start = self._clock()
        yield
        seconds = self._clock() - start
        self._cost = max(seconds, 0.5 * self._cost)
        self._last_cost = max(self._last_cost, 1.5 * seconds)  # it shows more, as the first does
        self.measured += 1
        self._next_step = step + (self.every or max(1, math.ceil((GROWTH - 1) * step)))

    def due(self, step: int) -> bool:
        """Whether to measure after `step`."""
        if step < self._next_step:
            return False
        if self.every is not None or not self.measured:
            return True
        spent = sum(self.spent.values()) + self._cost + self._last_cost
        return spent <= self.share * self._foreseen(step)

    def _foreseen(self, step: int) -> float:
        """The seconds of which a share may be spent by now: those so far; or those of the whole run
        if its end is known, as far as it has come in the logarithm of its steps."""
        if self.steps is None or not 0 < step < self.steps:
            return self.elapsed
        looped = (self.elapsed - sum(self.spent.values())) / step * self.steps
        return looped * math.log1p(step) / math.log1p(self.steps)

    @property
    def elapsed(self) -> float:
        """All seconds since the start."""
        return self._clock() - self._began

    @property
    def taken(self) -> float:
        """The share of all seconds that was spent, 0 to 1."""
        return sum(self.spent.values()) / max(self.elapsed, 1e-9)
