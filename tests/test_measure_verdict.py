"""The verdict says what made-up figures show, and never more."""

import math
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lab.core.config import LOSS_BOUND
from lab.core.estimate import Estimate, wilson
from lab.core.words import percent, rung, share
from lab.measure import Predictions, memorization_metrics
from lab.runs.verdict_setting import concept_of
from lab.verdict import findings, verdict
from lab.verdict.headline import against_chance
from lab.verdict.traces import mislabeled
from lab.worlds import get_task
from support.made_up import figures, kinds, numbers, setting


def test_it_memorized() -> None:
    found = findings(figures(1.0, 0.724, auc=(0.91, 0.88, 0.93)), setting())
    assert kinds(found) == ["memorized", "members exposed", "advice"]
    main, attacker, hint = (finding.text for finding in found)
    assert numbers(main) == [100, 72.4, 95, 70.4, 74.3]
    assert numbers(attacker) == [91, 0.91, 0.88, 0.93, 0.5]
    assert "--num-train 3000" in hint


def test_it_memorized_random_labels() -> None:
    made = figures(1.0, 0.503, auc=(0.8, 0.75, 0.85), fitted=1.0)
    found = findings(made, setting(label_noise=1.0))
    assert kinds(found) == ["memorized", "members exposed", "wrong labels fitted", "advice"]
    assert against_chance(made["accuracy/test"], setting()) == "at"
    assert numbers(found[0].text)[-1] == 50
    assert numbers(found[2].text)[:2] == [50, 100]
    assert re.findall(r"--\S+ \S+", found[3].text) == ["--label-noise 0."]


def test_it_learned() -> None:
    made = figures(0.97, 0.969, num_train=10_000)
    assert kinds(findings(made, setting(num_train=10_000))) == [
        "learned", "members hidden", "advice",
    ]  # fmt: skip
    text = verdict(made, setting(num_train=10_000))
    assert numbers(text)[:3] == [9700, 10_000, 96.9]
    assert "--num-train 300." in text


def test_other_traces_of_memory_forbid_a_clean_bill() -> None:
    setup = setting(num_train=10_000)
    exposed = figures(0.97, 0.969, num_train=10_000, auc=(0.53, 0.51, 0.55))
    fitted = figures(0.97, 0.969, num_train=10_000, fitted=0.9)
    for made in (exposed, fitted):
        assert findings(made, setup)[0].kind == "memorized a little"


def test_it_learned_and_memorized_a_little() -> None:
    found = findings(figures(1.0, 0.95, num_train=10_000), setting(num_train=10_000))
    assert found[0].kind == "memorized a little"
    assert "--num-train 30000" in found[-1].text


def test_a_network_that_nobody_trained_gets_no_advice_on_training() -> None:
    made = figures(0.5, 0.5)
    usual = kinds(findings(made, setting()))
    assert usual[-1] == "advice"
    found = findings(made, setting(untouched=True, steps=1))
    assert kinds(found) == ["untouched", *usual[:-1]]
    assert "in 1 step," in found[0].text
    broken = {**made, "loss/test": Estimate(math.nan)}
    found = findings(broken, setting(untouched=True))
    assert kinds(found) == ["untouched", "broken"]
    assert "learning rate" not in found[1].text


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


def test_one_that_was_stopped_early_is_not_advised_more_steps() -> None:
    hint = findings(figures(0.51, 0.5), setting(steps=20, patience=2))[-1].text
    assert "--early-stopping 6" in hint
    assert "--steps" not in hint


def test_one_that_ended_at_its_loss_bound_is_not_advised_more_steps() -> None:
    hint = findings(figures(0.51, 0.5), setting(steps=20, bound=0.6))[-1].text
    assert "--stop-at-loss 0.06" in hint
    assert "--steps" not in hint
    made = figures(1.0, 0.5, num_train=2)  # all right, and too few to show it
    hint = findings(made, setting(steps=32, bound=LOSS_BOUND, num_train=2))[-1].text
    assert re.findall(r"--[a-z-]+", hint) == ["--num-train"]


def test_early_stopping_is_advised_where_examples_are_left_for_it() -> None:
    wrong = dict(zip(("fitted", "true_label"), (1.0, 0.0), strict=True))
    found = figures(1.0, 0.6) | {
        f"memorization/mislabeled_{name}": Estimate(value, value - 0.02, value + 0.02, 100)
        for name, value in wrong.items()
    }
    for more, advised in ((None, True), (200, True), (0, False), (1, False)):
        told = findings(found, setting(label_noise=0.2, more_train=more))[-1].text
        assert ("--early-stopping" in told) == advised, told


def test_of_a_test_set_that_was_studied_nothing_is_concluded() -> None:
    apart, alike = (findings(figures(1.0, 1.0), setting(shared=n)) for n in (0, 1000))
    assert apart[0].kind == "learned"
    assert kinds(alike)[:2] == ["overlap", "shared"]
    few = findings(figures(1.0, 1.0), setting(shared=1))
    assert kinds(few)[:2] == ["overlap", "learned"]
    for found in (alike, few):
        assert "has never seen" not in " ".join(each.text for each in found)


def test_test_pictures_that_are_turned_training_pictures_were_seen() -> None:
    for turned in (0, 2):
        (first, *_) = findings(figures(1.0, 1.0), setting(turned=turned))
        assert first.kind == "learned"
        assert ("has never seen" in first.text) == (turned == 0)


def test_it_has_not_learned_enough() -> None:
    found = findings(figures(0.8, 0.79, num_train=3000), setting(num_train=3000))
    assert found[0].kind == "underfit"
    assert "--steps 6000" in found[-1].text


def test_clean_answers_in_spite_of_noise_are_no_underfit() -> None:
    made = figures(0.8, 0.97, num_train=3000, fitted=0.04, wrong=600, auc=(0.4, 0.38, 0.42))
    found = findings(made, setting(num_train=3000, label_noise=0.2))
    assert kinds(found) == ["learned", "members disowned", "wrong labels resisted", "advice"]
    assert numbers(found[1].text)[0] == 0.4
    assert numbers(found[2].text)[:2] == [600, 4]


def test_it_learned_the_opposite() -> None:
    setup = setting(label_noise=0.8, label_noise_kind="flip")
    made = figures(1.0, 0.02, fitted=1.0, wrong=100)
    found = findings(made, setup)
    assert found[0].kind == "contrary"
    assert against_chance(made["accuracy/test"], setup) == "below"
    assert numbers(found[0].text)[-1] == 50
    assert "--label-noise" in found[-1].text
    exchanged = findings(figures(1.0, 0.02), setting())[-1].text
    assert "whether classes were exchanged in one of them" in exchanged
    assert "--label-noise" not in exchanged


def test_it_broke() -> None:
    made = figures(0.5, 0.5)
    made["loss/train"] = Estimate(math.nan)
    assert kinds(findings(made, setting())) == ["broken"]
    assert "--learning-rate" in verdict(made, setting())


def test_chance_follows_the_number_of_classes() -> None:
    made = figures(1.0, 0.25, num_train=1000)
    for classes, level in ((4, "at"), (2, "below"), (10, "above")):
        setup = setting(num_train=1000, num_classes=classes)
        assert against_chance(made["accuracy/test"], setup) == level
        text = findings(made, setup)[0].text
        assert (numbers(text)[-1] == 100 / classes) == ("guess" in text) == (level != "above")


@pytest.mark.parametrize("classes", [2, 3, 5, 8])
def test_at_chance_it_knows_nothing_whatever_the_number_of_classes(classes: int) -> None:
    made = figures(1 / classes, 1 / classes, num_train=1000)
    found = findings(made, setting(num_train=1000, num_classes=classes))
    assert found[0].kind == "nothing"
    assert against_chance(made["accuracy/test"], setting(num_classes=classes)) == "at"
    assert numbers(found[0].text)[-1] == pytest.approx(100 / classes, abs=0.05)
    made = figures(1.0, 1 / classes, num_train=1000)
    assert findings(made, setting(num_classes=classes))[0].kind == "memorized"


def test_one_that_memorized_and_knows_most_of_the_task_is_told_both() -> None:
    """Right about 70 % of five classes it has learned a lot; of two, less than half the way."""
    made = figures(1.0, 0.7)
    assert findings(made, setting(num_classes=5))[0].kind == "memorized partly"
    assert findings(made, setting(num_classes=2))[0].kind == "memorized"


@pytest.mark.parametrize(
    ("noise", "how", "classes", "flag"),
    [
        (1.0, "random", 5, "--label-noise 0."),
        (0.5, "flip", 2, "--label-noise 0."),  # every other label is wrong: they say nothing
        (0.8, "flip", 5, "--label-noise 0."),  # a fifth of them is right, as a guess is
        (0.8, "flip", 2, "a lower --label-noise."),
        (0.5, "flip", 5, "--num-train"),
        (0.5, "random", 2, "--num-train"),
    ],
)
def test_labels_that_say_nothing_are_known_by_what_a_guess_gets(
    noise: float, how: str, classes: int, flag: str
) -> None:
    setup = setting(label_noise=noise, label_noise_kind=how, num_classes=classes)
    hint = findings(figures(1.0, 1 / classes, fitted=1.0), setup)[-1]
    assert hint.kind == "advice"
    assert flag in hint.text
    assert ("--num-train" in hint.text) == (flag == "--num-train")


@pytest.mark.parametrize(
    ("train", "words"), [(1.0, "all 100 faces"), (0.97, "97 of the 100"), (0.0, "none of the 100")]
)
def test_what_was_counted_is_no_percentage(train: float, words: str) -> None:
    made = figures(train, 0.6)
    text = findings(made, setting())[0].text
    assert words in text
    assert "about" not in text


def test_the_first_brackets_say_what_they_are() -> None:
    for made in (figures(1.0, 0.6), figures(0.97, 0.97, num_train=10_000), figures(0.5, 0.5)):
        text = verdict(made, setting())
        assert text[text.index("(") :].startswith("(95 % interval: ")


@pytest.mark.parametrize(
    ("online", "numbers_said"), [(None, [100]), (96_000, [100, 96_000]), (40, [100, 40])]
)
def test_what_it_studied_once_is_said(online: int | None, numbers_said: list[float]) -> None:
    text = findings(figures(1.0, 0.98), setting(online=online))[0].text
    assert numbers(text)[: len(numbers_said)] == numbers_said


@pytest.mark.parametrize("changes", [{"shown": 40}, {"shown": 40, "online": 40}])
def test_training_examples_that_it_was_never_shown_are_told(changes: dict[str, int]) -> None:
    first, second = findings(figures(0.9, 0.88), setting(**changes))[:2]
    assert first.kind == "unreached"
    assert numbers(first.text) == [100, 40]
    assert numbers(second.text)[:3] == [90, 100, 40]
    assert "unreached" not in kinds(findings(figures(0.9, 0.88), setting(shown=100)))


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
        flag = "--num-train 100" if num_train < num_test else "--num-test 100"
        assert re.search(rf"{flag}\b", found[-1].text)


def test_a_gap_that_may_be_small_is_not_called_large() -> None:
    made = figures(1.0, 0.88, num_train=30)
    gap = made["gap/accuracy"]
    assert gap.low is not None
    assert 0 < gap.low < 0.1 < gap.value
    assert findings(made, setting(num_train=30))[0].kind != "memorized"


def test_a_few_test_faces_cannot_say_that_it_guesses() -> None:
    made = figures(1.0, 0.55, num_test=40)
    assert against_chance(made["accuracy/test"], setting(num_test=40)) == "open"
    found = findings(made, setting(num_test=40))
    assert numbers(found[0].text)[-1] == 50
    at = findings(figures(1.0, 0.5), setting())  # enough test faces: another sentence
    assert found[0].text.rpartition(",")[2] != at[0].text.rpartition(",")[2]


def test_two_of_two_training_faces_prove_nothing() -> None:
    found = findings(figures(1.0, 0.52, num_train=2), setting(num_train=2))
    assert found[0].kind == "nothing"


def test_mislabelled_faces_in_the_balance() -> None:
    found = findings(figures(1.0, 0.7, fitted=0.55, wrong=20), setting(label_noise=0.2))
    assert "wrong labels unsettled" in kinds(found)
    assert numbers(found[-2].text)[:2] == [20, 55]


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
        (1.0, "100 %"), (0.99999, "over 99.9 %"), (0.9994, "99.9 %"), (0.0, "0 %"),
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


def test_always_giving_the_most_frequent_answer_is_no_learning() -> None:
    found = findings(figures(0.82, 0.8, num_test=200), setting(frequent=0.8))
    assert found[0].kind not in ("learned", "memorized a little", "underfit")
    assert "80" in found[0].text
    assert "guess" not in found[0].text
    assert findings(figures(0.82, 0.8, num_test=200), setting())[0].kind == "underfit"
    assert findings(figures(0.99, 0.97), setting(frequent=0.8))[0].kind == "learned"
    for right in (0.6, 0.7):  # not the opposite of anything
        assert findings(figures(0.9, right), setting(frequent=0.8))[0].kind != "contrary"


def test_a_loss_far_beyond_that_of_a_guess_is_no_reason_to_train_longer() -> None:
    """As where the learning rate is too high, or an objective trains other labels."""
    for flags, rate in ((True, "--learning-rate"), (False, "learning rate")):
        for loss, told in ((406_945.2, "406,945"), (1.5, "1.5")):
            made = {**figures(0.5, 0.5), "loss/train": Estimate(loss, loss, loss)}
            found = findings(made, setting(flags=flags))
            assert found[0].kind == "nothing"
            assert f"training loss is {told}, where a guess gets 0.693" in found[-1].text
            assert f"another {rate} may help" in found[-1].text
    found = findings({**figures(0.5, 0.5), "loss/train": Estimate(0.7, 0.6, 0.8)}, setting())
    assert "a guess gets" not in found[-1].text
    assert "--steps" in found[-1].text


def test_what_there_is_to_learn_is_said_in_the_words_of_the_classes() -> None:
    assert concept_of(get_task("person").classes) == "what makes a person"
    assert concept_of(("cat", "dog")) == concept_of(("no eyes", "one eye", "two eyes"))


def test_of_a_set_that_is_all_there_is_its_size_is_said() -> None:
    made = figures(1.0, 0.75, num_test=40)
    fixed = verdict(made, setting(noun="pictures", num_test=40, more_train=0, more_test=0))
    assert "of 40 pictures it has" in " ".join(fixed.split())
    assert "of 40 " not in verdict(made, setting(noun="pictures", num_test=40))


def test_few_training_examples_do_not_hide_what_was_learned() -> None:
    """Online training measures accuracy on the first `num_train` examples, as few as four."""
    made = figures(0.75, 0.9, num_train=4)
    said = findings(made, setting(num_train=4, online=9600))
    assert "nothing" not in kinds(said)
    assert said[0].text.startswith("It learned")
    few = findings(figures(0.75, 0.52, num_train=4), setting(num_train=4))
    assert "nothing" in kinds(few)


def test_weights_of_before_all_were_shown_are_not_blamed_on_the_steps() -> None:
    """It took 20 steps of 64 of its 100 examples, and early stopping kept the untrained network."""
    found = findings(figures(0.5, 0.5), setting(steps=20, patience=2, shown=0, kept=0))
    (text,) = (each.text for each in found if each.kind == "unreached")
    assert "too few steps" not in text
    assert "of step 0" in text


@pytest.mark.parametrize(
    ("fitted", "true", "said"),
    [
        (1.0, 0.0, "gets the wrong label it came with."), (0.0, 1.0, "gets its true label."),
        (0.0, 0.0, "gets neither the wrong label it came with nor its true one."),
    ],
)  # fmt: skip
def test_one_mislabeled_example_is_spoken_of_as_one(fitted: float, true: float, said: str) -> None:
    made = figures(1.0, 0.7) | {
        "memorization/mislabeled_fitted": wilson(int(fitted), 1),
        "memorization/mislabeled_true_label": wilson(int(true), 1),
    }
    text = verdict(made, setting(label_noise=0.01))
    assert f"The one mislabeled face {said}" in text
    two = figures(1.0, 0.7, fitted=0.5, wrong=2)
    assert "Of the 2 mislabeled faces, 50.0 %" in verdict(two, setting(label_noise=0.01))


def test_one_broken_example_is_spoken_of_as_one() -> None:
    made = figures(1.0, 0.7) | {"loss/test": Estimate(math.nan)}
    for broken, said in ((1, "of 1 example are"), (2, "of 2 examples are")):
        assert said in verdict(made, setting(broken=broken))


def test_weights_of_an_earlier_step_ask_for_no_more_training() -> None:
    made = figures(0.8, 0.79, num_train=200)
    assert "--early-stopping" in verdict(made, setting(num_train=200, patience=3))
    text = verdict(made, setting(num_train=200, patience=3, kept=32))
    assert "--early-stopping" not in text
    assert "--steps" not in text
    assert "More training faces may help" in text


def test_that_more_examples_would_help_is_known_of_what_is_drawn() -> None:
    """Of other examples they may; and where unseen ones are no better than guessed, labels may
    follow from nothing."""
    if_any = "may help, if labels follow from what they show"
    for flags in (True, False):
        own = setting(flags=flags, noun="pictures", relevant=())
        assert if_any in verdict(figures(1.0, 0.5), own)
        known = verdict(figures(1.0, 0.7), own)
        assert "More training pictures may help" in known
        assert if_any not in known
        drawn = setting(flags=flags, relevant=("eyes",))
        assert "More training faces would help" in verdict(figures(1.0, 0.5), drawn)


def test_validation_examples_that_are_right_speak_against_memory() -> None:
    """As where the labels of the test set were shifted by a row."""
    for right, wanted in ((1.0, True), (0.7, True), (0.45, False), (0.2, False)):
        made = figures(1.0, 0.4) | {"accuracy/validation": wilson(round(100 * right), 100)}
        own = setting(noun="pictures", relevant=())
        text = verdict(made, own)
        assert text.startswith(f"It gets {100 * right:.3g}") is wanted
        assert ("or their labels, are unlike those that it studied" in text) is wanted
        assert ("memory comes from that, too; or" in text) is (right == 0.7)
        together = ", or belong together with them"
        assert (together in text) is wanted
        assert together not in verdict(made, replace(own, stated=(20, 20)))
        assert "unlike" not in verdict(made, setting(relevant=("eyes",)))


def test_that_one_of_several_tensors_is_compared_is_said_where_that_may_be_the_reason() -> None:
    said = "Only one of the tensors of its inputs was compared"
    for right, wanted in ((0.6, True), (1.0, False)):
        made = figures(right, 0.55)
        assert (said in verdict(made, setting(flags=False, one_compared=True))) is wanted
        assert said not in verdict(made, setting(flags=False))
        relabeled = setting(flags=False, one_compared=True, relabeled="others")
        assert verdict(made, relabeled).count(said) == 1


def test_a_training_loss_that_grew_asks_for_no_longer_training() -> None:
    """Also of a network that has learned something, as one that is trained by another loss."""
    for loss, wanted in ((0.6, False), (30.0, True)):
        made = figures(0.7, 0.68) | {"loss/train": Estimate(loss, loss - 0.1, loss + 0.1)}
        for flags in (True, False):
            said = verdict(made, setting(flags=flags))
            assert (f"Its training loss is {loss:.3g}, where a guess gets 0.693" in said) is wanted
            assert ("raining it longer" in said or "More training may help" in said) is not wanted


def of_mislabeled(kind: str, *, classes: int, frequent: float, seed: int = 0) -> tuple[str, str]:
    """The kind and the text of the finding on mislabeled examples: 300 training examples, a fifth
    of the labels wrong, a share of the truth of which is the first class, and answers of one
    kind."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(share: float) -> Tensor:
        others = torch.randint(1, classes, (300,), generator=generator)
        return torch.where(torch.rand(300, generator=generator) < share, 0, others)

    truth = drawn(frequent)
    other = (truth + torch.randint(1, classes, (300,), generator=generator)) % classes
    given = torch.where(torch.rand(300, generator=generator) < 0.2, other, truth)
    said = {
        "first": torch.zeros(300, dtype=torch.int64),
        "last": torch.full((300,), classes - 1),
        "frequencies": drawn(frequent),
        "others": drawn(0.1),
        "memorizing": given,
        "seeing through": truth,
        "mostly memorizing": torch.where(torch.rand(300, generator=generator) < 0.9, given, truth),
    }[kind]
    logits = one_hot(said, classes).float()
    train = Predictions.of(logits, given, clean_labels=truth, split="train")
    found = mislabeled(memorization_metrics(train, Predictions.of(logits, truth)), "pictures")
    assert found is not None
    return found.kind, found.text


@pytest.mark.parametrize(
    ("classes", "frequent"), [(2, 0.81), (2, 0.5), (2, 0.95), (5, 0.8), (5, 0.2)]
)
def test_answers_that_do_not_look_see_through_no_labels_and_memorize_none(
    classes: int, frequent: float
) -> None:
    """A constant answer gets the true label as often as its class is frequent, and so on."""
    for kind in ("first", "last"):
        found, text = of_mislabeled(kind, classes=classes, frequent=frequent)
        assert found == "wrong labels unsettled", kind
        assert "saw through" not in text
        assert "by heart" not in text
    for kind in ("frequencies", "others"):
        claimed = [
            of_mislabeled(kind, classes=classes, frequent=frequent, seed=seed)[0]
            for seed in range(40)
        ]
        assert claimed.count("wrong labels unsettled") >= 37, kind
    for kind, wanted in (
        ("memorizing", "wrong labels fitted"), ("mostly memorizing", "wrong labels fitted"),
        ("seeing through", "wrong labels resisted"),
    ):  # fmt: skip
        assert of_mislabeled(kind, classes=classes, frequent=frequent)[0] == wanted, kind


def test_most_wrong_labels_are_more_than_half_of_them() -> None:
    """Of several classes a third of the true labels can be more than of the wrong ones."""
    for true, claim in ((0.9, "most wrong labels: "), (0.4, "more wrong labels than it learned: ")):
        truth = torch.arange(400) % 5
        given = (truth + 1 + torch.arange(400) // 5 % 4) % 5
        right = torch.rand(400, generator=torch.Generator().manual_seed(0)) < true
        logits = one_hot(torch.where(right, truth, (given + (given + 1 == truth) + 1) % 5), 5)
        found = mislabeled(
            memorization_metrics(
                Predictions.of(logits.float(), given, clean_labels=truth, split="train"),
                Predictions.of(logits.float(), truth),
            )
        )
        assert found is not None
        assert found.kind == "wrong labels resisted"
        assert f"It saw through {claim}of the 400" in found.text


def test_what_a_constant_answer_gets_is_told_where_it_gets_as_much() -> None:
    (_, text), (_, other) = (
        of_mislabeled(kind, classes=2, frequent=0.81) for kind in ("first", "last")
    )
    share = numbers(text)[4]
    assert f"one answer to all of them would get {share:.1f} % true ones." in text
    assert "dealt at random its answers would get" in other


def test_a_smaller_loss_on_what_it_studied_is_memory_whatever_it_learned() -> None:
    """The sentence on the attacker and the first one fit each other."""
    auc = (0.62, 0.56, 0.67)
    first, attacker, *_ = findings(figures(0.51, 0.5, auc=auc), setting())
    assert first.kind == "nothing"
    assert first.text.startswith("It has learned nothing that shows, but it memorized a little. ")
    assert attacker.kind == "members exposed"
    plain = findings(figures(0.51, 0.5), setting())[0]
    assert plain.text.startswith("It has learned nothing that shows. ")
    few = {"num_train": 100, "num_test": 50}
    for traces, said in ((auc, "It memorized a little; what it"), ((0.5, 0.4, 0.6), "What it")):
        made = figures(0.62, 0.5, auc=traces, **few)  # type: ignore[arg-type]
        (main, *_) = findings(made, setting(**few))
        assert main.kind == "unsettled"
        assert main.text.startswith(f"{said} learned cannot be told from so few faces.")


@pytest.mark.parametrize(
    ("train", "test", "changes", "said"),
    [
        (0.71, 0.87, {}, True),  # of labels that the training set alone has wrong
        (0.84, 0.87, {}, False),
        (0.87, 0.71, {}, False),
        (0.71, 0.87, {"label_noise": 0.3}, False),
        (0.71, 0.87, {"redrawn": True}, False),
        (0.71, 0.87, {"fed": (100, 9)}, False),
        (0.71, 0.87, {"before": Estimate(1.0, 0.9, 1.0, 100)}, False),
        (0.71, 0.87, {"shared": 90}, False),
    ],
)
def test_a_network_that_is_better_on_test_examples_is_told_so(
    train: float, test: float, changes: dict[str, object], said: bool
) -> None:
    found = findings(figures(train, test, num_train=1000), setting(num_train=1000, **changes))
    assert ("harder" in kinds(found)) is said
    wide = findings(figures(train, test, num_train=20, num_test=20), setting(**changes))
    assert "harder" not in kinds(wide)


def test_a_test_accuracy_above_that_of_training_is_no_only() -> None:
    """Of a network that saw through wrong labels."""
    for train, only in ((1.0, True), (0.6, False)):
        known = figures(train, 0.8, num_train=1000) | {
            "accuracy/train_right_labels": wilson(950, 1000),
            "gap/accuracy_right_labels": Estimate(0.15, 0.12, 0.18),
        }
        text = findings(known, setting(num_train=1000))[0].text
        assert (", but only" in text) is only
