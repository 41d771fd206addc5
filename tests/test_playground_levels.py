"""The levels: each can be solved by what it teaches, and not by choosing anything; and the
characters of runs for the mystery networks."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lab.measure import predict
from lab.playground.describe_run import character, in_short, picture_conditions
from lab.playground.errors import RequestError
from lab.playground.game import person_with_cues
from lab.playground.levels import LEVELS, WITHOUT_PAIRS, judge, play, show_tray, train, tray_of
from lab.playground.logdir import RunEntry
from lab.playground.model_cache import face_world
from lab.playground.recipe import config_of
from lab.playground.request import QueryParams
from lab.worlds import get_task
from lab.worlds.faces import Faces
from support.configs import tiny


def members(name: str, group: str) -> list[int]:
    return [i for i, each in enumerate(tray_of(name).groups) if each == group]


def solution(name: str) -> list[int]:
    """What each level is about."""
    groups = sorted(set(tray_of(name).groups))
    if name == "mouth":  # as many of each combination, as far as there are
        return [i for group in groups for i in members(name, group)[:10]]
    if name == "eyes":
        tied = ("not a person, brown eyes", "person, blue eyes")
        return [i for group in tied for i in members(name, group)[:20]]
    if name == "heart":  # both labels, right and wrong
        return [i for group in groups for i in members(name, group)[:10]]
    identity = tray_of(name).faces.identity.tolist()
    pairs = [(i, j) for i, one in enumerate(identity) for j in range(i) if identity[j] == one]
    return [i for pair in pairs[:4] for i in pair]


def anything(name: str) -> list[int]:
    """Faces chosen at random."""
    level = LEVELS[name]
    mixed = torch.randperm(level.tray, generator=torch.Generator().manual_seed(2))
    return [int(i) for i in mixed[: level.most]]


@pytest.mark.parametrize("name", LEVELS)
def test_a_level_is_solved_by_what_it_teaches(name: str) -> None:
    told = play(name, solution(name))
    assert told["passed"], told["judged"]
    assert told["judged"]["fitted"][0] == 1
    assert told["words"] == LEVELS[name].lesson


@pytest.mark.parametrize("name", ["mouth", "eyes", "few"])
def test_a_level_is_not_solved_by_anything(name: str) -> None:
    told = play(name, anything(name))
    assert not told["passed"], told["judged"]
    assert told["words"] == LEVELS[name].hint


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("heart", ("wrong label: not a person", "wrong label: person")),
        ("eyes", ("not a person, blue eyes", "person, brown eyes")),
    ],
)
def test_the_opposite_of_a_rule_is_no_solution(name: str, groups: tuple[str, ...]) -> None:
    told = play(name, [i for group in groups for i in members(name, group)[:15]])
    assert not told["passed"], told["judged"]
    assert told["words"] == LEVELS[name].reversed


def test_a_success_without_pairs_is_not_explained_by_pairs() -> None:
    level, tray = LEVELS["few"], tray_of("few")
    assert level.passes(judge(train(tray.images, tray.labels), tray.images, tray.labels)[0])
    alike = [7, 28, 20, 17, 12, 44, 41, 15]
    told = play("few", alike)
    identities = tray.faces.identity[alike].tolist()
    assert len(set(identities)) == 8
    assert told["words"] in (WITHOUT_PAIRS, level.hint)
    assert told["words"] != level.lesson


def test_the_same_choice_has_the_same_outcome_and_the_random_state_stays() -> None:
    state = torch.get_rng_state()
    chosen = solution("few")
    assert play("few", chosen) == play("few", chosen[::-1])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_is_judged_on_unseen_faces() -> None:
    """Trained on many faces of a tray with pairs, it goes by the mouth."""
    tray = tray_of("few")
    model = train(tray.images, tray.labels)
    judged, faces, says = judge(model, tray.images, tray.labels)
    mine = (predict(model, tray.images).argmax(dim=1) == tray.labels).double().mean()
    assert judged.fitted.value == pytest.approx(float(mine))
    assert judged.unseen.count == len(faces) == len(says)
    assert judged.unseen.low is not None
    assert judged.unseen.low < judged.unseen.value
    seen = set(tray.faces.identity.tolist())
    assert not seen & set(faces.identity.tolist())
    assert judged.mouth.value > 0.5 > judged.eyes.value


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([0], "choose"),
        (list(range(90)), "choose"),
        ([*range(25), 400], "tray"),
        ([-1, *range(25)], "tray"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_in_one_line(chosen: list[int], words: str) -> None:
    with pytest.raises(RequestError, match=words) as raised:
        play("mouth", chosen)
    assert "\n" not in str(raised.value)


def test_faces_of_one_class_and_unknown_levels_are_refused() -> None:
    one = [i for i, label in enumerate(tray_of("few").labels.tolist()) if label == 1][:8]
    with pytest.raises(RequestError, match="both classes"):
        play("few", one)
    with pytest.raises(RequestError, match="level"):
        show_tray("nose")
    for text in ("", "1,,2", "1;2", "9999", ",".join(["1"] * 300)):
        with pytest.raises(RequestError, match="chosen"):
            QueryParams({"chosen": [text]}, ("chosen",)).wholes("chosen", 0, 999, most=200)


@pytest.mark.parametrize(
    ("cues", "accuracies", "expected"),
    [
        ((), {"train": 1.0, "test": 0.62}, "memorizer"),
        ((), {"train": 0.9, "test": 0.62}, ""),
        ((), {"train": 1.0, "test": 0.79}, ""),
        ((), {"train": 1.0, "test": 0.97}, "useful"),
        (("eye_color:1",), {"train": 1.0, "test": 0.97, "conflicting": 0.1}, "shortcut"),
        (("eye_color:1",), {"train": 1.0, "test": 0.97, "conflicting": 0.9}, ""),
        ((), {}, ""),
    ],
)
def test_what_a_run_is_an_example_of(
    tmp_path: Path, cues: tuple[str, ...], accuracies: Any, expected: str
) -> None:
    summary = {"accuracy": {name: {"value": value} for name, value in accuracies.items()}}
    assert character(tiny(tmp_path, cues=cues), summary) == expected
    assert character(tiny(tmp_path, task="count_eyes"), summary) == ""
    assert character(tiny(tmp_path, cues=cues), {"accuracy": "torn"}) == ""
    recipe = {"cue": "eye_color" if cues else "none"}
    assert character(config_of(recipe, tmp_path), summary) == "", "it was trained on the page"


@pytest.mark.parametrize(
    ("settings", "figures", "kind", "words"),
    [
        ({}, {"train": 1.0, "test": 0.63}, "memorizer", "all 12 training faces right, but only 63"),
        ({"label_noise": 0.2}, {"train": 1.0, "test": 0.6}, "memorizer", "but gets only 60"),
        ({}, {"train": 1.0, "test": 0.8}, "", "In between: gets 80\u00a0% of unseen"),
        ({}, {"train": 1.0, "test": 0.98, "smile": 0.04}, "useful", "more than 4\u00a0%"),
        ({}, {"train": 1.0, "test": 0.98, "smile": 0.2}, "", "smile alone changes 20\u00a0%"),
        ({}, {"train": 1.0, "test": 0.98}, "", "not measured"),
        ({}, {"train": 1.0, "test": 0.98, "smile": 0.9}, "shortcut", "shortcut: smile alone"),
        ({"cues": ("eye_color:1",)}, {"train": 1.0, "test": 0.98, "conflicting": 0.01},
         "shortcut", "Takes a shortcut: eye color (gets 1\u00a0%"),
        ({"cues": ("eye_color:1",)}, {"train": 1.0, "test": 0.98, "conflicting": 0.6}, "",
         "and 60\u00a0% where a cue"),
    ],
)  # fmt: skip
def test_one_sentence_tells_what_the_figures_of_a_run_show(
    tmp_path: Path, settings: Any, figures: dict[str, float], kind: str, words: str
) -> None:
    config = tiny(tmp_path, **settings)
    world = face_world(config)
    smile = figures.pop("smile", None)
    summary = {
        "status": "finished",
        "accuracy": {name: {"value": value} for name, value in figures.items()},
        "reliance": {} if smile is None else {"smile": {"value": smile, "low": smile - 0.1}},
    }
    told = in_short(config, world, summary)
    assert told["kind"] == kind
    assert words in told["words"]
    assert in_short(config, world, summary | {"status": "stopped"}) == {}
    assert in_short(config, world, {"status": "finished", "accuracy": "torn"}) == {}


def test_a_mystery_begins_with_a_person_whose_eyes_decide_for_the_cheat(tmp_path: Path) -> None:
    run = RunEntry(
        name="maple",
        folder=tmp_path,
        config=tiny(tmp_path, cues=("eye_color=blue/brown:1",), subpopulations=("missing",)),
    )
    faces = Faces.cat([person_with_cues(run, number) for number in (*range(20), 2**31 - 1)])
    assert get_task("person").label(faces).tolist() == [1] * 21
    assert set(faces.names("eye_color")) == {"blue", "brown"}
    assert len(set(faces.identity.tolist())) == 21
    foreign = RunEntry(name="curves", folder=tmp_path, config=None, trouble="not a run")
    with pytest.raises(RequestError, match="not a run"):
        person_with_cues(foreign, 0)


COUNTED = {
    "accuracy": {"train": {"count": 240}},
    "memorization": {"mislabeled_fitted": {"count": 58}},
}
"""A summary of a run with 58 wrong labels."""


@pytest.mark.parametrize(
    ("share", "kind", "summary", "said"),
    [
        (0.2, "flip", COUNTED, "24.2 % of its labels are wrong (58 of 240)"),
        (
            0.4,
            "random",
            COUNTED,
            "24.2 % of its labels are wrong (58 of 240): each was drawn at random with a chance of"
            " 40 %",
        ),
        (0.2, "flip", {}, "each of its labels was made wrong with a chance of 20 %"),
        (1.0, "flip", {"memorization": 3}, "each of its labels was made wrong"),
        (
            0.5,
            "random",
            {},
            "each of its labels was drawn at random with a chance of 50 %, so that some of these"
            " are right",
        ),
    ],
)
def test_the_share_of_wrong_labels_is_the_one_that_was_counted_or_a_chance(
    share: float, kind: str, summary: dict[str, Any], said: str, tmp_path: Path
) -> None:
    config = tiny(tmp_path, data="pets", label_noise=share, label_noise_kind=kind)
    assert said in picture_conditions(config, 2, summary)
