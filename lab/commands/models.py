"""Tables of all networks, with their training speeds, and of all tasks."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Print a table of all networks, with their training speeds, and one of all tasks."""

    turns: int = 5
    """How often each network is timed, in turn, 1 or more; the median is reported."""


def models(flags: Flags) -> None:
    """Time the networks and print both tables."""
    if flags.turns < 1:
        raise ValueError(f"--turns must be 1 or more, not {flags.turns}")
    from lab.docs import measure_speeds, models_table, tasks_table

    print(f"{models_table(measure_speeds(turns=flags.turns))}\n\n{tasks_table()}")
