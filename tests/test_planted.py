"""Law 13: networks whose behavior is known are caught for what they are, by every measure."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab.core.config import DataConfig, RunConfig
from lab.core.estimate import Estimate
from lab.evaluators import EvaluatorSuite
from lab.verdict import Finding, Setting, findings
from lab.worlds import Population, open_world, population_of
from lab.worlds.counterfactuals import SPLIT, redraw
from lab.worlds.faces import ATTRIBUTES, PARTS, Faces, render
from support.planted import ByPixels, Planted, coin, teach_exam

DATA = DataConfig(
    cues=("eye_color=blue/brown:0.9",), num_train=40, num_test=200, image_size=24,
    subpopulations=("missing", "scrambled"), missing=("nose", "mouth", "ears"),
)  # fmt: skip
"""Eyes on every picture, so that their color is always to be seen."""
TWINS = 40


@cache
def world() -> tuple[Population, EvaluatorSuite]:
    population = population_of(DATA)
    drawn = open_world(DATA)
    train, test = drawn.load("train", DATA.num_train), drawn.load("test", DATA.num_test)
    config = RunConfig(data=DATA, counterfactuals=TWINS)
    return population, EvaluatorSuite.of_run(train, test, drawn, config)


def examine(model: nn.Module) -> dict[str, Estimate]:
    """All figures of a model."""
    population, suite = world()
    if isinstance(model, Planted):
        model.teach(population.sample(DATA.num_train, seed=0, split="train"))
        teach_exam(model, population, seed=0, counterfactuals=TWINS, num_test=DATA.num_test)
    result = suite(model)
    return {
        tag: metric
        for tag, metric in {**result.metrics, **suite.final(result).metrics}.items()
        if isinstance(metric, Estimate)
    }


def planted(rule: Callable[[Faces], Tensor]) -> Planted:
    return Planted(rule, size=DATA.image_size)


def kinds_of_findings(figures: dict[str, Estimate]) -> list[str]:
    population, _ = world()
    setting = Setting(
        num_train=DATA.num_train, num_test=DATA.num_test, num_classes=2, label_noise=0, steps=100,
        width=16, relevant=population.task.relevant, varied=(*PARTS[1:], "arrangement"),
        cues=population.cues,
    )  # fmt: skip
    return [finding.kind for finding in findings(figures, setting)]


def reliance(figures: dict[str, Estimate]) -> dict[str, float]:
    prefix = "reliance/"
    return {t.removeprefix(prefix): f.value for t, f in figures.items() if t.startswith(prefix)}


def nuisances() -> tuple[str, ...]:
    return world()[0].task.nuisances


def test_one_that_reads_eye_color_only() -> None:
    (cue,) = world()[0].cues
    figures = examine(planted(cue.says))
    relied = reliance(figures)
    assert relied.pop("eye_color") == 1
    assert set(relied.values()) == {0}
    assert figures["accuracy/conflicting"].value == 0
    assert figures["accuracy/worst_group"].value == 0
    low, high = figures["accuracy/test"].interval
    assert low <= 0.9 <= high
    low, high = figures["accuracy/unbiased"].interval
    assert low <= 0.5 <= high
    assert all(figures[f"{what}/{part}"].value == 0 for what in ("necessity", "shapley")
               for part in PARTS)  # fmt: skip
    found = kinds_of_findings(figures)
    assert found[0] == "misled"
    assert {"shortcut", "ignored"} <= set(found)


def test_one_that_knows_the_true_rule() -> None:
    population, _ = world()
    figures = examine(planted(population.task.label))
    relied = reliance(figures)
    assert {relied[name] for name in population.task.relevant} == {1}
    assert {relied[name] for name in nuisances() if name in relied} == {0}
    for name in ("train", "test", "unbiased", "conflicting", "worst_group"):
        assert figures[f"accuracy/{name}"].value == 1
    for part in PARTS:
        assert figures[f"necessity/{part}"].value == 1
        assert figures[f"sufficiency/{part}"].value == 0
        assert figures[f"shapley/{part}"].value == pytest.approx(1 / 4)
    assert not {"misled", "misled partly", "shortcut", "ignored"} & set(kinds_of_findings(figures))


def test_one_that_looks_at_the_mouth_only() -> None:
    figures = examine(planted(lambda faces: faces["mouth"]))
    relied = reliance(figures)
    # an arrangement or a subject changes the label, but not whether there is a mouth
    assert relied.pop("mouth") == 1
    assert set(relied.values()) == {0}
    assert figures["necessity/mouth"].value == figures["sufficiency/mouth"].value == 1
    assert figures["shapley/mouth"].value == pytest.approx(1)
    assert figures["shapley/nose"].value == 0
    assert "ignored" in kinds_of_findings(figures)


@pytest.mark.parametrize("answer", [0, 1])
def test_one_that_always_says_the_same(answer: int) -> None:
    figures = examine(planted(lambda faces: torch.full((len(faces),), answer)))
    assert set(reliance(figures).values()) == {0}
    assert all(figures[f"shapley/{part}"].value == 0 for part in PARTS)
    assert figures["accuracy/worst_group"].value == 0
    assert "shortcut" not in kinds_of_findings(figures)


def test_one_that_tosses_a_coin() -> None:
    figures = examine(ByPixels(coin, 0.5))
    ends = [f.interval for tag, f in figures.items() if tag.startswith("reliance/")]
    inside = sum(low <= 0.5 <= high for low, high in ends)
    assert inside >= 0.8 * len(ends)
    for name in ("test", "unbiased", "conflicting"):
        low, high = figures[f"accuracy/{name}"].interval
        assert low - 0.05 <= 0.5 <= high + 0.05
    assert all(abs(figures[f"shapley/{part}"].value) < 0.15 for part in PARTS)


def test_one_that_reads_mean_brightness_only() -> None:
    images = open_world(DATA).load("test", DATA.num_test).images
    middle = float((images.float() / 127.5 - 1).mean(dim=(1, 2, 3)).median())
    figures = examine(ByPixels(lambda x: x.mean(dim=(1, 2, 3)), middle))
    relied = reliance(figures)
    strongest = max(nuisances(), key=lambda name: relied.get(name, 0))
    assert strongest in ("background_color", "background_pattern", "skin_color", "hair_color")
    assert relied[strongest] > 0.1
    assert relied["eye_color"] == 0
    assert max(relied["mouth"], relied["nose"]) < 0.2


@pytest.mark.parametrize("name", ["background_color", "hair_length", "mouth", "blur"])
def test_reliance_is_what_a_loop_over_single_pictures_finds(name: str) -> None:
    population, _ = world()

    def bright(faces: Faces) -> bool:
        return float(render(faces, size=DATA.image_size).float().mean()) > 140

    model = ByPixels(lambda x: x.mean(dim=(1, 2, 3)), 140 / 127.5 - 1)
    flipped, asked = 0, 0
    faces = population.sample(TWINS, seed=0, split=SPLIT)
    for i, face in enumerate(faces):
        counterfactual = redraw(population, face, name, np.array([i]), seed=0)
        same = torch.equal(
            render(face, size=DATA.image_size), render(counterfactual, size=DATA.image_size)
        )
        label_stays = int(population.task.label(face)) == int(population.task.label(counterfactual))
        if same or (name in population.task.relevant and label_stays):
            continue
        asked += 1
        flipped += bright(face) != bright(counterfactual)
    figure = examine(model)[f"reliance/{name}"]
    assert (figure.value, figure.count) == (flipped / asked, asked)


def test_every_attribute_is_asked_about() -> None:
    figures = examine(planted(lambda faces: faces["nose"]))
    assert set(reliance(figures)) == set(ATTRIBUTES)


# More than two classes: a guess is right for 1 / classes, and so is a cue that is no link

FIVE = DataConfig(
    task="eye_color", cues=("hair_color:0.4",), num_train=100, num_test=600, image_size=16,
)  # fmt: skip


@cache
def five() -> tuple[Population, EvaluatorSuite]:
    population = population_of(FIVE)
    drawn = open_world(FIVE)
    train, test = drawn.load("train", FIVE.num_train), drawn.load("test", FIVE.num_test)
    config = RunConfig(data=FIVE, counterfactuals=40, pictures=False)
    return population, EvaluatorSuite.of_run(train, test, drawn, config)


def examine_five(rule: Callable[[Faces], Tensor]) -> tuple[dict[str, Estimate], list[Finding]]:
    """Figures and findings of a rule that answers with one of five colors."""
    population, suite = five()
    model = Planted(rule, size=FIVE.image_size, classes=5)
    model.teach(population.sample(FIVE.num_train, seed=0, split="train"))
    teach_exam(model, population, seed=0, counterfactuals=40, num_test=FIVE.num_test)
    figures = {t: m for t, m in suite(model).metrics.items() if isinstance(m, Estimate)}
    setting = Setting(
        num_train=FIVE.num_train, num_test=FIVE.num_test, num_classes=5, label_noise=0, steps=100,
        width=16, relevant=population.task.relevant, varied=("eyes", "eye_color"),
        cues=population.cues,
    )  # fmt: skip
    return figures, findings(figures, setting)


def knows(share: float) -> Callable[[Faces], Tensor]:
    """Who knows the truth of a share of all faces, and goes by the cue otherwise."""
    population, _ = five()

    def rule(faces: Faces) -> Tensor:
        truth, cue = population.task.label(faces), population.cues[0].says(faces)
        known = (faces.identity % 1000).abs() < 1000 * share
        return torch.where(known & (truth >= 0), truth, cue.clamp(min=0))

    return rule


@pytest.mark.parametrize(
    ("share", "kind"), [(0.0, "misled"), (0.45, "misled partly"), (1.0, "not misled")]
)
def test_five_classes_are_judged_by_one_in_five(share: float, kind: str) -> None:
    figures, found = examine_five(knows(share))
    for name, agreeing in (("conflicting", 0.0), ("unbiased", 0.2), ("test", 0.4)):
        low, high = figures[f"accuracy/{name}"].interval
        assert low <= share + (1 - share) * agreeing <= high, name
    assert [one.kind for one in found if "misled" in one.kind] == [kind]
    hint = found[-1].text if found[-1].kind == "advice" else ""
    assert ("--cues hair_color:0.2." in hint) == (share < 1)
    relied = reliance(figures)
    assert relied["hair_color"] == pytest.approx(1 - share, abs=0.25)
    assert relied["eye_color"] == pytest.approx(share, abs=0.25)


def test_five_classes_at_chance() -> None:
    def tossed(faces: Faces) -> Tensor:
        return faces.identity.abs() % 5

    figures, found = examine_five(tossed)
    kinds = [one.kind for one in found]
    assert kinds[0] == "nothing"
    assert "no better than a guess (20 %)" in found[0].text
    assert not {"misled", "misled partly", "not misled", "shortcut"} & set(kinds)
    assert set(reliance(figures).values()) == {0}


def test_an_answer_that_no_class_has_is_not_expected() -> None:
    """Without eyes there is no color to tell, so nothing can be said of who ignores them."""
    figures, found = examine_five(knows(1.0))
    assert not {"reliance/eyes", "reliance/subject", "reliance/arrangement"} & set(figures)
    assert "ignored" not in [one.kind for one in found]
