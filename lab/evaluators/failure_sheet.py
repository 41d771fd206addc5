"""The sheet of failures: pairs of a sample and its misclassified variant, and what changed."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lab.core.atomic import replace_file
from lab.core.words import percent
from lab.evaluators.robustness import change_words
from lab.robustness import Failures
from lab.tracking.sheets import BAD, GOOD, INK, LINE, PAPER, scaled, write
from lab.worlds import DrawnWorld

COLUMNS, ROWS = 4, 5
"""Pairs across and down, at most."""

SIDE, GAP, SPACE, HEAD = 128, 34, 26, 62
"""Pixels: side of a picture, between a pair's pictures, around a pair, and height of the title."""

CHANGES = 8
"""Changed attributes that are named under a pair, at most."""

SOFT = "#80868b"
"""The color of secondary text."""

WIDE, TOP, BELOW, NAME = 2 * SIDE + GAP, 22, 26, 124
"""Pixels: width of a pair, height of its label and of its predictions, width of an attribute's
name."""


def failure_sheet(failures: Failures, world: DrawnWorld, *, run: str) -> Image.Image:
    """The most confident failures, drawn at `SIDE` px for people; the network saw the world's own
    size."""
    count, classes, size = (
        min(len(failures.found), COLUMNS * ROWS),
        world.classes,
        world.data.image_size,
    )
    pairs = [
        world.domain.render(some[:count], size=SIDE) for some in (failures.before, failures.after)
    ]
    chances = [
        logits.double().softmax(dim=1) for logits in (failures.logits_before, failures.logits_after)
    ]
    lines = [min(len(names), CHANGES + 1) for names in failures.changed[:count]]
    tall = [
        TOP + SIDE + BELOW + max(lines[start : start + COLUMNS]) * LINE + SPACE
        for start in range(0, count, COLUMNS)
    ]
    width = COLUMNS * (WIDE + SPACE) + SPACE
    sheet = Image.new("RGB", (width, HEAD + sum(tall) + SPACE // 2), PAPER)
    pen = ImageDraw.Draw(sheet)
    write(pen, _title(failures, world.noun), SPACE, 12, INK, size=20, room=width - 2 * SPACE)
    note = f"Left: the test face. Right: misclassified. Drawn larger than the network's {size} px."
    write(pen, f"{run}. {note}", SPACE, 38, SOFT, size=13, room=width - 2 * SPACE)
    for i in range(count):
        x = SPACE + i % COLUMNS * (WIDE + SPACE)
        y = HEAD + sum(tall[: i // COLUMNS])
        label = int(failures.labels[failures.found[i]])
        write(pen, f"True label: {classes[label]}", x, y, INK, size=14, room=WIDE)
        y += TOP
        for left, images, chance, color in (
            (x, pairs[0], chances[0], GOOD),
            (x + SIDE + GAP, pairs[1], chances[1], BAD),
        ):
            _picture(sheet, pen, images[i], left, y, color)
            write(
                pen,
                _answer(chance[i], classes),
                left,
                y + SIDE + 5,
                color,
                size=13,
                room=SIDE + GAP // 2,
            )
        _arrow(pen, x + SIDE + 9, y + SIDE // 2, GAP - 18, INK)
        _changes(pen, failures, i, x, y + SIDE + BELOW)
    return sheet


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG whole or not at all, over whatever the file holds."""
    png = io.BytesIO()
    picture.save(png, "PNG", optimize=True)
    replace_file(path, png.getvalue())


def _title(failures: Failures, noun: str) -> str:
    fooled, right = len(failures.found), int(failures.right.sum())
    if not fooled:
        return f"No misclassified variant of the {right:,} correctly classified {noun} was found"
    return (
        f"{fooled:,} of the {right:,} correctly classified {noun} are misclassified after changes"
        " of nuisances only"
    )


def _answer(chances: Tensor, classes: tuple[str, ...]) -> str:
    """The probability of the last of two classes, or the predicted one of more, with its
    probability; from probabilities (C,)."""
    if len(classes) == 2:
        return f"P({classes[1]}) {percent(float(chances[1]))}"
    said = int(chances.argmax())
    return f"{classes[said]} {percent(float(chances[said]))}"


def _picture(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, picture: Tensor, x: int, y: int, color: str
) -> None:
    pen.rectangle((x - 2, y - 2, x + SIDE + 1, y + SIDE + 1), fill=color)
    sheet.paste(scaled(picture, SIDE), (x, y))


def _changes(pen: ImageDraw.ImageDraw, failures: Failures, i: int, x: int, y: int) -> None:
    """The changed attributes, one on a line: name, old value, arrow, new value."""
    names, font = failures.changed[i], ImageFont.load_default(12)
    shown = names if len(names) <= CHANGES + 1 else names[:CHANGES]
    for name in shown:
        old, new = change_words(failures, i, name)
        write(pen, name, x, y, SOFT, size=12, room=NAME)
        write(pen, old, x + NAME, y, INK, size=12, room=70)
        end = x + NAME + round(pen.textlength(old, font=font))
        _arrow(pen, end + 6, y + 8, 12, SOFT)
        write(pen, new, end + 24, y, INK, size=12, room=70)
        y += LINE
    if len(names) > len(shown):
        write(pen, f"and {len(names) - len(shown)} more", x, y, SOFT, size=12, room=NAME)


def _arrow(pen: ImageDraw.ImageDraw, x: float, y: float, length: float, color: str) -> None:
    """An arrow to the right, drawn because the font has none."""
    head = min(5.0, length / 2)
    pen.line((x, y, x + length - head, y), fill=color, width=2 if length > 12 else 1)
    tip = x + length
    pen.polygon((tip, y, tip - head, y - head * 0.8, tip - head, y + head * 0.8), fill=color)
