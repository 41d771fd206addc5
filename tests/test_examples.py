"""Examples and their Dataset view: pictures have addresses, whatever batch they come in."""

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lab.core.config import DataConfig
from lab.measure import predict
from lab.models import to_input
from lab.worlds import (
    SPLITS,
    Examples,
    ExamplesDataset,
    draw_examples,
    get_task,
    open_world,
    population_of,
)
from lab.worlds.faces import render

CONFIG = DataConfig(image_size=16, label_noise=0.5)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return draw_examples(CONFIG, split="train", count=40, seed=0)


def test_a_picture_is_a_function_of_its_address(examples: Examples) -> None:
    batches = list(open_world(CONFIG).batches("train", 40, 17))
    assert [len(batch) for batch in batches] == [17, 17, 6]
    for name in ("images", "labels", "clean_labels", "subpopulations"):
        assert torch.equal(
            torch.cat([getattr(b, name) for b in batches]), getattr(examples, name)
        ), name
    assert examples.images.dtype == torch.uint8
    assert examples.images.shape == (40, 3, 16, 16)


@pytest.mark.parametrize(
    ("split", "nearest"), [("tain", "train"), ("Test", "test"), ("valid", "validation")]
)
def test_a_split_that_does_not_exist_is_refused(split: str, nearest: str) -> None:
    for draw in (
        lambda: draw_examples(CONFIG, split=split, count=2, seed=0),
        lambda: next(open_world(CONFIG).batches(split, 2)),
        lambda: population_of(CONFIG).sample(2, seed=0, split=split),
    ):
        with pytest.raises(ValueError, match=f"did you mean '{nearest}'"):
            draw()


def test_no_two_splits_share_a_face() -> None:
    population = population_of(CONFIG)
    identities = [population.sample(300, seed=0, split=split).identity for split in SPLITS]
    assert len(torch.cat(identities).unique()) == 300 * len(SPLITS)


@pytest.mark.parametrize(("start", "count"), [(0, 101), (100, 1), (60, 41)])
def test_the_training_set_has_an_end(start: int, count: int) -> None:
    def draw(split: str = "train", count: int = count, **how: Any) -> Examples:
        return open_world(CONFIG).load(split, count, start=start, **how)

    with pytest.raises(ValueError, match=rf"100 faces .*{start + count} were"):
        draw()
    with pytest.raises(ValueError, match="num_train"):
        list(open_world(CONFIG).batches("train", 101, 50))
    assert len(draw(online=True)) == len(draw(split="test")) == count
    assert len(draw(count=100 - start)) == 100 - start


def test_pictures_that_are_no_bytes_are_refused(examples: Examples) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    for images in (examples.images.float(), examples.images / 255, examples.images.long()):
        with pytest.raises(ValueError, match="uint8"):
            predict(model, images)


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_has_examples(batch: int) -> None:
    with pytest.raises(ValueError, match=f"not {batch}"):
        next(open_world(CONFIG).batches("train", 4, batch))


def test_a_seed_is_a_whole_number() -> None:
    for seed in (0.5, 1.0, "1"):
        with pytest.raises(TypeError):
            draw_examples(CONFIG, split="train", count=2, seed=seed)  # type: ignore[arg-type]


def test_train_and_test_share_no_picture(examples: Examples) -> None:
    unseen = draw_examples(CONFIG, split="test", count=40, seed=0)
    pictures = torch.cat([examples.images, unseen.images]).flatten(1)
    assert len(pictures.unique(dim=0)) == 80


@pytest.mark.parametrize(
    "index", [slice(3, 9), torch.tensor([5, 2, 2]), torch.arange(40) % 3 == 0, [7, 1]]
)
def test_taking_keeps_everything_together(
    examples: Examples, index: slice | Tensor | list[int]
) -> None:
    part, task = examples.take(index), get_task(CONFIG.task)
    assert torch.equal(part.labels, examples.labels[index])
    assert torch.equal(part.images, render(part.samples, size=16))
    assert torch.equal(part.clean_labels, task.label(part.samples))
    assert torch.equal(part.subpopulations, task.subpopulation_of(part.samples))
    assert torch.equal(part.mislabeled, examples.mislabeled[index])
    assert len(part) == len(part.samples) == len(part.images)


def test_input_spans_minus_one_to_one() -> None:
    shades = torch.arange(256, dtype=torch.uint8)
    expected = torch.linspace(-1, 1, 256)
    assert torch.allclose(to_input(shades), expected, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_do_not_change_a_byte(examples: Examples) -> None:
    dataset = ExamplesDataset(examples)
    alone, helped = (
        list(DataLoader(dataset, batch_size=16, num_workers=workers)) for workers in (0, 2)
    )
    assert len(alone) == len(helped) == 3
    for (images, labels), (other_images, other_labels) in zip(alone, helped, strict=True):
        assert images.numpy().tobytes() == other_images.numpy().tobytes()
        assert torch.equal(labels, other_labels)
    assert torch.equal(torch.cat([labels for _, labels in alone]), examples.labels)
    assert torch.equal(torch.cat([images for images, _ in alone]), to_input(examples.images))


def test_the_dataset_travels_to_other_processes(examples: Examples) -> None:
    dataset = ExamplesDataset(examples)
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[5][0], dataset[5][0])
    assert [copy[i][1] for i in range(len(copy))] == examples.labels.tolist()
