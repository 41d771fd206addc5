"""Lessons on pools: their checks read what pools write, and lessons share their networks."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from lab.core.config import RunConfig
from lab.experiments import Failure
from lab.experiments.lessons import Lesson, find_lesson, list_lessons, teach
from lab.experiments.lessons.pools import TAIL, by_face, faces
from lab.experiments.plan import POOLS, Plan, PoolPlan
from lab.pool.cells import pool_table
from support.executors import Here

ON_POOLS = [name for name, lesson in list_lessons().items() if lesson.networks]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, short_bootstraps: None, plain_figures: None) -> None:
    """Let pools train in this process, with short bootstraps."""
    for module in ("run", "beside"):
        monkeypatch.setattr(f"lab.pool.{module}.open_executor", lambda name, processes: Here())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all lessons of this file are taken."""
    return tmp_path_factory.mktemp("lessons")


def smaller(base: RunConfig) -> RunConfig:
    """A pool's settings with a linear network, few steps and small faces."""
    return dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, num_train=120, num_test=1000, image_size=16),
        model=dataclasses.replace(base.model, model="linear", width=1),
        train=dataclasses.replace(base.train, steps=10, eval_every=10),
        device="cpu",
    )


def tiny(lesson: Lesson) -> Lesson:
    """The lesson with pools of seconds."""
    plans: dict[str, Plan] = {}
    for name, plan in lesson.plans.items():
        assert isinstance(plan, PoolPlan)
        runs = min(1, plan.score_runs)
        base = smaller(plan.base)
        plans[name] = dataclasses.replace(plan, base=base, networks=20, score_runs=runs)
    return dataclasses.replace(lesson, plans=plans)


@pytest.mark.parametrize("name", ON_POOLS)
def test_what_a_lesson_reads_is_what_its_pools_write(name: str, folder: Path) -> None:
    said: list[str] = []
    outcome = teach(
        name, tiny(find_lesson(name)), out=folder / name, seeds=2, watch=False, say=said.append,
        pools=pool_table,
    )  # fmt: skip
    assert outcome.claims
    assert not outcome.failed
    assert outcome.figure.stat().st_size > 5000
    stored = json.loads((folder / name / "lesson.json").read_text(encoding="utf-8"))
    assert (stored["seeds"], stored["networks"]) == (2, 20)
    assert sum("Before you look" in line for line in said) == 1


def test_pools_are_shared_and_kept(folder: Path) -> None:
    plan = tiny(find_lesson("attack_tail")).plans["pools"]
    assert isinstance(plan, PoolPlan)
    out = folder / POOLS
    first = pool_table(plan, seeds=2, out=out, watch=False)
    files = {path: path.stat().st_mtime_ns for path in out.glob("*/networks/*.npz")}
    again = pool_table(plan, seeds=2, out=out, watch=False)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    (one,), (other,) = first.cells, again.cells
    assert one.seeds == (0, 1)
    assert [run.folder for run in one.runs] == [run.folder for run in other.runs]
    assert one.runs[0].folder.parent == out
    score = one.values("all/mean_score")
    np.testing.assert_array_equal(score, other.values("all/mean_score"))
    faces_ = by_face(one.runs[1], "memorization")
    assert faces_.shape == (120,)
    assert np.nanmean(faces_) == pytest.approx(score[1], abs=1e-3)


def test_networks_that_fail_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tiny(find_lesson("attack_tail")).plans["pools"]
    assert isinstance(plan, PoolPlan)

    def broken(*args: object, **kwargs: object) -> object:
        raise ValueError("this network cannot be trained")

    monkeypatch.setattr("lab.pool.train.train_network", broken)
    more = dataclasses.replace(plan, networks=21)
    table = pool_table(more, seeds=1, out=folder / POOLS, watch=False)
    (failure,) = table.failed
    assert isinstance(failure, Failure)
    assert "network 20: this network cannot be trained" in str(failure)


def test_the_settings_are_those_that_the_docs_name() -> None:
    data = faces().data
    assert (data.num_train, data.label_noise, data.obscured) == (500, 0.2, 0.1)
    assert data.subpopulations == ("scrambled:0.05",)
    assert TAIL.base == faces()
