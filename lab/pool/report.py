"""What is written and said of a pool: scores, summary, pictures, sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from lab.core.atomic import replace_file, replace_text
from lab.core.words import estimated, share
from lab.experiments.show.style import png
from lab.pool.findings import Findings, Part
from lab.pool.pictures import histogram, sheet
from lab.pool.run import PoolResult
from lab.pool.table import to_csv
from lab.pool.words import sentences

SCORES, SUMMARY, FACES, HISTOGRAM = "scores.csv", "summary.json", "faces.png", "scores.png"


def report(result: PoolResult) -> list[str]:
    """Measure the pool, write the files of its folder, and return the lines to print."""
    findings = Findings.of(result)
    folder, said = result.folder, sentences(findings)
    summary = {**findings.as_dict(), "sentences": said}
    replace_text(folder / SCORES, to_csv(findings))
    replace_text(folder / SUMMARY, json.dumps(summary, indent=2) + "\n")
    replace_file(folder / FACES, sheet(findings))
    replace_file(folder / HISTOGRAM, png(histogram(findings)))
    lines = ["", *said, "", *table(findings), ""]
    if result.seconds:
        lines.append(f"{result.seconds:.1f} processor seconds for each network")
    return [*lines, *(str(folder / name) for name in (SCORES, SUMMARY, FACES, HISTOGRAM))]


def table(findings: Findings) -> list[str]:
    """The parts of the training set with their figures, in columns."""
    noun = findings.result.run.world.noun
    rows = [("training " + noun, "count", "mean score", "by heart")]
    rows.append(_row("all", findings.all))
    parts: Sequence[Mapping[str, Part]] = (findings.causes, findings.subpopulations)
    for mark, group in zip(("", "right label, "), parts, strict=True):
        if len(group) > 1:
            rows += [_row(f"{mark}{name}", part) for name, part in group.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(name: str, part: Part) -> tuple[str, str, str, str]:
    return name, f"{part.count:,}", estimated(part.mean), share(part.by_heart)
