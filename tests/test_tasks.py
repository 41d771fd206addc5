"""Every task keeps the contract; `person` is the rule that its meaning spells out."""

import itertools

import numpy as np
import pytest
import torch

from lab.worlds.faces import ATTRIBUTES, sample_prior
from lab.worlds.faces.batch import draw
from lab.worlds.faces.tasks import median_task, value_task
from lab.worlds.faces.world import FACES
from lab.worlds.population import Population
from lab.worlds.tasks import Subpopulation, Task, get_task, list_tasks, register

all_tasks = pytest.mark.parametrize("name", list_tasks(FACES))


def test_person_is_two_eyes_nose_mouth_two_ears_in_their_places() -> None:
    task = get_task("person")
    names = ("subject", "arrangement", "eyes", "nose", "mouth", "ears")
    mixes = list(itertools.product(*(ATTRIBUTES[name].values for name in names)))
    faces = sample_prior(len(mixes), seed=0).do(
        **{name: [mix[k] for mix in mixes] for k, name in enumerate(names)}
    )
    for mix, label, kind in zip(
        mixes, task.label(faces).tolist(), task.subpopulation_of(faces).tolist(), strict=True
    ):
        assert label == (mix == ("head", "natural", 2, 1, 1, 2))
        if mix[0] != "head":
            expected = "object"
        elif mix[2:] == (2, 1, 1, 2):
            expected = "person" if mix[1] == "natural" else "scrambled"
        else:
            expected = "missing" if mix[1] == "natural" else None
        assert (task.subpopulations[kind].name if kind >= 0 else None) == expected


@all_tasks
def test_every_attribute_is_relevant_or_a_nuisance(name: str) -> None:
    task = get_task(name)
    assert sorted([*task.relevant, *task.nuisances]) == sorted(ATTRIBUTES)


@all_tasks
def test_the_label_reads_every_relevant_attribute_and_no_nuisance(name: str) -> None:
    task = get_task(name)
    faces = Population(task).sample(300, seed=1, split="train")
    others = sample_prior(300, seed=2)
    for nuisance in task.nuisances:
        changed = faces.do(**{nuisance: others[nuisance]})
        assert torch.equal(task.subpopulation_of(changed), task.subpopulation_of(faces))
    for relevant in task.relevant:
        row = ATTRIBUTES[relevant]
        values = draw(row, np.arange(300), seed=3, split="other")
        changed = faces.redrawn({relevant: values})
        assert not torch.equal(task.subpopulation_of(changed), task.subpopulation_of(faces)), (
            relevant
        )


@all_tasks
def test_kinds_belong_to_their_labels(name: str) -> None:
    task = get_task(name)
    assert {kind.label for kind in task.subpopulations} == set(range(len(task.classes)))
    assert len({kind.name for kind in task.subpopulations}) == len(task.subpopulations)
    faces = sample_prior(500, seed=0)
    labels, kinds = task.label(faces), task.subpopulation_of(faces)
    for code, kind in enumerate(task.subpopulations):
        assert (labels[kinds == code] == kind.label).all()
    assert (labels[kinds == -1] == task.otherwise).all()


def test_any_attribute_is_one_short_entry() -> None:
    for row in ATTRIBUTES.values():
        if row.kind == "continuous":
            task = median_task("t", row.name, "", below="less", above="more", given={})
        else:
            drawn = [v for v, share in zip(row.values, row.prior, strict=True) if share]
            task = value_task("t", row.name, "", classes={str(v): (v,) for v in drawn}, given={})
        faces = Population(task).sample(20, seed=0, split="train")
        assert torch.bincount(task.label(faces)).min() >= 20 // len(task.classes)


def test_the_margin_around_the_median_is_left_out() -> None:
    task = get_task("smiling")
    smile = Population(task).sample(2000, seed=0, split="train")["smile"]
    low, high = np.quantile(sample_prior(100_000, seed=5)["smile"].numpy(), [0.35, 0.65])
    assert not ((smile > low + 0.01) & (smile < high - 0.01)).any()
    assert (smile < low).any()
    assert (smile > high).any()


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^--task: unknown task 'persn'; did you mean 'person'\?"):
        get_task("persn")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="called 'person' already"):
        register(get_task("person"))


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    kinds = (Subpopulation(name="a", label=0, weight=0.5), Subpopulation(name="b", label=1))
    task = Task(domain=FACES, name="new", meaning="", classes=("0", "1"), relevant=("eyes",),
    subpopulations=kinds,
                subpopulation_of=lambda faces: faces["eyes"])  # fmt: skip
    with pytest.raises(ValueError, match=r"subpopulations of '0' have shares that sum to 0\.5"):
        register(task)
