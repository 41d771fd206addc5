"""Contact sheets: faces with the network's predictions as captions.

TensorBoard's image cards are 350 pixels wide and scale a picture by dropping or doubling pixels, so
a sheet is just as wide: what is written in it stays legible.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lab.tracking.predicted import PredictedExamples

WIDTH, COLUMNS, ROWS = 350, 3, 5
"""Pixels across a sheet, faces across and down."""

FACES = COLUMNS * ROWS
"""How many faces a sheet shows at most."""

FACE, MARGIN, LINE, TITLE = 96, 6, 15, 26
"""Pixels: side of a face, space around it, height of a caption's line and of the title."""

ROOM, SIZE = WIDTH // COLUMNS - 4, 13
"""Pixels: width of a caption's line, and size of its letters."""

LINES = 8
"""Lines that a name in a caption may take up."""

PAPER, INK, GOOD, BAD, MARKED = "#ffffff", "#202124", "#1b7f3b", "#c62828", "#e07b00"
"""Colors: correct predictions, wrong ones, and wrong labels."""


class Cell(NamedTuple):
    """A face (3, S, S) uint8, its caption (text and color for each line) and its frame's color."""

    face: Tensor
    caption: Sequence[tuple[str, str]]
    frame: str


def training_sheet(train: PredictedExamples, *, noun: str = "faces") -> npt.NDArray[np.uint8]:
    """The first training examples (`noun`, in the plural) with predictions and given labels; (H, W,
    3) uint8."""
    shown = train.first(FACES)
    share = f"{100 * train.right.float().mean():.0f} %" if len(train) else "–"
    return draw_sheet(f"Training {noun}: {share} of {len(train):,} right", _cells(shown))


def mistakes_sheet(test: PredictedExamples, *, what: str = "unseen faces") -> npt.NDArray[np.uint8]:
    """The misclassified faces, the most confident predictions first."""
    wrong = ~test.right
    if not wrong.any():
        return draw_sheet(f"No mistakes on {len(test):,} {what}", [])
    title = f"{int(wrong.sum()):,} mistakes on {len(test):,} {what}, surest first"
    return draw_sheet(title, _cells(test.surest(wrong, FACES)))


def mislabeled_sheet(train: PredictedExamples) -> npt.NDArray[np.uint8]:
    """The mislabeled training faces for which the given, wrong label is predicted, the most
    confident predictions first."""
    fitted = train.mislabeled & train.right
    count = int(train.mislabeled.sum())
    if not fitted.any():
        return draw_sheet(f"None of {count:,} wrong labels memorized", [])
    title = f"Wrong labels memorized: {int(fitted.sum()):,} of {count:,}"
    return draw_sheet(title, _cells(train.surest(fitted, FACES)))


def doubted_sheet(
    train: PredictedExamples, *, order: Tensor, against: Tensor, said: Tensor
) -> npt.NDArray[np.uint8]:
    """The training pictures whose given label is most likely wrong: `order` (N,) are positions,
    the likeliest first, `against` (N,) the share of the neighbors that have another label (NaN: not
    known), `said` (N,) their most frequent one."""
    shown = [i for i in order[:FACES].tolist() if against[i] != 0]
    if not shown:
        return draw_sheet(f"No label of {len(train):,} is doubted", [])
    cells = []
    for i in shown:
        caption = [(f"given: {train.classes[train.labels[i]]}", BAD)]
        if not against[i].isnan():
            caption.append((f"near: {train.classes[said[i]]}", INK))
            caption.append((f"{100 * float(against[i]):.0f} % against it", INK))
        marked = bool(train.mislabeled[i])
        if marked:
            caption.append((f"true: {train.classes[train.clean_labels[i]]}", MARKED))
        cells.append(Cell(train.images[i], caption, MARKED if marked else INK))
    return draw_sheet(f"Likeliest wrong labels of {len(train):,}", cells)


def draw_sheet(title: str, cells: Sequence[Cell]) -> npt.NDArray[np.uint8]:
    """A title above cells in rows of `COLUMNS`: (H, W, 3) uint8."""
    lines = max((len(cell.caption) for cell in cells), default=0)
    width, height = WIDTH // COLUMNS, FACE + lines * LINE + 3 * MARGIN
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (WIDTH, TITLE + rows * height), PAPER)
    pen = ImageDraw.Draw(sheet)
    write(pen, title, MARGIN, 3, INK, size=14, room=WIDTH - MARGIN)
    for i, cell in enumerate(cells):
        left, top = i % COLUMNS * width + MARGIN, TITLE + i // COLUMNS * height
        pen.rectangle((left - 3, top - 3, left + FACE + 2, top + FACE + 2), fill=cell.frame)
        sheet.paste(scaled(cell.face, FACE), (left, top))
        for k, (text, color) in enumerate(cell.caption):
            write(pen, text, left - 3, top + FACE + 4 + k * LINE, color, size=SIZE, room=ROOM)
    return np.asarray(sheet)


def in_lines(path: str) -> list[str]:
    """A path as lines of a caption, broken after a folder where one ends in the line; of more than
    `LINES` those in the middle are left out, which "…" stands for."""
    font = _font(SIZE)
    lines = []
    while path:
        end = len(path)
        while end > 1 and font.getlength(path[:end]) > ROOM:
            end -= 1
        if end < len(path):
            end = 1 + path[:end].rfind("/") or end
        lines.append(path[:end])
        path = path[end:]
    if len(lines) <= LINES:
        return lines
    return [*lines[: LINES // 2], "…", *lines[1 - LINES // 2 :]]


def _cells(shown: PredictedExamples) -> list[Cell]:
    """Frames: green for a correct prediction, red for a wrong one, orange for a wrong label."""
    cells = []
    marked = shown.mislabeled.tolist()
    for i, (said, label, truth) in enumerate(
        zip(
            shown.predicted.tolist(),
            shown.labels.tolist(),
            shown.clean_labels.tolist(),
            strict=True,
        )
    ):
        right = said == label
        caption = [
            (f"pred: {shown.classes[said]}", GOOD if right else BAD),
            (f"{_percent(float(shown.confidence[i]))} sure", GOOD if right else BAD),
        ]
        if marked[i]:
            caption.append((f"true: {shown.classes[truth]}", MARKED))
        elif not right:
            caption.append((f"true: {shown.classes[label]}", INK))
        frame = MARKED if marked[i] else GOOD if right else BAD
        cells.append(Cell(shown.images[i], caption, frame))
    return cells


def _percent(share: float) -> str:
    """A probability in percent; only 1 is written as 100 %."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent < 99.5 else f"{min(percent, 99.99):.2f} %"


def scaled(face: Tensor, side: int) -> Image.Image:
    """A face as large as its place, its pixels kept crisp where each becomes a whole number."""
    picture = Image.fromarray(face.permute(1, 2, 0).contiguous().numpy())
    crisp = side % picture.width == 0
    how = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return picture.resize((side, side), how)


def write(
    pen: ImageDraw.ImageDraw, text: str, x: int, y: int, color: str, *, size: int, room: int
) -> None:
    """Write one line, cut short where it would leave its room."""
    font = _font(size)
    while len(text) > 1 and pen.textlength(text, font=font) > room:
        text = text[:-2].rstrip() + "…"
    pen.text((x, y), text, fill=color, font=font)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
