"""Test pictures that are training pictures, too: the verdict and the tab Faces never say that the
network has not seen them, and say so of all others."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.playground.service import Service
from lab.runs.train import resume, start
from support.configs import tiny
from support.picture_folders import fill
from support.run_folders import stop

RUN: dict[str, Any] = {"num_train": 40, "num_test": 20, "steps": 6, "width": 2}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Forty pictures to train on, and twenty others to test on."""
    for split, count in (("train", 20), ("test", 10)):
        for shade, name in enumerate(("cat", "dog")):
            fill(tmp_path / "pets" / split / name, count, shade=100 * shade)
    return tmp_path / "pets"


def copied(pets: Path) -> None:
    """Let two test pictures be copies of training pictures, one of them nearly."""
    shutil.copy(pets / "train/cat/003.png", pets / "test/cat/000.png")
    pixels = np.array(Image.open(pets / "train/dog/004.png")).astype(int)
    Image.fromarray((pixels + 2).clip(0, 255).astype(np.uint8)).save(pets / "test/dog/000.png")


def test_the_verdict_says_that_it_studied_copies(pets: Path, tmp_path: Path) -> None:
    copied(pets)
    told = start(tiny(tmp_path / "runs", data=str(pets), **RUN)).verdict
    assert (
        "Of the 20 test pictures it studied 1, and 1 more if what is nearly the same is the same"
        " photograph, so that what follows about the test set is too good." in told
    )
    assert "never seen" not in told
    assert "of the test pictures" in told
    (pets / "test/cat/000.png").unlink()
    nearly = start(tiny(tmp_path / "nearly", data=str(pets), **{**RUN, "num_test": 19})).verdict
    assert (
        "Of the 19 test pictures it studied 1 if what is nearly the same as a training picture is"
        " the same photograph: then what follows" in nearly
    )


def test_the_verdict_says_nothing_of_copies_where_there_are_none(
    pets: Path, tmp_path: Path
) -> None:
    shutil.copy(pets / "train/cat/003.png", pets / "train/cat/x.png")  # within one set
    told = start(tiny(tmp_path / "runs", data=str(pets), **RUN)).verdict
    assert "nearly the same" not in told
    assert "20 pictures it has never seen" in told


def test_a_run_that_goes_on_says_the_same(pets: Path, tmp_path: Path) -> None:
    copied(pets)
    made = start(tiny(tmp_path / "runs", data=str(pets), checkpoint_every=0.0, **RUN))
    stop(made.folder)
    again = resume(made.folder)
    assert again is not None
    assert again.verdict == made.verdict
    told = json.loads((made.folder / "summary.json").read_text())
    assert told["verdict"] == made.verdict


def test_the_tab_knows_pictures_by_their_contents(pets: Path, tmp_path: Path) -> None:
    copied(pets)
    start(tiny(tmp_path / "runs", name="pets", data=str(pets), **RUN))
    service = Service(str(tmp_path / "runs"))
    found = {}
    for split, count in (("test", 20), ("train", 40)):
        for number in range(count):
            asked = {"run": ["pets"], "split": [split], "number": [str(number)]}
            told = service.ask("picture", {**asked, "change": ["hue"]})
            (answer,) = told["answers"]
            assert answer["compared"]
            assert answer["studied"] == (split == "train")
            if answer["copy"]:
                found[told["name"]] = (answer["copy"], answer["exact"])
    assert found == {
        "test/cat/000.png": ("train/cat/003.png", True),
        "test/dog/000.png": ("train/dog/004.png", False),
    }
