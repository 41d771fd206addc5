"""Drawn faces as a folder, read back: the same pictures, the same figures."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lab.core.config import DataConfig, RunConfig
from lab.core.run_dir import RunDir
from lab.measure import Predictions, memorization_metrics, predict
from lab.runs.load import open_run
from lab.runs.train import start
from lab.worlds import Examples, open_world
from lab.worlds.export import write_folder
from support.configs import tiny

TRAIN, TEST = 60, 100


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run on drawn faces until it has fitted them, and their folder beside it."""
    place = tmp_path_factory.mktemp("exported")
    config = tiny(
        place, num_train=TRAIN, num_test=TEST, steps=80, batch_size=30, width=4, name="direct"
    )
    world = open_world(config.data, seed=config.seed)
    for split, count in (("train", TRAIN), ("test", TEST)):
        write_folder([world.load(split, count)], place / "faces" / split)
    start(config)
    return config


def read_back(config: RunConfig) -> DataConfig:
    return replace(config.data, data=str(config.out / "faces"))


def sorted_by_pixels(examples: Examples) -> tuple[Tensor, Tensor]:
    rows = [image.numpy().tobytes() for image in examples.images]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return examples.images[order], examples.labels[order]


def test_they_are_the_same_pictures_with_the_same_labels(direct: RunConfig) -> None:
    drawn = open_world(direct.data, seed=0)
    stored = open_world(read_back(direct), seed=0)
    assert [name.split("_", 1)[1].replace("_", " ") for name in stored.classes] == [*drawn.classes]
    for split, count in (("train", TRAIN), ("test", TEST)):
        here, there = (sorted_by_pixels(world.load(split, count)) for world in (drawn, stored))
        assert torch.equal(here[0], there[0])
        assert torch.equal(here[1], there[1])


def test_the_same_network_gets_the_same_figures_on_them(direct: RunConfig) -> None:
    _, model, *_ = open_run(direct.out / "direct")
    summary = RunDir(direct.out / "direct").summary()
    world = open_world(read_back(direct), seed=0)
    metrics = memorization_metrics(
        *(
            Predictions.of(predict(model, each.images), each.labels, split=split)
            for split in ("train", "test")
            for each in [world.load(split, {"train": TRAIN, "test": TEST}[split])]
        )
    )
    for group, name in (("gap", "accuracy"), ("gap", "loss"), ("memorization", "membership_auc")):
        found, known = metrics[f"{group}/{name}"], summary[group][name]
        assert found.value == pytest.approx(known["value"], abs=1e-5)
        assert found.interval == pytest.approx((known["low"], known["high"]), abs=1e-5)


def test_training_on_them_agrees_with_training_on_drawn_ones(direct: RunConfig) -> None:
    """The order of the batches is another one, so that the weights are; not what is found."""
    other = replace(direct, data=read_back(direct), name="folder")
    folder = start(other).folder
    here, there = (RunDir(place).summary() for place in (direct.out / "direct", folder))
    for group, name in (
        ("accuracy", "train"), ("accuracy", "test"), ("gap", "accuracy"),
        ("memorization", "membership_auc"),
    ):  # fmt: skip
        one, other_one = here[group][name], there[group][name]
        assert one["low"] <= other_one["high"]
        assert other_one["low"] <= one["high"]
        assert one["value"] > 0.5 or group == "gap" or name == "test"
    assert there["accuracy"]["test"]["count"] == TEST
