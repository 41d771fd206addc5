"""List all networks, with how fast they train, and all tasks."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Print a table of all networks, with how fast they train, and one of all tasks."""

    turns: int = 5
    """How often each network is timed, in turn, 1 or more; the median counts."""
    into: Path | None = None
    """Put both tables into this Markdown file, where it has places for them, too."""


def models(flags: Flags) -> None:
    """Time the networks, print both tables, and put them into the file."""
    if flags.turns < 1:
        raise ValueError(f"--turns must be 1 or more, not {flags.turns}")
    from lab.experiments import readme_tables
    from lab.experiments.timing import rate, steps_of, take_turns

    text = flags.into.read_text(encoding="utf-8") if flags.into else ""
    tables = {"tasks": readme_tables.tasks_table()}
    for place in ("models", "tasks") if flags.into else ():
        readme_tables.embed(text, place, "")  # before the minutes of timing: are the places there?
    jobs = {name: partial(steps_of(name), 4) for name in readme_tables.own_models()}
    rates = {n: rate(s) for n, s in take_turns(jobs, repetitions=flags.turns).items()}
    speeds = {name: value / rates[readme_tables.COMPARED] for name, value in rates.items()}
    tables = {"models": readme_tables.models_table(speeds), **tables}
    print("\n\n".join(tables.values()))
    for place, table in tables.items():
        text = readme_tables.embed(text, place, table) if flags.into else text
    if flags.into:
        flags.into.write_text(text, encoding="utf-8")
