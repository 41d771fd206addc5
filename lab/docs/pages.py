"""Pages with generated parts: where each part stands, and whether it is what the code says.

A part stands between `<!-- name: begin -->` and `<!-- name: end -->`. What takes minutes to measure
(the speeds of models, the results of experiments) is read from the page and kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.docs import tables
from lab.experiments.lessons import to_markdown


@dataclass(frozen=True)
class Part:
    """A generated part: its page (a path from the checkout's root), its name, and the function that
    makes its text from the text that stands there now."""

    page: str
    name: str
    make: Callable[[str], str]


def _fixed(make: Callable[[], str]) -> Callable[[str], str]:
    return lambda _: make()


MODELS, RESULTS = "docs/models.md", "docs/results.md"

PARTS: tuple[Part, ...] = (
    Part(MODELS, "models", lambda now: tables.models_table(tables.speeds_in(now))),
    Part(MODELS, "tasks", _fixed(tables.tasks_table)),
    Part("docs/drawing.md", "attributes", _fixed(tables.attributes_table)),
    Part("docs/tensorboard.md", "tags", _fixed(tables.tags_table)),
    Part(RESULTS, "lessons", _fixed(tables.lessons_table)),
    Part("docs/pool.md", "scores", _fixed(tables.scores_table)),
    *(
        Part("docs/flags.md", part, _fixed(partial(tables.flags_table, part)))
        for part in tables.SETTINGS
    ),
    *(
        Part("docs/code.md", room, _fixed(partial(tables.modules_table, room)))
        for room in tables.rooms()
    ),
)
"""All generated parts."""


def part_of(text: str, name: str) -> str:
    """The text between the markers of part `name`; `ValueError` without them."""
    return _cut(text, name)[1]


def embed(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of part `name`; `ValueError` without them."""
    before, _, after = _cut(text, name)
    return f"{before}\n{content}\n{after}"


def refresh(root: Path) -> dict[Path, str]:
    """The new text of each page below `root` that has generated parts.

    Raises `ValueError` for a page without the markers of its parts, and `OSError` for one that
    cannot be read.
    """
    pages: dict[Path, str] = {}
    for part in PARTS:
        path = root / part.page
        text = pages.get(path) or path.read_text(encoding="utf-8")
        try:
            pages[path] = embed(text, part.name, part.make(part_of(text, part.name)))
        except ValueError as error:
            raise ValueError(f"{part.page}: {error}") from None
    return pages


def outdated(root: Path) -> list[str]:
    """The generated parts below `root` that differ from what the code gives, as PAGE: NAME."""
    new = refresh(root)
    wrong = []
    for part in PARTS:
        path = root / part.page
        if part_of(path.read_text(encoding="utf-8"), part.name) != part_of(new[path], part.name):
            wrong.append(f"{part.page}: {part.name}")
    return wrong


def with_speeds(text: str) -> str:
    """The page of models with training speeds measured now, which takes minutes."""
    return embed(text, "models", tables.models_table(tables.measure_speeds()))


def with_results(text: str, folder: Path) -> str:
    """The page of results with the lessons in `folder` (runs/lessons), in place of earlier results
    of the same lessons; `ValueError` if there are none in it."""
    sections = {**_sections(part_of(text, "results")), **_sections(to_markdown(folder))}
    return embed(text, "results", "\n\n".join(sections[name] for name in sorted(sections)))


def _sections(text: str) -> dict[str, str]:
    """The sections of a text by the name in their heading, as ### `name`: verdict."""
    found = re.split(r"^(?=### `)", text, flags=re.MULTILINE)
    return {part.split("`")[1]: part.strip() for part in found if part.startswith("### `")}


def _cut(text: str, name: str) -> tuple[str, str, str]:
    """The text up to the end of the first marker, between both, and from the second one on."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    content, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no place for the part {name!r}: {begin} … {end}")
    return f"{before}{begin}", content.strip("\n"), f"{end}{after}"
