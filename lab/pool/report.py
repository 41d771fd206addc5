"""What is written and said of a pool: scores, summary, pictures, sentences."""

from __future__ import annotations

import json
import math
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.core.atomic import replace_file, replace_text
from lab.core.program import from_here, quoted
from lab.core.text import escape
from lab.core.words import NOTHING, estimated, share
from lab.experiments.show.style import png
from lab.pool.attacks import FRESH, LEFT_OUT, Attacks, Rates
from lab.pool.board import write_board
from lab.pool.causes import WRONG
from lab.pool.findings import Findings, Part
from lab.pool.influence import influence_section
from lab.pool.page import to_html
from lab.pool.pictures import curves, histogram, sheet
from lab.pool.run import PoolResult
from lab.pool.section import Section
from lab.pool.table import to_csv
from lab.pool.words import Told, tell

SCORES, SUMMARY, PAGE = "scores.csv", "findings.json", "pool.html"
SHEET, HISTOGRAM, CURVES = "faces.png", "scores.png", "attacks.png"


def report(
    result: PoolResult,
    *,
    command: str = "",
    findings: Findings | None = None,
    sections: Sequence[Section] = (),
) -> list[str]:
    """Measure the pool, write the files of its folder, and return the lines to print; `command`
    made it. `findings` are the pool's, where they are known already; `sections` follow that on
    influences."""
    findings = findings or Findings.of(result)
    first = influence_section(findings)
    sections = [*([first] if first else []), *sections]
    folder, told = result.folder, tell(findings)
    said = record(findings, sections)
    faces = sheet(findings)
    replace_file(folder / SHEET, faces)
    figures = {"scores": png(histogram(findings))}
    replace_file(folder / HISTOGRAM, figures["scores"])
    files = [PAGE, SCORES, SUMMARY, SHEET, HISTOGRAM]
    tables = [part_rows(findings)]
    if findings.attacks:
        figures["attacks"] = png(curves(findings.attacks, result.run.world.noun))
        replace_file(folder / CURVES, figures["attacks"])
        files.append(CURVES)
        tables += attack_rows(findings.attacks, result.run.world.noun)
    page = to_html(findings, told, tables=tables, sections=sections, command=command)
    replace_text(folder / PAGE, page)
    for section in sections:
        files += _write(folder, section)
        figures |= {Path(name).stem: sheet.png for name, sheet in section.sheets.items()}
    write_board(findings, said, figures)
    width = min(shutil.get_terminal_size().columns, 100)
    wrapped = [textwrap.fill(line, width, break_on_hyphens=False) for line in said]
    lines = ["", *wrapped, ""]
    for rows in [*tables, *(section.rows for section in sections if section.rows)]:
        lines += [*columns(rows), ""]
    if result.seconds:
        lines.append(f"{result.seconds:.1f} processor seconds for each network")
    board = f"{from_here('board')} --logdir {quoted(folder.parent)}"
    lines += [*(escape(folder / name) for name in files), "", f"In TensorBoard: {board}"]
    return lines


def record(findings: Findings, sections: Sequence[Section] = ()) -> list[str]:
    """Write the numbers of a pool into its folder, those of each training example and those of all,
    and return what is to be said of them."""
    said = _in_order(tell(findings), sections)
    summary = {**findings.as_dict(), "sentences": said}
    summary |= {section.name: dict(section.summary) for section in sections}
    folder = findings.result.folder
    replace_text(folder / SCORES, to_csv(findings))
    replace_text(folder / SUMMARY, json.dumps(_finite(summary), indent=2) + "\n")
    return said


def _in_order(told: Told, sections: Sequence[Section]) -> list[str]:
    """All sentences, those for researchers last, as the page has them."""
    plain = [line for section in sections if not section.fine for line in section.sentences]
    fine = [line for section in sections if section.fine for line in section.sentences]
    checks = [line for section in sections for line in section.checks]
    return [*told.known, *told.causes, *plain, *told.attack, *told.checks, *checks, *fine]


def _write(folder: Path, section: Section) -> list[str]:
    """Write a section's files, and return their names."""
    for name, text in section.files.items():
        replace_text(folder / name, text)
    for name, shown in section.sheets.items():
        replace_file(folder / name, shown.png)
    for name in section.gone:
        (folder / name).unlink(missing_ok=True)
    return [*section.files, *section.sheets]


def part_rows(findings: Findings) -> list[tuple[str, ...]]:
    """The parts of the training set with their figures, below a header."""
    noun = findings.result.run.world.noun
    rows: list[tuple[str, ...]] = [(f"training {noun}", "count", "mean score", "by heart")]
    rows.append(_row("all", findings.all, findings.tells))
    parts: Sequence[Mapping[str, Part]] = (findings.causes, findings.subpopulations)
    right = "right label, " if WRONG in findings.causes else ""
    for mark, group in zip(("", right), parts, strict=True):
        if len(group) > 1:
            rows += [_row(f"{mark}{name}", part, findings.tells) for name, part in group.items()]
    return rows


def attack_rows(attacks: Attacks, noun: str) -> list[list[tuple[str, ...]]]:
    """Two tables of each attack's true positive rates, below headers: non-members are training
    examples that were left out, or fresh ones. An attack against fresh ones that are too few at
    every rate has no row."""

    def rows(what: str, found: Mapping[str, Rates], at: Sequence[float]) -> list[tuple[str, ...]]:
        header = [f"{100 * rate:g} %" for rate in at]
        return [(what, *header)] + [
            (name, *(_rate(rates, rate) for rate in at)) for name, rates in found.items()
        ]

    measured = {name: rates for name, rates in attacks.fresh.items() if rates}
    fresh = rows(f"found, if wrongly named of fresh {noun} are:", measured, FRESH)
    null = {f"check: fresh {noun} as if trained on": attacks.null}
    return [
        rows(f"found, if wrongly named of {noun} left out are:", attacks.left_out, LEFT_OUT),
        fresh + rows("", null, FRESH)[1:],
    ]


def _rate(rates: Rates, rate: float) -> str:
    """A true positive rate, with digits for how low the false positive rate is."""
    return share(rates[rate], digits=1 if rate >= 0.001 else 2) if rate in rates else NOTHING


def _finite(value: Any) -> Any:
    """Plain values with None for what is no number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines of text with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(name: str, part: Part, tells: bool) -> tuple[str, str, str, str]:
    by_heart = share(part.by_heart) if tells else NOTHING
    return name, f"{part.count:,}", estimated(part.mean), by_heart
