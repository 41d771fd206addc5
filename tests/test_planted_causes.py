"""Planted copies, pictures that are hard to see, and rare subpopulations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig
from lab.pool.causes import ORDINARY, RARE, WRONG, causes
from lab.worlds import COPIED, HARD, World, draw_examples, open_world, population_of
from lab.worlds.audit import warnings
from lab.worlds.planted import is_copy, originals
from support.scripts import is_a_good_line, run_here


def shapes(count: int = 200, seed: int = 0, **changes: object) -> World:
    """The toy world with `count` training pictures."""
    data = DataConfig(task="shape", num_train=count, num_test=50, image_size=16, **changes)
    return open_world(data, seed=seed, device="cpu")


def test_copies_are_copies_of_earlier_ones_and_nothing_else_changes() -> None:
    plain, world = shapes().load("train", 200), shapes(copies=0.3).load("train", 200)
    source = originals(np.arange(200), share=0.3, seed=0)
    copied = is_copy(np.arange(200), share=0.3, seed=0)
    assert 40 < copied.sum() < 80
    assert not is_copy(source, share=0.3, seed=0).any(), "never a copy of a copy"
    assert (source[copied] < np.arange(200)[copied]).all()
    assert (source[~copied] == np.arange(200)[~copied]).all()
    assert torch.equal(world.images, plain.images[source])
    assert torch.equal(world.clean_labels, plain.clean_labels[source])
    assert torch.equal(
        shapes(copies=0.3).load("test", 50).images, shapes().load("test", 50).images
    ), "the test set has none"


def test_all_with_copies_are_called_copied() -> None:
    world = shapes(copies=0.4)
    images = world.load("train", 200).images.flatten(1)
    twins = [bool((images == image).all(dim=1).sum() > 1) for image in images]
    assert world.planted("train", 200)[COPIED].tolist() == twins
    assert COPIED not in world.planted("test", 50)


def test_copies_that_were_asked_for_are_no_fault() -> None:
    world = shapes(copies=0.4)
    train, test = world.load("train", 200), world.load("test", 50)
    assert not any("copies" in said for said in warnings(world, train, test))
    assert any("copies" in said for said in warnings(shapes(), train, test))


def test_a_copy_has_the_label_of_its_original_wrong_or_not() -> None:
    flags = {"label_noise": 0.5, "label_noise_kind": "flip"}
    examples = shapes(1000, copies=0.5, **flags).load("train", 1000)
    plain = shapes(1000, **flags).load("train", 1000)
    source = originals(np.arange(1000), share=0.5, seed=0)
    assert torch.equal(examples.labels, plain.labels[source])
    assert 0.4 < float(examples.mislabeled.float().mean()) < 0.6


@pytest.mark.parametrize("start", [0, 37])
def test_a_picture_depends_on_its_address_alone(start: int) -> None:
    world = shapes(copies=0.3, obscured=0.4)
    whole = world.load("train", 200)
    part = world.load("train", 20, start=start)
    chosen = world.load("train", 20, start=start, keep=torch.tensor([3, 11]))
    assert torch.equal(part.images, whole.images[start : start + 20])
    assert torch.equal(chosen.images, part.images[[3, 11]])
    hard, plain = world.planted("train", 200)[HARD], shapes(copies=0.3).load("train", 200)
    changed = (whole.images != plain.images).flatten(1).any(dim=1)
    assert torch.equal(changed, hard)
    assert 50 < int(hard.sum()) < 110


def test_hard_pictures_are_in_the_test_set_too_and_differ_from_each_other() -> None:
    world = shapes(obscured=1.0)
    test, train = world.load("test", 50), world.load("train", 50)
    plain = shapes().load("test", 50)
    assert (test.images != plain.images).flatten(1).any(dim=1).all()
    assert world.planted("test", 50)[HARD].all()
    noise = (test.images.float() - train.images.float()).flatten(1)
    assert len({tuple(row[:8].tolist()) for row in noise}) > 40


def test_a_subpopulation_has_the_share_that_is_asked_for() -> None:
    examples = draw_examples(
        DataConfig(num_train=2000, subpopulations=("object:0.04",)),
        split="train",
        count=2000,
        seed=0,
    )
    names = [each.name for each in examples.all_subpopulations]
    weights = {each.name: each.weight for each in examples.all_subpopulations}
    usual = {each.name: each.weight for each in population_of(DataConfig()).task.subpopulations}
    assert weights["object"] == 0.04
    assert weights["missing"] / weights["scrambled"] == pytest.approx(
        usual["missing"] / usual["scrambled"]
    )
    counted = (examples.subpopulations == names.index("object")).float().mean()
    assert 0.01 < float(counted) < 0.03, "4 % of half of them"
    alone = population_of(DataConfig(subpopulations=("object:0.1", "missing"))).task
    assert {k.name: k.weight for k in alone.subpopulations if k.label == 0} == {
        "missing": 0.9, "scrambled": 0.0, "object": 0.1,
    }  # fmt: skip


def test_causes_of_planted_examples() -> None:
    world = open_world(
        DataConfig(num_train=600, label_noise=0.1, copies=0.1, obscured=0.1,
                   subpopulations=("object:0.04",)),
        seed=0, device="cpu",
    )  # fmt: skip
    train, planted = world.load("train", 600), world.planted("train", 600)
    found = causes(train, (), planted)
    assert list(found) == [ORDINARY, COPIED, WRONG, HARD, RARE]
    assert torch.stack(list(found.values())).sum(dim=0).eq(1).all(), "each has one cause"
    assert torch.equal(found[COPIED], planted[COPIED])
    kinds = [train.all_subpopulations[int(i)].name for i in train.subpopulations[found[RARE]]]
    assert set(kinds) == {"object"}


@pytest.mark.parametrize(
    "flags",
    [
        "--subpopulations object:0",
        "--subpopulations object:x",
        "--subpopulations object:0.6 missing:0.6",
        "--subpopulations object:0.6 missing:0.1 scrambled:0.1",
        "--subpopulations object object:0.1",
        "--copies 0.95",
        "--copies 0.1 --online",
        "--obscured 2",
    ],
)
def test_bad_flags_are_told_in_a_line(flags: str, tmp_path: Path) -> None:
    done = run_here("train", *flags.split(), "--out", str(tmp_path))
    assert done.code == 2
    is_a_good_line(done.err.strip(), flags.split()[0])
    assert not list(tmp_path.iterdir())
