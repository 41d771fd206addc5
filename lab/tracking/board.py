"""TensorBoard over a folder of runs, and links to the views that tell the story.

TensorBoard smooths curves by default, which hides the very turn into memorization that a run is
about, and keeps ten pictures per tag. Links and options here say otherwise.
"""

import contextlib
import io
import json
import os
import re
import socket
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

HOST, PORT = "127.0.0.1", 6006

SAMPLES = "images=200,scalars=20000"
"""How many steps of a tag TensorBoard keeps; it offers no "all"."""

PINNED = (
    "accuracy/test", "accuracy/train", "gap/accuracy", "memorization/membership_auc",
)  # fmt: skip
PINNED_CUES = (
    "accuracy/test", "accuracy/conflicting", "accuracy/unbiased", "shortcut/strongest",
)  # fmt: skip


class Board(NamedTuple):
    """A running TensorBoard: its address, and the server, which lives as long as this does."""

    url: str
    server: object


class DeepLink(NamedTuple):
    """A view: its title, its address, and what to look for in it."""

    title: str
    url: str
    look: str


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
        return f"{base}?{_query(values)}#timeseries"

    pinned_face = f"&p.lab_faces.pins={quote(quote(run, safe=''), safe='')}" if run else ""
    chosen = f"&regexInput={quote(only, safe='')}" if run else ""
    return [
        DeepLink(
            "overview",
            pinned(PINNED),
            "does accuracy on train (faces it studied) leave accuracy on test behind?",
        ),
        DeepLink(
            "train against test",
            f"{base}#custom_scalars{chosen}&_smoothingWeight=0",
            "two curves that part, by more than their bands, are memorization",
        ),
        DeepLink(
            "mistakes",
            f"{base}#images&tagFilter=faces{chosen}",
            "unseen faces it is sure and wrong about: what do they have in common?",
        ),
        DeepLink(
            "cues",
            pinned(PINNED_CUES),
            "runs with --cues: right where the cue helps, wrong where it misleads?",
        ),
        DeepLink(
            "what it relies on",
            f"{base}#images&tagFilter=reliance%7Ctwins{chosen}",
            "bars: parts long, nuisances short? Twins: does it change its mind about a face?",
        ),
        DeepLink(
            "losses",
            f"{base}#distributions&tagFilter=example_loss{chosen}",
            "on train they fall to 0 together; on test a tail rises",
        ),
        DeepLink(
            "compare runs",
            f"{base}#hparams",
            "one row per experiment, averaged over its seeds: what closes the gap?",
        ),
        DeepLink(
            "projector",
            f"{base}#projector",
            "color by 'truth', then by 'set': are studied faces set apart from unseen ones? (runs "
            "that end while the board is open come in when it is opened anew)",
        ),
        DeepLink(
            "faces",
            f"{base}#lab_faces{pinned_face}",
            "draw a face: which run changes its mind about what should not matter?",
        ),
        DeepLink(
            "verdict",
            f"{base}#text&tagFilter=verdict{chosen}",
            "the outcome in words, settings, group counts",
        ),
    ]


def describe(links: list[DeepLink]) -> str:
    """The links for a terminal."""
    return "\n".join(f"  {link.title}: {link.look}\n    {link.url}" for link in links)


def start(logdir: Path, *, port: int | None = None, tabs: Sequence[type] = ()) -> Board:
    """Serve the runs under `logdir` on this machine alone, in the background.

    `tabs` are plugins that are shown even where the installation has not declared them.
    `port` None takes 6006 or the next free one. Raises `ValueError` in one line if there are no
    runs, or if the port that was asked for cannot be had.
    """
    if not _has_runs(logdir):
        raise ValueError(f"no runs in {str(logdir)!r}: train one first, or name another --logdir")
    if port is not None:
        _check_port(port)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own, about its dependencies
        from tensorboard import default, program
    plugins = default.get_plugins()
    server = program.TensorBoard(plugins=[*plugins, *(tab for tab in tabs if tab not in plugins)])
    options = [f"--logdir={logdir}", "--host", HOST, "--samples_per_plugin", SAMPLES]
    server.configure(argv=["", *options, *(["--port", str(port)] if port is not None else [])])
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a note on its loader, for its developers
            return Board(server.launch(), server)
    except program.TensorBoardServerException as error:
        raise ValueError(error.msg) from None


def serve(
    logdir: Path,
    *,
    port: int | None = None,
    links_only: bool = False,
    tabs: Sequence[type] = (),
) -> None:
    """Print the links and serve until Ctrl-C; with `links_only` print those of a board that
    already runs at `port`. `tabs` as in `start`."""
    if links_only:
        print(describe(deep_links(f"http://{HOST}:{port or PORT}/")))
        return
    board = start(logdir, port=port, tabs=tabs)
    print(f"TensorBoard shows {str(logdir)!r} at {board.url} (Ctrl-C ends it)\n")
    print(describe(deep_links(board.url)), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()


def _check_port(port: int) -> None:
    """Raise `ValueError` if `port` cannot be had, before anything is started for it."""
    if not 1 <= port <= 65_535:
        raise ValueError(f"--port must be 1 to 65,535, not {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ValueError(
                f"--port {port} cannot be had ({reason}): end what uses it, name another, or none "
                "for the next free one"
            ) from None


def _has_runs(logdir: Path) -> bool:
    return any(
        name.startswith("events.out.tfevents") for _, _, files in os.walk(logdir) for name in files
    )


def _regex(run: str | None) -> str:
    """A regular expression for one run's name alone, as browsers read it."""
    return "" if run is None else f"^{re.sub(_SPECIAL, _ESCAPED, run)}$"


_SPECIAL, _ESCAPED = r"([.^$*+?()\[\]{}|\\])", r"\\\1"


def _query(values: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
