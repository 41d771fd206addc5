"""What is doubtful of pictures from disk is told by whatever trains networks on them."""

import json
from pathlib import Path

import pytest

from lab.experiments import run_grid
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import run_here

SMALL = "--width 1 --image-size 16 --steps 2 --batch-size 8 --no-pictures --counterfactuals 0"


def saved_twice(place: Path) -> Path:
    """Noise of two classes, each picture in two files, of which the sets get one each."""
    for name, shade in (("a", 0), ("b", 90)):
        fill(place / name, 30, shade=shade)
        for file in list((place / name).iterdir()):
            (place / name / f"{file.stem} (1).png").write_bytes(file.read_bytes())
    return place


def different(place: Path) -> Path:
    for name, shade in (("a", 0), ("b", 90)):
        fill(place / name, 60, shade=shade)
    return place


def shared_with_training(place: Path, num_train: int) -> int:
    """How many of the test pictures are training pictures, by a run's own line."""
    done = run_here(
        "train", "--data", str(place), "--num-train", str(num_train), *SMALL.split(),
        "--out", str(place.parent / "single"),
    )  # fmt: skip
    line = next(
        each for each in (done.out + done.err).split("warning: ") if "test pictures are" in each
    )
    return int(line.split()[0])


@pytest.mark.parametrize(
    "command", ["sweep --grid num_train=20,90 --seeds 1", "learning_curve --sizes 20 90 --seeds 1"]
)
def test_grids_tell_of_their_largest_training_set(command: str, tmp_path: Path) -> None:
    data = saved_twice(tmp_path / "own")
    number = shared_with_training(data, 90)
    assert number > 1
    words = command.split()
    done = run_here(
        words[0], *words[1:], "--data", str(data), *SMALL.split(), "--processes", "1",
        "--out", str(tmp_path / "grid"),
    )  # fmt: skip
    assert done.code == 0
    told = f"with 90 training pictures and seed 0: {number} of 24 test pictures are training"
    assert told in done.err, "before the runs"
    assert f"Warning, {told}" in done.out, "below the table"
    assert f"Warning, {told}" in (tmp_path / "grid" / "sweep.md").read_text()
    assert done.err.count(told) == 1


def test_nothing_is_told_where_nothing_is_doubtful(tmp_path: Path) -> None:
    data = different(tmp_path / "own")
    base = tiny(tmp_path / "grid", data=str(data), num_train=40, num_test=20)
    table = run_grid(base, {"width": [1]}, seeds=1, processes=1)
    assert table.about_pictures == ()
    drawn = tiny(tmp_path / "drawn")
    assert run_grid(drawn, {"width": [1]}, seeds=1, processes=1).about_pictures == ()


def test_of_several_data_each_is_told(tmp_path: Path) -> None:
    one, other = saved_twice(tmp_path / "twice"), different(tmp_path / "once")
    for name in ("a", "b"):
        (other / name / "notes.txt").write_text("x")
    base = tiny(tmp_path / "grid", num_train=60, num_test=20)
    table = run_grid(base, {"data": [str(one), str(other)]}, seeds=1, processes=1)
    copied, left_out = (
        [each for each in table.about_pictures if what in each]
        for what in ("are training pictures, too", "2 files of the classes are left out")
    )
    assert [each.partition(",")[0] for each in (*copied, *left_out)] == ["twice", "once"]


def test_pools_tell_on_their_page(tmp_path: Path) -> None:
    data = saved_twice(tmp_path / "own")
    done = run_here(
        "pool", "--data", str(data), "--num-train", "90", "--networks", "4", "--width", "1",
        "--image-size", "16", "--steps", "2", "--batch-size", "8", "--stop-at-loss", "9",
        "--processes", "1", "--out", str(tmp_path / "pools"),
    )  # fmt: skip
    assert done.code == 0, done.err
    told = f"{shared_with_training(data, 90)} of 24 test pictures are training pictures"
    assert f"warning: {told}" in done.out + done.err
    (folder,) = (each.parent for each in (tmp_path / "pools").rglob("pool.html"))
    assert told in " ".join((folder / "pool.html").read_text(encoding="utf-8").split())
    sentences = json.loads((folder / "findings.json").read_text())["sentences"]
    assert any(each.startswith(f"Warning: {told}") for each in sentences)
