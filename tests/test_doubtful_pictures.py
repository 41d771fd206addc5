"""What is doubtful of pictures from disk is told by whatever trains networks on them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.core.config import DataConfig
from lab.experiments import make_grid, make_jobs, run_grid
from lab.experiments.runner.run import check_jobs, doubts_of_jobs
from lab.experiments.runner.said import said_of_jobs
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import run_here

pytestmark = pytest.mark.usefixtures("runs_here")

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
    assert [each.partition(",")[0] for each in (*copied, *left_out)] == [
        "data twice", "data once",
    ]  # fmt: skip


def photos(place: Path, count: int) -> Path:
    """Pictures of noise of two classes, 36 x 20 pixels: each training picture, but for its ends, is
    a test picture, too, for `count` of each class; and a file that is none."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        for number in range(40):
            pixels = random.integers(0, 256, (20, 36, 3)).astype(np.uint8)
            other = random.integers(0, 256, (20, 36, 3)).astype(np.uint8)
            if number < count:
                other[:, 8:28] = pixels[:, 8:28]
            for part, each in (("train", pixels), ("test", other)):
                folder = place / part / name
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(each).save(folder / f"{chr(97 + number % 26)}{number}.png")
    (place / "train" / "a" / "notes.txt").write_text("x")
    return place


def test_lines_name_the_settings_that_they_depend_on_and_no_others(tmp_path: Path) -> None:
    """The ends of the pictures are cut off, or not."""
    base = tiny(
        tmp_path / "grid", data=str(photos(tmp_path / "own", 9)), num_train=80, num_test=80, steps=1
    )
    grid = {"resize": ["stretch", "crop", "letterbox"], "image_size": [18, 16]}
    told = run_grid(base, grid, seeds=1, processes=1).about_pictures
    where, (shared,) = (
        [each.split(": ")[0] for each in told if what in each]
        for what in ("training pictures, too", "1 file of the classes is left out")
    )
    assert shared == "with 80 training pictures and seed 0"
    assert where == ["resize crop, with 80 training pictures and seed 0"]


def test_folders_of_one_name_are_told_apart_and_numbers_of_test_pictures(tmp_path: Path) -> None:
    folders = [
        photos(tmp_path / name / "photos", count) for name, count in (("raw", 9), ("own", 4))
    ]
    base = tiny(tmp_path / "grid", num_train=80, image_size=20, steps=1)
    grid = {"data": [*map(str, folders)], "num_test": [40, 80]}
    told = run_grid(base, grid, seeds=1, processes=1).about_pictures
    assert [
        each[: each.index(" test pictures are")] for each in told if "pictures, too" in each
    ] == [
        "data own/photos, with 80 training and 80 test pictures and seed 0: 8 of 80",
        "data raw/photos, with 80 training and 80 test pictures and seed 0: 18 of 80",
    ]
    (left_out,) = (each for each in told if "left out" in each)
    assert left_out.startswith("with 80 training and 80 test pictures and seed 0: ")


def test_what_depends_on_wrong_labels_names_their_share(tmp_path: Path) -> None:
    """Of classes, and of groups, which are counted among the pictures with right labels."""
    for part, counts in (("train", (60, 20)), ("test", (20, 60))):
        rows = ["file_name,place"]
        for name in ("a", "b"):
            fill(tmp_path / "own" / part / name, sum(counts))
            rows += [f"{name}/{k:03}.png,{'xy'[k >= counts[0]]}" for k in range(sum(counts))]
        (tmp_path / "own" / part / "metadata.csv").write_text("\n".join(rows))
    base = tiny(
        tmp_path, data=str(tmp_path / "own"), num_train=160, num_test=160, groups=("place",)
    )
    grid = make_grid({"label_noise": [0, 0.2], "width": [2, 3]})
    told = doubts_of_jobs(make_jobs(base, grid, seeds=1, out=tmp_path))
    places = [each.split(", with")[0] for each in told if each.count("the group ") == 1]
    assert places == ["label_noise 0.0", "label_noise 0.2"]
    fill(tmp_path / "few" / "train" / "a", 60)
    fill(tmp_path / "few" / "train" / "b", 60)
    fill(tmp_path / "few" / "test" / "a", 40)
    fill(tmp_path / "few" / "test" / "b", 10)
    base = tiny(tmp_path, data=str(tmp_path / "few"), num_test=50)
    grid = make_grid({"label_noise": [0, 0.2], "num_train": [60, 120]})
    told = check_jobs(make_jobs(base, grid, seeds=1, out=tmp_path))
    clean = "label_noise 0.0, with 60 and 120 training pictures and seed 0: the class a is 50.0 %"
    assert [each.startswith(clean) for each in told].count(True) == 1
    noisy = [each.split(" pictures")[0] for each in told if not each.startswith(clean)]
    assert noisy == [f"label_noise 0.2, with {count} training" for count in (120, 60)]


def test_what_some_combinations_have_in_common_is_told_of_these(tmp_path: Path) -> None:
    base = tiny(tmp_path, data=str(different(tmp_path / "own")), num_train=20, num_test=10)
    grid = make_grid({"resize": ["crop", "stretch", "letterbox"], "image_size": [16, 32, 128]})
    jobs = make_jobs(base, grid, seeds=1, out=tmp_path)

    def told(chosen: Callable[[DataConfig], bool]) -> list[str]:
        found = [(job, "so it is.") for job in jobs if chosen(job.config.data)]
        end = "with 20 training pictures and seed 0: so it is."
        said = said_of_jobs(found, jobs)
        assert all(each.endswith(end) for each in said)
        return [each.removesuffix(end) for each in said]

    assert told(lambda data: True) == [""]
    assert told(lambda data: False) == []
    assert told(lambda data: data.image_size > 16) == ["image_size 32 and 128, "]
    corner = told(lambda data: data.resize != "crop" and data.image_size < 128)
    assert corner == ["resize letterbox and stretch, image_size 16 and 32, "]
    apart = told(lambda data: data.resize == "crop" or data.image_size == 16)
    assert sorted(apart) == ["image_size 16, ", "resize crop, image_size 32 and 128, "]


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


def test_pools_tell_of_validation_pictures_by_which_they_stop(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for patient in range(10):
            fill(tmp_path / "own" / "train" / label / f"patient_{label}{patient}", 5)
        fill(tmp_path / "own" / "test" / label, 12)
    common = (
        "pool", "--data", str(tmp_path / "own"), "--num-train", "60", "--networks", "4",
        "--width", "1", "--image-size", "16", "--steps", "2", "--batch-size", "8",
        "--processes", "1", "--out", str(tmp_path / "pools"),
    )  # fmt: skip
    for stopping, told in ((["--early-stopping", "2", "--eval-every", "1"], True), ([], False)):
        done = run_here(*common, *stopping)
        assert done.code == 0, done.err
        said = " ".join((done.out + done.err).split())
        assert ("among the validation pictures" in said) is told
