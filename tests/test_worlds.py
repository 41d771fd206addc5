"""The laws that every drawn world keeps: addresses, nesting, interventions, knobs, versions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from lab.core.config import DataConfig
from lab.worlds import DrawnWorld, Samples, list_tasks, open_world
from lab.worlds.counterfactuals import draw_counterfactuals, redraw, shows
from lab.worlds.groups import groups, measured
from lab.worlds.samples import sample_at

CUES = {
    "person": ("eye_color=blue/brown:0.9", "hair_length:0.7"),
    "count_eyes": ("hair_color:0.8",),
    "shape": ("color=blue/red:0.9", "size:0.7"),
}
UNSEEN = {
    "person": "skin_color=dark,glasses=round",
    "count_eyes": "skin_color=dark,glasses=round",
    "shape": "color=green,size=large",
}
SETTINGS = {"num_train": 64, "num_test": 40, "image_size": 16}

every_task = pytest.mark.parametrize("task", list(CUES))


def world(task: str, *, seed: int = 0, **settings: object) -> DrawnWorld:
    opened = open_world(DataConfig(task=task, **{**SETTINGS, **settings}), seed=seed)  # type: ignore[arg-type]
    assert isinstance(opened, DrawnWorld)
    return opened


def same(one: Samples, other: Samples, *, but: tuple[str, ...] = ()) -> bool:
    return torch.equal(one.identity, other.identity) and all(
        torch.equal(one[name], other[name]) for name in one.schema if name not in but
    )


def test_every_drawing_is_covered() -> None:
    domains = {world(task).domain.name for task in CUES}
    assert {world(task).domain.name for task in list_tasks()} == domains


@every_task
def test_a_picture_is_a_function_of_its_address(task: str) -> None:
    whole = world(task, cues=CUES[task], label_noise=0.3).load("train", 40)
    parts = list(world(task, cues=CUES[task], label_noise=0.3).batches("train", 40, 13))
    for name in ("images", "labels", "clean_labels", "subpopulations"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name)), name
    assert same(Samples.cat([part.samples for part in parts]), whole.samples)
    few = torch.tensor([3, 11, 39])
    kept = world(task, cues=CUES[task], label_noise=0.3).load("train", 40, keep=few)
    assert torch.equal(kept.images, whole.images[few])
    assert torch.equal(kept.labels, whole.labels[few])


@every_task
def test_training_sets_nest_and_no_split_or_seed_shares_a_picture(task: str) -> None:
    small, large = world(task, num_train=20), world(task)
    assert torch.equal(small.load("train", 20).images, large.load("train", 64).images[:20])
    with pytest.raises(ValueError, match=r"20 \w+ \(num_train\)"):
        small.load("train", 21)
    sets = [large.load("train", 40), large.load("test", 40), world(task, seed=1).load("train", 40)]
    assert len(torch.cat([each.images for each in sets]).flatten(1).unique(dim=0)) == 120
    assert len(torch.cat([each.samples.identity for each in sets]).unique()) == 120


@every_task
def test_classes_are_balanced_and_only_training_labels_are_noisy(task: str) -> None:
    noisy = world(task, label_noise=1.0, label_noise_kind="flip")
    train, test = noisy.load("train", 64), noisy.load("test", 40)
    assert train.mislabeled.all()
    assert not test.mislabeled.any()
    counts = torch.bincount(train.clean_labels, minlength=len(noisy.classes))
    assert counts.max() - counts.min() <= 1


@every_task
def test_an_intervention_changes_what_it_names_and_nowhere_else(task: str) -> None:
    drawn = world(task, cues=CUES[task])
    samples = drawn.sample(60, split="test")
    before = drawn.render(samples)
    for name, row in drawn.domain.schema.items():
        other = redraw(drawn.population, samples, name, np.arange(60), seed=0)
        assert same(samples, other, but=(name,))
        moved = row.option_of(other[name].numpy()) != row.option_of(samples[name].numpy())
        assert moved.all(), f"{name} has another value, or is in the other half"
        back = other.redrawn({name: samples[name]})
        assert torch.equal(drawn.render(back), before)


@every_task
def test_counterfactuals_are_those_that_can_be_seen(task: str) -> None:
    drawn = world(task, cues=CUES[task])
    found = draw_counterfactuals(drawn, count=20)
    assert set(found.attributes) == {*drawn.relevant, *drawn.nuisances}
    assert (found.images != found.examples.images[found.original]).flatten(1).any(dim=1).all()
    for name in drawn.nuisances:
        assert not found.changes_label[found.attribute == found.attributes.index(name)].any()
    assert sum(len(found.informative(name)) for name in drawn.relevant) > 0
    for name in drawn.relevant:
        assert found.changes_label[found.informative(name)].all()
    for cue in drawn.cues:
        assert shows(drawn, found.examples, cue.attribute).any()


@every_task
@pytest.mark.parametrize("strength", [0.0, 0.4, 0.9, 1.0])
def test_a_cue_is_as_strong_as_it_was_asked_to_be(task: str, strength: float) -> None:
    cues = tuple(f"{cue.rpartition(':')[0]}:{strength}" for cue in CUES[task])
    drawn = world(task, cues=cues, num_train=600)
    plain = world(task).sample(600, split="train")
    assert same(drawn.sample(600, split="train"), plain, but=tuple(c.attribute for c in drawn.cues))
    for other, expected in (
        (drawn, strength), (drawn.unbiased(), 1 / len(drawn.classes)), (drawn.conflicting(), 0.0)
    ):  # fmt: skip
        samples = other.sample(600, split="train")
        labels = other.task.label(samples)
        for cue in drawn.cues:
            agreeing = int((cue.says(samples) == labels).sum())
            assert binomtest(agreeing, 600, expected).pvalue > 1e-4, (str(cue), expected)


@every_task
def test_groups_hold_everybody_once_and_strengths_are_measured_where_they_show(task: str) -> None:
    drawn = world(task, cues=CUES[task])
    train = drawn.load("train", 64)
    members = torch.stack(list(groups(train, drawn.cues).values()))
    assert len(members) == len(drawn.classes) ** (1 + len(drawn.cues))
    assert members.sum(dim=0).eq(1).all()
    for found in measured(drawn, train):
        low, high = found.strength.interval
        assert 0 <= low <= found.strength.value <= high <= 1


@every_task
def test_unseen_combinations_are_never_shown_and_make_a_set_of_their_own(task: str) -> None:
    drawn = world(task, unseen_combinations=(UNSEEN[task],))
    (hold,) = drawn.population.unseen_combinations
    assert str(hold) == UNSEEN[task]
    assert not hold.met(drawn.sample(300, split="train")).any()
    assert hold.met(drawn.combined().sample(100, split="test")).all()


@every_task
def test_without_variation_only_structure_and_what_follows_from_it_differs(task: str) -> None:
    drawn = world(task, variation=0.0)
    samples = drawn.sample(50, split="train")
    for name in set(drawn.nuisances) - set(drawn.domain.adjusted):
        row = drawn.domain.schema[name]
        if row.group != "structure":
            assert len(samples[name].unique()) == 1, name


@every_task
def test_colors_fade_with_the_visibility(task: str) -> None:
    (name, *_) = [n for n in drawn_colors(task) if n in world(task).nuisances]
    drawn = world(task)
    samples = sample_at(drawn.domain.schema, np.arange(40), seed=0, split="train")

    def contrast(visibility: float) -> float:
        faded = replace(samples, visibility={name: visibility})
        options = (torch.zeros_like(faded[name]), torch.ones_like(faded[name]))
        one, two = (drawn.render(faded.redrawn({name: o}), size=32).float() for o in options)
        return float((one - two).abs().mean())

    assert contrast(1.0) > 1.5 * contrast(0.5) > 0


def drawn_colors(task: str) -> list[str]:
    return list(world(task).domain.palettes)


@every_task
def test_the_version_is_of_the_drawing_and_the_task_and_nothing_else(task: str) -> None:
    one = world(task).version
    assert one == world(task, seed=3, cues=CUES[task], num_train=9).version
    assert one.startswith(world(task).domain.name + "-")
    assert len({world(each).version for each in CUES}) == len(CUES)


@every_task
def test_any_batch_and_device_argument_draws_the_same(task: str) -> None:
    drawn = world(task)
    samples = drawn.sample(9, split="test")
    whole = drawn.render(samples, size=24)
    assert whole.shape == (9, 3, 24, 24)
    assert whole.dtype == torch.uint8
    assert torch.equal(torch.cat([drawn.render(one, size=24) for one in samples]), whole)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"missing": ("nose",)}, "--missing nose: shapes have no parts"),
        ({"cues": ("shape:0.9",)}, "shape is what the task shape asks for"),
        ({"cues": ("colour:0.9",)}, "did you mean 'color'"),
        ({"cues": ("color",)}, "such as color:0.95"),
        ({"subpopulations": ("dis",)}, "did you mean 'disc'"),
        ({"unseen_combinations": ("color=red,shape=disc",)}, "shape is what the task"),
    ],
)
def test_what_a_world_does_not_have_is_refused_in_its_own_words(
    settings: dict[str, tuple[str, ...]], line: str
) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        world("shape", **settings)
    assert "\n" not in str(caught.value)


def test_components_are_what_the_label_asks_for_as_a_whole() -> None:
    assert world("person").components == world("person").domain.components != ()
    assert world("count_eyes").components == world("shape").components == ()
