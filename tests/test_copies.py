"""Near copies: found among pictures from disk however they were saved, and nothing else is."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lab.core.config import DataConfig
from lab.worlds import audit, draw_examples, open_world
from lab.worlds.copies import CLOSE, FAINT, near_copies
from support.picture_folders import fill


def drawn(count: int, size: int = 32) -> Tensor:
    return draw_examples(
        DataConfig(num_train=count, image_size=size), split="train", count=count, seed=0
    ).images


def saved(image: Tensor, form: str, **settings: object) -> Tensor:
    """A picture as it is read back from a file."""
    stream = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(stream, form, **settings)
    with Image.open(stream) as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)


def by_hand(images: Tensor, others: Tensor) -> list[list[int]]:
    """All pairs, each compared pixel by pixel."""
    found = []
    for i, one in enumerate(images.numpy().astype(float)):
        for j, two in enumerate(others.numpy().astype(float)):
            apart = np.sqrt(np.mean((one - two) ** 2))
            if apart <= min(CLOSE, FAINT * one.std()):
                found.append([i, j])
    return found


@pytest.mark.parametrize("size", [16, 17, 32, 33, 47])
def test_pairs_are_those_of_a_comparison_pixel_by_pixel(size: int) -> None:
    images = drawn(30, size)
    random = torch.Generator().manual_seed(size)
    others = drawn(40, size)[20:].float()
    for i, strength in enumerate(torch.linspace(0, 16, len(others)).tolist()):
        others[i] += strength * torch.randn(others[i].shape, generator=random)
    others = others.round().clamp(0, 255).to(torch.uint8)
    pairs = near_copies(images, others).tolist()
    assert pairs == by_hand(images, others)
    assert 3 < len(pairs) < 15
    both = torch.cat([images, others, images[:3]])
    assert near_copies(both).tolist() == [[i, j] for i, j in by_hand(both, both) if i < j]


def test_a_picture_saved_as_jpeg_is_its_near_copy() -> None:
    images = drawn(60, 64)
    others = torch.stack([saved(image, "JPEG", quality=95, subsampling=0) for image in images])
    pairs = near_copies(images, others).tolist()
    assert pairs == [[i, i] for i in range(60)]


def test_different_faces_and_even_pictures_are_no_copies() -> None:
    images = drawn(300)
    assert near_copies(images).tolist() == []
    assert near_copies(images, images).tolist() == [[i, i] for i in range(300)]
    even = torch.stack([torch.full((3, 32, 32), shade) for shade in (0, 1, 2)]).to(torch.uint8)
    assert near_copies(even, even).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert near_copies(images[:0], images).shape == near_copies(images, images[:0]).shape == (0, 2)


def test_a_folder_with_copies_is_told_of_with_their_names(tmp_path: Path) -> None:
    images = drawn(40)
    for i, image in enumerate(images):
        place = tmp_path / ("train" if i < 30 else "test") / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        as_file(image).save(place / f"{i:02d}.png")
    assert not told(tmp_path)
    as_file(images[35]).save(tmp_path / "train" / "cat" / "other.webp", lossless=True)
    (shared,) = told(tmp_path)
    assert shared.startswith("1 of 10 test pictures are training pictures")
    assert "train/cat/other.webp and test/cat/35.png" in shared
    as_file(images[3]).save(tmp_path / "train" / "dog" / "x.png")
    as_file(images[32]).save(tmp_path / "test" / "cat" / "y.png")
    same, torn = told(tmp_path)
    assert same == shared.replace("of 10", "of 11")
    assert torn.startswith("2 pairs of pictures are")
    assert {"train/cat/03.png", "train/dog/x.png", "test/dog/32.png", "test/cat/y.png"} <= set(
        re.findall(r"[\w/]+\.png", torn)
    )


def test_copies_are_counted_among_the_pictures_that_a_run_uses(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / name, 10)
        for picture in list((tmp_path / name).iterdir()):
            shutil.copy(picture, picture.with_stem(f"{picture.stem} copy"))
    counts = set()
    for size in (2, 8, 16, 32):
        data = DataConfig(data=str(tmp_path), num_train=size, num_test=size)
        world = open_world(data, seed=0)
        train, test = (
            world.load(split, count).images
            for split, count in (("train", world.data.num_train), ("test", world.data.num_test))
        )
        seen = {picture.numpy().tobytes() for picture in train}
        copies = sum(picture.numpy().tobytes() in seen for picture in test)
        counts.add(copies)
        lines = [each for each in told(tmp_path, size) if "test pictures are training" in each]
        assert [each.partition(" ")[0] for each in lines] == [str(copies)] * (copies > 0)
    assert len(counts) > 2


def as_file(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def told(folder: Path, size: int = 2000) -> list[str]:
    """The warnings about a folder of which so many pictures are used in each set."""
    data = DataConfig(data=str(folder), num_train=size, num_test=size)
    world = open_world(data, seed=0)
    train, test = (
        world.load(split, count)
        for split, count in (("train", world.data.num_train), ("test", world.data.num_test))
    )
    return [line for line in audit.warnings(world, train, test) if "copies of earlier" not in line]
