"""The execution of a lesson: the question, the runs, the figure, the claims and the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from lab.core.atomic import replace_text
from lab.core.text import escape
from lab.experiments.lessons.claims import Claim, Verdict, together
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.plan import MakesPools, failures, run_plans
from lab.experiments.show.tables import cells_csv
from lab.experiments.table import Failure

FIGURE, RESULT = "figure.png", "lesson.json"


@dataclass(frozen=True)
class LessonResult:
    """The result of a lesson: its claims, their common verdict, the figure's file, failed runs."""

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
    pools: MakesPools | None = None,
) -> LessonResult:
    """Execute the lesson's runs in `out` (finished ones are kept), and check its claims.

    `ask` prompts for a prediction before any result is shown; the prediction is repeated at the
    end. Writes the figure, the result, and for each plan a CSV with the mean and the interval of
    every metric beside the runs. If runs failed, no claims are checked. `pools` does the pools of a
    lesson on pools.
    """
    say(f"{lesson.title}\n\nPublished: {lesson.published}\nBefore you look: {lesson.question}\n")
    expected = ask("What do you expect? ").strip() if ask else ""
    tables = run_plans(
        lesson.plans, seeds=seeds, out=out, processes=processes, executor=executor, watch=watch,
        say=say, pools=pools,
    )  # fmt: skip
    failed = failures(tables)
    if failed:
        return LessonResult("not enough evidence", (), out / FIGURE, failed)
    claims = tuple(lesson.check(tables))
    outcome = LessonResult(together(claims), claims, out / FIGURE)
    out.mkdir(parents=True, exist_ok=True)
    lesson.plot(tables, outcome.figure)
    result = {
        "lesson": name,
        "published": lesson.published,
        "seeds": seeds,
        "networks": lesson.networks,
        "date": date.today().isoformat(),
        "verdict": outcome.verdict,
        "claims": [asdict(claim) for claim in claims],
        "answer": lesson.guess.answer(tables, claims),
    }
    for key, table in tables.items():
        replace_text(out / f"cells-{re.sub(r'[^A-Za-z0-9]+', '_', key)}.csv", cells_csv(table))
    replace_text(out / RESULT, json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if expected:
        say(f"\nYou expected: {expected}\nThe runs say:")
    for claim in claims:
        say(f"- {claim}")
    say("Numbers are means over seeds; 95 % intervals (Student's) are in parentheses.")
    say(f"\n{seeds} seeds: {outcome.verdict}. The figure: {escape(outcome.figure)}")
    return outcome
