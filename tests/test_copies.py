"""Near copies: found among pictures from disk however they were saved, and nothing else is."""

import io
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.pictures import has_unused_bits
from lab.worlds import copies, draw_examples, open_world
from lab.worlds.copies import CLOSE, EVEN, FAINT, LEAST, PATCHES, near_copies
from lab.worlds.doubts import doubts_of_pictures
from lab.worlds.stored import StoredWorld
from support.picture_folders import fill
from support.raw_pictures import png, pnm


def drawn(count: int, size: int = 32) -> Tensor:
    return draw_examples(
        DataConfig(num_train=count, image_size=size), split="train", count=count, seed=0
    ).images


def fill_pets(folder: Path, images: Iterable[Tensor], *, num_train: int) -> None:
    """Write pictures as dogs and cats in turn, the first ones for training."""
    for i, image in enumerate(images):
        place = folder / ("train" if i < num_train else "test") / ("cat" if i % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        as_file(image).save(place / f"{i:02d}.png")


def saved(image: Tensor, form: str, **settings: object) -> Tensor:
    """A picture as it is read back from a file."""
    stream = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(stream, form, **settings)
    with Image.open(stream) as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)


def found(images: Tensor, others: Tensor | None = None) -> list[list[int]]:
    """All near copies."""
    near = near_copies(images, others)
    assert near.complete
    assert near.pairs.shape[1] == 2
    return near.pairs.tolist()


def alike(count: int, noise: float, *, size: int = 32, templates: int = 1) -> Tensor:
    """Drawn faces, each so many times in turn with other noise."""
    random = torch.Generator().manual_seed(int(noise))
    faces = drawn(templates, size).float().repeat(-(-count // templates), 1, 1, 1)[:count]
    faces += noise * torch.randn(faces.shape, generator=random)
    return faces.round().clamp(0, 255).to(torch.uint8)


def contrast(picture: np.ndarray) -> float:
    """The standard deviation within the channels of (3, S, S), root mean square of the three."""
    return float(np.sqrt(picture.var(axis=(1, 2)).mean()))


def patches(picture: np.ndarray) -> np.ndarray:
    """The averages of (3, S, S) over 8 x 8 patches, each times the root of its pixels: sums of
    squares compare with those of the pixels."""
    size = picture.shape[-1]
    rows = [np.arange(size)[np.arange(size) * 8 // size == k] for k in range(8)]
    return np.array(
        [
            [picture[:, r][:, :, c].sum((1, 2)) / (len(r) * len(c)) ** 0.5 for c in rows]
            for r in rows
        ]
    )


def by_hand(images: Tensor, others: Tensor) -> list[list[int]]:
    """All pairs, each compared pixel by pixel, and patch by patch."""
    found = []
    for i, one in enumerate(images.numpy().astype(float)):
        for j, two in enumerate(others.numpy().astype(float)):
            apart = np.sqrt(np.mean((one - two) ** 2))
            even = np.sqrt(np.sum(patches(one - two) ** 2) / one.size)
            if apart <= min(CLOSE, FAINT * contrast(one), FAINT * contrast(two)) and (
                even <= max(EVEN, PATCHES * apart)
            ):
                found.append([i, j])
    return found


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.63, 0.4), (0.2, 0.9, 0.5)])
def test_different_pictures_of_one_tint_are_no_copies(tint: tuple[float, ...]) -> None:
    """Textures of little contrast, in gray and in color; one is there twice."""
    random = torch.Generator().manual_seed(0)
    gray = 150 + 5 * torch.randn(20, 1, 32, 32, generator=random)
    images = gray * torch.tensor(tint)[None, :, None, None]
    images[7] = images[3]
    images = images.round().clamp(0, 255).to(torch.uint8)
    assert found(images) == [[3, 7]] or found(images) == [[7, 3]]


@pytest.mark.parametrize("size", [16, 17, 32, 33, 47])
def test_pairs_are_those_of_a_comparison_pixel_by_pixel(size: int) -> None:
    images = drawn(30, size)
    random = torch.Generator().manual_seed(size)
    others = drawn(40, size)[20:].float()
    for i, strength in enumerate(torch.linspace(0, 16, len(others)).tolist()):
        others[i] += strength * torch.randn(others[i].shape, generator=random)
    others = others.round().clamp(0, 255).to(torch.uint8)
    pairs = found(images, others)
    assert pairs == by_hand(images, others)
    assert 3 < len(pairs) < 15
    both = torch.cat([images, others, images[:3]])
    assert found(both) == [[i, j] for i, j in by_hand(both, both) if i < j]


@pytest.mark.parametrize("size", [16, 28, 32])
@pytest.mark.parametrize("noise", [2.0, 5.0, 12.0])
def test_pairs_among_pictures_that_are_all_alike_are_those_of_a_comparison_by_pixels(
    size: int, noise: float
) -> None:
    images = alike(40, noise, size=size, templates=3)
    expected = [[i, j] for i, j in by_hand(images, images) if i < j]
    assert found(images) == expected
    assert bool(expected) is (noise < 12)
    assert found(images[:15], images[15:]) == by_hand(images[:15], images[15:])


def test_where_too_many_are_alike_the_most_similar_are_compared_and_it_is_said() -> None:
    images = alike(60, 10.0)  # alike by averages, no copies by pixels
    for i in (7, 31, 58):
        images[i] = images[3]
    near = near_copies(images, work=0)
    assert not near.complete
    assert near.pairs.tolist() == [[3, 7], [3, 31], [3, 58], [7, 31], [7, 58], [31, 58]]
    same = alike(60, 1.0)
    near = near_copies(same[:20], same[20:], work=0)
    assert not near.complete
    pairs = by_hand(same[:20], same[20:])
    assert all(pair in pairs for pair in near.pairs.tolist())
    assert near.pairs[:, 0].bincount().tolist() == [LEAST] * 20
    assert len(near_copies(same[:20], same[20:]).pairs) == len(pairs) == 800
    few = alike(LEAST + 1, 1.0)
    assert near_copies(few, work=0).complete


@pytest.mark.parametrize("block", [1, 50, 333, 2**21])
def test_the_size_of_the_blocks_changes_nothing(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = alike(50, 5.0, size=16, templates=4)
    whole, crowded = near_copies(images), near_copies(images, work=0)
    told: list[int] = []
    monkeypatch.setattr(copies, "_BLOCK", block)
    monkeypatch.setattr(copies, "_PART", 3 * block)
    assert torch.equal(near_copies(images, done=told.append).pairs, whole.pairs)
    assert torch.equal(near_copies(images, work=0).pairs, crowded.pairs)
    assert 50 * 49 // 2 <= sum(told) <= 50 * 50
    assert len(told) == {1: 50, 2**21: 1}.get(block, len(told))


def test_a_picture_saved_as_jpeg_is_its_near_copy() -> None:
    images = drawn(60, 64)
    others = torch.stack([saved(image, "JPEG", quality=95, subsampling=0) for image in images])
    pairs = found(images, others)
    assert pairs == [[i, i] for i in range(60)]


def mugs(colors: list[tuple[int, int, int]], size: int) -> Tensor:
    """Products in one shape on one ground, as photographed: with noise, made small."""
    random = np.random.default_rng(0)
    made = []
    for color in colors:
        image = np.full((160, 160, 3), 246.0)
        image[50:110, 50:110] = color
        image[60:100, 110:116] = color
        image += random.normal(0, 2, image.shape)
        whole = Image.fromarray(image.clip(0, 255).astype(np.uint8))
        small = whole.resize((size, size), Image.Resampling.LANCZOS)
        made.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
    return torch.stack(made)


@pytest.mark.parametrize("size", [16, 24, 32, 64])
def test_products_of_similar_colors_on_one_ground_are_no_copies(size: int) -> None:
    """But one photographed twice is."""
    images = mugs([(168, 37, 47), (186, 32, 50), (60, 120, 90), (75, 130, 80), (60, 120, 90)], size)
    apart = (images[0].double() - images[1].double()).square().mean().sqrt()
    assert apart < CLOSE, "by pixels alone they were"
    assert found(images) == [[2, 4]]


RESAVED = {
    "JPEG": {"quality": 60},
    "WEBP": {"quality": 75},
    "GIF": {},
}


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("how", [*RESAVED, 0.5, 0.75, 1.5])
def test_faces_that_were_saved_or_scaled_before_they_were_made_small_are_copies(
    how: str | float, size: int
) -> None:
    small, others = [], []
    for image in drawn(20, 128):
        whole = as_file(image)
        if isinstance(how, str):
            again = as_file(saved(image, how, **RESAVED[how]))
        else:
            again = whole.resize((int(128 * how),) * 2, Image.Resampling.BICUBIC)
        for made, one in ((small, whole), (others, again)):
            made.append(np.array(one.resize((size, size), Image.Resampling.LANCZOS)))
    pairs = found(
        *(torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) for each in (small, others))
    )
    assert pairs == [[i, i] for i in range(20)]


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("quality", [75, 95])
def test_colored_lines_on_white_that_were_saved_as_jpeg_are_copies(quality: int, size: int) -> None:
    """Whose colors are stored at half the resolution, which white cuts off on one side."""
    random = np.random.default_rng(0)
    small, others = [], []
    for number in range(20):
        image = Image.new("RGB", (96, 96), "white")
        pen, color = ImageDraw.Draw(image), ((200, 30, 40), (30, 60, 200))[number % 2]
        for _ in range(3):
            x, y = random.integers(8, 50, 2)
            box = x, y, x + random.integers(15, 38), y + random.integers(15, 38)
            (pen.ellipse if random.random() < 0.5 else pen.rectangle)(
                [*map(int, box)], outline=color, width=4
            )
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        for made, one in ((small, image), (others, Image.open(file))):
            made.append(np.array(one.resize((size, size), Image.Resampling.LANCZOS)))
    pairs = found(
        *(torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) for each in (small, others))
    )
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert len(pairs) >= 19


def test_what_is_only_nearly_the_same_is_told_conditionally(tmp_path: Path) -> None:
    images = drawn(12)
    fill_pets(tmp_path, images, num_train=6)
    near = (images[0].int() + 2).clamp(0, 255).to(torch.uint8)
    as_file(near).save(tmp_path / "test" / "dog" / "near.png")
    (line,) = told(tmp_path)
    assert line == (
        "1 of 7 test pictures is a training picture, too, or nearly: train/dog/00.png and"
        " test/dog/near.png. If both are the same photograph, the network has studied it, and test"
        " accuracy is too good."
    )
    as_file(images[1]).save(tmp_path / "test" / "cat" / "same.png")
    (line,) = told(tmp_path)
    assert line.startswith("2 of 8 test pictures are training pictures, too, or nearly (1 exactly)")
    assert line.endswith(
        ". As far as they are the same photographs, the network has studied them, and test accuracy"
        " is too good."
    )
    as_file(images[0]).save(tmp_path / "test" / "dog" / "near.png")
    (line,) = told(tmp_path)
    assert line.startswith("2 of 8 test pictures are training pictures, too: ")
    assert line.endswith(". The network has studied them, so that test accuracy is too good.")


def test_different_faces_and_even_pictures_are_no_copies() -> None:
    images = drawn(300)
    assert found(images) == []
    assert found(images, images) == [[i, i] for i in range(300)]
    even = torch.stack([torch.full((3, 32, 32), shade) for shade in (0, 1, 2)]).to(torch.uint8)
    assert found(even, even) == [[0, 0], [1, 1], [2, 2]]
    assert found(images[:0], images) == found(images, images[:0]) == found(images[:0]) == []


def test_a_folder_with_copies_is_told_of_with_their_names(tmp_path: Path) -> None:
    images = drawn(40)
    fill_pets(tmp_path, images, num_train=30)
    assert not told(tmp_path)
    as_file(images[35]).save(tmp_path / "train" / "cat" / "other.webp", lossless=True)
    (shared,) = told(tmp_path)
    assert shared.startswith("1 of 10 test pictures is a training picture")
    assert "train/cat/other.webp and test/cat/35.png" in shared
    as_file(images[3]).save(tmp_path / "train" / "dog" / "x.png")
    as_file(images[32]).save(tmp_path / "test" / "cat" / "y.png")
    same, torn = told(tmp_path)
    assert same == shared.replace("of 10", "of 11")
    assert torn.startswith("2 pairs of pictures are")
    assert {"train/cat/03.png", "train/dog/x.png", "test/dog/32.png", "test/cat/y.png"} <= set(
        re.findall(r"[\w/]+\.png", torn)
    )


@pytest.mark.parametrize(
    ("other", "off"),
    [
        (0, "too good."),
        (6, "too bad as far as the network goes by them, as they have"),
        (3, "too good, or too bad"),
    ],
)
def test_copies_of_training_pictures_of_another_class_make_test_accuracy_too_bad(
    other: int, off: str, tmp_path: Path
) -> None:
    """A network that knows them answers with their class in training."""
    images = drawn(40)
    fill_pets(tmp_path, images, num_train=30)
    for place in range(6):
        kinds = ("dog", "cat") if place % 2 == 0 else ("cat", "dog")  # its own, and the other one
        as_file(images[place]).save(tmp_path / "test" / kinds[place < other] / f"copy{place}.png")
    line = told(tmp_path)[0]
    assert line.startswith("6 of 16 test pictures are training pictures, too: ")
    assert f"The network has studied them, so that test accuracy is {off}" in line


def test_copies_of_training_pictures_of_several_classes_are_not_only_too_good(
    tmp_path: Path,
) -> None:
    """As placeholders for pictures that are missing, which each class has some of."""
    images = drawn(40)
    fill_pets(tmp_path, images, num_train=30)
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            for copy in range(2):
                as_file(images[39]).save(tmp_path / split / kind / f"none{copy}.png")
    (line,) = (each for each in told(tmp_path) if "are training pictures, too" in each)
    assert "test accuracy is too good, or too bad where they have other labels there" in line


@pytest.mark.parametrize(
    ("own", "others", "off"), [(3, 1, "too good."), (1, 3, "too good, or too bad where they have")]
)
def test_of_copies_with_several_labels_the_more_frequent_ones_count(
    own: int, others: int, off: str, tmp_path: Path
) -> None:
    """As a photo that a shop has once under the right kind, and often under another."""
    images = drawn(40)
    fill_pets(tmp_path, images, num_train=30)
    for place in range(30, 36):
        kinds = ("dog", "cat") if place % 2 == 0 else ("cat", "dog")
        for copy in range(own + others):
            name = f"copy{place}_{copy}.png"
            as_file(images[place]).save(tmp_path / "train" / kinds[copy >= own] / name)
    (line,) = (each for each in told(tmp_path) if "are training pictures, too" in each)
    assert f"The network has studied them, so that test accuracy is {off}" in line


def test_copies_of_which_training_has_wrong_labels_are_not_only_too_good(tmp_path: Path) -> None:
    """As with label noise: the network answers with the label that it was given."""
    images = drawn(60)
    fill_pets(tmp_path, images, num_train=50)
    for place in range(20):
        kind = ("dog", "cat")[place % 2]
        as_file(images[place]).save(tmp_path / "test" / kind / f"copy{place}.png")
    for noise, off in ((0.0, "too good."), (0.5, "too good, or too bad where they have other")):
        config = DataConfig(
            data=str(tmp_path), num_train=50, num_test=30, label_noise=noise,
            label_noise_kind="flip", image_size=32,
        )  # fmt: skip
        world = open_world(config, seed=0)
        assert isinstance(world, StoredWorld)
        train, test = world.load("train", 50), world.load("test", 30)
        line = copies.shared_told(world, copies.copies_between(world, train, test), 30)[0]
        assert f"so that test accuracy is {off}" in line


def test_counts_that_are_lower_bounds_are_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_pets(tmp_path, alike(40, 1.0), num_train=25)
    shared, torn = told(tmp_path)
    assert shared.startswith("15 of 15 test pictures are training pictures")
    assert torn.startswith(f"{sum(i % 2 != j % 2 for i in range(40) for j in range(i)):,} pairs")
    monkeypatch.setattr(copies, "WORK", 0)
    shared, torn, more = told(tmp_path)
    assert shared.startswith("15 of 15 test pictures")  # all that there are
    assert torn.startswith("at least ")
    assert more.startswith("so many pictures look alike")
    for path in tmp_path.glob("test/*/*"):
        image = Image.open(path).convert("RGB").rotate(180)
        image.save(path)
    as_file(alike(40, 1.0)[0]).save(tmp_path / "test" / "cat" / "a.png")
    shared, *_ = told(tmp_path)
    assert shared.startswith("at least 1 of 16 test pictures")


def test_progress_ends_with_all_pairs(tmp_path: Path) -> None:
    fill(tmp_path / "cat", 10)
    fill(tmp_path / "dog", 10)
    world = open_world(DataConfig(data=str(tmp_path), num_train=10, num_test=4), seed=0)
    seen: list[tuple[str, int, int]] = []
    doubts_of_pictures(
        world, world.load("train", 10), world.load("test", 4),
        progress=lambda *each: seen.append(each),
    )  # fmt: skip
    assert {what for what, _, _ in seen} == {"comparing pictures"}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1] == seen[-1][2]


@pytest.mark.parametrize(
    ("bits", "word"),
    [(1, "nearly black"), (12, "nearly black"), (13, "upper two"), (14, "upper two"), (16, "")],
)
def test_pictures_that_are_nearly_black_are_told(bits: int, word: str, tmp_path: Path) -> None:
    """As of few bits stored with 16: 12 of them leave 17 shades, 14 leave 65."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(5):
            numbers = generator.integers(0, 2**bits, (40, 40)).astype(np.uint16)
            Image.fromarray(numbers).save(tmp_path / name / f"{number}.png")
    found = [each for each in ("nearly black", "upper two") if each in " ".join(told(tmp_path))]
    assert found == [word] * bool(word)


def test_some_nearly_black_pictures_among_others_are_told(tmp_path: Path) -> None:
    """As of one hospital of several, whose files have 12 bits in 16."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(20):
            pixels = generator.integers(0, 256, (40, 40))
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    assert not any("black" in each for each in told(tmp_path))
    for number in range(8):
        pixels = generator.integers(0, 2**12, (40, 40)).astype(np.uint16)
        Image.fromarray(pixels).save(tmp_path / "dog" / f"{number}.png")
    (said,) = [each for each in told(tmp_path) if "black" in each]
    number = int(re.findall(r"of 32 training pictures (\d+) are nearly black", said)[0])
    assert 4 <= number <= 8
    assert re.search(r"dog/[0-7]\.png the first", said)


def test_nearly_black_test_pictures_are_told(tmp_path: Path) -> None:
    """As of another hospital than that of the training pictures."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for split, bits, kind in (("train", 8, np.uint8), ("test", 12, np.uint16)):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(5):
                pixels = generator.integers(0, 2**bits, (40, 40)).astype(kind)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{number}.png")
    (said,) = [each for each in told(tmp_path) if "black" in each]
    assert said.startswith("the test pictures are nearly black: their largest number is")


@pytest.mark.parametrize(("bright", "is_told"), [(0.003, True), (0.015, True), (0.1, False)])
def test_pictures_that_are_nearly_black_but_for_a_few_pixels_are_told(
    bright: float, is_told: bool, tmp_path: Path
) -> None:
    """As 12 bits in files of 16 with hot pixels; not thin white lines on black."""
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 10)):
        for number in range(count):
            pixels = random.integers(0, 8, (32, 32)).astype(np.uint8)
            pixels[random.random((32, 32)) < bright] = 255
            place = tmp_path / split / ("cat", "dog")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.png")
    config = DataConfig(data=str(tmp_path), num_train=30, num_test=10, image_size=32)
    world = open_world(config, seed=0)
    said = " ".join(doubts_of_pictures(world, world.load("train", 30), world.load("test", 10)))
    assert ("98 % of the numbers of the training pictures are at most" in said) is is_told


@pytest.mark.parametrize(
    "turn",
    [
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.TRANSVERSE,
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_test_pictures_that_are_turned_training_pictures_are_told(
    turn: Image.Transpose | None, same: bool, tmp_path: Path
) -> None:
    """As of augmentation before the split; not between classes, where a 6 may be a 9."""
    for number, image in enumerate(drawn(12)):
        split, name = ("test", "train")[number < 6], ("cat", "dog")[number % 2]
        (tmp_path / split / name).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(tmp_path / split / name / f"{number}.png")
        if number < 2 and turn is not None:
            other = name if same else ("dog", "cat")[number % 2]
            (tmp_path / "test" / other).mkdir(parents=True, exist_ok=True)
            turned = picture.transpose(turn)
            turned.save(tmp_path / "test" / other / f"{number}_turned.png")
    said = [each for each in told(tmp_path) if "mirrored or turned" in each]
    assert len(said) == (same and turn is not None)
    for each in said:
        assert each.startswith("2 of 8 test pictures are training pictures mirrored or turned")
        assert "train/cat/0.png and test/cat/0_turned.png" in each
        assert "train/dog/1.png and test/dog/1_turned.png" in each
    assert copies.Copies.from_rows(COPIES.rows()) == COPIES


COPIES = copies.Copies(5, 1, False, [[0, 1, 2], [0, 3, 4]], [[1, 5, 6]], 7, [[0, 8, 9]], False, 3)


def test_turned_ones_of_a_part_of_the_pictures_are_a_lower_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, image in enumerate(drawn(12)):
        for split, pixels in (("train", image), ("test", image.flip(2))):
            (tmp_path / split / ("cat", "dog")[number % 2]).mkdir(parents=True, exist_ok=True)
            path = tmp_path / split / ("cat", "dog")[number % 2] / f"{number}.png"
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    assert any(each.startswith("12 of 12 test pictures are training") for each in told(tmp_path))
    monkeypatch.setattr(copies, "TURNED", 9)
    assert any(each.startswith("at least ") and "turned" in each for each in told(tmp_path))


def test_pictures_of_hardly_any_contrast_are_told(tmp_path: Path) -> None:
    """As of Hounsfield units plus 32,768 in files of 16 bits; not of dim scenes."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    for span, expected in ((3000, True), (12000, False)):
        generator = np.random.default_rng(0)
        for name in ("cat", "dog"):
            for number in range(5):
                units = generator.integers(-1000, span - 1000, (40, 40))
                numbers = (units + 32768).astype(np.uint16)
                Image.fromarray(numbers).save(tmp_path / name / f"{number}.png")
        said = [each for each in told(tmp_path) if "hardly any contrast" in each]
        assert len(said) == expected
        assert all("from 12" in each and "of 255" in each for each in said)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "2.png", "6.png"])
def test_the_bits_that_a_file_makes_no_use_of_are_known(ending: str, tmp_path: Path) -> None:
    path, numbers = tmp_path / f"a.{ending}", np.full((9, 9), 2**14 - 1, np.uint16)
    for largest, unused in ((2**14 - 1, True), (2**14, False)):
        numbers[4, 4] = largest
        if ending == "pgm":
            path.write_bytes(pnm(numbers, most=2**16 - 1))
        elif ending != "png" and ending.endswith("png"):
            opaque = [np.full_like(numbers, 2**16 - 1)] * (ending == "6.png")
            color = np.stack([numbers] * 3 + opaque, axis=-1)
            path.write_bytes(png(color, color=int(ending[0]), bits=16))
        else:
            Image.fromarray(numbers).save(path)
        assert has_unused_bits(path) == unused


def test_a_dark_scene_is_no_fault_of_its_files(tmp_path: Path) -> None:
    """In 8 bits, or with a bright dot that is lost where the picture becomes small."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(5):
            night = np.random.default_rng(number).integers(0, 60, (160, 160)).astype(np.uint8)
            Image.fromarray(night).save(tmp_path / name / f"{number}.png")
    assert not any("dark" in line for line in told(tmp_path))
    for path in tmp_path.glob("*/*"):
        deep = np.asarray(Image.open(path)).astype(np.uint16) * 257
        deep[80, 80] = 2**16 - 1
        Image.fromarray(deep).save(path)
    assert not any("dark" in line for line in told(tmp_path))


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
        lines = [
            each
            for each in told(tmp_path, size)
            if "test pictures are training pictures, too:" in each
            or "test pictures is a training picture, too:" in each
        ]
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
    known = world.doubts()  # of classes, which tests of copies do not look at
    lines = [each for each in doubts_of_pictures(world, train, test) if each not in known]
    return [line for line in lines if not re.search(r"of (an earlier one|earlier ones)\.$", line)]
