"""Short addresses of the TensorBoard views that tell a run's story.

TensorBoard smooths curves by default, which hides the very turn into memorization that a run is
about. A view's full address says otherwise, in 400 characters; so the board serves a short one for
each, such as /overview?run=eyes, that leads there.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from lab.core.metrics import shown

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
    """The views that tell the story, in the order of telling; of one `run` alone where one is
    named and the view can be asked for it.

    Old dashboards read their parameters from behind the #, new ones from before it.
    """
    base = base_url.rstrip("/") + "/"
    only = _regex(run)

    def pinned(tags: Sequence[str]) -> str:
        cards = [{"plugin": "scalars", "tag": tag} for tag in tags]
        values = {
            "pinnedCards": json.dumps(cards, separators=(",", ":")),  # a tagFilter would hide them
            "smoothing": "0",
            **({"runFilter": only} if run else {}),
        }
        return f"?{_query(values)}#timeseries"

    def link(title: str, look: str, view: str, *, of_runs: bool = True) -> DeepLink:
        short = title.replace(" ", "-") + (f"?{_query({'run': run})}" if run else "")
        return DeepLink(title, base + short, look, view, of_runs)

    pinned_face = f"&p.lab_faces.pins={quote(quote(run, safe=''), safe='')}" if run else ""
    chosen = f"&regexInput={quote(only, safe='')}" if run else ""
    return [
        link(
            "overview",
            "does accuracy on train (faces it studied) leave accuracy on test behind?",
            pinned(shown("overview")),
            of_runs=False,
        ),
        link(
            "train against test",
            "two curves that part, by more than their bands, are memorization",
            f"#custom_scalars{chosen}&_smoothingWeight=0",
            of_runs=False,
        ),
        link(
            "mistakes",
            "unseen faces it is sure and wrong about: what do they have in common?",
            f"#images&tagFilter=faces{chosen}",
        ),
        link(
            "cues",
            "runs with --cues: right where the cue helps, wrong where it misleads?",
            pinned(shown("cues")),
        ),
        link(
            "what it relies on",
            "bars: parts long, nuisances short? Counterfactuals: does it change its mind?",
            f"#images&tagFilter=reliance%7Ccounterfactuals{chosen}",
        ),
        link(
            "losses",
            "on train they fall to 0 together; on test a tail rises",
            f"#distributions&tagFilter=example_loss{chosen}",
        ),
        link(
            "compare runs",
            "one row per experiment, averaged over its seeds: what closes the gap?",
            "#hparams",
            of_runs=False,
        ),
        link(
            "projector",
            "color by 'truth', then by 'set': are studied faces set apart from unseen ones? (runs "
            "that end while the board is open come in when it is opened anew)",
            "#projector",
        ),
        link(
            "faces",
            "draw a face: which run changes its mind about what should not matter?",
            f"#lab_faces{pinned_face}",
        ),
        link(
            "verdict",
            "the outcome in words, settings, group counts",
            f"#text&tagFilter=verdict{chosen}",
        ),
    ]


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
