"""The table of what came out of a measurement, with goals and verdicts."""

import dataclasses
import math
from collections.abc import Sequence
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
