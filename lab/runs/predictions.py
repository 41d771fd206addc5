"""What a network answers about picture files: find them, read them, ask in batches."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.frames import frames_told
from lab.core.pictures import Resize, files_below, open_picture, picture_suffixes, square
from lab.core.text import own_columns, plain, short_paths
from lab.core.tiles import find_tiles
from lab.measure.predict import BATCH
from lab.tracking.sheets import INK, Cell, draw_sheet, in_lines

CROPPED = 0.95
"""A picture is said to be cut if less of its longer side than this is shown to the network."""

BEFORE, AFTER = ("picture", "part", "answer"), ("notes", "error")
"""Columns of a table of answers, before and after those of the classes."""

PLAIN = 16
"""Levels of 255 within which all pixels of every channel lie that are said to be of one color."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A picture, or one of a contact sheet, as the network sees it.

    `part` says which of a sheet's it is, from 1, and of how many; None: it is the whole file.
    `pixels` (3, S, S) uint8; None if the file cannot be read, and `error` says why. `notes` are
    what one should know of the pixels, `hint` what one could do instead.
    """

    path: Path
    part: tuple[int, int] | None = None
    pixels: Tensor | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        """The file, and which picture of it."""
        if self.part is None:
            return str(self.path)
        return f"{self.path}, picture {self.part[0]} of {self.part[1]}"


@dataclass(frozen=True)
class Prediction:
    """What was seen, and the probability of each class by its name, the highest first (of equal
    ones the class that comes first); none if the file could not be read."""

    seen: Seen
    chances: dict[str, float]

    @property
    def answer(self) -> str:
        """The most probable class; nothing if there is no answer."""
        return next(iter(self.chances), "")

    def without_pixels(self) -> "Prediction":
        """The same, in little memory."""
        return replace(self, seen=replace(self.seen, pixels=None))

    def __str__(self) -> str:
        said = ", ".join(f"{name} {100 * chance:.1f} %" for name, chance in self.chances.items())
        notes = f" ({'; '.join(self.seen.notes)})" if self.seen.notes else ""
        return f"{self.seen.name}: {said}{notes}"


def find_pictures(places: Sequence[Path]) -> tuple[list[Path], Counter[str]]:
    """The files among `places`, and all pictures in the folders among them, in those within, too,
    sorted; and how many other files lie there, by the ending of their names.

    A picture's name ends as one's does; hidden files and folders are left out, and links are
    followed. `ValueError` names a
    folder without any, `OSError` one that cannot be read.
    """
    files: list[Path] = []
    others: Counter[str] = Counter()
    known = picture_suffixes()
    for place in places:
        if not place.is_dir():
            files.append(place)
            continue
        inside = sorted(files_below(place))
        pictures = [path for path in inside if path.suffix.lower() in known]
        if not pictures:
            raise ValueError(f"{place}: there is no picture in this folder")
        files += pictures
        others.update(path.suffix.lower() for path in set(inside) - set(pictures))
    return files, others


def see(path: Path, *, size: int, sheets: bool, resize: Resize = "crop") -> list[Seen]:
    """What a network that takes `size` pixels sees of a file: one picture, or with `sheets` each of
    those in a contact sheet. An error is told as such, never raised."""
    try:
        picture = open_picture(path)
        boxes = find_tiles(picture)
        if sheets and not boxes:
            raise ValueError(f"{path}: no pictures of the same size are found side by side in it")
    except ValueError as error:
        return [Seen(path=path, error=str(error))]
    several = frames_told(path)
    hint = ""
    if boxes and not sheets:
        hint = f"{path} looks like {len(boxes)} pictures but is taken as one: --sheets asks of each"
    seen = []
    parts = [picture.crop(box) for box in boxes] if sheets else [picture]
    for number, part in enumerate(parts, 1):
        shown = square(part, size=size, resize=resize)
        notes = []
        if several:
            notes.append(f"seen: the first of its {several} pages or frames")
        if resize == "crop" and shown.side < CROPPED * max(part.size):
            notes.append(
                f"seen: its middle square, {shown.side} x {shown.side} of {part.width} x"
                f" {part.height}"
            )
        if int((shown.pixels.amax((1, 2)) - shown.pixels.amin((1, 2))).max()) <= PLAIN:
            notes.append("nearly of one color")
        which = (number, len(parts)) if sheets else None
        seen.append(Seen(path=path, part=which, pixels=shown.pixels, notes=tuple(notes), hint=hint))
    return seen


def predictions(
    files: Sequence[Path],
    predict: Callable[[Tensor], Tensor],
    *,
    classes: Sequence[str],
    size: int,
    sheets: bool = False,
    resize: Resize = "crop",
) -> Iterator[Prediction]:
    """The answer about each picture, in the order of `files`, a batch at a time.

    `predict` maps uint8 pictures (N, 3, `size`, `size`) to logits (N, C), C as many as `classes`.
    """
    pictures = (
        seen for path in files for seen in see(path, size=size, sheets=sheets, resize=resize)
    )
    while batch := list(islice(pictures, BATCH)):
        pixels = [seen.pixels for seen in batch if seen.pixels is not None]
        logits = predict(torch.stack(pixels)) if pixels else torch.empty(0, len(classes))
        rows = zip(logits.softmax(dim=1).tolist(), logits.tolist(), strict=True)
        for seen in batch:
            chances, scores = next(rows) if seen.pixels is not None else ([], [])
            if not all(map(math.isfinite, chances)):
                seen, chances = replace(seen, error=f"{seen.name}: the answer is not a number"), []
            # By logits, which rounding merges less often; of equal ones the first, as argmax has it
            ranked = sorted(range(len(chances)), key=lambda k: -scores[k])
            yield Prediction(seen, {classes[k]: chances[k] for k in ranked})


def to_csv(answers: Sequence[Prediction], classes: Sequence[str]) -> str:
    """A row for each picture: its file, which of a sheet's it is, the answer, the probability of
    each class (in a column of its name, as `own_columns` has it: "probability:error"), what one
    should know of what was seen, and why there is no answer."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    own = own_columns(classes, beside=(*BEFORE, *AFTER), kind="probability")
    table.writerow([*BEFORE, *own.values(), *AFTER])
    for each in answers:
        seen = each.seen
        part = seen.part[0] if seen.part else ""
        chances = [each.chances.get(name, "") for name in classes]
        row = [seen.path, part, each.answer, *chances, "; ".join(seen.notes), seen.error]
        table.writerow(row)
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # names may be no text


def to_sheet(answers: Sequence[Prediction], *, run: str) -> npt.NDArray[np.uint8]:
    """What the network saw, magnified, with each picture's name and answer: (H, W, 3) uint8.

    The name is that of the file; of files with equal names it is the end of the path, as long as it
    has to be to tell them apart, in several lines if need be.
    """
    cells = []
    names = short_paths(each.seen.path for each in answers if each.seen.pixels is not None)
    for each in answers:
        seen = each.seen
        if seen.pixels is not None:
            short = names[seen.path]
            name = f"{seen.part[0]}: " if seen.part else ""
            name += plain(short)
            chance = f"{100 * each.chances[each.answer]:.0f} % " if each.answer else ""
            lines = [name] if short == seen.path.name else in_lines(name)
            caption = [(line, INK) for line in (*lines, f"{chance}{each.answer}")]
            cells.append(Cell(seen.pixels, caption, INK))
    return draw_sheet(f"What {run} saw", cells)
