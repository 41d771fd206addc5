"""Cues mean what they say, move nothing else, and what cannot be is refused in one line."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lab.core.config import DataConfig
from lab.core.estimate import wilson
from lab.worlds import draw_examples, get_task, open_world, population_of
from lab.worlds.counterfactuals import shows
from lab.worlds.cues import Cue, draw_cue, opposites, parse_cues
from lab.worlds.faces import ATTRIBUTES, Faces, attribute, render
from lab.worlds.groups import group_counts, groups, measured
from lab.worlds.population import balanced_labels

PERSON = get_task("person")


def data(*cues: str, **changes: object) -> DataConfig:
    return DataConfig(cues=cues, **changes)  # type: ignore[arg-type]


def agreement(cue: Cue, faces: Faces, labels: torch.Tensor) -> int:
    return int((cue.says(faces) == labels).sum())


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 0.75, 0.95, 1.0])
@pytest.mark.parametrize("name", ["eye_color", "hair_length", "glasses", "stray_eyes"])
def test_measured_strength_is_the_one_asked_for(name: str, strength: float) -> None:
    """Law 5: over 40 seeds, the 95 % interval holds the request about as often as it should."""
    (cue,) = parse_cues([f"{name}:{strength}"], PERSON)
    indices, inside = np.arange(300), 0
    for seed in range(40):
        labels = balanced_labels(indices, 2, seed=seed, split="train")
        column = draw_cue(cue, labels, indices, seed=seed, split="train")
        agrees = agreement(cue, Faces({name: column}, labels, schema=ATTRIBUTES), labels)
        low, high = wilson(agrees, 300).interval
        inside += low <= strength <= high
        assert 0 < strength < 1 or agrees == 300 * strength
    assert inside >= 34  # the binomial chance of fewer is below 1 %


def test_a_cue_moves_nothing_else() -> None:
    """Law 2, and the unbiased and conflicting sets are the test faces but for the cue."""
    plain = population_of(data())
    tied = population_of(data("eye_color:0.95", "hair_length:0.8"))
    one = plain.sample(200, seed=3, split="test")
    for other in (tied, tied.unbiased(), tied.conflicting()):
        faces = other.sample(200, seed=3, split="test")
        assert torch.equal(faces.identity, one.identity)
        for name in set(ATTRIBUTES) - {"eye_color", "hair_length"}:
            assert torch.equal(faces[name], one[name]), name


def test_whose_cue_agrees_nests_in_the_strength() -> None:
    before = torch.zeros(500, dtype=torch.bool)
    for strength in (0.0, 0.2, 0.5, 0.9, 1.0):
        population = population_of(data(f"skin_color:{strength}"))
        faces = population.sample(500, seed=0, split="train")
        agrees = population.cues[0].says(faces) == population.task.label(faces)
        assert not (before & ~agrees).any()
        before = agrees
    assert before.all()


def test_the_first_of_many_are_the_few() -> None:
    population = population_of(data("hair_length:0.7"))
    many, few = (population.sample(n, seed=0, split="train")["hair_length"] for n in (64, 20))
    assert torch.equal(many[:20], few)


def test_unbiased_says_nothing_and_conflicting_the_opposite() -> None:
    population = population_of(data("background_color:0.9"))
    cue = population.cues[0]
    for other, expected in ((population.unbiased(), 0.5), (population.conflicting(), 0.0)):
        faces = other.sample(4000, seed=0, split="test")
        share = agreement(cue, faces, other.task.label(faces)) / 4000
        assert share == pytest.approx(expected, abs=0.03)


def test_named_values_stand_for_the_classes_the_last_one_first() -> None:
    (cue,) = parse_cues(["eye_color=green/amber:1"], PERSON)
    faces = population_of(data("eye_color=green/amber:1")).sample(50, seed=0, split="train")
    labels = PERSON.label(faces)
    assert cue.words == ("amber", "green")
    assert {*faces[labels == 1].names("eye_color")} == {"green"}
    assert {*faces[labels == 0].names("eye_color")} == {"amber"}


def test_continuous_cues_split_at_the_median() -> None:
    faces = population_of(data("hair_length=long/short:1")).sample(400, seed=0, split="train")
    labels, length = PERSON.label(faces), faces["hair_length"]
    median = float(attribute("hair_length").quantile(np.array([0.5]))[0])
    assert length[labels == 1].min() > median >= length[labels == 0].max()
    assert length.min() < 0.05
    assert length.max() > 0.95


def test_opposites_look_as_different_as_can_be() -> None:
    row = attribute("skin_color")
    assert [row.options[option] for option in opposites(row, 2, PERSON.domain)] == ["light", "dark"]
    row = attribute("glasses")
    assert [row.options[o] for o in opposites(row, 2, PERSON.domain)] == ["none", "square"]


def test_a_task_of_three_classes_has_cues_of_three_values() -> None:
    config = data("hair_color:0.6", task="count_eyes")
    population = population_of(config)
    cue = population.cues[0]
    assert len(set(cue.options)) == 3
    faces = population.sample(6000, seed=0, split="train")
    says, labels = cue.says(faces), population.task.label(faces)
    assert float((says == labels).float().mean()) == pytest.approx(0.6, abs=0.02)
    wrong = (says - labels) % 3
    assert int((wrong == 1).sum()) == pytest.approx(1200, abs=120), "other values alike"


@pytest.mark.parametrize(("task", "classes"), [("person", 2), ("count_eyes", 3), ("eye_color", 5)])
def test_without_a_link_every_value_is_as_likely_for_every_class(task: str, classes: int) -> None:
    population = population_of(data("hair_color:0.7", task=task))
    (cue,) = population.cues
    assert cue.no_link == pytest.approx(1 / classes)
    for other, agreeing in ((population.unbiased(), 1 / classes), (population.conflicting(), 0.0)):
        faces = other.sample(1500 * classes, seed=0, split="test")
        says, labels = cue.says(faces), other.task.label(faces)
        counts = torch.zeros(classes, classes)
        counts.index_put_((labels, says), torch.ones(len(faces)), accumulate=True)
        expected = torch.full((classes, classes), (1 - agreeing) / (classes - 1))
        expected.fill_diagonal_(agreeing)
        assert torch.allclose(counts / 1500, expected, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("text", "task"),
    [("eye_color:0.95", "person"), ("eye_color=blue/brown:0.5", "person"), ("gaze:1", "smiling"),
     ("hair_length=short/long:0.1", "person"), ("hair_color=red/gray/black:0.3333", "count_eyes")],
)  # fmt: skip
def test_a_cue_is_the_text_that_it_was_made_of(text: str, task: str) -> None:
    (cue,) = parse_cues([text], get_task(task))
    assert str(cue) == text
    assert cue.what == text.rpartition(":")[0]
    (named,) = parse_cues([str(cue)], get_task(task))
    assert (named, named.words) == (cue, cue.words)


@pytest.mark.parametrize("name", ["eye_color", "hair_length", "background_color", "skin_color"])
def test_less_visible_cues_change_the_picture_less(name: str) -> None:
    def contrast(visibility: float) -> float:
        pictures = []
        for strength in (0, 1):
            config = data(
                f"{name}:{strength}", cue_visibility=visibility, subpopulations=("scrambled",)
            )
            faces = population_of(config).sample(40, seed=0, split="train").do(pixel_noise=0)
            pictures.append(render(faces, size=48).float())
        return float((pictures[0] - pictures[1]).abs().mean())

    full, half, faint = contrast(1.0), contrast(0.5), contrast(0.1)
    assert full > 1.5 * half > 1.5 * 1.5 * faint > 0


def test_full_visibility_is_the_drawing_as_it_is() -> None:
    faces = population_of(data("eye_color:0.5")).sample(20, seed=0, split="train")
    assert not faces.visibility


def test_what_cannot_be_seen_does_not_count() -> None:
    """The color of eyes that are not there is no cue: strength is measured where it shows."""
    config = data("eye_color:1", missing=("eyes",), subpopulations=("missing",), num_train=60)
    world = open_world(config)
    train = world.load("train", 60)
    visible = shows(world, train, "eye_color")
    faces = train.samples
    eyes = (faces["eyes"] > 0) | (faces["stray_eyes"] > 0)
    assert torch.equal(visible, eyes)
    (found,) = measured(world, train)
    assert (found.strength.value, found.strength.count) == (1, int(eyes.sum()))
    assert found.shown.value == int(eyes.sum()) / 60 < 1


def test_groups_are_class_by_cue_values_and_hold_everybody_once() -> None:
    config = data("eye_color:0.9", "hair_length:0.6", num_train=200)
    cues = population_of(config).cues
    train = draw_examples(config, split="train", count=200, seed=0)
    members = groups(train, cues)
    assert len(members) == 8
    assert torch.stack(list(members.values())).sum(dim=0).eq(1).all()
    assert sum(group_counts(train, cues).values()) == 200
    mine = members["person,eye_color=blue,hair_length=long"]
    faces = train.samples[mine]
    assert {*faces.names("eye_color")} == {"blue"}
    assert train.labels[mine].eq(1).all()


def test_kinds_and_missing_parts_can_be_restricted() -> None:
    config = DataConfig(subpopulations=("missing",), missing=("nose", "ears"))
    population = population_of(config)
    faces = population.sample(600, seed=0, split="train")
    kinds = torch.bincount(population.task.subpopulation_of(faces), minlength=4)
    assert kinds.tolist() == [300, 300, 0, 0]
    assert faces["eyes"].eq(2).all()
    assert faces["mouth"].eq(1).all()
    assert {tuple(pair) for pair in torch.stack([faces["nose"], faces["ears"]], 1).tolist()} == {
        (n, e) for n in (0, 1) for e in (0, 1, 2)
    }


def test_parts_the_task_does_not_ask_for_are_restricted_too() -> None:
    config = DataConfig(task="open_mouth", missing=("ears",))
    faces = population_of(config).sample(200, seed=0, split="train")
    assert faces["nose"].eq(1).all()
    assert faces["eyes"].eq(2).all()
    assert faces["ears"].unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ["eye_color=blue,hair_length=long", "glasses=none", "smile=up,gaze=left,blur=sharp"]
)
def test_training_never_shows_what_is_held_out(text: str) -> None:
    plain, population = (
        population_of(DataConfig()),
        population_of(DataConfig(unseen_combinations=(text,))),
    )
    (hold,) = population.unseen_combinations
    before = plain.sample(3000, seed=0, split="train")
    faces = population.sample(3000, seed=0, split="train")
    assert hold.met(before).any()
    assert not hold.met(faces).any()
    moved = faces[hold.yields] != before[hold.yields]
    assert torch.equal(moved, hold.met(before)), "nobody else is changed"
    for name in set(ATTRIBUTES) - {hold.yields}:
        assert torch.equal(faces[name], before[name])
    assert hold.met(population.combined().sample(500, seed=0, split="test")).all()


def test_two_combinations_can_be_held_out_and_shown() -> None:
    texts = ("eye_color=blue,hair_length=long", "hair_length=short,skin_color=dark")
    population = population_of(DataConfig(unseen_combinations=texts))
    faces = population.sample(3000, seed=0, split="train")
    assert not any(hold.met(faces).any() for hold in population.unseen_combinations)
    shown = population.combined().sample(500, seed=0, split="test")
    assert (
        torch.stack([hold.met(shown) for hold in population.unseen_combinations]).any(dim=0).all()
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cues": ("eye_colour:0.9",)}, "did you mean 'eye_color'"),
        ({"cues": ("eyes:0.9",)}, "eyes is what the task person asks for; it takes nuisances"),
        ({"cues": ("eye_color:1.5",)}, "must be a number from 0 to 1"),
        ({"cues": ("eye_color:nan",)}, "must be a number from 0 to 1"),
        ({"cues": ("eye_color:",)}, "must be a number from 0 to 1"),
        ({"cues": ("eye_color",)}, "write attribute:strength"),
        ({"cues": ("eye_color=blue:0.9",)}, "name 2 different values"),
        ({"cues": ("eye_color=blue/blue:0.9",)}, "name 2 different values"),
        ({"cues": ("eye_color=blue/brwn:0.9",)}, "did you mean 'brown'"),
        ({"cues": ("hair_length=long/shrt:0.9",)}, "did you mean 'short'"),
        ({"cues": ("gaze:0.9", "gaze:0.8")}, "names gaze twice"),
        ({"cues": ("glasses:0.9",), "cue_visibility": 0.5}, "it can be had for"),
        ({"cues": ("stray_eyes:0.9",), "task": "count_eyes"}, "has 2 values .* has 3 classes"),
        ({"subpopulations": ("mising",)}, "did you mean 'missing'"),
        ({"missing": ("nos",)}, "did you mean 'nose'"),
        ({"unseen_combinations": ("eye_color",)}, "write attribute=value"),
        ({"unseen_combinations": ("eye_color=pink",)}, "unknown value for eye_color"),
        ({"unseen_combinations": ("mouth=1",)}, "mouth is what the task person asks for"),
        ({"unseen_combinations": ("gaze=left,gaze=right",)}, "names gaze twice"),
        (
            {"unseen_combinations": ("eye_color=blue",), "cues": ("eye_color:0.9",)},
            "nothing to show instead",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        population_of(DataConfig(**changes))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_hold_outs_that_contradict_each_other_are_refused() -> None:
    texts = ("gaze=left", "gaze=right")
    population = population_of(DataConfig(unseen_combinations=texts))
    with pytest.raises(ValueError, match="leave nothing for training to show"):
        population.sample(50, seed=0, split="train")


def test_missing_parts_that_no_picture_can_show_are_refused() -> None:
    population = population_of(DataConfig(task="count_eyes", missing=("nose",)))
    with pytest.raises(ValueError, match="where only nose may be missing"):
        population.sample(50, seed=0, split="train")


@given(st.lists(st.text(max_size=12), max_size=3), st.lists(st.text(max_size=12), max_size=2))
def test_any_text_is_a_cue_or_refused(cues: list[str], holds: list[str]) -> None:
    with contextlib.suppress(ValueError):
        population_of(DataConfig(cues=tuple(cues), unseen_combinations=tuple(holds)))
