"""A pool's page: one HTML file that needs nothing else, no network and no scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from lab.core.words import percent, singular
from lab.experiments.show.page import render, to_svg
from lab.measure.memorization_scores import BY_HEART
from lab.pool.causes import WRONG
from lab.pool.findings import Findings
from lab.pool.glossary import glossary
from lab.pool.pictures import curve_figures, extremes, histograms
from lab.pool.section import Section, Sheet
from lab.pool.words import Told
from lab.tracking.sheets import BAD, FACE, GOOD, INK, MARKED, Cell, scaled

MOST_NAMED = 8
"""Classes that are named."""


def to_html(
    findings: Findings,
    told: Told,
    *,
    tables: Sequence[Sequence[Sequence[str]]],
    sections: Sequence[Section],
    command: str,
) -> str:
    """The page: what is `told` of the pool, with pictures, `tables` (rows below a header each:
    first the parts of the training set, then the attacks, if any), `sections`, and how it was
    made."""
    result, attacks = findings.result, findings.attacks
    data, world = result.run.config.data, result.run.world
    size, noun = int(result.pool.members[0].sum()), world.noun
    most, least = extremes(findings)
    fresh = len(result.fresh.positions)
    conditions = (
        f"{len(result.pool):,} networks ({result.run.config.model.model}), each trained on"
        f" {size:,} of {data.num_train:,} {noun}; {fresh:,} fresh {noun}; world"
        f" {world.version}; seed {result.run.config.seed}."
    )
    return render(
        "lab.pool",
        name=result.folder.name,
        noun=noun,
        one=singular(noun),
        networks=f"{len(result.pool):,}",
        classes=_either(result.train.classes),
        size=percent(result.share, 0),
        count=f"{data.num_train:,}",
        half=BY_HEART,
        glossary=glossary(findings, influence=any(each.name == "influence" for each in sections)),
        said=told,
        most=[_cell(each) for each in most],
        least=[_cell(each) for each in least],
        crisp=FACE % data.image_size == 0,
        colors={"wrong": MARKED, "heart": BAD, "other": GOOD},
        wrong=WRONG in findings.causes,
        kinds=len(findings.subpopulations) > 1,
        tells=findings.tells,
        histograms=[to_svg(f, f"scores{k}") for k, f in enumerate(histograms(findings))],
        parts=tables[0],
        attacks=[_attack(rows) for rows in tables[1:]],
        curves=[to_svg(f, f"attacks{k}") for k, f in enumerate(curve_figures(attacks, noun))]
        if attacks
        else [],
        plain=[section for section in sections if not section.fine],
        fine=[section for section in sections if section.fine],
        checks=[*told.checks, *(line for section in sections for line in section.checks)],
        pairs=_pairs,
        conditions=conditions,
        command=command,
    )


def _either(classes: Sequence[str]) -> str:
    """The classes as '“a” or “b”'; only their number where they are many."""
    if len(classes) > MOST_NAMED:
        return f"one of {len(classes)} classes"
    named = [f"“{name}”" for name in classes]
    return " or ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)


def _attack(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """A table of attacks below a header for the page, which has the title above."""
    header = ["attack", *(f"{rate} wrongly named" for rate in rows[0][1:])]
    return [header, *rows[1:]]


def _pairs(sheet: Sheet) -> list[list[dict[str, Any]]]:
    return [[_cell(each) for each in pair] for pair in sheet.pairs]


def _cell(cell: Cell) -> dict[str, Any]:
    """A picture as its PNG file's content, with its caption and frame."""
    picture, content = cell.face, io.BytesIO()
    if FACE % picture.shape[-1]:
        shown = scaled(picture, 2 * FACE)
    else:
        shown = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    shown.save(content, format="png")
    return {
        "picture": base64.b64encode(content.getvalue()).decode(),
        "frame": "" if cell.frame == INK else cell.frame,
        "lines": [{"text": text, "wrong": color == MARKED} for text, color in cell.caption],
    }
