"""Finished runs of a network whose code goes by something that has changed since and that nobody
has noted, an environment variable: its settings and source files are the same, and so is its job's
key. (Of files that it reads: `test_data_files.py`.)"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.core.config import Provenance, RunConfig
from lab.core.run_dir import RunDir
from lab.experiments import found_table, found_text, make_jobs, run_grid
from lab.experiments.runner.former import refuse_former_networks
from lab.runs.train import start
from support.configs import tiny
from support.scripts import is_a_good_line

pytestmark = pytest.mark.usefixtures("runs_here")

Hide = Callable[[int], None]

SIZED = """
import os
from torch import nn

HIDDEN = int(os.environ["HIDDEN"])

def net(spec):
    size = spec.in_channels * spec.image_size**2
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, spec.num_outputs)
    )
"""

SCALED = """
import os
from torch import nn

class net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        size = spec.in_channels * spec.image_size**2
        self.rest = nn.Sequential(nn.Flatten(), nn.Linear(size, spec.num_outputs))

    def forward(self, x):
        return self.rest(x) * float(os.environ["HIDDEN"])
"""

COUNTING = """
from torch import nn

class net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        size = spec.in_channels * spec.image_size**2
        self.rest = nn.Sequential(nn.Flatten(), nn.Linear(size, spec.num_outputs))
        self.seen = 0

    def forward(self, x):
        if self.training:
            self.seen += 1
        return self.rest(x) * (1 if self.seen < 60 else 3)
"""


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Sets what the networks go by, which is 4 at first."""

    def hide(number: int) -> None:
        monkeypatch.setenv("HIDDEN", str(number))

    hide(4)
    return hide


def network(place: Path, code: str) -> RunConfig:
    """The config of a run of the network whose file reads HIDDEN."""
    (place / "net.py").write_text(code, encoding="utf-8")
    return tiny(place / "runs", model=f"{place}/net.py:net", width=16, task="shape")


def forget_size(run: Path) -> None:
    """Make a run one of an earlier version, which did not note the network's size."""
    file = run / "config.json"
    told = json.loads(file.read_text())
    assert told.pop("parameters") > 0
    file.write_text(json.dumps(told))


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize(
    ("code", "said"), [(SIZED, r"it had 3,086 parameters, and has 6,170 now"),
                       (SCALED, "with the same trained weights it answers otherwise now")],
)  # fmt: skip
def test_a_grid_refuses_runs_of_a_former_network(
    tmp_path: Path, hidden: Hide, code: str, said: str, noted: bool
) -> None:
    base = network(tmp_path, code)
    grid = {"num_train": [8, 12]}
    first = run_grid(base, grid, seeds=1, processes=1)
    assert not first.failed
    folders = sorted((tmp_path / "runs").glob("num_train*"))
    if not noted:
        for folder in folders:
            forget_size(folder)
        said = said if code is SCALED else "its weights do not fit any more"
    again = run_grid(base, grid, seeds=1, processes=1)
    assert [cell.runs for cell in again.cells] == [cell.runs for cell in first.cells]
    hidden(8)
    with pytest.raises(ValueError, match=said) as caught:
        run_grid(base, grid, seeds=2, processes=1)
    is_a_good_line(str(caught.value), names="delete the folders")
    assert str(caught.value).startswith(str(tmp_path / "runs" / "num_train"))
    assert sorted((tmp_path / "runs").glob("num_train*")) == folders, "nothing was trained"
    elsewhere = run_grid(base, grid, seeds=1, processes=1, out=tmp_path / "other")
    assert not elsewhere.failed


def test_a_later_run_of_another_network_is_found_by_its_size(tmp_path: Path, hidden: Hide) -> None:
    """Seed 0 is of the network of now, seed 1 of the one that was there for a while."""
    base = network(tmp_path, SIZED)
    run_grid(base, {}, seeds=1, processes=1)
    hidden(8)
    run_grid(replace(base, seed=1), {}, seeds=1, processes=1)
    hidden(4)
    with pytest.raises(ValueError, match="it had 6,170 parameters, and has 3,086 now"):
        run_grid(base, {}, seeds=2, processes=1)


def test_runs_that_cannot_tell_are_taken(tmp_path: Path, hidden: Hide) -> None:
    """Their checkpoints are gone, or they cannot be opened as they were, and have said so."""
    base = network(tmp_path, COUNTING)
    base = replace(base, train=replace(base.train, steps=80))
    for _ in range(2):
        assert not run_grid(base, {}, seeds=1, processes=1).failed
    (job,) = make_jobs(base, {}, seeds=1, out=base.out)
    assert "another network" in RunDir(job.folder).summary()["verdict"]
    base = replace(network(tmp_path, SCALED), out=tmp_path / "gone")
    for number in (4, 8):
        hidden(number)
        assert not run_grid(base, {}, seeds=1, processes=1).failed
        (job,) = make_jobs(base, {}, seeds=1, out=base.out)
        shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)


def test_of_each_network_the_oldest_run_is_compared(tmp_path: Path, hidden: Hide) -> None:
    base = network(tmp_path, SCALED)
    run_grid(base, {}, seeds=2, processes=1)
    jobs = make_jobs(base, {}, seeds=2, out=base.out)
    hidden(8)
    for number, job in enumerate(jobs):
        os.utime(job.folder / "config.json", (1000 - number, 1000 - number))
    with pytest.raises(ValueError, match=str(jobs[1].folder)):
        refuse_former_networks(jobs)
    refuse_former_networks([])


def test_a_run_notes_how_many_parameters_its_network_has(tmp_path: Path) -> None:
    start(network(tmp_path, SIZED))
    (run,) = (RunDir(path) for path in (tmp_path / "runs").iterdir())
    assert run.settings()[1].parameters == 3086
    forget_size(run.path)
    assert run.settings()[1].parameters is None is Provenance().parameters
    told = json.loads(run.config_file.read_text())
    run.config_file.write_text(json.dumps({**told, "parameters": "3,086"}))
    with pytest.raises(ValueError, match="parameters must be a whole number"):
        run.settings()


def test_found_runs_of_networks_of_other_sizes_are_told_apart(tmp_path: Path, hidden: Hide) -> None:
    config = network(tmp_path, SIZED)
    start(config)
    start(replace(config, seed=1))
    (cell,) = found_table(tmp_path / "runs").cells
    assert (dict(cell.settings), cell.seeds) == ({}, (0, 1)), "one network: no such column"
    hidden(8)
    start(config)
    table = found_table(tmp_path / "runs")
    assert {cell.settings["parameters"]: cell.seeds for cell in table.cells} == {
        "3,086": (0, 1),
        "6,170": (0,),
    }
    assert "| 6,170" in found_text(table)


def test_runs_that_do_not_note_the_size_are_no_other_network(tmp_path: Path) -> None:
    config = network(tmp_path, SIZED)
    for seed in (0, 1):
        start(replace(config, seed=seed, name=f"run-{seed}"))
    forget_size(tmp_path / "runs" / "run-0")
    (cell,) = found_table(tmp_path / "runs").cells
    assert cell.seeds == (0, 1)
