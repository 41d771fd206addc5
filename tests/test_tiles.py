"""Contact sheets are told from single pictures, and cut where their pictures lie."""

import io

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from lab.core.tiles import find_tiles
from lab.tracking.predicted import PredictedExamples
from lab.tracking.sheets import FACE, FACES, training_sheet
from lab.worlds import Population, get_task
from lab.worlds.faces import gallery, render

TASK = get_task("person")
MIXED = Population(TASK).sample(400, seed=3, split="train")


def picture(pixels: Tensor) -> Image.Image:
    """An image (3, H, W) uint8 as Pillow's."""
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def jpeg(sheet: Image.Image, quality: int) -> Image.Image:
    """What is left of a sheet that was saved as JPEG."""
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def crops(sheet: Image.Image) -> list[npt.NDArray[np.uint8]]:
    """The pictures that are found in a sheet, each (S, S, 3)."""
    return [np.asarray(sheet.crop(box)) for box in find_tiles(sheet)]


@pytest.mark.parametrize("gap", [0, 2, 6])
@pytest.mark.parametrize("size", [32, 64, 112])
def test_every_picture_of_a_sheet_is_found_where_it_lies(size: int, gap: int) -> None:
    for start in (0, 40) if size < 100 else (0,):
        faces = render(MIXED[start : start + 15], size=size)
        for paper in (0, 128, 255) if gap else (0,):
            sheet = picture(make_grid(faces, nrow=5, padding=gap, pad_value=paper))
            found = crops(sheet)
            assert len(found) == 15
            for face, piece in zip(faces, found, strict=True):
                assert (piece == face.permute(1, 2, 0).numpy()).all()
            if size > 32:
                assert gap == 2 or len(find_tiles(jpeg(sheet, 85))) == 15
                assert len(find_tiles(sheet.resize((2 * sheet.width, 2 * sheet.height)))) == 15


def test_the_labs_own_sheets_are_known() -> None:
    people = gallery.people(16, seed=1)
    assert len(find_tiles(gallery.contact_sheet(people, columns=8, size=112))) == 16
    subpopulations = gallery.subpopulations_sheet("person", columns=7, size=64, seed=0)
    found = find_tiles(subpopulations)
    assert len(found) == 7 * len(TASK.subpopulations)
    assert all(right == left + 64 for left, _, right, _ in found), "without the words at their left"
    answers = PredictedExamples(
        images=render(MIXED[:FACES], size=32),
        probabilities=torch.rand(FACES, 2, generator=torch.Generator().manual_seed(0)).softmax(1),
        labels=torch.arange(FACES) % 2,
        clean_labels=torch.arange(FACES) % 2,
        classes=TASK.classes,
    )
    found = find_tiles(Image.fromarray(training_sheet(answers)))
    assert len(found) == FACES
    assert all(FACE <= right - left <= FACE + 6 for left, _, right, _ in found), "and a frame"


def test_single_pictures_are_no_sheets() -> None:
    for size, count in ((16, 400), (32, 400), (96, 80)):
        for face in render(MIXED[:count], size=size):
            assert find_tiles(picture(face)) == []
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    for pixels in (noise, 0 * noise, noise // 128 * 255, noise[:1], noise[:, :1]):
        assert find_tiles(Image.fromarray(pixels)) == []
    assert find_tiles(Image.new("RGB", (100_000, 30))) == []
    assert find_tiles(picture(make_grid(render(MIXED[:3], size=64), nrow=3))) == [], "too few"
