"""The report card as one self-contained HTML file, without scripts or external resources."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from lab.experiments.report_card.card import Card
from lab.experiments.report_card.words import part_rows, summary_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "page.html"

CAPTIONS = {
    "learning": "Test accuracy, membership AUC and fitted random labels over the number of training"
    " faces. Bands: 95 % intervals over seeds.",
    "cues": "Reliance on each cue, alone and among all. 1: every prediction changes with the cue.",
    "reliance": "Reliance on each attribute: for relevant ones over changes of the label, for"
    " nuisances over all changes. Bars: this network; marks: the others.",
    "kinds": "Accuracy on each subpopulation.",
    "parts": "Share of faces with each subset of the parts that is predicted to be a person. By the"
    " true rule only the complete face is one.",
}


def to_html(
    cards: Sequence[Card],
    said: Sequence[str],
    figures: Mapping[str, Figure],
    *,
    command: str,
    conditions: str,
) -> str:
    """The page: sentences, figures as SVG, tables, and how it was made."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    text = files("lab.experiments.report_card").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        name=cards[0].name,
        sentences=said,
        figures=[(name, CAPTIONS[name], to_svg(f, name)) for name, f in figures.items()],
        summary=summary_rows(cards),
        parts=part_rows(cards) if cards[0].parts else None,
        command=command,
        conditions=conditions,
    )


def to_svg(figure: Figure, salt: str) -> str:
    """A figure as an SVG element for a page that holds several; the same bytes each time."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    element = text.getvalue()
    element = element[element.index("<svg") :]
    # ids are the page's, so that those of several figures must not be the same
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{salt}-", element)
