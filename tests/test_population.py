"""Populations: addresses, nesting, balance, and as many parts in the picture whatever the label."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import binomtest, chisquare

from lab.worlds.faces import ATTRIBUTES, STRAYS, Faces, sample_prior
from lab.worlds.faces.strays import TURNS_UP
from lab.worlds.faces.tasks import FACE, value_task
from lab.worlds.faces.world import FACES
from lab.worlds.population import Population
from lab.worlds.tasks import Subpopulation, get_task, list_tasks

all_tasks = pytest.mark.parametrize("name", list_tasks(FACES))


def same(a: Faces, b: Faces) -> bool:
    return torch.equal(a.identity, b.identity) and all(
        torch.equal(a.values[name], b.values[name]) for name in ATTRIBUTES
    )


@all_tasks
def test_a_face_is_a_function_of_its_address(name: str) -> None:
    population = Population(get_task(name))
    whole = population.sample(100, seed=3, split="train")
    pieces = [
        population.sample(size, seed=3, split="train", start=start)
        for start, size in ((0, 1), (1, 30), (31, 2), (33, 67))
    ]
    assert same(whole, Faces.cat(pieces))


@all_tasks
def test_attempts_that_are_made_together_decide_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = Population(get_task(name))
    together = population.sample(30, seed=3, split="train")
    monkeypatch.setattr("lab.worlds.population.AT_ONCE", 1)
    assert same(population.sample(30, seed=3, split="train"), together)


def test_training_sets_nest() -> None:
    population = Population(get_task("person"))
    large = population.sample(1024, seed=0, split="train")
    assert same(large.take(slice(0, 64)), population.sample(64, seed=0, split="train"))


@all_tasks
def test_every_prefix_is_balanced(name: str) -> None:
    task = get_task(name)
    labels = task.label(Population(task).sample(60, seed=1, split="train"))
    for count in range(1, 61):
        counts = torch.bincount(labels[:count], minlength=len(task.classes))
        assert counts.max() - counts.min() <= 1


def test_the_order_of_labels_is_random() -> None:
    task = get_task("person")
    labels = task.label(Population(task).sample(4000, seed=0, split="train"))
    assert binomtest(int(labels[::2].sum()), 2000).pvalue > 1e-4


@all_tasks
def test_kinds_have_their_shares(name: str) -> None:
    task = get_task(name)
    for seed in range(3):
        kinds = task.subpopulation_of(Population(task).sample(3000, seed=seed, split="train"))
        labels = torch.tensor([kind.label for kind in task.subpopulations])[kinds]
        for code, kind in enumerate(task.subpopulations):
            count, total = int((kinds == code).sum()), int((labels == kind.label).sum())
            assert binomtest(count, total, kind.weight).pvalue > 1e-4


def test_within_a_kind_the_attributes_have_their_priors() -> None:
    task = get_task("person")
    ours = Population(task).sample(8000, seed=0, split="train")
    world = sample_prior(60_000, seed=1)
    for kind in range(1, 4):
        mine, theirs = (
            ours[task.subpopulation_of(ours) == kind],
            world[task.subpopulation_of(world) == kind],
        )
        for name in task.relevant:
            expected = torch.bincount(theirs[name]).double() / len(theirs) * len(mine)
            observed = torch.bincount(mine[name], minlength=len(expected)).double()
            seen = expected > 0
            assert observed[~seen].sum() == 0
            if seen.sum() > 1:
                assert chisquare(observed[seen], expected[seen]).pvalue > 1e-4


@all_tasks
def test_a_task_moves_no_nuisance(name: str) -> None:
    task = get_task(name)
    faces = Population(task, variation=0.7).sample(50, seed=4, split="train")
    world = sample_prior(50, seed=4, split="train", variation=0.7)
    for nuisance in set(task.nuisances) - set(STRAYS.values()):
        assert torch.equal(faces[nuisance], world[nuisance])
    assert torch.equal(faces.identity, world.identity)


def test_variation_changes_nuisances_only() -> None:
    task = get_task("person")
    varied = Population(task, variation=1.0).sample(50, seed=0, split="train")
    alike = Population(task, variation=0.0).sample(50, seed=0, split="train")
    for name in task.relevant:
        assert torch.equal(alike[name], varied[name])
    for name in set(task.nuisances) - set(STRAYS.values()):
        assert len(alike[name].unique()) == 1
    with pytest.raises(ValueError, match="variation must be 0 to 1, not 2"):
        Population(task, variation=2.0).sample(1, seed=0, split="train")


def test_splits_and_seeds_share_no_face() -> None:
    population = Population(get_task("person"))
    batches = [
        population.sample(2000, seed=seed, split=split)
        for seed in (0, 1)
        for split in ("train", "validation", "test")
    ]
    faces = Faces.cat(batches)
    assert len(faces.identity.unique()) == len(faces)
    continuous = [n for n, row in ATTRIBUTES.items() if row.kind == "continuous"]
    looks = torch.stack([faces[name] for name in continuous], dim=1)
    assert len(looks.unique(dim=0)) == len(faces)


@all_tasks
def test_most_missing_parts_lie_beside_the_head(name: str) -> None:
    faces = Population(get_task(name)).sample(2000, seed=2, split="train")
    extra = sample_prior(2000, seed=2, split="train")
    head = faces["subject"] == 0
    for part, stray in STRAYS.items():
        most = max(int(value) for value in ATTRIBUTES[stray].values)
        missing = (max(int(value) for value in ATTRIBUTES[part].values) - faces[part]) * head
        moved = faces[stray] != extra[stray]
        full = (extra[stray] + missing).clamp(max=most)
        assert torch.equal(faces[stray][moved], full[moved])
        assert not moved[missing == 0].any()
        if lacking := int((missing > 0).sum()):
            share = binomtest(int(moved.sum()), lacking).proportion_ci(0.999, "exact")
            assert share.low <= TURNS_UP <= share.high


def test_a_task_about_strays_is_left_alone() -> None:
    task = value_task("strays", "stray_eyes", "", classes={"no": (0,), "yes": (1,)}, given=FACE)
    faces = Population(task).sample(100, seed=0, split="train")
    assert torch.equal(task.label(faces), faces["stray_eyes"])


def test_a_kind_that_cannot_be_drawn_is_named() -> None:
    task = value_task("three", "stray_eyes", "", classes={"none": (0,), "three": (3,)})
    with pytest.raises(ValueError, match="task three: no 'three' among 1000 draws"):
        Population(task).sample(4, seed=0, split="train")


def test_a_task_that_reads_what_it_did_not_declare_is_caught() -> None:
    task = replace(
        get_task("person"),
        classes=("0", "1"),
        subpopulations=(Subpopulation(name="0", label=0), Subpopulation(name="1", label=1)),
        relevant=("eyes",),
        subpopulation_of=lambda faces: faces["nose"],
    )
    with pytest.raises(KeyError, match="nose"):
        Population(task).sample(4, seed=0, split="train")
