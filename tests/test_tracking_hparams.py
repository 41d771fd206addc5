"""Rows of the HParams table: named after their runs, shared by repetitions and by nobody else."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import pytest

from lab.core.config import RunConfig, given
from lab.core.run_names import automatic_name
from lab.experiments.runner.grid import fields, with_settings
from lab.experiments.runner.jobs import make_jobs
from lab.tracking.hparams import ASIDE, row_name

ELSE: dict[str, Any] = {
    "task": "count_eyes", "model": "nets/v1.py:net", "objective": "group_dro",
    "out": Path("elsewhere"), "device": "cuda", "data": "photos/pets",
}  # fmt: skip


def other(name: str) -> Any:
    """A value of a setting that is not its default."""
    _, hint = fields()[name]
    default = getattr(RunConfig(), name, None)
    if name in ELSE:
        return ELSE[name]
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    if isinstance(kinds[0], str):
        return kinds[1]
    return {bool: not default, int: 7, float: 0.25}.get(kinds[0], ("eye_color:0.75",))


CHANGED = {name: with_settings(RunConfig(), {name: other(name)}) for name in fields()
           if name != "name"}  # fmt: skip


def named(config: RunConfig, number: int = 1) -> RunConfig:
    """A run as it is done without --name, in a folder that holds `number` - 1 of its name."""
    name = automatic_name(config) + (f"-{number}" if number > 1 else "")
    return replace(config, name=name)


def test_repetitions_share_a_row_that_has_their_name() -> None:
    rows = {
        row_name(named(replace(RunConfig(), seed=seed), number))
        for seed in (0, 1, 10, 2**60) for number in (1, 2, 11)
    }  # fmt: skip
    assert rows == {"person-100-cnn16"}
    assert row_name(replace(RunConfig(), seed=3, name="eyes-s3")) == "eyes"
    for name in ASIDE:
        if name in CHANGED:
            assert row_name(named(CHANGED[name])) in rows, name


def test_other_source_files_make_another_row() -> None:
    config = named(CHANGED["model"])
    rows = {row_name(config, code=code) for code in ("", "66bbe06f", "dc21f5b8")}
    assert len(rows) == 3
    assert row_name(replace(config, name="mine"), code="66bbe06f") == ""


def test_a_run_that_was_named_otherwise_has_a_row_of_its_own() -> None:
    for name in ("eyes", "eyes-s1", "s0", "eyes-s0-final", "person-100-cnn16"):
        assert row_name(replace(RunConfig(), name=name)) == "", "TensorBoard shows the run's path"


def test_experiments_that_differ_share_no_row() -> None:
    """Whatever setting differs, as automatic names and those of sweeps have it."""
    configs = [RunConfig(), *(c for name, c in CHANGED.items() if name not in ASIDE)]
    v2 = replace(RunConfig().model, model="nets/v2.py:net")
    configs.append(replace(RunConfig(), model=v2))
    wide = [replace(c, model=replace(c.model, width=17)) for c in configs]
    for names in (named, lambda config: replace(config, name="x-s0")):
        rows: dict[str, RunConfig] = {}
        for config in (*configs, *wide):
            row = row_name(names(config))
            assert row
            if row in rows:
                assert given(rows[row]) == given(config), row
            rows[row] = config


def test_a_sweeps_cells_have_a_row_each(tmp_path: Path) -> None:
    grid = {"num_train": (32, 100), "cues": ((), ("eye_color:0.9",)), "width": (16, 32)}
    base = replace(RunConfig(), train=replace(RunConfig().train, steps=30))
    jobs = make_jobs(base, grid, seeds=3, out=tmp_path)
    rows = {}
    for job in jobs:
        rows.setdefault(row_name(job.config), []).append(job.settings)
    assert len(rows) == 8
    for row, settings in rows.items():
        assert len(settings) == 3
        assert settings[0] == settings[1] == settings[2]
        assert f"num_train_{settings[0]['num_train']}" in row
        assert "steps=30" in row
        assert "seed" not in row
    longer = make_jobs(RunConfig(), grid, seeds=1, out=tmp_path)
    assert not rows.keys() & {row_name(job.config) for job in longer}, "another base"


@pytest.mark.parametrize("pair", list(combinations(("num_train", "width", "num_test"), 2)))
def test_a_number_in_a_name_is_of_one_setting(pair: tuple[str, str]) -> None:
    one, two = (with_settings(RunConfig(), {name: 32}) for name in pair)
    for name in (f"{pair[0]}_32-s0-00000000", f"{pair[1]}_32-s0-00000000", "32-s0"):
        assert row_name(replace(one, name=name)) != row_name(replace(two, name=name))
