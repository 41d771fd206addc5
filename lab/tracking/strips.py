"""Pictures of interventions: a face with each value of an attribute, and bars of reliance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from torch import Tensor

from lab.core.estimate import Estimate
from lab.tracking.sheets import (
    BAD,
    GOOD,
    INK,
    LINE,
    MARGIN,
    PAPER,
    TITLE,
    WIDTH,
    scaled,
    write,
)  # fmt: skip

COLUMNS = 5
"""Values of an attribute side by side."""

FACE = 62
"""Pixels: side of a face in a strip."""

ROW, NAME, SOFT = 16, 132, "#9aa0a6"
"""Pixels: height of a bar's row and width of its name; the color of whiskers."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """R faces with each of the C <= `COLUMNS` values of an attribute.

    images: uint8 (R, C, 3, S, S). chances: (R, C), the probability of class `what`. right: bool
    (R, C), whether the prediction is the true label. values: C texts.
    """

    attribute: str
    what: str
    values: Sequence[str]
    images: Tensor
    chances: Tensor
    right: Tensor


def strip_sheet(strip: Strip) -> npt.NDArray[np.uint8]:
    """A row for each face, a column for each value; (H, W, 3) uint8."""
    rows, columns = strip.chances.shape
    width, height = WIDTH // COLUMNS, FACE + LINE + 2 * MARGIN
    top = TITLE + LINE
    sheet = Image.new("RGB", (WIDTH, top + rows * height), PAPER)
    pen = ImageDraw.Draw(sheet)
    title = f'P("{strip.what}") when {strip.attribute} alone changes'
    write(pen, title, MARGIN, 3, INK, size=14, room=WIDTH - MARGIN)
    for column in range(columns):
        left = column * width + 4
        write(pen, strip.values[column], left, TITLE - 2, INK, size=12, room=width - 4)
        for row in range(rows):
            color = GOOD if strip.right[row, column] else BAD
            y = top + row * height + 3
            pen.rectangle((left - 3, y - 3, left + FACE + 2, y + FACE + 2), fill=color)
            sheet.paste(scaled(strip.images[row, column], FACE), (left, y))
            chance = f"{100 * float(strip.chances[row, column]):.0f} %"
            write(pen, chance, left, y + FACE + 2, color, size=13, room=width - 4)
    return np.asarray(sheet)


def bars_sheet(
    relevant: Mapping[str, Estimate], nuisances: Mapping[str, Estimate]
) -> npt.NDArray[np.uint8]:
    """Reliance on every attribute as bars with whiskers, the largest first; (H, W, 3) uint8."""
    sections = [("Relevant attributes: should be 100 %", relevant, GOOD),
                ("Nuisances: should be 0 %", nuisances, BAD)]  # fmt: skip
    rows = sum(len(bars) for _, bars, _ in sections)
    sheet = Image.new("RGB", (WIDTH, rows * ROW + len(sections) * TITLE + 2 * MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    y = MARGIN
    for title, bars, color in sections:
        write(pen, title, MARGIN, y, INK, size=14, room=WIDTH - MARGIN)
        y += TITLE - 4
        for name, figure in sorted(bars.items(), key=lambda item: -item[1].value):
            _bar(pen, name, figure, y, color)
            y += ROW
        y += MARGIN
    return np.asarray(sheet)


def _bar(pen: ImageDraw.ImageDraw, name: str, figure: Estimate, y: int, color: str) -> None:
    room = WIDTH - NAME - 52

    def at(share: float) -> float:
        return NAME + share * room

    write(pen, name, MARGIN, y, INK, size=12, room=NAME - MARGIN)
    pen.line((NAME, y, NAME, y + ROW), fill=SOFT)
    pen.rectangle((NAME, y + 3, at(figure.value), y + ROW - 4), fill=color)
    if figure.low is not None and figure.high is not None:
        middle = y + ROW / 2 - 1
        pen.line((at(figure.low), middle, at(figure.high), middle), fill=INK)
        for end in (figure.low, figure.high):
            pen.line((at(end), middle - 3, at(end), middle + 3), fill=INK)
    text = f"{100 * figure.value:.0f} %"
    write(pen, text, WIDTH - 44, y, INK, size=12, room=44)
