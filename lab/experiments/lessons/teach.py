"""Take a lesson: the question first, then the runs, the figure, the verdict and its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from lab.core.atomic import replace_text
from lab.experiments import Failure, Progress, run_grid
from lab.experiments.lessons.claims import Claim, Verdict, together
from lab.experiments.lessons.lesson import Lesson

FIGURE, RESULT = "figure.png", "lesson.json"


@dataclass(frozen=True)
class Outcome:
    """What a lesson showed: its claims, their common verdict, and the figure's file."""

    verdict: Verdict
    claims: tuple[Claim, ...]
    figure: Path
    failed: tuple[Failure, ...] = ()


def teach(
    name: str,
    lesson: Lesson,
    *,
    out: Path,
    seeds: int = 3,
    processes: int | None = None,
    executor: str = "local",
    say: Callable[[str], None] = print,
    ask: Callable[[str], str] | None = None,
    watch: bool = True,
) -> Outcome:
    """Do the lesson's runs in `out` (those that are there already are kept), and check its claims.

    `ask` is asked for a prediction before anything is to be seen, and reminded of it in the end.
    Writes the figure and the result beside the runs. Where runs failed nothing is claimed.
    """
    say(f"{lesson.title}\n\nPublished: {lesson.published}\nBefore you look: {lesson.question}\n")
    expected = ask("What do you expect? ").strip() if ask else ""
    tables = {
        key: run_grid(
            plan.base,
            plan.grid,
            seeds=seeds,
            out=out,
            processes=processes,
            executor=executor,
            watch=Progress() if watch else None,
        )
        for key, plan in lesson.plans.items()
    }
    failed = tuple(failure for table in tables.values() for failure in table.failed)
    if failed:
        return Outcome("not enough evidence", (), out / FIGURE, failed)
    claims = tuple(lesson.check(tables))
    outcome = Outcome(together(claims), claims, out / FIGURE)
    lesson.plot(tables, outcome.figure)
    result = {
        "lesson": name,
        "published": lesson.published,
        "seeds": seeds,
        "date": date.today().isoformat(),
        "verdict": outcome.verdict,
        "claims": [asdict(claim) for claim in claims],
    }
    replace_text(out / RESULT, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if expected:
        say(f"\nYou expected: {expected}\nThe runs say:")
    for claim in claims:
        say(f"- {claim}")
    say("Numbers are means over the seeds; from … to … is a 95 % interval (Student's).")
    say(f"\n{seeds} seeds: {outcome.verdict}. The figure: {outcome.figure}")
    return outcome
