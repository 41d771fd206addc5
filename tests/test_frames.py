"""Files of several pages or frames are told where they are trained on and asked about."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from lab.core.config import DataConfig
from lab.core.frames import MOST, frames_in, frames_told
from lab.core.pictures import read_picture
from lab.runs.predictions import predictions, see
from lab.runs.train import start
from lab.worlds import open_world
from support.configs import tiny
from support.picture_folders import fill

ANIMATED = {"GIF": ".gif", "WEBP": ".webp", "PNG": ".png"}
KIND = 254  # NewSubfileType, a tag of TIFF


def noise(count: int, side: int = 24) -> list[Image.Image]:
    """Different pictures."""
    pixels = np.random.default_rng(side).integers(0, 256, (count, side, side, 3)).astype(np.uint8)
    return [Image.fromarray(each) for each in pixels]


def save(path: Path, pictures: Sequence[Image.Image], form: str = "TIFF") -> Path:
    """A file of several pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(path, form, save_all=True, append_images=list(pictures[1:]))
    return path


def tiff_of(path: Path, pages: Sequence[tuple[int, int]]) -> Path:
    """A TIFF of pages of these sides, with these values of NewSubfileType."""
    with TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
        for side, kind in pages:
            noise(1, side)[0].save(file, "TIFF", tiffinfo={KIND: kind})
            file.newFrame()
    return path


def told_of(place: Path, **settings: int) -> list[str]:
    """What is said of several pages in a folder of pictures."""
    world = open_world(DataConfig(data=str(place), image_size=16, **settings), seed=0)
    return [line for line in world.doubts() if "several" in line]


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    """Twenty TIFFs in two classes, five of them of two pages."""
    for name in ("control", "treated"):
        for number in range(10):
            pages = 2 if name == "control" and number < 5 else 1
            save(tmp_path / "cells" / name / f"{number}.tif", noise(pages, 20 + number))
    return tmp_path / "cells"


@pytest.mark.parametrize("form", ["TIFF", *ANIMATED])
def test_pages_and_frames_are_counted(form: str, tmp_path: Path) -> None:
    for count in (1, 2, 5):
        path = save(
            tmp_path / f"{count}", noise(count), form
        )  # the ending of its name is no matter
        assert frames_in(path) == count
        assert frames_in(path, most=2) == min(2, count)
        assert frames_told(path) == ("" if count == 1 else f"{count}")
    many = save(tmp_path / "many", noise(MOST + 3, 4), form)
    assert frames_in(many) == MOST
    assert frames_told(many) == f"{MOST} or more"


def test_what_shows_the_first_page_again_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    assert frames_in(tiff_of(path, [(32, 0), (16, 1), (8, 1)])) == 1, "a pyramid"
    assert frames_in(tiff_of(path, [(32, 0), (32, 4)])) == 1, "a transparency mask"
    assert frames_in(tiff_of(path, [(32, 0), (16, 0)])) == 1, "a thumbnail not said to be one"
    assert frames_in(tiff_of(path, [(32, 0), (16, 1), (32, 0), (16, 1)])) == 2
    assert frames_in(tiff_of(path, [(32, 2), (32, 2), (30, 2)])) == 3, "pages of a document"
    assert frames_in(tiff_of(path, [(16, 1), (32, 0)])) == 2, "the first is the thumbnail"


def test_other_files_have_one_picture(tmp_path: Path) -> None:
    phone = save(tmp_path / "phone.jpg", noise(2), "MPO")
    with Image.open(phone) as file:
        assert file.n_frames == 2  # type: ignore[attr-defined]
    sizes = tmp_path / "icon.ico"
    noise(1, 64)[0].save(sizes, sizes=[(16, 16), (32, 32), (64, 64)])
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes(save(tmp_path / "whole.tif", noise(2)).read_bytes()[:100])
    (tmp_path / "text.tif").write_text("no picture")
    for path in (phone, sizes, damaged, tmp_path / "text.tif", tmp_path / "gone", tmp_path):
        assert frames_in(path) == 1, path


def test_pages_of_a_chain_without_end_are_counted_once(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", noise(2))
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[4:8], "little")
    second = first
    for _ in range(2):  # to the last page's link to the next
        entries = int.from_bytes(content[second : second + 2], "little")
        link = second + 2 + 12 * entries
        second = int.from_bytes(content[link : link + 4], "little")
    assert second == 0
    content[link : link + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    assert frames_in(path) == 2


def test_several_pages_are_told_before_training(stacks: Path, tmp_path: Path) -> None:
    (line,) = told_of(stacks)
    assert line.startswith("5 of 20 files looked at have several pages or frames (control/")
    assert ".tif the first, 2), of which the first is read" in line
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        start(tiny(tmp_path / "runs", data=str(stacks), num_train=16))
    before, after, _ = out.getvalue().partition("\nseconds: ")
    assert after
    assert before.count(f"warning: {line}") == 1


def test_one_file_of_several_pages_is_spoken_of_as_one(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / name, 5)
    save(tmp_path / "cat" / "a.gif", noise(3), "GIF")
    (line,) = told_of(tmp_path)
    assert line.startswith("1 of 11 files looked at has several pages or frames (cat/a.gif the fir")
    assert "the first, 3)" in line


def test_files_of_one_picture_are_not_spoken_of(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(10):
            save(tmp_path / name / f"{number}.jpg", noise(2, 20 + number), "MPO")
            save(tmp_path / name / f"{number}.tif", noise(1, 40 + number))
            tiff_of(tmp_path / name / f"p{number}.tif", [(60 + number, 0), (20, 1)])
    assert told_of(tmp_path) == []


def test_few_files_of_many_are_looked_at_in_both_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            fill(tmp_path / part / name, 80)
    for number in range(3):  # of another ending: looked at beside all the others
        save(tmp_path / "test" / "cat" / f"{number}.tiff", noise(2, 20 + number))
    opened = []
    image_open = Image.open
    monkeypatch.setattr(Image, "open", lambda *a, **k: opened.append(a) or image_open(*a, **k))
    (line,) = told_of(tmp_path)
    assert line.startswith("3 of 103 files looked at have")
    assert len(opened) == 104, "and the first once more, to count its pages"
    del opened[:]
    assert told_of(tmp_path, num_test=2) == [], "those that are not used are no matter"
    assert len(opened) == 52


def test_a_prediction_says_that_its_picture_is_the_first(tmp_path: Path) -> None:
    one, two = noise(2)
    alone, several = save(tmp_path / "a.tif", [one]), save(tmp_path / "b.tif", [one, two])
    phone = save(tmp_path / "phone.jpg", [one, two], "MPO")
    found = predictions(
        [alone, several, phone], lambda x: torch.zeros(len(x), 2), classes="xy", size=16
    )
    said = [str(each) for each in found]
    assert ["frames" in line for line in said] == [False, True, False]
    assert said[1].endswith(" (seen: the first of its 2 pages or frames)")
    (seen,) = see(several, size=16, sheets=False)
    assert seen.pixels is not None
    assert torch.equal(seen.pixels, read_picture(alone, size=16).pixels), "the first it is"
