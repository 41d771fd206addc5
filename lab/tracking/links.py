"""Short addresses of prepared TensorBoard views of a run.

TensorBoard smooths curves by default, which shifts the step at which the gap opens. The full
address of a view, with smoothing off, has some 400 characters; so the board redirects a short one
to it, such as /overview?run=eyes.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from lab.core.metrics import shown
from lab.core.program import spelled

PAGE = "data/plugin/lab_faces/index.html"
"""The address of the tab Faces as a page of its own, relative to the board's."""

PHONE = "Mobi"
"""What the User-Agent header of browsers on phones holds, and of no others. TensorBoard's page is
made for screens 980 pixels wide: there the tab Faces opens as a page of its own."""

SHEETS = "/(train|mistakes|mislabeled|likeliest_wrong_labels|conflicting)$"
"""What the tags of a run's sheets of examples end with, as a regular expression."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class DeepLink(NamedTuple):
    """A view: its title, the short address, what to look for in it, and its full address, relative
    to the board's own. `of_runs`: it shows what single runs alone write, not means over runs."""

    title: str
    url: str
    look: str
    view: str
    of_runs: bool = True


def deep_links(base_url: str, *, run: str | None = None) -> list[DeepLink]:
    """The prepared views, in the order of the explanation; of one `run` only, if it is given and
    the view has a filter for it.

    Angular dashboards read their parameters from before the #, Polymer ones from behind it.
    """
    base = base_url.rstrip("/") + "/"
    only = _regex(run)
    alone = {"runFilter": only} if run else {}

    def pinned(tags: Sequence[str]) -> str:
        cards = [{"plugin": "scalars", "tag": tag} for tag in tags]
        values = {
            "pinnedCards": json.dumps(cards, separators=(",", ":")),  # a tagFilter would hide them
            "smoothing": "0",
            **alone,
        }
        return f"?{_query(values)}#timeseries"

    def link(title: str, look: str, view: str, *, of_runs: bool = True) -> DeepLink:
        short = title.replace(" ", "-") + (f"?{_query({'run': run})}" if run else "")
        return DeepLink(title, base + short, look, view, of_runs)

    chosen = f"&regexInput={quote(only, safe='')}" if run else ""
    return [
        link(
            "overview",
            "accuracy on training examples (■) and on test examples (◆): a gap wider than the"
            " bands, 95 % intervals, is memorization",
            f"#custom_scalars{chosen}&_smoothingWeight=0",
            of_runs=False,
        ),
        link(
            "curves",
            "the same, the gap and the membership AUC, one chart each for all runs",
            pinned(shown("curves")),
            of_runs=False,
        ),
        link(
            "mistakes",
            "misclassified unseen examples, the most confident first: what do they have in common?",
            f"#images&tagFilter={quote(SHEETS, safe='')}{chosen}",
        ),
        link(
            "cues",
            "runs with --cues: accuracy on ordinary, unbiased and conflicting test examples",
            pinned(shown("cues")),
        ),
        link(
            "what it relies on",
            "reliance: near 1 for parts, near 0 for nuisances? Predictions on counterfactuals",
            f"#images&tagFilter=reliance%7Ccounterfactuals{chosen}",
        ),
        link(
            "changes",
            "runs of lab.watch with change=: how often predictions change under each intervention",
            f"?{_query({'tagFilter': '^reliance/', 'smoothing': '0', **alone})}#timeseries",
        ),
        link(
            "losses",
            "distributions over training examples (fall to 0) and unseen ones (a tail rises)",
            f"#distributions&tagFilter=example_loss{chosen}",
        ),
        link(
            "compare runs",
            "one row per combination of settings, mean over its seeds: what closes the gap?",
            "#hparams",
            of_runs=False,
        ),
        link(
            "projector",
            "features of the last layer; color by 'truth', then by 'set': are training examples "
            "apart from unseen ones? (restart the board to see runs that end while it is open)",
            "#projector",
        ),
        link(
            "faces",
            "set the attributes of a face: which nuisances change the predictions of a run?",
            faces_view(pins=[run] if run else []),
        ),
        link(
            "mystery",
            "for a class: three networks without names; which is useful, which has memorized, which"
            f" cheats? Nothing on the page tells before the answer is revealed ({spelled('lesson')}"
            " --networks trains them)",
            PAGE + "#level=mystery",
        ),
        link(
            "levels",
            "for a class: choose the training faces of a small network, and see what it learns",
            PAGE + "#level=mouth",
        ),
        link(
            "verdict",
            "the findings in words, settings, numbers of examples in each group",
            f"#text&tagFilter=verdict{chosen}",
        ),
    ]


def faces_view(
    *,
    pins: Sequence[str] = (),
    face: str = "",
    view: str = "",
    train: str | None = None,
    level: str = "",
    alone: bool = False,
) -> str:
    """The address of the tab Faces, relative to the board's own, with runs pinned, with a `face`
    (its differences from the initial one, as "eye_color:blue"), with a `view` of the pinned runs
    such as "over_training", with the settings of the panel that trains (None: it is closed), and
    with a `level` open; as lab/playground/static/state.js reads it. `alone`: as a page of its own.
    """
    told = {
        "face": face or None,
        "pins": ",".join(quote(run, safe="") for run in pins) or None,
        "view": view or None,
        "train": train,
        "level": level or None,
    }
    prefix = "" if alone else "p.lab_faces."
    entries = [
        f"{prefix}{name}={quote(value, safe='')}"
        for name, value in told.items()
        if value is not None
    ]
    return f"{PAGE}#{'&'.join(entries)}" if alone else "&".join(["#lab_faces", *entries])


LESSONS = {
    "lesson2a": faces_view(train="num_train:30", alone=True),
    "lesson2b": faces_view(train="num_train:1000,steps:800", alone=True),
    "lesson2c": faces_view(pins=["poplar"], view="over_training", alone=True),
    "lesson2d": faces_view(level="heart", alone=True),
    "lesson2e": faces_view(train="online:true,steps:3000", alone=True),
    "lesson3a": faces_view(level="eyes", alone=True),
    "lesson3b": faces_view(level="mouth", alone=True),
    "lesson3c": faces_view(level="few", alone=True),
    "lesson3d": faces_view(
        pins=["maple", "linden"], face="eye_color:blue", view="fool", alone=True
    ),
}
"""Short addresses of the steps of docs/class.md, in its order, which hold at any port."""


def describe(links: Iterable[DeepLink]) -> str:
    """The links for a terminal."""
    return "\n".join(f"  {link.url}\n    {link.look}" for link in links)


def with_shortcuts(board: App, prefix: str = "") -> App:
    """WSGI middleware around TensorBoard, served below the path `prefix`, which redirects short
    addresses to the views, and / to the prefix.

    The redirects are relative, so that they hold behind a proxy, too.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        name = path.removeprefix(prefix + "/") if path.startswith(prefix + "/") else None
        target = None
        if prefix and path == "/":
            target = f".{prefix}/"
        elif name and "/" not in name:
            runs = parse_qs(environ.get("QUERY_STRING", "")).get("run", [])
            links = deep_links("", run=runs[0] if runs else None)
            views = {link.url.strip("/").partition("?")[0]: link.view for link in links}
            if PHONE in environ.get("HTTP_USER_AGENT", ""):
                views["faces"] = faces_view(pins=runs[:1], alone=True)
            views |= LESSONS
            target = f"./{views[name]}" if name in views else None
        if target is None:
            return board(environ, start_response)
        headers = [("Location", target), ("Content-Length", "0"), ("Cache-Control", "no-cache")]
        start_response("302 Found", headers)
        return []

    return serve


def _regex(run: str | None) -> str:
    """A regular expression for one run's name alone, as browsers read it."""
    return "" if run is None else f"^{re.sub(_SPECIAL, _ESCAPED, run)}$"


_SPECIAL, _ESCAPED = r"([.^$*+?()\[\]{}|\\])", r"\\\1"


def _query(values: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
