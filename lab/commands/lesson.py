"""An experiment on a published statement, or the list of all of them."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from lab.core.machine import processors


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Run an experiment on a published statement, with a question to answer first, and test its
    claims; write a page about it; without a name list all lessons."""

    name: tyro.conf.Positional[str] = ""
    """Name of the lesson; none: list all with their durations."""
    seeds: int = 3
    """Runs of each setting, 2 or more (an interval over seeds needs two)."""
    processes: int = processors()
    """Runs at a time, one thread each."""
    executor: str = "local"
    """Where the runs are executed: local, or on a running cluster: dask://host:port or
    ray://auto."""
    results: bool = False
    """Only print the results of the lessons run so far, as Markdown."""
    book: bool = False
    """Only write the pages of the lessons run so far, and their index."""
    out: Path = Path("runs/lessons")
    """Folder for the lessons' runs and pages; finished runs in it are used again."""


def lesson(flags: Flags) -> int:
    """List the lessons, print results, or run one lesson; returns the exit code."""
    if flags.seeds < 2:
        raise ValueError(f"--seeds must be 2 or more, not {flags.seeds}: an interval needs two")
    from lab.core.locks import check_out
    from lab.experiments.lessons import find_lesson, list_lessons, teach, to_markdown, write_book
    from lab.experiments.lessons.page import PAGE
    from lab.pool.cells import pool_table

    check_out(flags.out)
    if flags.results:
        print(to_markdown(flags.out))
        return 0
    if flags.book:
        print(write_book(flags.out))
        return 0
    if not flags.name:
        for name, each in list_lessons().items():
            print(f"{name:20} {each.duration:>7}  {each.title}")
        return 0
    outcome = teach(
        flags.name,
        find_lesson(flags.name),
        out=flags.out / flags.name,
        seeds=flags.seeds,
        processes=flags.processes,
        executor=flags.executor,
        ask=ask if sys.stdin.isatty() and sys.stdout.isatty() else None,
        pools=pool_table,
    )
    for failure in outcome.failed:
        print(f"error: {failure}", file=sys.stderr)
    if not outcome.failed:
        index = write_book(flags.out)
        print(f"The page: {flags.out / flags.name / PAGE}\nAll lessons: {index}")
    return 1 if outcome.failed else 0


def ask(question: str) -> str:
    """The line that the user types; empty after Ctrl-D."""
    try:
        return input(question)
    except EOFError:
        print()
        return ""
