"""Counterfactual pairs: two classes, one relevant attribute, and all else alike."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.estimate import wilson
from lab.runs.train import start
from lab.worlds import DrawnWorld, Samples
from lab.worlds.groups import measured
from lab.worlds.pairs import load_pairs, replaced
from lab.worlds.tasks import list_tasks
from support.configs import tiny

COUNT = 600


def of(**changes: object) -> DrawnWorld:
    return DrawnWorld.of(DataConfig(image_size=16, **changes), seed=3)  # type: ignore[arg-type]


def differing(world: DrawnWorld, samples: Samples, one: Tensor, other: Tensor) -> Tensor:
    """Which attributes (N, A) differ between the samples at `one` (N,) and those at `other`."""
    return torch.stack(
        [samples[name][one] != samples[name][other] for name in world.domain.schema], dim=1
    )


def test_a_pair_differs_in_one_relevant_attribute() -> None:
    world = of()
    samples = load_pairs(world, COUNT, start=0, share=1).samples
    places = torch.arange(COUNT)
    differs = differing(world, samples, places[::2], places[1::2])
    assert bool((differs.sum(dim=1) == 1).all())
    changed = {
        name
        for name, column in zip(world.domain.schema, differs.T, strict=True)
        if bool(column.any())
    }
    assert changed == set(world.relevant)
    assert samples.identity[::2].equal(samples.identity[1::2])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_is_what_was_asked_for(share: float) -> None:
    world = of()
    samples = load_pairs(world, COUNT, start=0, share=share).samples
    alike = samples.identity[::2] == samples.identity[1::2]
    low, high = wilson(int(alike.sum()), len(alike)).interval
    assert low <= share <= high


def test_without_pairs_it_is_the_usual_stream() -> None:
    world = of(label_noise=0.2)
    usual = world.load("train", 50, start=7, online=True)
    mine = load_pairs(world, 50, start=7, share=0)
    assert mine.images.equal(usual.images)
    assert mine.labels.equal(usual.labels)
    assert mine.clean_labels.equal(usual.clean_labels)


@pytest.mark.parametrize("task", list_tasks())
def test_labels_stay_as_they_are_in_every_task(task: str) -> None:
    """Every class as often as without pairs, at the same addresses, and all labels true."""
    world = DrawnWorld.of(DataConfig(task=task, image_size=16), seed=1)
    mine = load_pairs(world, 120, start=0, share=1)
    usual = world.sample(120, split="train")
    assert mine.clean_labels.equal(world.task.label(usual))
    assert bool((mine.subpopulations >= 0).all())
    assert not mine.samples.identity.equal(usual.identity)


def test_any_part_of_the_stream_is_the_same() -> None:
    """Whatever the batch, and whichever process draws it."""
    world = of(task="count_eyes")
    whole = load_pairs(world, 60, start=0, share=0.5)
    keep = torch.tensor([0, 3, 4, 10])
    part = load_pairs(world, 20, start=7, share=0.5, keep=keep)
    assert part.images.equal(whole.images[7 + keep])
    assert part.labels.equal(whole.labels[7 + keep])


def test_cues_keep_their_strength() -> None:
    world = of(cues=("eye_color=blue/brown:0.9",))
    examples = load_pairs(world, COUNT, start=0, share=1)
    (found,) = measured(world, examples)
    low, high = found.strength.interval
    assert low <= 0.9 <= high


def test_the_population_is_kept_to() -> None:
    """No part lacks that may not, no subpopulation appears that is left out, and no combination
    that is held out."""
    world = of(missing=("nose",), unseen_combinations=("gaze=left,smile=up",))
    examples = load_pairs(world, COUNT, start=0, share=1)
    faces = examples.samples
    heads = (faces["subject"] == 0).numpy()
    assert (faces["eyes"].numpy()[heads] == 2).all()
    assert not any(bool(hold.met(faces).any()) for hold in world.population.unseen_combinations)
    world = of(subpopulations=("missing",))
    kinds = load_pairs(world, COUNT, start=0, share=1).subpopulations.numpy()
    assert {world.subpopulations[kind].name for kind in np.unique(kinds)} == {"person", "missing"}


def test_pairs_need_new_faces_at_every_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--counterfactual-pairs 0.5.*--online"):
        start(tiny(tmp_path, counterfactual_pairs=0.5))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", ["person", "eye_color"])
def test_training_examples_that_counterfactuals_replace_are_counted(task: str) -> None:
    world = of(task=task, num_train=203)
    for share in (0.0, 0.5, 1.0):
        paired = load_pairs(world, 203, start=0, share=share).images
        others = (paired != world.load("train", 203).images).flatten(1).any(dim=1)
        assert replaced(world, 203, share=share) == int(others.sum())


def test_the_verdict_says_how_many_of_the_faces_it_was_measured_on_it_has_not_studied(
    tmp_path: Path,
) -> None:
    usual = {"online": True, "num_train": 12, "batch_size": 12}
    text = " ".join(start(tiny(tmp_path, counterfactual_pairs=1.0, **usual)).verdict.split())
    assert "12 faces drawn first for its training (it studied 6 of them, and other faces" in text
    assert "The 6 that it did not study count as studied." in text
    text = " ".join(start(tiny(tmp_path, **usual)).verdict.split())
    assert "12 faces it studied first (of 36, each of them once)" in text


def test_a_run_is_trained_on_pairs(tmp_path: Path) -> None:
    mine = tiny(tmp_path, counterfactual_pairs=1.0, online=True)
    usual = dataclasses.replace(mine, train=dataclasses.replace(mine.train, counterfactual_pairs=0))
    assert start(mine).metrics["loss/train"] != start(usual).metrics["loss/train"]
