"""Results as one self-contained HTML file, without scripts or external resources.

`base.html` has the style, the sentences and how the page was made; a `page.html` beside the code
that shows something extends it.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lab.experiments.show.style import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def render(package: str, *, template: str = "page.html", **values: object) -> str:
    """The `template` of a package, with these values."""
    loaders = [PackageLoader(name, ".") for name in (package, "lab.experiments.show")]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["together"] = together
    return environment.get_template(template).render(**values)


def together(text: str) -> Markup:
    """A text in which no line ends within a number with its unit, or within an interval."""
    said = re.sub(r"(?<=\d) %", "\xa0%", text).replace(" ± ", "\xa0±\xa0")
    ends = r"\d(?: to |–)[+-]?\d"
    held = re.sub(rf"\([^()<]*{ends}[^()<]*\)", r'<span class="nb">\g<0></span>', str(escape(said)))
    return Markup(held)


def to_svg(figure: Figure, salt: str) -> str:
    """A figure as an SVG element for a page that holds several; the same bytes each time."""
    text = io.StringIO()
    with drawn(figure, **{"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    element = text.getvalue()
    element = element[element.index("<svg") :]
    # ids are the page's, so that those of several figures must not be the same
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{salt}-", element)
