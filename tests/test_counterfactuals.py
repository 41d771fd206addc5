"""Counterfactuals are the same face but for one attribute, and are kept only if one can see it."""

from itertools import pairwise

import pytest
import torch

from lab.core.config import DataConfig
from lab.worlds import Population, draw_examples, get_task, open_world, population_of, subsets
from lab.worlds.counterfactuals import (
    SPLIT,
    Counterfactuals,
    draw_counterfactuals,
    fewer_counterfactuals,
    redraw,
    shows,
)
from lab.worlds.faces import ATTRIBUTES, PARTS, STRAYS, attribute, render
from lab.worlds.faces.world import with_parts
from support.drawn_worlds import world_of

SIZE, COUNT = 32, 60
CUED = population_of(DataConfig(cues=("eye_color=blue/brown:0.9", "hair_length:0.7")))


@pytest.fixture(scope="module")
def counterfactuals() -> Counterfactuals:
    return draw_counterfactuals(world_of(CUED, size=SIZE, seed=1), count=COUNT)


def indices(count: int) -> "torch.Tensor":
    return torch.arange(count)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_one_attribute_changes_and_nothing_else(name: str) -> None:
    faces = CUED.sample(200, seed=0, split=SPLIT)
    other = redraw(CUED, faces, name, indices(200).numpy(), seed=0)
    assert torch.equal(other.identity, faces.identity)
    for column in ATTRIBUTES:
        if column != name:
            assert torch.equal(other[column], faces[column])
    row = attribute(name)
    changed = row.option_of(other[name].numpy()) != row.option_of(faces[name].numpy())
    assert changed.all(), "another value, or the other half"


@pytest.mark.parametrize("name", ["skin_color", "beard", "smile", "eyes", "stray_noses"])
def test_redrawing_follows_the_prior_given_that_it_changes(name: str) -> None:
    population, row = Population(get_task("person")), attribute(name)
    faces = population.sample(4000, seed=0, split=SPLIT)
    other = redraw(population, faces, name, indices(4000).numpy(), seed=0)
    before, after = (row.option_of(f[name].numpy()) for f in (faces, other))
    for option in set(before.tolist()):
        found = after[before == option]
        mass = row.mass()
        mass[option] = 0
        for other_option, share in enumerate(mass / mass.sum()):
            reach = 4 * (0.25 / len(found)) ** 0.5
            assert (found == other_option).mean() == pytest.approx(share, abs=reach)


def test_a_cue_takes_its_other_value() -> None:
    faces = CUED.sample(100, seed=0, split=SPLIT)
    other = redraw(CUED, faces, "eye_color", indices(100).numpy(), seed=0)
    swap = {"blue": "brown", "brown": "blue"}
    assert other.names("eye_color") == [swap[word] for word in faces.names("eye_color")]


def test_what_cannot_vary_has_no_twin() -> None:
    alike = Population(get_task("person"), variation=0.0)
    found = draw_counterfactuals(world_of(alike), count=20)
    present = {found.attributes[k] for k in found.attribute.unique().tolist()}
    assert present <= {*alike.task.relevant, *STRAYS.values()}


def test_every_twin_looks_different_and_every_one_that_does_is_there(
    counterfactuals: Counterfactuals,
) -> None:
    assert (
        (counterfactuals.images != counterfactuals.examples.images[counterfactuals.original])
        .flatten(1)
        .any(dim=1)
        .all()
    )
    for number, name in enumerate(counterfactuals.attributes):
        faces = redraw(CUED, counterfactuals.examples.samples, name, indices(COUNT).numpy(), seed=1)
        pictures = render(faces, size=SIZE)
        seen = (pictures != counterfactuals.examples.images).flatten(1).any(dim=1)
        mine = counterfactuals.attribute == number
        assert torch.equal(counterfactuals.original[mine], seen.nonzero()[:, 0])
        assert torch.equal(counterfactuals.images[mine], pictures[seen])
        label = CUED.task.label
        moved = label(faces) != label(counterfactuals.examples.samples)
        assert torch.equal(counterfactuals.changes_label[mine], moved[seen])


def test_nuisances_never_change_the_label(counterfactuals: Counterfactuals) -> None:
    for name in CUED.task.nuisances:
        assert not counterfactuals.changes_label[
            counterfactuals.attribute == counterfactuals.attributes.index(name)
        ].any()
        assert len(counterfactuals.informative(name)) > COUNT / 3
    for name in CUED.task.relevant:
        assert counterfactuals.changes_label[counterfactuals.informative(name)].all()
        assert len(counterfactuals.informative(name)) >= COUNT / 2, "every person's label changes"


def test_the_first_of_many_twins_are_the_few(counterfactuals: Counterfactuals) -> None:
    few = draw_counterfactuals(world_of(CUED, size=SIZE, seed=1), count=20)
    assert torch.equal(counterfactuals.images[counterfactuals.original < 20], few.images)


def test_twins_are_strangers_to_training_and_test() -> None:
    config = DataConfig(num_train=300)
    known = {
        int(i)
        for split in ("train", "test")
        for i in draw_examples(config, split=split, count=300, seed=0).samples.identity
    }
    faces = population_of(config).sample(300, seed=0, split=SPLIT)
    assert not known & set(faces.identity.tolist())


def test_large_pictures_mean_fewer_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.worlds.counterfactuals.MEMORY", 3 * 64 * 64 * 2 * 8)
    found = draw_counterfactuals(world_of(CUED, size=64), count=COUNT, attributes=["gaze", "smile"])
    assert len(found.examples) == 8
    monkeypatch.undo()
    assert len(draw_counterfactuals(world_of(CUED), count=1).examples) == 1
    large = world_of(CUED, size=512)
    assert fewer_counterfactuals(8, large) == fewer_counterfactuals(48, world_of(CUED)) == []
    (line,) = fewer_counterfactuals(48, large)
    assert "--counterfactuals 48" in line
    assert "8 faces" in line


def test_shows_tells_what_can_be_seen() -> None:
    config = DataConfig(subpopulations=("object",))
    examples = draw_examples(config, split="test", count=60, seed=0)
    visible = shows(open_world(config), examples, "mouth_open")
    mouths = (examples.samples["stray_mouths"] > 0) | (examples.labels == 1)
    assert torch.equal(visible, mouths)


def test_sets_of_parts_are_all_sixteen_by_number() -> None:
    assert len(set(subsets(PARTS))) == 16
    for number, parts in enumerate(subsets(PARTS)):
        assert sum(2 ** PARTS.index(part) for part in parts) == number
    assert all(len(small) <= 4 for small, _ in pairwise(subsets(PARTS)))
    faces = CUED.sample(10, seed=0, split="parts")
    for parts in subsets(PARTS):
        with_them = with_parts(faces, parts)
        whole = CUED.task.label(with_them)
        assert whole.eq(int(len(parts) == 4)).all()
        for part in PARTS:
            expected = int(attribute(part).values[-1]) if part in parts else 0
            assert with_them[part].eq(expected).all()
