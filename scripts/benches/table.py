"""Measurements that take turns, and the table of what came out, with goals and verdicts."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a value in `unit`, and the goal it should reach."""

    what: str
    value: float  # NaN: could not be measured, `note` says why
    unit: str = ""
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.least is not None:
            return f"≥ {self.least:g}"
        return "" if self.most is None else f"≤ {self.most:g}"

    @property
    def verdict(self) -> str:
        """Whether the goal is reached; nothing where there is none."""
        if self.least is None and self.most is None:
            return ""
        if math.isnan(self.value):
            return "not measured"
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        return "reached" if low <= self.value <= high else "MISSED"

    def entry(self) -> dict[str, object]:
        """The row for a JSON file."""
        value = None if math.isnan(self.value) else self.value
        return {**dataclasses.asdict(self), "value": value, "verdict": self.verdict}


def take_turns(
    jobs: Mapping[str, Callable[[], int]],
    *,
    repetitions: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Run every job in turn, `repetitions` times, after one warm-up; seconds per item of each.

    A job returns how many items it did. The default clock counts the seconds that a processor
    worked for this process: others on the machine make them longer, but far less than time on the
    wall, and alike for jobs that take turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(repetitions):
        for name, job in jobs.items():
            start = clock()
            done = job()
            seconds[name].append((clock() - start) / done)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> tuple[float, str]:
    """How many times as fast `fast` is: the ratio of medians, and the range of ratios in turn."""
    pairs = sorted(a / b for a, b in zip(slow, fast, strict=True))
    value = statistics.median(slow) / statistics.median(fast)
    return value, f"{pairs[0]:.3g} to {pairs[-1]:.3g} in {len(pairs)} turns"


def rate(seconds: Sequence[float]) -> float:
    """Items per second, from the median."""
    return 1 / statistics.median(seconds)


def number(value: float) -> str:
    """A value with three digits that count."""
    if math.isnan(value):
        return "—"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def to_text(title: str, rows: Sequence[Row]) -> str:
    """The rows as a table with columns of equal width."""
    heads = ("", "measured", "goal", "verdict", "")
    cells = [
        (row.what, f"{number(row.value)} {row.unit}".strip(), row.goal, row.verdict, row.note)
        for row in rows
    ]
    widths = [max(len(line[k]) for line in (heads, *cells)) for k in range(len(heads))]

    def line(texts: Sequence[str]) -> str:
        padded = (
            text.rjust(width) if k == 1 else text.ljust(width)
            for k, (text, width) in enumerate(zip(texts, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([title, line(heads), *map(line, cells)])
