"""An experiment on a published statement, the list of all of them, or the networks of a class."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from lab.commands._given import refuse_all, refuse_processes
from lab.core.config import flag
from lab.core.machine import processors
from lab.core.text import escape

CLASS = Path("runs/class")


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
    networks: bool = False
    """Only train the networks that the lessons for a class and the mystery networks use: a useful
    one (linden), a cheat (maple) and two memorizers (walnut, poplar), one of each, side by side.
    After an interruption the same command goes on."""
    out: Path | None = None
    """Folder for the lessons' runs and pages; finished runs in it are used again. None:
    runs/lessons, and with --networks runs/class."""

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        only = {
            "networks": "trains the same networks always",
            "results": "prints the results of all lessons that were run",
            "book": "writes the pages of all lessons that were run",
        }
        for mode, what in only.items():
            if not getattr(self, mode):
                continue
            fit = {mode, "out"} | ({"processes"} if mode == "networks" else set())
            if other := self.name or next(map(flag, sorted(names - fit)), ""):
                raise ValueError(f"--{mode} {what}: leave out {other}")
            return
        if not self.name:
            refuse_all(names, sorted(names), "the name of a lesson")
        refuse_processes(names, self.executor)


def lesson(flags: Flags) -> int:
    """List the lessons, print results, or run one lesson; returns the exit code."""
    if flags.networks:
        return train_the_networks(flags)
    if flags.seeds < 2:
        raise ValueError(f"--seeds must be 2 or more, not {flags.seeds}: an interval needs two")
    from lab.core.locks import check_out
    from lab.experiments.lessons import find_lesson, list_lessons, teach, to_markdown, write_book
    from lab.experiments.lessons.page import FOLDER, PAGE
    from lab.pool.cells import pool_table

    out = check_out(flags.out or FOLDER)
    if flags.results:
        print(to_markdown(out))
        return 0
    if flags.book:
        print(escape(write_book(out)))
        return 0
    if not flags.name:
        for name, each in list_lessons().items():
            print(f"{name:20} {each.duration:>7}  {each.title}")
        return 0
    outcome = teach(
        flags.name,
        find_lesson(flags.name),
        out=out / flags.name,
        seeds=flags.seeds,
        processes=flags.processes,
        executor=flags.executor,
        ask=ask if sys.stdin.isatty() and sys.stdout.isatty() else None,
        pools=pool_table,
    )
    for failure in outcome.failed:
        print(f"error: {failure}", file=sys.stderr)
    if not outcome.failed:
        index = write_book(out)
        print(f"The page: {escape(out / flags.name / PAGE)}\nAll lessons: {escape(index)}")
    return 1 if outcome.failed else 0


def train_the_networks(flags: Flags) -> int:
    """Train the networks of a class; returns the exit code."""
    from lab.commands import train
    from lab.core.cli import parse
    from lab.core.program import from_here, quoted
    from lab.experiments.class_networks import NETWORKS, accuracies, train_networks

    out = flags.out or CLASS
    configs = {name: parse(train.Flags, each.flags.split()).run for name, each in NETWORKS.items()}
    failed = train_networks(
        configs,
        out=out,
        processes=flags.processes,
    )
    for failure in failed:
        print(f"error: {failure}", file=sys.stderr)
    if failed:
        return 1
    for name, each in NETWORKS.items():
        print(f"{escape(out / name)}, {each.what}: {accuracies(out / name)}")
    print(f"Open the board: {from_here('board')} --logdir {quoted(out)} --train")
    return 0


def ask(question: str) -> str:
    """The line that the user types; empty after Ctrl-D."""
    try:
        return input(question)
    except EOFError:
        print()
        return ""
