"""What is said of cues, shortcuts and ignored parts follows the intervals, for any number of
classes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.core.estimate import Estimate, wilson
from lab.runs.resolve import resolve
from lab.runs.verdict_setting import verdict_setting
from lab.verdict import Setting, findings, verdict
from lab.verdict.advice import break_cues
from lab.verdict.shortcuts import RELIES, relied_on
from lab.worlds import Cue, get_task
from lab.worlds.cues import parse_cues
from support.configs import tiny
from support.made_up import figures, numbers, setting

RELEVANT = ("arrangement", "eyes", "nose", "mouth")


def cue_figures(unbiased: float, conflicting: float, **reliance: float) -> dict[str, Estimate]:
    made = figures(1.0, 0.93)
    made["accuracy/unbiased"] = wilson(round(2000 * unbiased), 2000)
    made["accuracy/conflicting"] = wilson(round(2000 * conflicting), 2000)
    for name, share in reliance.items():
        made[f"reliance/{name}"] = wilson(round(50 * share), 50)
    return made


def cues_of(*texts: str, task: str = "person") -> tuple[Cue, ...]:
    return parse_cues(texts, get_task(task))


def tied(*cues: str, task: str = "person") -> Setting:
    changes = {"relevant": RELEVANT, "varied": RELEVANT, "cues": cues_of(*cues, task=task)}
    return setting(**changes, num_classes=len(get_task(task).classes))


def kinds(made: dict[str, Estimate], *cues: str, task: str = "person") -> list[str]:
    return [finding.kind for finding in findings(made, tied(*cues, task=task))]


def test_one_that_goes_by_the_cue_is_told_so_first() -> None:
    made = cue_figures(0.55, 0.13, eye_color=0.9, mouth=0.04, nose=0.9)
    found = {each.kind: each.text for each in findings(made, tied("eye_color=blue/brown:0.95"))}
    assert list(found)[:2] == ["misled", "memorized a little"]
    assert numbers(found["misled"]) == [13, 95, 11.6, 14.5, 50]
    assert "eye color" in found["misled"]
    assert "eye color in 90.0 %" in found["shortcut"]
    assert "mouth in 4.0 %" in found["ignored"]
    assert "nose" not in found["ignored"]
    assert "--cues eye_color=blue/brown:0.75." in found["advice"]


def test_where_nothing_links_the_cue_the_advice_is_another() -> None:
    hint = findings(cue_figures(0.9, 0.8), tied("eye_color:0.5"))[-1]
    assert hint.kind == "advice"
    assert re.findall(r"--[a-z-]+", hint.text) == ["--num-train"]


def test_one_that_leans_on_two_cues() -> None:
    made = cue_figures(0.9, 0.8, eye_color=0.3)
    found = findings(made, tied("eye_color:0.9", "hair_length:0.8"))
    (leans,) = (finding.text for finding in found if finding.kind == "misled partly")
    assert leans.startswith("It leans on one or more of eye color and hair length: where")
    assert numbers(leans)[0] == 80
    assert 90 in numbers(leans)
    assert kinds(made, "eye_color:0.9")[0] != "misled partly"


def test_one_that_is_not_misled() -> None:
    made = cue_figures(0.95, 0.95, eye_color=0.02, eyes=1.0)
    assert "not misled" in kinds(made, "eye_color:0.9")
    assert not {"shortcut", "ignored"} & set(kinds(made, "eye_color:0.9"))


def test_one_that_knows_nothing_is_not_praised() -> None:
    made = cue_figures(0.95, 0.95) | {"accuracy/unseen_combinations": wilson(1860, 2000)}
    assert {"not misled", "combinations mastered"} <= set(kinds(made, "eye_color:0.9"))
    made["accuracy/test"] = wilson(1000, 2000)
    assert not {"not misled", "combinations mastered"} & set(kinds(made, "eye_color:0.9"))


def test_one_that_has_learned_nothing_that_shows_is_not_praised() -> None:
    """An untrained network, such as early stopping may keep, happens to be right a little more
    often than not, whatever the cue."""
    made = figures(0.52, 0.53) | {
        f"accuracy/{name}": wilson(1060, 2000) for name in ("unbiased", "conflicting")
    }
    found = kinds(made, "eye_color:0.9")
    assert "nothing" in found
    assert "not misled" not in found


def test_one_whose_accuracy_is_the_cues_is_not_praised() -> None:
    """At chance where the cue says nothing, above it where the cue is as in training."""
    made = figures(0.6, 0.4) | {
        "accuracy/test": wilson(57, 150),
        "accuracy/unbiased": wilson(25, 150),
        "accuracy/conflicting": wilson(21, 150),
    }
    found = findings(made, tied("hair_color:0.9", task="eye_color"))
    (leans,) = (each.text for each in found if "misled" in each.kind)
    assert leans.startswith("It leans on hair color")
    assert {14, 16.7, 38} <= set(numbers(leans))
    made["accuracy/test"] = wilson(36, 150)
    assert not [each for each in kinds(made, "hair_color:0.9", task="eye_color") if "misl" in each]


def test_what_so_few_faces_leave_open_is_no_praise() -> None:
    made = {
        name: wilson(round(50 * share), 50)
        for name, share in (("unbiased", 0.9), ("conflicting", 0.84), ("unseen_combinations", 0.8))
    }
    few = figures(1.0, 0.9, num_test=50) | {f"accuracy/{name}": made[name] for name in made}
    found = [each for each in kinds(few, "eye_color:0.9") if "misl" in each or "comb" in each]
    assert found == ["misled unsettled", "combinations unsettled"]


def test_without_cues_nothing_is_said_of_them() -> None:
    made = figures(1.0, 0.93)
    assert not {"misled", "misled partly", "not misled"} & set(kinds(made))


@pytest.mark.parametrize(
    ("share", "kind"), [(0.93, "combinations mastered"), (0.8, "combinations missed")]
)
def test_what_it_makes_of_combinations_it_never_saw(share: float, kind: str) -> None:
    made = figures(1.0, 0.93) | {"accuracy/unseen_combinations": wilson(round(2000 * share), 2000)}
    assert kind in kinds(made)
    assert f"{100 * share:.1f} %" in verdict(made, tied())


def test_combinations_that_hold_a_cue_are_not_said_to_confuse_it() -> None:
    """The cue contradicts the label of half of them, of few test faces: accuracy is that of
    unbiased faces, or more."""
    made = cue_figures(0.69, 0.48) | {"accuracy/unseen_combinations": wilson(1460, 2000)}
    usual = tied("eye_color:0.9")
    assert "combinations missed" in [each.kind for each in findings(made, usual)]
    for attributes, kind in ((("eye_color", "hair_length"), "unsettled"), (("gaze",), "missed")):
        found = {each.kind: each.text for each in findings(made, replace(usual, held=attributes))}
        assert f"combinations {kind}" in found
    text = verdict(made, replace(usual, held=("eye_color",)))
    assert {73, 93, 69} <= set(numbers(text))
    none = replace(tied("eye_color:0.5"), held=("eye_color",))
    assert "combinations missed" in [each.kind for each in findings(made, none)], "it is no link"


def test_a_run_knows_what_its_unseen_combinations_hold(tmp_path: Path) -> None:
    combination = "eye_color=blue,hair_length=long"
    run = resolve(tiny(tmp_path, cues=("eye_color:0.9",), unseen_combinations=(combination,)))
    train = run.world.load("train", run.config.data.num_train)
    assert verdict_setting(run, train, steps=3).held == ("eye_color", "hair_length")


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (0.16, False), (0.3, True)])
def test_a_nuisance_is_named_where_the_interval_leaves_no_doubt(share: float, told: bool) -> None:
    assert ("shortcut" in kinds(cue_figures(0.9, 0.9, gaze=share), "gaze:0.9")) is told


@pytest.mark.parametrize("share", [0.0, 0.02, RELIES - 0.01])
def test_chance_alone_rarely_names_a_nuisance(share: float) -> None:
    """True reliance on all of many nuisances is so small that a verdict should not speak of it."""
    random, nuisances, seeds = np.random.default_rng(0), get_task("person").nuisances, 400
    named = 0
    for _ in range(seeds):
        flips = random.binomial(48, share, len(nuisances))
        made = {f"reliance/{n}": wilson(int(k), 48) for n, k in zip(nuisances, flips, strict=True)}
        named += bool(relied_on(made, RELEVANT))
    assert named <= 0.05 * seeds


def test_three_nuisances_are_named_with_numbers_and_others_by_name() -> None:
    made = cue_figures(0.9, 0.9, gaze=0.5, smile=0.9, blur=0.7, scale=0.8, eyes=1.0)
    text = verdict(made, tied("gaze:0.9"))
    for words in ("smile in 90.0 %", "scale in 80.0 %", "blur in 70.0 %", "less often gaze"):
        assert words in text
    assert "gaze in" not in text
    many = dict.fromkeys(get_task("person").nuisances, 0.6)
    text = verdict(cue_figures(0.9, 0.9, **many), tied())
    named = sum(name.replace("_", " ") in text for name in many)
    assert int(re.search(r"and (\d+) more", text)[1]) == len(many) - named  # type: ignore[index]


def test_what_is_not_known_to_be_a_nuisance_is_not_called_one() -> None:
    made = cue_figures(0.9, 0.9, smile=0.9)
    assert "shortcut" in kinds(made)
    assert "shortcut" not in [finding.kind for finding in findings(made, setting())]


@pytest.mark.parametrize(("share", "told"), [(0.1, True), (0.45, False), (1.0, False)])
def test_what_the_label_depends_on_is_missed_where_surely_below_half(
    share: float, told: bool
) -> None:
    assert ("ignored" in kinds(cue_figures(0.9, 0.9, nose=share), "gaze:0.9")) is told


def test_how_much_of_what_the_label_depends_on_is_missed() -> None:
    for missed, word in ((1, "some of what"), (3, "most of what"), (4, "notices what")):
        shares = {name: 0.05 if place < missed else 1.0 for place, name in enumerate(RELEVANT)}
        text = verdict(cue_figures(0.9, 0.9, **shares), tied("gaze:0.9"))
        assert word in text


def test_what_training_never_varied_is_not_held_against_it() -> None:
    made = cue_figures(0.9, 0.9, eyes=0.0)
    setup = Setting(**{**vars(tied("gaze:0.9")), "varied": ("nose",)})
    assert "ignored" not in [finding.kind for finding in findings(made, setup)]


@pytest.mark.parametrize(
    ("cue", "looser"),
    [("gaze:0.95", "gaze:0.75"), ("gaze:1", "gaze:0.75"), ("gaze:0.9", "gaze:0.6"),
     ("gaze:0.8", "gaze:0.5"),
     ("eye_color=blue/brown:0.99", "eye_color=blue/brown:0.75")],
)  # fmt: skip
def test_the_advice_is_to_break_the_cue(cue: str, looser: str) -> None:
    assert break_cues(cues_of(cue)).endswith(f"try --cues {looser}.")


@pytest.mark.parametrize(
    ("task", "cue", "looser"),
    [
        ("eye_color", "hair_color:0.4", "hair_color:0.2"),  # no link of five classes
        ("eye_color", "hair_color:0.9", "hair_color:0.6"),
        ("count_eyes", "hair_color:0.8", "hair_color:0.333"),
        ("count_eyes", "hair_color=red/black/gray:0.95", "hair_color=red/black/gray:0.75"),
        ("eye_color", "hair_color:0.2", ""),
        ("eye_color", "hair_color:0.1", ""),
        ("count_eyes", "hair_color:0.333333333333", ""),
    ],
)
def test_no_link_is_one_in_so_many_classes(task: str, cue: str, looser: str) -> None:
    said = break_cues(cues_of(cue, task=task))
    assert re.findall(r"--cues (\S+)\.$", said) == ([looser] if looser else [])


@pytest.mark.parametrize(
    ("task", "unbiased", "conflicting", "kind"),
    [
        ("eye_color", 0.8, 0.45, "misled partly"),  # a guess gets 20 %
        ("eye_color", 0.8, 0.21, "misled partly"),
        ("eye_color", 0.6, 0.1, "misled"),
        ("eye_color", 0.8, 0.8, "not misled"),
        ("count_eyes", 0.8, 0.45, "misled partly"),  # 33 %
        ("count_eyes", 0.8, 0.2, "misled"),
        ("person", 0.8, 0.45, "misled"),  # 50 %
        ("person", 0.9, 0.6, "misled partly"),
    ],
)
def test_worse_than_a_guess_goes_by_the_cue_and_better_leans_on_it(
    task: str, unbiased: float, conflicting: float, kind: str
) -> None:
    cue = "hair_color:0.9"
    made = cue_figures(unbiased, conflicting)
    found = [each for each in kinds(made, cue, task=task) if "misled" in each]
    assert found == [kind]
    text = verdict(made, tied(cue, task=task))
    guess = f"{100 / len(get_task(task).classes):.3g} %"
    assert (guess in text) == (kind == "misled")
    assert ("--cues" in text) == (kind != "not misled")


def test_a_weak_cue_of_many_classes_is_advised_on() -> None:
    """Strength 0.4 is a link where a guess is right for one in five."""
    text = verdict(cue_figures(0.8, 0.45), tied("hair_color:0.4", task="eye_color"))
    assert "--cues hair_color:0.2." in text


def test_a_cue_below_no_link_misleads_the_other_way_round() -> None:
    made = cue_figures(0.7, 0.95)
    assert "misled partly" in kinds(made, "eye_color:0.05")
    assert "not misled" in kinds(made, "eye_color:0.95")
    assert "--cues" not in verdict(made, tied("eye_color:0.05"))


# What matters most comes first


def useful(part: float = 0.97, nuisance: float = 0.02, count: int = 200) -> dict[str, Estimate]:
    """Figures of a network that is right about 994 of 1,000 unseen faces."""
    made = figures(0.994, 0.994, num_train=1000, num_test=10_000)
    for name in RELEVANT:
        made[f"reliance/{name}"] = wilson(round(count * part), count)
    for name in ("eye_color", "hair_color"):
        made[f"reliance/{name}"] = wilson(round(count * nuisance), count)
    made["reliance/gaze"] = wilson(0, count)
    return made


def told(made: dict[str, Estimate], **changes: object) -> list[tuple[str, str]]:
    setup = setting(
        relevant=RELEVANT, varied=RELEVANT, num_train=1000, num_test=10_000,
        concept="what makes a person", **changes,
    )  # fmt: skip
    return [(each.kind, each.text) for each in findings(made, setup)]


def test_a_useful_network_is_said_to_have_learned_the_task() -> None:
    found = told(useful())
    assert [kind for kind, _ in found] == ["learned", "members hidden", "steady", "advice"]
    first = found[0][1].partition(". ")[0]
    assert "what makes a person" in first
    assert numbers(first) == [0.6]
    assert "(" not in first
    assert numbers(found[2][1])[:2] == [3, 2.0]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (useful(part=0.3), "learned"),  # right about unseen faces without the parts
        (useful(part=0.5), "learned"),  # it may be half
        (useful(nuisance=0.3), "learned"),
        (useful(nuisance=0.9), "shortcut"),
    ],
)
def test_only_what_each_part_matters_to_has_learned_the_task(
    made: dict[str, Estimate], kind: str
) -> None:
    found = told(made)
    assert found[0][0] == kind
    assert "what makes a person" not in " ".join(text for _, text in found)


def test_without_interventions_nothing_is_said_of_what_it_learned() -> None:
    assert "what makes a person" not in told(figures(0.994, 0.994, num_train=1000))[0][1]


def test_small_things_are_summed_up_where_the_intervals_are_small() -> None:
    assert "steady" in [kind for kind, _ in told(useful())]
    for made in (useful(nuisance=0.3), useful(count=20)):
        assert "steady" not in [kind for kind, _ in told(made)]


def test_a_cue_on_which_it_leans_much_comes_first() -> None:
    setup = tied("eye_color=blue/brown:0.95")
    much, little = (
        [each.kind for each in findings(cue_figures(0.9, share), setup)] for share in (0.6, 0.85)
    )
    assert much[0] == "misled partly"
    assert "misled partly" in little[1:]
    guesses = cue_figures(0.9, 0.6) | figures(1.0, 0.55)
    assert findings(guesses, setup)[0].kind == "memorized", "that matters more"
