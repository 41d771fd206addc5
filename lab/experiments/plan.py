"""Plans (grids of runs) and presets (plans with the choice of what is shown), executed by one
runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from lab.core.config import RunConfig
from lab.core.text import escape
from lab.experiments.runner.former import refuse_former_networks
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.jobs import Adapt, Job, finished, make_jobs, unchanged
from lab.experiments.runner.progress import Progress
from lab.experiments.runner.run import check_jobs, run_grid
from lab.experiments.show.results import check_folders, write_results
from lab.experiments.show.tables import to_markdown
from lab.experiments.show.view import View
from lab.experiments.table import Failure, Table


@dataclass(frozen=True)
class Plan:
    """A grid of runs: the run that it varies, the values of each setting, what it is about, and
    what else follows from these values: the config of each run is `adapt` of base and values."""

    base: RunConfig
    grid: Mapping[str, Sequence[Any]]
    title: str = ""
    adapt: Adapt = unchanged


@dataclass(frozen=True)
class PoolPlan(Plan):
    """A grid of pools: for each combination and seed a pool of `networks` networks with the base's
    settings (`lab.pool`), and `score_runs` trainings on the whole training set that score it."""

    _: KW_ONLY
    networks: int
    score_runs: int = 0


POOLS = "pools"
"""The folder of pools, beside those of the experiments, which share them."""

Plans = Mapping[str, Plan]
"""Several plans by name; they share the runs' folder."""

Tables = Mapping[str, Table]
"""The results of each plan, by the plan's name."""


class MakesPools(Protocol):
    """Does the pools of a plan. (The package `lab.pool` is above this one: `lab.pool.cells`.)"""

    def __call__(
        self,
        plan: PoolPlan,
        *,
        seeds: int,
        out: Path,
        processes: int | None,
        executor: str,
        watch: bool,
        say: Callable[[str], None],
    ) -> Table: ...


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An experiment of one grid: what to vary, and what to show of the results."""

    plan: Plan
    view: Callable[[Table], View]


@dataclass(frozen=True)
class Results:
    """The results of a preset: its table, and the files that were written for people to open."""

    table: Table
    files: tuple[Path, ...]


def check_plans(plans: Plans, *, seeds: int, out: Path) -> list[Job]:
    """All runs of the plans; `ValueError` if one of them cannot work, or is there already and of
    another network than its file makes now."""
    jobs = [
        job
        for plan in plans.values()
        for job in make_jobs(
            plan.base, make_grid(plan.grid), seeds=seeds, out=out, adapt=plan.adapt
        )
    ]
    check_jobs(jobs)
    refuse_former_networks([job for job in jobs if finished(job)])
    return jobs


def run_plans(
    plans: Plans,
    *,
    seeds: int,
    out: Path,
    processes: int | None = None,
    executor: str = "local",
    watch: bool = True,
    say: Callable[[str], None] = lambda line: None,
    pools: MakesPools | None = None,
) -> Tables:
    """Do the runs of several plans, one plan after the other, all in `out`: those that are finished
    there are kept. Pools, done by `pools`, are in a folder beside it. `say` gets the title of each
    plan that has one; `watch` shows the progress. What is doubtful of pictures from disk is for the
    caller to tell."""
    tables: dict[str, Table] = {}
    progress = Progress() if watch else None
    for number, (key, plan) in enumerate(plans.items(), 1):
        if plan.title:
            say(f"{number} of {len(plans)}: {plan.title}")
        if isinstance(plan, PoolPlan):
            assert pools is not None, "somebody must do them"
            tables[key] = pools(
                plan, seeds=seeds, out=out.parent / POOLS, processes=processes, executor=executor,
                watch=watch, say=say,
            )  # fmt: skip
            continue
        tables[key] = run_grid(
            plan.base, plan.grid, seeds=seeds, out=out, processes=processes, executor=executor,
            watch=progress, adapt=plan.adapt, look_at_pictures=False,
        )  # fmt: skip
    return tables


def failures(tables: Tables) -> tuple[Failure, ...]:
    """The failed runs of all tables."""
    return tuple(failure for table in tables.values() for failure in table.failed)


def run_preset(
    preset: Preset,
    *,
    seeds: int,
    processes: int | None = None,
    executor: str = "local",
    metrics: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> Results:
    """Do a preset's runs in the folder of its base, show the progress (with the `metrics`), write
    the results beside the runs and print the tables and the paths of the figures."""
    base = preset.plan.base
    check_folders(base.out)
    table = run_grid(
        base, preset.plan.grid, seeds=seeds, processes=processes, executor=executor,
        watch=Progress(metrics=metrics), adapt=preset.plan.adapt,
    )  # fmt: skip
    view = replace(preset.view(table), about_pictures=table.about_pictures)
    say(to_markdown(view))
    say("")
    files = write_results(table, view)
    for path in files:
        say(escape(path))
    return Results(table, tuple(files))
