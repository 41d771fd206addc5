"""A pool's page: one HTML file that needs nothing else, no network and no scripts."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from lab.experiments.show.page import render, to_svg
from lab.pool.findings import Findings
from lab.pool.pictures import curves, histogram
from lab.pool.section import Section


def to_html(
    findings: Findings,
    said: Sequence[str],
    *,
    tables: Sequence[Sequence[Sequence[str]]],
    sections: Sequence[Section],
    sheet: bytes,
    command: str,
) -> str:
    """The page: sentences, the `sheet` (a PNG file's content), histogram, `tables` (rows below a
    header each: first the parts of the training set, then the attacks, if any), `sections`, and how
    it was
    made."""
    result = findings.result
    data, world = result.run.config.data, result.run.world
    conditions = (
        f"{len(result.pool):,} networks ({result.run.config.model.model}), each trained on"
        f" {int(result.pool.members[0].sum()):,} of {data.num_train:,} {world.noun};"
        f" {data.num_test:,} fresh {world.noun}; world {world.version}; seed"
        f" {result.run.config.seed}."
    )
    return render(
        "lab.pool",
        name=result.folder.name,
        noun=world.noun,
        sentences=said,
        sheet=base64.b64encode(sheet).decode(),
        histogram=to_svg(histogram(findings), "scores"),
        parts=tables[0],
        attacks=tables[1:],
        curves=to_svg(curves(findings.attacks, world.noun), "attacks") if findings.attacks else "",
        sections=[section for section in sections if section.rows or section.sheets],
        encoded=lambda png: base64.b64encode(png).decode(),
        conditions=conditions,
        command=command,
    )
