"""Pools as the cells of an experiment: each is one run of a table, with all that its
`findings.json` says as its metrics."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lab.experiments.plan import PoolPlan
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.jobs import Job, make_jobs
from lab.experiments.runner.run import check_jobs, table_of
from lab.experiments.table import Failure, Run, Table, flatten
from lab.pool.beside import Beside
from lab.pool.findings import Findings
from lab.pool.progress import Progress
from lab.pool.report import SUMMARY, record
from lab.pool.run import run_pool
from lab.pool.score_trial import trial_section


def pool_table(
    plan: PoolPlan,
    *,
    seeds: int,
    out: Path,
    processes: int | None = None,
    executor: str = "local",
    watch: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Table:
    """Do the pools of a plan in the folder `out`, where they are named by their settings: networks
    that are there are kept. The tags of a cell's metrics are the paths in `findings.json`, as
    `causes/rare/mean_score`. `ValueError` before anything is trained if a setting cannot work."""
    grid = make_grid(plan.grid)
    jobs = make_jobs(plan.base, grid, seeds=seeds, out=out)
    for warning in check_jobs(jobs):
        say(f"warning: {warning}")
    results: dict[str, Run | Failure] = {}
    for number, job in enumerate(jobs, 1):
        if watch:
            say(f"pool {number} of {len(jobs)}: {job}")
        progress = Progress() if watch else Progress(io.StringIO())
        beside = Beside(executor=executor, processes=processes, say=say if watch else _silent)
        results[job.key] = _done(job, plan, beside, progress)
    return table_of(grid, out, jobs, results)


def _done(job: Job, plan: PoolPlan, beside: Beside, progress: Progress) -> Run | Failure:
    """Do one pool and write its numbers."""
    result = run_pool(
        replace(job.config, name=None),
        networks=plan.networks,
        processes=beside.processes,
        executor=beside.executor,
        watch=progress,
        say=beside.say,
    )
    errors = [f"network {network}: {error}" for network, error in result.failed]
    findings, sections = Findings.of(result), []
    if plan.score_runs:
        section, failed = trial_section(findings, runs=plan.score_runs, beside=beside)
        sections += [section] if section else []
        errors += failed
    if errors:
        return Failure(job.settings, job.config.seed, result.folder, "; ".join(errors))
    record(findings, sections)
    summary = json.loads((result.folder / SUMMARY).read_text(encoding="utf-8"))
    return Run(job.config.seed, result.folder, flatten(summary))


def _silent(line: str) -> None:
    """Say nothing."""
