"""A job is known by what it does: its key, its folder, and whether that is finished."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.core.config import DataConfig, RunConfig, TrainConfig, settled, to_json
from lab.core.run_names import check_name
from lab.experiments import found_table
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.jobs import ASIDE, Job, cell_name, finished, key_of, make_jobs
from lab.experiments.runner.worker import do
from lab.runs.train import start
from lab.worlds import world_version
from support.configs import tiny
from support.picture_folders import fill
from support.run_folders import hparams_rows
from support.scripts import is_a_good_line

BASE = RunConfig()

NETWORK = """
from torch import nn
from lab.models import register_model

@register_model
def net(spec):
    size = spec.in_channels * spec.image_size**2
    hidden = nn.Linear(size, 4)
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(4, spec.num_outputs))
"""


def test_the_key_is_that_of_the_settings() -> None:
    key = key_of(BASE)
    assert key == key_of(RunConfig())
    assert len(key) == 8
    for name, value in (
        ("name", "x"), ("out", Path("y")), ("device", "cpu"), ("threads", 4),
        ("checkpoint_every", 1.0),
    ):  # fmt: skip
        assert name in ASIDE
        assert key_of(replace(BASE, **{name: value})) == key
    others = [
        replace(BASE, seed=1),
        replace(BASE, counterfactuals=5),
        replace(BASE, data=DataConfig(num_train=5)),
        replace(BASE, data=DataConfig(cues=("eye_color:0.9",))),
        replace(BASE, train=TrainConfig(augment=True)),
        replace(BASE, train=TrainConfig(early_stopping=5)),
        replace(BASE, train=TrainConfig(early_stopping=5, num_validation=50)),
    ]
    assert len({key, *map(key_of, others)}) == 8


def test_keys_stay_what_they_are() -> None:
    """A key that changed would have all runs there are done again: it hashes what differs from the
    defaults, and the version of the pictures."""
    config = RunConfig(data=DataConfig(num_train=32, cues=("eye_color:0.9",)), seed=3)
    world = world_version(DataConfig())
    text = (
        '{"cues": ["eye_color:0.9"], "num_train": 32, "seed": 3, "sources": "", "world": "'
        + world + '"}'
    )  # fmt: skip
    assert key_of(config) == hashlib.sha256(text.encode()).hexdigest()[:8]


def test_jobs_are_all_combinations_with_names_that_people_can_read(tmp_path: Path) -> None:
    grid = make_grid({"num_train": [10, 20], "cues": [(), ("eye_color=blue/brown:0.9",)]})
    jobs = make_jobs(replace(BASE, seed=5), grid, seeds=2, out=tmp_path)
    assert len(jobs) == 8 == len({job.key for job in jobs}) == len({job.folder for job in jobs})
    assert {(job.config.data.num_train, job.config.data.cues, job.config.seed) for job in jobs} == {
        (size, cues, seed)
        for size in (10, 20)
        for cues in ((), ("eye_color=blue/brown:0.9",))
        for seed in (5, 6)
    }
    assert [job.config.seed for job in jobs] == [5] * 4 + [6] * 4, "every cell gets a first seed"
    assert jobs[0].config.data.num_train == 20, "the longest come first"
    for job in jobs:
        check_name(str(job.config.name))
        assert job.folder.name.endswith(f"-s{job.config.seed}-{job.key}")
    assert any(
        job.folder.name.startswith("num_train_20-cues_eye_color_blue_brown_0.9-s5-") for job in jobs
    )
    assert str(jobs[0]).endswith("seed 5")


def test_names_are_never_too_long() -> None:
    long = {"cues": tuple(f"attribute_{i}:0.{i}" for i in range(1, 30)), "num_train": 100}
    check_name(f"{cell_name(long)}-s{2**63 - 1}-{key_of(BASE)}")


def test_ranges_are_checked_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--seeds must be 1 or more, not 0"):
        make_jobs(BASE, {}, seeds=0, out=tmp_path)
    with pytest.raises(ValueError, match="--seed must be"):
        make_jobs(replace(BASE, seed=2**63 - 2), {}, seeds=3, out=tmp_path)


def settle(job: Job, status: str) -> None:
    """Make the folder of a run that is over."""
    job.folder.mkdir(parents=True)
    config = settled(replace(job.config, device="cpu"))  # as the run itself writes it
    (job.folder / "config.json").write_text(to_json(config))
    (job.folder / "summary.json").write_text(json.dumps({"status": status}))


def test_a_finished_job_is_found_by_its_key_in_a_grid_that_has_grown(tmp_path: Path) -> None:
    (job,) = make_jobs(BASE, make_grid({"num_train": [100]}), seeds=1, out=tmp_path)
    assert not finished(job)
    settle(job, "finished")
    assert finished(job)
    grown = make_jobs(BASE, make_grid({"num_train": [50, 100], "width": [8, 16]}), seeds=2,
                      out=tmp_path)  # fmt: skip
    assert [other.folder for other in grown if finished(other)] == [job.folder]


def test_a_batch_of_all_faces_is_no_other_setting(tmp_path: Path) -> None:
    """The run writes the 20 faces that its batch had, the job says the 64 that were asked for."""
    (job,) = make_jobs(BASE, make_grid({"num_train": [20]}), seeds=1, out=tmp_path)
    settle(job, "finished")
    assert '"batch_size": 20' in (job.folder / "config.json").read_text()
    assert finished(job)


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_other_ends_are_not_finished(tmp_path: Path, status: str) -> None:
    (job,) = make_jobs(BASE, {}, seeds=1, out=tmp_path)
    settle(job, status)
    assert not finished(job)
    (job.folder / "summary.json").write_text("{")
    assert not finished(job)


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    (job,) = make_jobs(BASE, {}, seeds=1, out=tmp_path)
    settle(job, "finished")
    other = replace(job, config=replace(job.config, train=TrainConfig(steps=3)))
    with pytest.raises(ValueError, match="other settings"):
        finished(other)


def test_figures_of_another_run_are_refused(tmp_path: Path) -> None:
    """A copied run whose settings were edited, or folders that were mixed."""
    (job,) = make_jobs(BASE, {}, seeds=1, out=tmp_path)
    settle(job, "finished")
    summary = job.folder / "summary.json"
    told = json.loads((job.folder / "config.json").read_text())
    for config in (told, {**told, "device": "cuda", "out": "elsewhere", "name": "another"}):
        summary.write_text(json.dumps({"status": "finished", "config": config}))
        assert finished(job)
        assert found_table(tmp_path).cells
    for config in ({**told, "seed": 4}, {"format": 0}, 3):
        summary.write_text(json.dumps({"status": "finished", "config": config}))
        for read in (lambda: finished(job), lambda: found_table(tmp_path)):
            with pytest.raises(
                ValueError, match=r"is of other settings than .*config\.json"
            ) as caught:
                read()
            is_a_good_line(str(caught.value), names=str(summary))
            assert ("(--seed 4, not 0)" in str(caught.value)) == (config != 3 and "seed" in config)


def test_the_jobs_of_a_folder_have_what_it_has(tmp_path: Path) -> None:
    """As its run stores them, or the same grid again would find other runs' folders."""
    for name in ("cat", "dog"):
        fill(tmp_path / "pets" / name, 15)
    base = replace(BASE, data=DataConfig(data=str(tmp_path / "pets"), image_size=16))
    (job,) = make_jobs(base, {}, seeds=1, out=tmp_path / "runs")
    assert (job.config.data.num_train, job.config.data.num_test) == (24, 6)
    settle(job, "finished")
    assert finished(job)
    sizes = make_jobs(base, make_grid({"num_train": [10, 24]}), seeds=1, out=tmp_path / "runs")
    assert [job.config.data.num_train for job in sizes] == [24, 10]
    for grid, line in (
        ({"num_train": [10, 25]}, r"^--num-train 25 is more than there are: .*pets has 24$"),
        ({"num_test": [2, 2000]}, r"^--num-test 2,000 is more than there are: .* 6$"),
    ):
        with pytest.raises(ValueError, match=line):
            make_jobs(base, make_grid(grid), seeds=1, out=tmp_path / "runs")


def test_a_found_table_has_copies_of_runs_once_and_other_steps_apart(tmp_path: Path) -> None:
    """A folder that was copied, or the same command again, is no other seed."""
    small = tiny(tmp_path, task="shape", model="linear", num_train=8)
    longer = replace(small, train=replace(small.train, steps=4))
    for config in (small, small, replace(small, seed=1), longer):
        start(config)
    shutil.copytree(tmp_path / "shape-8-linear1-s1", tmp_path / "copied")
    table = found_table(tmp_path)
    assert {cell.settings["steps"]: cell.seeds for cell in table.cells} == {3: (0, 1), 4: (0,)}


def test_a_training_that_was_measured_again_is_no_other_seed(tmp_path: Path) -> None:
    """The one with most figures is taken."""
    small = tiny(tmp_path, model="linear", num_train=8)
    for config in (small, replace(small, counterfactuals=4), replace(small, seed=1)):
        start(config)
    (cell,) = found_table(tmp_path).cells
    assert cell.seeds == (0, 1)
    assert [run.folder.name[-2:] for run in cell.runs] == ["-2", "s1"]


def test_networks_that_were_changed_in_their_file_are_told_apart(tmp_path: Path) -> None:
    """In tables of runs and in the HParams table."""
    file = tmp_path / "mine.py"
    runs = tmp_path / "runs"
    config = tiny(runs, model=f"{file}:net", num_train=8)
    for layer in ("ReLU", "Tanh"):
        file.write_text(NETWORK.replace("ReLU", layer), encoding="utf-8")
        for seed in (0, 1):
            start(replace(config, seed=seed))
    cells = found_table(runs).cells
    assert [(list(cell.settings), cell.seeds) for cell in cells] == [(["code"], (0, 1))] * 2
    codes = [cell.settings["code"] for cell in cells]
    assert len(set(codes)) == 2
    rows = hparams_rows(runs)
    assert sorted(row.rsplit("code=")[1] for row in rows) == sorted(codes)
    assert all(len(names) == 2 for names in rows.values())


def test_pictures_that_change_during_a_sweep_are_told(tmp_path: Path) -> None:
    for kind in ("ant", "bee"):
        fill(tmp_path / "own" / kind, 12)
    (tmp_path / "net.py").write_text(NETWORK)
    own = {"data": str(tmp_path / "own"), "num_train": 10, "num_test": 4, "steps": 1}
    config = tiny(tmp_path, model=f"{tmp_path}/net.py:net", **own)
    (job,) = make_jobs(config, {}, seeds=1, out=tmp_path / "runs")
    fill(tmp_path / "own" / "cat", 1, shade=50)
    added = (tmp_path / "own" / "cat" / "000.png").rename(tmp_path / "own" / "bee" / "new.png")
    (tmp_path / "own" / "cat").rmdir()
    then = f"the pictures of --data {tmp_path / 'own'} are not what they were when the sweep began"
    said = do(job).error
    assert f"{then} (bee/new.png added): the same command again" in said
    is_a_good_line(said)
    added.unlink()
    (removed := tmp_path / "own" / "bee" / "001.png").rename(tmp_path / "away.png")
    assert f"{then} ({job.seen.version} then, folder-" in do(job).error
    (tmp_path / "away.png").rename(removed)
    (tmp_path / "net.py").write_text(NETWORK + "\n# changed")
    assert "the source files of --model" in do(job).error
    (tmp_path / "net.py").write_text(NETWORK)
    assert not do(job).error
