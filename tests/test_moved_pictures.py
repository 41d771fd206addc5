"""Runs on pictures that were moved since: opened and gone on with where one says that they are."""

import json
import os
import shutil
from pathlib import Path

import pytest

from lab.core.run_dir import RunDir
from lab.experiments.runner.jobs import refuse_other_figures
from lab.playground.logdir import open_logdir
from lab.playground.pictures import lost
from lab.runs.train import start
from lab.worlds import save_npz
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import is_a_good_line, is_refused, load_script, told


@pytest.fixture(params=["folder", "npz"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Pictures of two classes, of which one is brighter."""
    folder = tmp_path / "photos"
    fill(folder / "cat", 12)
    fill(folder / "dog", 12, shade=90)
    if request.param == "folder":
        return folder
    from lab.core.config import DataConfig
    from lab.worlds import open_world

    examples = open_world(DataConfig(data=str(folder), image_size=16), seed=0).load("train", 20)
    shutil.rmtree(folder)
    file = save_npz(tmp_path / "photos.npz", (examples.images, examples.labels))
    return Path(file)


def test_pictures_are_found_where_one_says(place: Path, tmp_path: Path) -> None:
    run = start(tiny(tmp_path / "runs", data=str(place), num_train=12)).folder
    evaluate, train = load_script("evaluate").evaluate, load_script("train").train
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    csvs = tmp_path / "before.csv", tmp_path / "after.csv"
    words = [str(run), "--json", str(before), "--examples", str(csvs[0])]
    assert told(evaluate, words) == (0, "")

    there = tmp_path / "elsewhere" / f"other{place.suffix}"
    there.parent.mkdir()
    shutil.move(place, there)
    gone = f"no longer at {place}: put them back, or say with --data where they are now"
    assert gone in is_refused(evaluate, [str(run)])
    assert gone in is_refused(train, ["--resume", str(run)])
    assert "no such" in is_refused(evaluate, [str(run), "--data", str(place)])
    words = [str(run), "--data", str(there), "--json", str(after), "--examples", str(csvs[1])]
    assert told(evaluate, words) == (0, "")
    one, other = (json.loads(path.read_text()) for path in (before, after))
    assert other["config"]["data"].pop("data") == str(there)
    one["config"]["data"].pop("data")
    assert one == other
    assert csvs[0].read_text() == csvs[1].read_text()
    assert RunDir(run).config().data.data == str(place)

    others = tmp_path / "others"
    fill(others / "cat", 12, shade=40)
    fill(others / "dog", 12, shade=90)
    assert "now holds version" in is_refused(evaluate, [str(run), "--data", str(others)])

    shutil.rmtree(run / "checkpoints")
    assert str(place) in is_refused(train, ["--resume", str(run)])
    assert "now holds" in is_refused(train, ["--resume", str(run), "--data", str(others)])
    assert told(train, ["--resume", str(run), "--data", str(there)])[0] == 0
    assert RunDir(run).config().data.data == str(there)
    again = json.loads((run / "summary.json").read_text())
    assert again["status"] == "finished"
    assert told(evaluate, [str(run), "--json", str(after)]) == (0, "")
    assert json.loads(after.read_text()) == other | {
        "config": other["config"] | {"data": other["config"]["data"] | {"data": str(there)}}
    }


def test_a_finished_run_notes_where_its_pictures_are_now(tmp_path: Path) -> None:
    """As the tab Faces says, which reads no other place."""
    for name in ("cat", "dog"):
        fill(tmp_path / "photos" / name, 12)
    run = start(tiny(tmp_path / "runs", data=str(tmp_path / "photos"), num_train=12)).folder
    there = (tmp_path / "photos").rename(tmp_path / "elsewhere")
    entry = open_logdir(str(tmp_path / "runs")).find(run.name)
    assert lost(entry).endswith("where they are now: train.py --resume RUN --data NEW")
    train = load_script("train").train
    assert told(train, ["--resume", str(run), "--data", str(there)]) == (0, "")
    assert RunDir(run).config().data.data == str(there)
    assert RunDir(run).summary()["config"]["data"]["data"] == str(there)
    refuse_other_figures(RunDir(run), RunDir(run).config())
    assert told(load_script("evaluate").evaluate, [str(run)]) == (0, "")


def test_drawn_pictures_lie_nowhere(tmp_path: Path) -> None:
    run = start(tiny(tmp_path / "runs")).folder
    line = is_refused(load_script("evaluate").evaluate, [str(run), "--data", str(tmp_path)])
    is_a_good_line(line.strip(), names="drawn")


def test_files_that_were_added_since_are_told_apart_from_the_others(tmp_path: Path) -> None:
    """As thumbnails that a file server makes: by the digest of the files without them."""
    for name in ("cat", "dog"):
        fill(tmp_path / "photos" / name, 12)
    run = start(tiny(tmp_path / "runs", data=str(tmp_path / "photos"), num_train=12)).folder
    assert RunDir(run).settings()[1].num_pictures == 24
    evaluate = load_script("evaluate").evaluate
    photo = tmp_path / "photos" / "cat" / "000.png"
    fill(tmp_path / "photos" / "cat" / "@eaDir", 2)
    for number in (0, 1):
        os.utime(tmp_path / "photos" / "cat" / "@eaDir" / f"{number:03}.png", (1, 1))
    line = is_refused(evaluate, [str(run)])
    assert (
        ", since cat/@eaDir/000.png and 1 other file were added: move these elsewhere, or train the"
        " run anew"
    ) in line
    (tmp_path / "photos" / "cat" / "@eaDir" / "000.png").unlink()
    assert "since cat/@eaDir/001.png was added: move it else" in is_refused(evaluate, [str(run)])
    shutil.rmtree(tmp_path / "photos" / "cat" / "@eaDir")
    assert told(evaluate, [str(run)])[0] == 0

    content = photo.read_bytes()
    photo.write_bytes((tmp_path / "photos" / "dog" / "003.png").read_bytes())
    line = is_refused(evaluate, [str(run)])
    assert ", 1 was written since, cat/000.png the first: put the pictures back as they w" in line
    photo.unlink()
    line = is_refused(evaluate, [str(run)])
    assert ", it had 24 pictures, and has 23: put the pictures back as they were, take out" in line
    photo.write_bytes(content)
    assert told(evaluate, [str(run)])[0] == 0
