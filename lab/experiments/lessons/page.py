"""The book: one self-contained HTML page for each lesson that has been run, and their index."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.core.atomic import replace_text
from lab.core.program import quoted, spelled
from lab.experiments.lessons.glossary import words_in
from lab.experiments.lessons.lesson import Lesson, in_book_order
from lab.experiments.lessons.results import SIGNS
from lab.experiments.lessons.teach import FIGURE, RESULT
from lab.experiments.show.page import render

PAGE, INDEX = "page.html", "index.html"

_HERE = "lab.experiments.lessons"

FOLDER = Path("runs/lessons")
"""Where the lessons are, unless --out says otherwise."""


def write_book(out: Path) -> Path:
    """Write the page of every lesson whose result lies under `out`, and the index; returns the
    index's path. `ValueError` if a result cannot be read."""
    found = {
        name: (lesson, result)
        for lessons in in_book_order().values()
        for name, lesson in lessons.items()
        if (result := _result(out / name)) is not None
    }
    for name, (lesson, result) in found.items():
        replace_text(out / name / PAGE, lesson_page(name, lesson, result, out=out / name))
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / INDEX, index_page(out))
    return out / INDEX


def lesson_page(name: str, lesson: Lesson, result: Mapping[str, Any], *, out: Path) -> str:
    """The page of a lesson with the `result` that lies with its figure in the folder `out`."""
    figure, seeds = out / FIGURE, result["seeds"]
    claims = [
        {
            "sign": SIGNS[claim["verdict"]],
            "verdict": claim["verdict"],
            "text": _sentence(claim["text"]),
            "numbers": _sentence(claim.get("plain") or claim["evidence"]),
        }
        for claim in result["claims"]
    ]
    tries = [
        {
            "text": each.text,
            "command": each.command,
            "address": each.address(lesson.plans, out),
        }
        for each in lesson.tries
    ]
    texts = [lesson.question, lesson.meaning, *lesson.guess.choices,
             *(claim["text"] for claim in claims)]  # fmt: skip
    return render(
        _HERE,
        heading=lesson.title,
        index=INDEX,
        question=_sentence(lesson.question),
        choices=lesson.guess.choices,
        answer=_answer(lesson, result.get("answer")),
        figure=base64.b64encode(figure.read_bytes()).decode() if figure.is_file() else "",
        alternative=f"Figure: {lesson.title}. Its numbers are in the list below.",
        claims=claims,
        reading=_reading(seeds, lesson.networks),
        caution=""
        if result["verdict"] == "confirmed"
        else "These runs do not confirm all of what was claimed: read this with that in mind.",
        meaning=lesson.meaning,
        board=f"{spelled('board')} --train --logdir {quoted(out.parent)}",
        links=any(each["address"] for each in tries),
        tries=tries,
        words=words_in(*texts),
        published=_sentence(result["published"]) + ".",
        papers=lesson.papers,
        conditions=f"{seeds} runs of each setting, {result['date']}; some {lesson.duration} with"
        " three on two cores.",
        command=f"{spelled('lesson')} {name} --seeds {seeds}{_to(out.parent)}",
    )


def index_page(out: Path) -> str:
    """The index: the lessons with a result under `out`, and how to run the others."""
    chapters = []
    count = 0
    for chapter, lessons in in_book_order().items():
        rows = []
        for name, lesson in lessons.items():
            result = _result(out / name)
            count += result is not None
            rows.append(
                {
                    "title": lesson.title,
                    "question": _sentence(lesson.question),
                    "page": f"{name}/{PAGE}" if result else "",
                    "result": f"{SIGNS[result['verdict']]} {result['verdict']}"
                    if result
                    else f"({lesson.duration} on two cores)",
                    "command": f"{spelled('lesson')} {name}{_to(out)}",
                }
            )
        chapters.append((chapter, rows))
    total = sum(len(rows) for _, rows in chapters)
    return render(
        _HERE,
        template=INDEX,
        chapters=chapters,
        conditions=f"{count} of {total} lessons have been run here."
        " ✓ confirmed, ✗ refuted, ? not enough evidence.",
        command=f"{spelled('lesson')} --book{_to(out)}",
    )


def _to(out: Path) -> str:
    """The flag that a command needs to go to this folder of lessons."""
    return "" if out == FOLDER else f" --out {quoted(out)}"


def _result(folder: Path) -> dict[str, Any] | None:
    """The stored result of a lesson; None if it has not been run. `ValueError` names a file that is
    none."""
    path = folder / RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        result["seeds"], result["date"], result["published"], SIGNS[result["verdict"]]
        [(each["text"], each["evidence"], SIGNS[each["verdict"]]) for each in result["claims"]]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a lesson's result: delete it, and run it again") from None
    return dict(result)


def _answer(lesson: Lesson, answer: int | None) -> str:
    choices = lesson.guess.choices
    if answer is None or not 0 <= answer < len(choices):
        return "These runs do not decide between the choices; more seeds (--seeds 8) may."
    return f"{chr(ord('A') + answer)}: {choices[answer]}."


def _reading(seeds: int, networks: int) -> str:
    pools = f", and each time with a pool of up to {networks} networks" if networks else ""
    return (
        "Numbers are shares where nothing else is said: 0.62 means 62 of 100. Every setting was run"
        f" {seeds} times, each time with other training faces and other first weights{pools}."
        " “Between … and …” is a 95 % interval: in 95 of 100 such experiments it contains the mean"
        " of all possible runs. A claim is confirmed if the whole interval lies where it says, and"
        " refuted if the whole interval lies elsewhere; a wide one means that runs differ much, or"
        " that there are few."
    )


def _sentence(text: str) -> str:
    """The text with a capital letter, unless it begins with a name and a colon ("cnn: …")."""
    return text if re.match(r"\S+:", text) else text[:1].upper() + text[1:]
