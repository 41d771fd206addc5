"""Pictures of one folder below a class, as of one patient: in both sets, or several in one."""

from pathlib import Path

import pytest

from lab.core.config import DataConfig
from lab.runs.train import start
from lab.worlds import open_world
from lab.worlds.stored import StoredWorld
from lab.worlds.subfolders import subfolders, subfolders_told
from support.configs import tiny
from support.picture_folders import fill


def told(root: Path, num_train: int, num_test: int) -> str:
    """What is said of a folder's pictures; the sentence is empty where nothing is."""
    config = DataConfig(data=str(root), image_size=16, num_train=num_train, num_test=num_test)
    world = open_world(config, seed=0)
    assert isinstance(world, StoredWorld)
    return " ".join(subfolders_told(subfolders(world, num_train, num_test), world.noun))


def patients(place: Path, first: int, last: int, pictures: int = 4) -> None:
    for number in range(first, last):
        fill(place / f"patient_{number}", pictures)


def test_patients_in_both_sets_are_told(tmp_path: Path) -> None:
    """Where each class is divided picture by picture."""
    for name in ("benign", "malignant"):
        patients(tmp_path / "own" / name, 0, 5, pictures=5)
    config = tiny(tmp_path / "runs", data=str(tmp_path / "own"), num_train=40, num_test=10)
    world = open_world(config.data, seed=config.seed)
    assert isinstance(world, StoredWorld)
    sets = [
        {str(Path(world.name(split, place)).parent) for place in range(count)}
        for split, count in (("train", 40), ("test", 10))
    ]
    shared = sorted(sets[0] & sets[1])
    assert shared
    line = told(tmp_path / "own", 40, 10)
    assert f"{len(shared)} of {len(sets[1])} folders below the classes" in line
    assert f"({shared[0]}/ the first)" in line
    result = start(config)
    verdict = " ".join(result.verdict.split())
    assert f"lie in, {len(shared)} have training pictures, too" in verdict
    assert "it has never seen" not in verdict


@pytest.mark.parametrize("shared", [False, True])
def test_of_given_sets_folders_of_one_name_are_one(shared: bool, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("benign", "malignant"):
        patients(own / "train" / name, 0, 4)
        patients(own / "test" / name, 3 if shared else 4, 6)
    number = 24 if shared else 16
    line = told(own, 32, number)
    if shared:
        assert line.startswith("2 of 6 folders below the classes that test pictures lie in")
    else:
        assert line.startswith("16 test pictures lie in 4 folders below the classes")
    config = tiny(tmp_path / "runs", data=str(own), num_train=32, num_test=number)
    verdict = " ".join(start(config).verdict.split())
    assert ("too good" if shared else "the intervals, and what is said by them") in verdict


def test_other_layouts_say_nothing(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "flat" / name, 10)
        for place in ("indoors", "outdoors"):  # two parts of each class
            fill(tmp_path / "parts" / name / f"{place}_{name}", 10)
        patients(tmp_path / "once" / "train" / name, 0, 8, pictures=1)
        patients(tmp_path / "once" / "test" / name, 8, 12, pictures=1)
    assert told(tmp_path / "flat", 16, 4) == ""
    assert told(tmp_path / "parts", 32, 8) == ""
    assert told(tmp_path / "once", 16, 8) == "", "each is another patient's"
    config = tiny(tmp_path / "runs", data=str(tmp_path / "flat"), num_train=16, num_test=4)
    assert "below the classes" not in start(config).verdict
