"""Sheets of pictures: contact sheets, strips of one attribute, the subpopulations of a task."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lab.worlds.faces import ATTRIBUTES, PARTS, STRAYS, Attribute, Faces, render, sample_prior
from lab.worlds.population import Population
from lab.worlds.tasks import get_task

PAPER, INK, GAP = "#ffffff", "#30302e", 6
STEPS = 8
"""Faces in a strip of a continuous attribute."""


def contact_sheet(faces: Faces, *, columns: int, size: int) -> Image.Image:
    """Faces side by side, row by row, without a word."""
    return _stack([_row(part) for part in torch.split(render(faces, size=size), columns)])


def subpopulations_sheet(task_name: str, *, columns: int, size: int, seed: int) -> Image.Image:
    """A row of faces for each kind that a task's population mixes, named at its left."""
    task = get_task(task_name)
    count = 40 * columns * len(task.subpopulations)
    faces = Population(task).sample(count, seed=seed, split="gallery")
    subpopulations = task.subpopulation_of(faces)
    rows = []
    for code, kind in enumerate(task.subpopulations):
        chosen = faces.take((subpopulations == code).nonzero()[:columns, 0])
        rows.append(_labeled(kind.name, _row(render(chosen, size=size))))
    return _stack(rows)


def strips_sheet(names: list[str], *, size: int, seed: int) -> Image.Image:
    """The same face across the range of each named attribute, all else unchanged."""
    face = sample_prior(1, seed=seed, split="strips").do(**PERSON, **CLEAR)
    return _stack([_strip(ATTRIBUTES[name], face, size) for name in names])


PERSON: dict[str, str | int] = {
    "subject": "head",
    "arrangement": "natural",
    "eyes": 2,
    "nose": 1,
    "mouth": 1,
    "ears": 2,
}
STRAYLESS = dict.fromkeys(STRAYS.values(), 0)
CLEAR: dict[str, int] = {"blur": 0, "pixel_noise": 0, **STRAYLESS}


def people(count: int, *, seed: int) -> Faces:
    """Persons as the population draws them, without blur and noise."""
    return sample_prior(count, seed=seed, split="gallery").do(**PERSON, blur=0, pixel_noise=0)


def _strip(row: Attribute, face: Faces, size: int) -> Image.Image:
    if row.kind == "continuous":
        values: list[str | int | float] = list(np.linspace(row.low, row.high, STEPS))
        words = f"{row.name}\n{row.low:g} to {row.high:g} {row.unit}"
    else:
        values = list(row.values)
        words = f"{row.name}\n{', '.join(map(str, values))}"
    if row.name in PARTS or row.group != "structure":
        faces = Faces.cat([face.do(**{row.name: value}) for value in values])
    else:
        faces = Faces.cat([face] * len(values)).do(**{row.name: values})
    return _labeled(words, _row(render(faces, size=size)))


def _row(images: Tensor) -> Image.Image:
    """Pictures (N, 3, S, S) uint8 side by side."""
    pieces = [Image.fromarray(np.ascontiguousarray(i.permute(1, 2, 0).numpy())) for i in images]
    size = images.shape[-1]
    canvas = Image.new("RGB", (len(pieces) * (size + GAP) - GAP, size), PAPER)
    for k, piece in enumerate(pieces):
        canvas.paste(piece, (k * (size + GAP), 0))
    return canvas


def _labeled(words: str, row: Image.Image) -> Image.Image:
    """A row with words at its left: the first line large."""
    wide = 190
    canvas = Image.new("RGB", (wide + row.width, row.height), PAPER)
    canvas.paste(row, (wide, 0))
    pen = ImageDraw.Draw(canvas)
    title, *rest = words.split("\n")
    pen.text((8, row.height // 2 - 20), title, INK, font=ImageFont.load_default(17))
    small = ImageFont.load_default(12)
    lines: list[str] = [""]
    for word in " ".join(rest).split():
        longer = f"{lines[-1]} {word}".strip()
        if small.getlength(longer) > wide - 16:
            lines.append(word)
        else:
            lines[-1] = longer
    pen.multiline_text((8, row.height // 2 + 4), "\n".join(lines), "#77756f", font=small)
    return canvas


def _stack(rows: list[Image.Image]) -> Image.Image:
    wide = max(row.width for row in rows)
    tall = sum(row.height + GAP for row in rows) - GAP
    canvas = Image.new("RGB", (wide, tall), PAPER)
    top = 0
    for row in rows:
        canvas.paste(row, (0, top))
        top += row.height + GAP
    return canvas
