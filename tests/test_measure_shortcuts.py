"""What is said of cues, shortcuts and ignored parts follows the intervals."""

import pytest
from test_measure_verdict import figures, setting

from lab.estimate import Estimate, wilson
from lab.measure import Setting, findings, verdict
from lab.measure.advice import break_cues

RELEVANT = ("arrangement", "eyes", "nose", "mouth")


def cue_figures(unbiased: float, conflicting: float, **reliance: float) -> dict[str, Estimate]:
    made = figures(1.0, 0.93)
    made["accuracy/unbiased"] = wilson(round(2000 * unbiased), 2000)
    made["accuracy/conflicting"] = wilson(round(2000 * conflicting), 2000)
    for name, share in reliance.items():
        made[f"reliance/{name}"] = wilson(round(50 * share), 50)
    return made


def tied(*cues: str) -> Setting:
    plain = setting()
    return Setting(**{**vars(plain), "relevant": RELEVANT, "varied": RELEVANT, "cues": cues})


def kinds(made: dict[str, Estimate], *cues: str) -> list[str]:
    return [finding.kind for finding in findings(made, tied(*cues))]


def test_one_that_goes_by_the_cue_is_told_so_first() -> None:
    made = cue_figures(0.55, 0.13, eye_color=0.9, mouth=0.04, nose=0.9)
    text = verdict(made, tied("eye_color=blue/brown:0.95"))
    first, *rest = text.splitlines()
    assert first == (
        "It goes by eye color instead of the task: where eye color contradicts the label, it is"
        " right about only 13.0 % (11.6–14.5) of unseen faces."
    )
    assert (
        "Its answer changes when one thing changes and all else stays: eye color in 90.0 %" in text
    )
    assert "seldom does for mouth (4.0 %)." in text
    assert rest[-1].endswith("try --cues eye_color=blue/brown:0.75.")


def test_where_nothing_links_the_cue_the_advice_is_another() -> None:
    text = verdict(cue_figures(0.9, 0.8), tied("eye_color:0.5"))
    assert "break the cue" not in text
    assert "More training faces would help" in text


def test_one_that_leans_on_two_cues() -> None:
    made = cue_figures(0.9, 0.8, eye_color=0.3)
    text = verdict(made, tied("eye_color:0.9", "hair_length:0.8"))
    assert (
        "It leans on eye color and hair length: where eye color and hair length contradict the"
        " label, it is right about 80.0 %"
    ) in text
    assert "where they say nothing." in text
    assert "misled partly" in kinds(made, "eye_color:0.9", "hair_length:0.8")
    assert kinds(made, "eye_color:0.9")[0] != "misled partly"


def test_one_that_is_not_misled() -> None:
    made = cue_figures(0.95, 0.95, eye_color=0.02, eyes=1.0)
    assert "not misled" in kinds(made, "eye_color:0.9")
    assert "Eye color did not mislead it" in verdict(made, tied("eye_color:0.9"))
    assert not {"shortcut", "ignored"} & set(kinds(made, "eye_color:0.9"))


def test_one_that_knows_nothing_is_not_praised() -> None:
    made = cue_figures(0.95, 0.95) | {"accuracy/held_out": wilson(1860, 2000)}
    assert {"not misled", "combinations mastered"} <= set(kinds(made, "eye_color:0.9"))
    made["accuracy/test"] = wilson(1000, 2000)
    assert not {"not misled", "combinations mastered"} & set(kinds(made, "eye_color:0.9"))


def test_without_cues_nothing_is_said_of_them() -> None:
    made = figures(1.0, 0.93)
    assert not {"misled", "misled partly", "not misled"} & set(kinds(made))


@pytest.mark.parametrize(
    ("share", "kind"), [(0.93, "combinations mastered"), (0.8, "combinations missed")]
)
def test_what_it_makes_of_combinations_it_never_saw(share: float, kind: str) -> None:
    made = figures(1.0, 0.93) | {"accuracy/held_out": wilson(round(2000 * share), 2000)}
    assert kind in kinds(made)
    assert f"right about {100 * share:.1f} %" in verdict(made, tied())


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (0.16, False), (0.3, True)])
def test_a_nuisance_is_named_where_the_interval_leaves_no_doubt(share: float, told: bool) -> None:
    assert ("shortcut" in kinds(cue_figures(0.9, 0.9, gaze=share), "gaze:0.9")) is told


def test_three_nuisances_are_named_and_the_rest_counted() -> None:
    made = cue_figures(0.9, 0.9, gaze=0.5, smile=0.9, blur=0.7, scale=0.8, eyes=1.0)
    text = verdict(made, tied("gaze:0.9"))
    assert "smile in 90.0 %" in text
    assert "blur in 70.0 %" in text
    assert "gaze in" not in text
    assert "(and 1 other)" in text


@pytest.mark.parametrize(("share", "told"), [(0.1, True), (0.45, False), (1.0, False)])
def test_what_the_label_depends_on_is_missed_where_surely_below_half(
    share: float, told: bool
) -> None:
    assert ("ignored" in kinds(cue_figures(0.9, 0.9, nose=share), "gaze:0.9")) is told


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
    assert break_cues([cue]).endswith(f"try --cues {looser}.")
