"""When to measure: often at first, rarer later, and never for more than a share of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GROWTH = 1.1
"""Ratio of the steps of two measurements at least: 24 of them while the steps rise tenfold."""

SHOWN, PROJECTED = 1.5, 4.0
"""What the last measurement shows takes so many times as long as a measurement, and as the pictures
of one. Measured with 3,000 pictures of 32 px and a small network, where it takes most beside."""

STARTING = "starting"
"""What is spent once, before the first step."""


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
        self._cost = self._shown = 0.0
        self._first = (0, 0.0)  # a step, and the seconds of training up to it

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
        trained = start - self._began - sum(self.spent.values())
        yield
        seconds = self._clock() - start
        self._shown = self._shown or SHOWN * seconds
        if not self.measured:
            seconds /= 2  # later ones find all that this one had to load
            self._first = step, trained
        self._cost = max(seconds, 0.5 * self._cost)
        self.measured += 1
        self._next_step = step + (self.every or max(1, math.ceil((GROWTH - 1) * step)))

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Count what is inside as pictures of a measurement, which the last one has, too."""
        start = self._clock()
        yield
        self._shown = PROJECTED * (self._clock() - start)

    def due(self, step: int) -> bool:
        """Whether to measure after `step`."""
        if step < self._next_step:
            return False
        if self.every is not None or not self.measured:
            return True
        if step == self.steps:  # the last one follows, of the same weights
            return False
        spent = sum(self.spent.values())
        once = self.spent.get(STARTING, 0.0) + self._cost + self._shown
        whole, part = self.elapsed, 1.0
        if self.steps is not None and self._first[0] < step < self.steps:
            since, before = self._first  # the steps up to it may have had to load things
            pace = (self.elapsed - spent - before) / (step - since)
            whole = before + pace * (self.steps - since)
            part = math.log1p(step) / math.log1p(self.steps)
        others = spent - self.spent.get(STARTING, 0.0) + self._cost
        return others <= part * (self.share * whole - once)

    @property
    def elapsed(self) -> float:
        """All seconds since the start."""
        return self._clock() - self._began

    @property
    def taken(self) -> float:
        """The share of all seconds that was spent, 0 to 1."""
        return sum(self.spent.values()) / max(self.elapsed, 1e-9)
