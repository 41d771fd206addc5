"""Report cards of the user's own pictures: what they have, what they leave out, and their sizes."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.core.estimate import Estimate
from lab.experiments.report_card import CardResult, report
from lab.experiments.report_card.panels import SHOWN, worst
from lab.experiments.report_card.phrases import lowest
from lab.experiments.report_card.report import DATA, TEXT, card_folder
from lab.experiments.report_card.sections import gap
from lab.experiments.report_card.subject import Subject, spread
from support.configs import tiny
from support.executors import Here
from support.picture_folders import fill
from support.scripts import is_refused, load_script


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of two classes, of which 20 are to train on, in two places."""
    place = tmp_path_factory.mktemp("own") / "photos"
    fill(place / "cat", 12)
    fill(place / "dog", 12, shade=90)
    files = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.png"))
    lines = [f"{name},{('in', 'out')[k % 2]}" for k, name in enumerate(files)]
    (place / "metadata.csv").write_text("\n".join(["file_name,place", *lines]) + "\n")
    return place


def card(photos: Path, seeds: int, **settings: Any) -> CardResult:
    """A card with the sizes that the pictures allow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.experiments.runner.run.open_executor", lambda *_: Here())
        for name, value in ("STEPS", 1), ("PICTURES", 10), ("TURNS", 1):
            patch.setattr(import_module("lab.experiments.report_card.report"), name, value)
        base = tiny(
            photos.parent / "cards", data=str(photos), counterfactuals=9, steps=2, **settings
        )
        return report("linear", base, seeds=seeds, say=lambda _: None, watch=False)


@pytest.fixture(scope="module")
def made(photos: Path) -> CardResult:
    """A card of two seeds."""
    return card(photos, 2, groups=("place",))


def test_it_says_by_which_figures_memory_is_judged(made: CardResult, tmp_path: Path) -> None:
    for name, count, other in (("train", 30, 10), ("test", 10, 30)):
        fill(tmp_path / "uneven" / name / "cat", count)
        fill(tmp_path / "uneven" / name / "dog", other, shade=90)
    uneven = card(tmp_path / "uneven", 1)
    said = "Train accuracy, gap and membership AUC of linear are those "
    (told,) = (each for each in uneven.sentences if each.startswith(said))
    assert told == f"{said}with each class at its share of the test set."
    (found,) = json.loads((uneven.folder / DATA).read_text())["cards"]
    assert found["judged"] == "with each class at its share of the test set"
    assert not any(each.startswith(f"{said}with each class") for each in made.sentences)


def test_it_has_what_own_pictures_allow_and_says_what_not(made: CardResult, photos: Path) -> None:
    assert not made.failed
    assert made.folder.name == "linear-photos"
    content = json.loads((made.folder / DATA).read_text())
    assert content["data"] == str(photos)
    (found,) = content["cards"]
    assert [size["pictures"] for size in found["learning"]] == [10, 20]
    assert set(found["gap"]) == {"10", "20"}
    assert set(found["perturbations"]) == {"gray", "hue", "blur", "noise", "mirror", "shift"}
    assert set(found["occlusions"]) == {
        f"row{row}_column{column}" for row in range(1, 5) for column in range(1, 5)
    }
    assert set(found["classes"]) == {"cat", "dog"}
    assert "accuracy/worst_group" in found["metrics"]
    assert all("low" in share for share in found["perturbations"].values())
    assert sum("16 patches" in sentence for sentence in made.sentences) == 1
    assert not {"cues", "reliance", "subpopulations", "parts"} & set(found)
    left_out = [sentence for sentence in made.sentences if sentence.startswith("Left out: cues")]
    assert len(left_out) == 1
    assert sum("fewer than 10 test pictures" in sentence for sentence in made.sentences) == 1


def test_nothing_on_it_is_called_a_face(made: CardResult) -> None:
    for path in sorted(made.folder.glob("report_card.*")):
        text = path.read_text().lower()
        assert "pictures" in text
        assert "face" not in text, path.name
    page = (made.folder / "report_card.html").read_text()
    for name in ("learning", "gap", "perturbations", "occlusions", "classes", "groups"):
        assert f'<figure id="{name}">' in page
    assert "linear on photos" in page


def test_a_card_about_other_pictures_is_another_card(made: CardResult, photos: Path) -> None:
    out, source = made.folder.parent, str(photos)
    assert card_folder(out, "linear", source) == made.folder
    assert card_folder(out, "linear") == out / "linear"
    assert card_folder(out, "linear", "/elsewhere/photos") == out / "linear-photos-2"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--sizes 10 21", "has 20 pictures to train on; name sizes up to 20"),
        ("--random-sizes 500", "--random-sizes 500: "),
        ("--counterfactuals 60", "--counterfactuals is set by the report card (with --data)"),
        ("--task smiling", "--task is about drawn pictures"),
    ],
)
def test_what_the_pictures_do_not_allow_is_one_line(
    flags: str, said: str, photos: Path, tmp_path: Path
) -> None:
    run = load_script("report_card").report_card
    words = ["--data", str(photos), *flags.split(), "--out", str(tmp_path / "out")]
    assert said in is_refused(run, words)
    assert not (tmp_path / "out").exists()


def test_sizes_are_round_ones_and_all_that_there_are() -> None:
    assert spread(1438, classes=10, count=5) == (30, 100, 300, 1438)
    assert spread(60_000, classes=10, count=5) == (1000, 3000, 10_000, 30_000, 60_000)
    assert spread(3000, classes=10, count=4) == (100, 300, 1000, 3000)
    assert spread(4, classes=2, count=5) == (2, 4)
    endless = Subject(noun="faces", described="", classes=("a", "b"), tested="2")
    assert endless.sizes(()) == (100, 300, 1000, 3000, 10_000)


def test_a_share_that_all_seeds_agree_on_is_not_apart_from_others() -> None:
    """Its interval has no width: that is no proof that it is lowest. All right, or none, is one."""
    shares = {"cat": Estimate(0.9, 0.85, 0.95, 3), "dog": Estimate(0.8, 0.8, 0.8, 3)}
    said = lowest(shares, by="class")
    assert said.endswith("It is lowest on dog, though not surely lower than on cat.")
    shares["dog"] = Estimate(0.8, 0.75, 0.84, 3)
    assert lowest(shares, by="class").endswith("It is lowest on dog.")
    shares["dog"] = Estimate(0.0, 0.0, 0.0, 3)
    assert lowest(shares, by="class").endswith("It is lowest on dog.")
    shares["cat"] = Estimate(0.0, 0.0, 0.0, 3)
    assert "lowest" not in lowest(shares, by="class"), "both are equal"


def test_a_group_that_some_test_sets_lack_is_told() -> None:
    shares = {
        "sick, hospital A": Estimate(0.9, 0.85, 0.95, 3),
        "sick, hospital C": Estimate(0.1, count=2),
    }
    said = lowest(shares, by="group", seeds=3)
    assert "hospital C: 0.10" in said
    assert said.endswith(
        " Not in the test sets of all 3 seeds: sick, hospital C (in those of 2); the worst group of"
        " each is one that it has."
    )
    many = {f"group {k}": Estimate(k / 30, count=1 + (k > 4)) for k in range(30)}
    first = "group 0 (in those of 1), group 1 (in those of 1), group 2 (in those of 1) and 2 more;"
    assert f" Not in the test sets of all 2 seeds: {first}" in lowest(many, by="group", seeds=2)
    shares["sick, hospital C"] = Estimate(0.1, count=3)
    assert "Not in" not in lowest(shares, by="group", seeds=3)
    for share in (Estimate(0.1, count=3), Estimate(0.9, 0.8, 1.0, 3)):  # none is in all four
        assert "all 4 seeds: sick, hospital A (in those of 3)" in lowest(
            {"sick, hospital A": share}, by="group", seeds=4
        )


def test_a_gap_that_all_seeds_agree_on_has_no_interval() -> None:
    """That it is 0 in each of two says nothing of their spread."""
    agreed, spread_out = Estimate(0.0, 0.0, 0.0, 2), Estimate(0.1, -0.2, 0.4, 2)
    cards: Any = [SimpleNamespace(gap={50: spread_out, 300: agreed})]
    subject: Any = SimpleNamespace(noun="pictures")
    assert [row[1] for row in gap.rows(cards, subject)] == [
        "0.10 (-0.20 to 0.40)",
        "0.00 (all 2 seeds)",
    ]
    assert "0.00 (all 2 seeds) after 300" in gap.say(cards, subject)


def test_the_share_of_the_most_frequent_class_is_no_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no power law is told of networks that do not surely get more right."""
    monkeypatch.setattr("lab.experiments.runner.run.open_executor", lambda *_: Here())
    for name, value in ("STEPS", 1), ("PICTURES", 10), ("TURNS", 1):
        monkeypatch.setattr(import_module("lab.experiments.report_card.report"), name, value)
    random = np.random.default_rng(0)
    for number in range(60):
        place = tmp_path / "photos" / ("bad" if number < 6 else "good")
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 100, (16, 20, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:02d}.png")
    base = tiny(
        tmp_path / "cards", data=str(tmp_path / "photos"), counterfactuals=9, steps=2, num_test=10
    )
    found = report("linear", base, seeds=2, say=lambda _: None, watch=False)
    (card,) = json.loads((found.folder / DATA).read_text())["cards"]
    nothing, needed = card["needed"]
    assert nothing is None
    assert needed["target"] == 0.95
    assert card["power_law"] is None
    gets = "lways answering good gets 90.0 %"
    assert any(line.startswith(f"A{gets} of the test pictures") for line in found.sentences)
    text = (found.folder / TEXT).read_text()
    assert f"| pictures for 90 % test accuracy | none: a{gets} |" in text
    assert "| none: accuracy not surely above that of always answering good |" in text


def test_of_many_classes_the_lowest_are_told_and_drawn() -> None:
    shares = {f"class {k}": Estimate(1 - k / 100, 0.9 - k / 100, 1.0) for k in range(30)}
    said = lowest(shares, by="class")
    assert said.startswith("Accuracy by class, the lowest of 30: class 29: 0.71 (0.61–1.00); ")
    assert said.count("class ") == 3
    assert worst(shares) == [f"class {k}" for k in range(30 - SHOWN, 30)]
