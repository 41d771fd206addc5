"""Take a lesson, or list the lessons there are."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from lab.core.machine import processors


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Take a lesson, or list them: what is claimed, what you expect, and what our runs say."""

    name: tyro.conf.Positional[str] = ""
    """Which lesson; none: list them with their durations."""
    seeds: int = 3
    """Runs of each setting, 2 or more: one run is an anecdote."""
    processes: int = processors()
    """Runs at a time, one thread each."""
    executor: str = "local"
    """Where: local, dask://host:port or ray://auto."""
    results: bool = False
    """Print the results of the lessons taken so far as Markdown, and do nothing else."""
    out: Path = Path("runs/lessons")
    """Folder for the lessons' runs; a lesson taken again finds its own."""


def lesson(flags: Flags) -> int:
    """Ask, run, show, decide."""
    if flags.seeds < 2:
        raise ValueError(f"--seeds must be 2 or more, not {flags.seeds}: one run is an anecdote")
    from lab.experiments.lessons import find_lesson, list_lessons, teach, to_markdown

    if flags.results:
        print(to_markdown(flags.out))
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
    )
    for failure in outcome.failed:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if outcome.failed else 0


def ask(question: str) -> str:
    """What is typed; nothing after Ctrl-D."""
    try:
        return input(question)
    except EOFError:
        print()
        return ""
