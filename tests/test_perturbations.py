"""Perturbations: each against an independent computation, and networks that see one thing alone."""

import colorsys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.estimate import Estimate, wilson
from lab.evaluators.populations import measure
from lab.evaluators.tables import perturbation_table
from lab.measure.perturbations import BLUR, GRID, NOISE, PERTURBATIONS, occlusions
from lab.models import to_input
from lab.tracking.occlusion import occlusion_sheet
from lab.tracking.predicted import PredictedExamples
from lab.verdict.perturbed import perturbed
from lab.worlds import open_world
from support.picture_folders import fill
from support.planted import ByPixels

RANDOM = torch.randint(
    0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
)
SMOOTH = torch.nn.functional.interpolate(RANDOM[..., ::8, ::8].float(), size=(32, 32)).byte()


def as_array(images: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return images.numpy().astype(np.float64)


def test_gray_pictures_stay_as_they_are() -> None:
    shades = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(PERTURBATIONS["gray"](shades), shades)


def test_gray_is_the_luma() -> None:
    red, green, blue = as_array(RANDOM).swapaxes(0, 1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    changed = as_array(PERTURBATIONS["gray"](RANDOM))
    assert np.abs(changed - luma[:, None]).max() < 0.6  # rounded


def test_hue_is_turned_by_half_a_turn() -> None:
    changed = as_array(PERTURBATIONS["hue"](RANDOM))
    for before, after in zip(
        as_array(RANDOM)[0].reshape(3, -1).T, changed[0].reshape(3, -1).T, strict=True
    ):
        hue, saturation, value = colorsys.rgb_to_hsv(*before / 255)
        expected = colorsys.hsv_to_rgb((hue + 0.5) % 1, saturation, value)
        assert np.abs(after - 255 * np.array(expected)).max() <= 2


def test_blur_is_gaussian() -> None:
    sigma = BLUR * 32
    expected = gaussian_filter(
        as_array(SMOOTH), (0, 0, sigma, sigma), mode="mirror", radius=(0, 0, 3, 3)
    )
    assert np.abs(as_array(PERTURBATIONS["blur"](SMOOTH)) - expected).max() <= 1


def test_noise_has_its_standard_deviation_and_is_the_same_each_time() -> None:
    middle = torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)
    once, again = (PERTURBATIONS["noise"](middle) for _ in range(2))
    assert torch.equal(once, again)
    assert abs(as_array(once).std() / NOISE - 1) < 0.03
    bright = PERTURBATIONS["noise"](torch.full((1, 3, 64, 64), 255, dtype=torch.uint8))
    assert bright.amax() == 255  # no number goes round
    assert as_array(bright).min() > 255 - 6 * NOISE


def test_mirror_and_shift_move_pixels() -> None:
    array = as_array(RANDOM)
    assert np.array_equal(as_array(PERTURBATIONS["mirror"](RANDOM)), array[..., ::-1])
    padded = np.pad(array, ((0, 0), (0, 0), (2, 0), (2, 0)), mode="edge")[..., :32, :32]
    assert np.array_equal(as_array(PERTURBATIONS["shift"](RANDOM)), padded)


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize(
    "shape", [(0, 3, 16, 16), (1, 3, 16, 16), (2, 3, 33, 33), (1, 3, 512, 512)]
)
def test_a_perturbation_keeps_number_size_and_original(name: str, shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    kept = images.clone()
    changed = PERTURBATIONS[name](images)
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, kept)


@pytest.mark.parametrize("size", [16, 33])
def test_occlusions_cover_each_pixel_once_with_the_mean(size: int) -> None:
    images = RANDOM[..., :size, :size] if size < 32 else torch.randint(
        0, 256, (2, 3, size, size), dtype=torch.uint8
    )  # fmt: skip
    mean = as_array(images).mean(axis=(2, 3), keepdims=True).round()
    covered = np.zeros((size, size))
    names = []
    for name, occluded in occlusions(images):
        changed = as_array(occluded)
        where = (np.abs(changed - mean) < 1).all(axis=(0, 1))
        assert np.array_equal(changed[..., ~where], as_array(images)[..., ~where])
        covered += where
        names.append(name)
    assert (covered == 1).all()
    assert len(set(names)) == GRID**2


def green_of_a_patch(inputs: Tensor) -> Tensor:
    """Of the second row and third column of pictures of 16 px, -1 to 1."""
    return inputs[:, 1, 4:8, 8:12].mean(dim=(1, 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of random blocks, of two classes."""
    place = tmp_path_factory.mktemp("perturbed") / "pets"
    fill(place / "cat", 80)
    fill(place / "dog", 80)
    return place


def test_what_a_planted_network_looks_at_is_found(folder: Path) -> None:
    """One patch of the green channel, and nothing beside it."""
    world = open_world(DataConfig(data=str(folder), image_size=16), seed=0)
    images = world.load("test", world.data.num_test).images
    green = green_of_a_patch(to_input(images))
    level = np.floor(127.5 * (float(green.median()) + 1)) + 0.37  # no mean of so many numbers
    middle = float(level / 127.5 - 1)
    metrics = measure(world, ByPixels(green_of_a_patch, middle), counterfactuals=48)
    patches = {tag: m for tag, m in metrics.items() if tag.startswith("occlusion/")}
    assert len(patches) == GRID**2
    means = as_array(images).mean(axis=(2, 3)).round()[:, 1] / 127.5 - 1
    expected = float(((means > middle) != (green.numpy() > middle)).mean())
    assert expected > 0
    for tag, found in patches.items():
        assert isinstance(found, Estimate)
        assert found.value == pytest.approx(expected if tag.endswith("row2_column3") else 0)
        assert found.count == len(images)
    assert {tag.partition("/")[2] for tag in metrics if tag.startswith("perturbation/")} == set(
        PERTURBATIONS
    )


def test_no_perturbation_is_measured_where_none_is_wanted(folder: Path) -> None:
    world = open_world(DataConfig(data=str(folder), image_size=16), seed=0)
    metrics = measure(world, ByPixels(green_of_a_patch, 0), counterfactuals=0)
    assert not any(tag.startswith(("perturbation/", "occlusion/")) for tag in metrics)


def test_the_verdict_names_what_surely_changes_many_predictions() -> None:
    metrics = {
        "perturbation/gray": wilson(300, 400),
        "perturbation/blur": wilson(30, 400),  # 7.5 %
        "perturbation/noise": wilson(2, 10),  # of too few
        "occlusion/row1_column1": wilson(10, 400),
        "occlusion/row2_column3": wilson(100, 400),
    }
    text = perturbed(metrics, "pictures")
    assert "color is taken away in 75.0 %" in text
    assert "row 2 and column 3" in text
    assert not any(word in text for word in ("blurred", "noise", "row 1"))
    assert perturbed({"perturbation/gray": wilson(0, 400)}, "pictures") == ""
    assert perturbed({}, "pictures") == ""


@pytest.mark.parametrize(
    ("most", "others", "said"),
    [
        (26, (25, 2, 2), "most, which cannot be told from 1 of the others: its answer changes in"),
        (26, (25, 24, 23), "most, though none of the others surely less: its answer changes in"),
        (26, (25, 0, Estimate.point(0.01)), "cannot be told from 2 of the others"),  # no interval
        (70, (25, 2, 2), "most: its answer changes in"),
        (70, (), "most: its answer changes in"),
    ],
)
def test_the_patch_it_needs_most_is_told_with_those_that_may_be_it(
    most: int, others: tuple[int | Estimate, ...], said: str
) -> None:
    patches = {
        f"occlusion/row1_column{place}": each if isinstance(each, Estimate) else wilson(each, 150)
        for place, each in enumerate((most, *others), start=1)
    }
    assert said in perturbed(patches, "pictures")


def test_a_sheet_shades_the_patches_that_matter() -> None:
    images = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    examples = PredictedExamples(
        images=images,
        probabilities=torch.tensor([[0.1, 0.9], [0.8, 0.2]]),
        labels=torch.tensor([1, 1]),
        clean_labels=torch.tensor([1, 1]),
        classes=("cat", "dog"),
    )
    drops = torch.zeros(2, GRID, GRID)
    plain = occlusion_sheet(examples, drops)
    drops[0, 0, 0] = 1
    shaded = occlusion_sheet(examples, drops)
    changed = (plain != shaded).any(axis=2)
    assert changed.any()
    assert np.abs(shaded.astype(int) - 100).max(axis=2)[changed].max() > 100
    assert not (occlusion_sheet(examples, -drops) != plain)[:60].any()  # what helps is not shaded


def test_the_table_has_the_patches_as_they_lie_in_the_picture() -> None:
    metrics = {"perturbation/gray": wilson(30, 40)}
    metrics |= {
        f"occlusion/row{row}_column{column}": wilson(10 * row + column, 50)
        for row in range(1, GRID + 1)
        for column in range(1, GRID + 1)
    }
    lines = perturbation_table(metrics).splitlines()
    assert lines[1].split()[:2] == ["gray", "75.0"]
    shown = [[float(word) for word in line.split() if word != "%"] for line in lines[-GRID:]]
    assert shown == [[2 * (10 * row + column) for column in range(1, 5)] for row in range(1, 5)]
    assert perturbation_table({}) == ""
