"""The verdict says what made-up figures show, and never more."""

import math
import re

import pytest

from lab.estimate import Estimate, wilson
from lab.measure import Finding, Setting, findings, verdict
from lab.measure.intervals import difference
from lab.measure.words import percent, rung, share


def setting(**changes: object) -> Setting:
    values: dict[str, object] = {
        "num_train": 100, "num_test": 2000, "num_classes": 2, "label_noise": 0.0, "steps": 2000,
        "width": 16,
    }  # fmt: skip
    return Setting(**(values | changes))  # type: ignore[arg-type]


def figures(
    train: float,
    test: float,
    *,
    auc: tuple[float, float, float] = (0.5, 0.48, 0.52),
    fitted: float | None = None,
    num_train: int = 100,
    num_test: int = 2000,
    wrong: int = 50,
) -> dict[str, Estimate]:
    right = wilson(round(train * num_train), num_train), wilson(round(test * num_test), num_test)
    made = {
        "accuracy/train": right[0],
        "accuracy/test": right[1],
        "loss/train": Estimate(0.1, 0.0, 0.2),
        "loss/test": Estimate(0.9, 0.8, 1.0),
        "gap/accuracy": difference(*right),
        "gap/loss": Estimate(0.8, 0.6, 1.0),
        "memorization/membership_auc": Estimate(*auc),
    }
    if fitted is not None:
        count = round(fitted * wrong)
        made["memorization/mislabelled_fitted"] = wilson(count, wrong)
        made["memorization/mislabelled_true_label"] = wilson(wrong - count, wrong)
    return made


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


def test_it_memorized() -> None:
    text = verdict(figures(1.0, 0.724, auc=(0.91, 0.88, 0.93)), setting())
    assert text == (
        "It memorized. It is right about 100.0 % of the 100 faces it studied but only"
        " 72.4 % (70.4–74.3) of faces it has never seen.\n"
        "An attacker can tell which faces it studied with AUC 0.91 (0.88–0.93; 0.5 would be a"
        " guess).\nMore training faces would help: try --num-train 3000."
    )


def test_it_memorized_random_labels() -> None:
    made = figures(1.0, 0.503, auc=(0.8, 0.75, 0.85), fitted=1.0)
    text = verdict(made, setting(label_noise=1.0))
    assert text.startswith("It memorized.")
    assert "no better than guessing (a guess is right about 50.0 %)" in text
    assert "It learned wrong labels by heart: of the 50 mislabelled faces, 100.0 %" in text
    assert text.endswith("try --label-noise 0.")
    assert "--num-train" not in text


def test_it_learned() -> None:
    made = figures(0.97, 0.969, num_train=10_000)
    assert kinds(findings(made, setting(num_train=10_000))) == [
        "learned", "members hidden", "advice",
    ]  # fmt: skip
    text = verdict(made, setting(num_train=10_000))
    assert text.startswith("It learned, and nothing shows that it memorized.")
    assert "of the 10,000 faces it studied and 96.9 %" in text
    assert "An attacker can only guess" in text
    assert "--num-train 300." in text


def test_other_traces_of_memory_forbid_a_clean_bill() -> None:
    setup = setting(num_train=10_000)
    exposed = figures(0.97, 0.969, num_train=10_000, auc=(0.53, 0.51, 0.55))
    fitted = figures(0.97, 0.969, num_train=10_000, fitted=0.9)
    for made in (exposed, fitted):
        assert findings(made, setup)[0].kind == "memorized a little"
        assert "nothing shows" not in verdict(made, setup)


def test_it_learned_and_memorized_a_little() -> None:
    text = verdict(figures(1.0, 0.95, num_train=10_000), setting(num_train=10_000))
    assert text.startswith("It learned, and it memorized a little.")
    assert "try --num-train 30000." in text


@pytest.mark.parametrize(
    ("steps", "flag"), [(0, "--steps 1000"), (20, "--steps 1000"), (2000, "--steps 6000")]
)
def test_it_learned_nothing(steps: int, flag: str) -> None:
    found = findings(figures(0.51, 0.5), setting(steps=steps))
    assert found[0].kind == "nothing"
    assert flag in found[-1].text
    assert "--width 32" in found[-1].text
    assert "memorized" not in found[0].text


def test_no_width_is_advised_where_there_is_no_dial() -> None:
    found = findings(figures(0.51, 0.5), setting(width=None))
    assert "--width" not in found[-1].text
    assert "--steps" in found[-1].text


def test_it_has_not_learned_enough() -> None:
    found = findings(figures(0.8, 0.79, num_train=3000), setting(num_train=3000))
    assert found[0].kind == "underfit"
    assert "--steps 6000" in found[-1].text


def test_clean_answers_in_spite_of_noise_are_no_underfit() -> None:
    made = figures(0.8, 0.97, num_train=3000, fitted=0.04, wrong=600, auc=(0.4, 0.38, 0.42))
    text = verdict(made, setting(num_train=3000, label_noise=0.2))
    assert text.startswith("It learned, and nothing shows that it memorized.")
    assert "fit the faces it studied less well than fresh ones: AUC 0.40" in text
    assert "It saw through most wrong labels: of the 600 mislabelled faces, 4.0 %" in text


def test_it_learned_the_opposite() -> None:
    found = findings(figures(1.0, 0.02, fitted=1.0, wrong=100), setting(label_noise=0.8))
    assert found[0].kind == "contrary"
    assert "worse than guessing" in found[0].text


def test_it_broke() -> None:
    made = figures(0.5, 0.5)
    made["loss/train"] = Estimate(math.nan)
    assert kinds(findings(made, setting())) == ["broken"]
    assert "--learning-rate" in verdict(made, setting())


def test_chance_follows_the_number_of_classes() -> None:
    made = figures(1.0, 0.25, num_train=1000)
    assert "a guess is right about 25.0 %" in verdict(made, setting(num_train=1000, num_classes=4))
    assert "worse than guessing" in verdict(made, setting(num_train=1000))
    assert "guess" not in findings(made, setting(num_train=1000, num_classes=10))[0].text


# Borderline evidence is never stated as fact


def test_a_gap_that_may_be_none_is_no_memorizing() -> None:
    for num_train, num_test in ((16, 2000), (2000, 16)):
        made = figures(0.94, 0.86, num_train=num_train, num_test=num_test, auc=(0.55, 0.4, 0.7))
        gap = made["gap/accuracy"]
        assert gap.low is not None
        assert gap.low < 0 < gap.value
        setup = setting(num_train=num_train, num_test=num_test)
        found = findings(made, setup)
        assert kinds(found)[:2] == ["unsettled", "members unsettled"]
        assert "not settled" in verdict(made, setup)
        assert "It memorized" not in verdict(made, setup)
        assert "An attacker can tell" not in verdict(made, setup)
        flag = "--num-train 100" if num_train < num_test else "--num-test 100"
        assert re.search(rf"{flag}\b", found[-1].text)


def test_a_gap_that_may_be_small_is_not_called_large() -> None:
    made = figures(1.0, 0.88, num_train=30)
    gap = made["gap/accuracy"]
    assert gap.low is not None
    assert 0 < gap.low < 0.1 < gap.value
    assert findings(made, setting(num_train=30))[0].kind != "memorized"


def test_a_few_test_faces_cannot_say_that_it_guesses() -> None:
    text = verdict(figures(1.0, 0.55, num_test=40), setting(num_test=40))
    assert "which may be guessing" in text
    assert "no better than guessing" not in text


def test_two_of_two_training_faces_prove_nothing() -> None:
    found = findings(figures(1.0, 0.52, num_train=2), setting(num_train=2))
    assert found[0].kind == "nothing"


def test_mislabelled_faces_in_the_balance() -> None:
    text = verdict(figures(1.0, 0.7, fitted=0.55, wrong=20), setting(label_noise=0.2))
    assert "by heart" not in text
    assert "saw through" not in text
    assert "Of the 20 mislabelled faces, 55.0 %" in text


def test_every_verdict_is_sentences_with_numbers() -> None:
    for train in (0.0, 0.5, 0.6, 0.9, 1.0):
        for test in (0.0, 0.5, 0.55, 0.9, 1.0):
            for noise in (0.0, 0.3, 1.0):
                for count in (2, 50, 1_000_000):
                    fitted = train if noise else None
                    made = figures(train, test, num_train=count, fitted=fitted)
                    text = verdict(made, setting(num_train=count, label_noise=noise))
                    assert text.startswith("It ")
                    assert text.endswith(".")
                    assert not re.search(r"nan|inf\b|None|  |\.\.|[a-z]_[a-z]", text), text
                    for value in re.findall(r"--num-train (\d+)", text):
                        assert 2 <= int(value) <= 1_000_000


# Words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, "100.0 %"), (0.99999, "over 99.9 %"), (0.9994, "99.9 %"), (0.0, "0.0 %"),
        (1e-6, "under 0.1 %"), (0.724, "72.4 %"),
    ],
)  # fmt: skip
def test_percent_never_rounds_to_all_or_nothing(value: float, words: str) -> None:
    assert percent(value) == words


def test_shares_and_rungs() -> None:
    assert share(Estimate(0.724, 0.71, 0.737)) == "72.4 % (71.0–73.7)"
    assert share(Estimate.point(0.5)) == "50.0 %"
    assert [rung(value, most=10_000) for value in (1, 2.5, 170, 180, 1e7)] == [
        1, 3, 100, 300, 10_000,
    ]  # fmt: skip
