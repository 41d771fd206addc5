"""TensorBoard over a folder of runs, for this computer or for a class.

TensorBoard keeps ten pictures per tag, and a file open for each run. Options and limits here say
otherwise.
"""

import contextlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lab.core.run_dir import CONFIG, is_events
from lab.tracking import reach
from lab.tracking.links import deep_links, describe, with_shortcuts

HOST, PORT = "127.0.0.1", 6006

TRAIN = "#lab_faces&p.lab_faces.train=&p.lab_faces.token="
"""What leads to the tab Faces with its panel for training; the token follows."""

SAMPLES = "images=200,scalars=20000"
"""How many steps of a tag TensorBoard keeps; it offers no "all"."""


FIRST = 2
"""Where tabs of ours go: after TensorBoard's core and its first tab. In a window of 1,366 px its
menu covers the last ones."""

MOST_FOLDERS = 20_000
"""Folders that are searched for single runs: a logdir can be a whole home folder."""

SLOW_LOADER = ("--load_fast=false", "--max_reload_threads=4", "--reload_multifile=true")
"""TensorBoard's older loader, in which no file stays open: for more runs than files may be open.
The newer one shows some of them, and every other time none."""

SPARE = 100
"""Files that a board has open besides the runs'."""

PLENTY = 2**20
"""As many open files as are ever asked for."""


class Board(NamedTuple):
    """A running TensorBoard: its addresses, the best one first; how this computer reaches it, and
    whether no other can; the server, which lives as long as this does; and whether there are runs
    of this lab."""

    urls: Sequence[str]
    here: str
    alone: bool
    server: object
    has_runs: bool


def start(
    logdir: Path,
    *,
    port: int | None = None,
    host: str = HOST,
    prefix: str = "",
    tabs: Sequence[type] = (),
    empty: bool = False,
) -> Board:
    """Serve the runs under `logdir` in the background, at the address `host` alone.

    `port` None takes 6006 or the next free one. `prefix` is the path below which everything is
    served, such as /lab. `tabs` are plugins that are shown even where the installation has not
    declared them. `empty`: there need be no runs yet. Raises `ValueError` in one line if there are
    no runs otherwise, or if host, port or prefix cannot be had.
    """
    host, prefix = reach.check_host(host), reach.check_prefix(prefix)
    most = allow_open_files()
    room = max(1, most // 2 - SPARE)  # for as many runs again
    count, has_runs = _survey(logdir, enough=room if most < PLENTY else 1)
    if not count and not empty:
        raise ValueError(f"no runs in {str(logdir)!r}: train one first, or name another --logdir")
    if port is not None:
        reach.check_port(host, port)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own, about its dependencies
        from tensorboard import default, program
    plugins = [plugin for plugin in default.get_plugins() if plugin not in tabs]
    plugins[FIRST:FIRST] = tabs
    server = program.TensorBoard(plugins=plugins, server_class=_with_shortcuts)
    options = [f"--logdir={logdir}", "--host", host, "--samples_per_plugin", SAMPLES]
    options += [f"--path_prefix={prefix}", *(["--port", str(port)] if port is not None else [])]
    server.configure(argv=["", *options, *(SLOW_LOADER if count >= room else [])])
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a note on its loader, for its developers
            taken = urlsplit(server.launch()).port or PORT
    except program.TensorBoardServerException as error:
        raise ValueError(error.msg) from None
    urls = [reach.url(name, taken, prefix) for name in reach.hosts(host)]
    here = reach.url(reach.ALL.get(host, host), taken, prefix)
    return Board(urls, here, reach.is_local(host), server, has_runs)


def serve(
    logdir: Path,
    *,
    port: int | None = None,
    host: str = HOST,
    prefix: str = "",
    links_only: bool = False,
    tabs: Sequence[type] = (),
    allowed: Sequence[Path] = (),
    token: str = "",
) -> None:
    """Print the links and serve until Ctrl-C; with `links_only` print those of a board that
    already runs at `host` and `port`. `allowed` are the networks' files that a tab may run, to be
    told; `token` is what the tab Faces needs to train (empty: it cannot). The others as in
    `start`."""
    if links_only:
        name = reach.hosts(host)[0]
        print(describe(deep_links(reach.url(name, port or PORT, reach.check_prefix(prefix)))))
        return
    board = start(logdir, port=port, host=host, prefix=prefix, tabs=tabs, empty=bool(token))
    links = deep_links(board.urls[0])
    print("\n".join(_welcome(board, logdir, allowed)) + "\n")
    if token:
        print(
            "To train networks on the page, open this link once in a browser on this machine (it"
            f" holds the permission: keep it to yourself):\n\n    {board.here}{TRAIN}{token}\n"
        )
    print(describe(link for link in links if board.has_runs or not link.of_runs), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()


def allow_open_files() -> int:
    """Let this process, and those that it starts, have as many files open as the system allows;
    returns how many, `PLENTY` where there is no such limit."""
    if sys.platform == "win32":
        return PLENTY
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (
        PLENTY if limit == resource.RLIM_INFINITY else min(limit, PLENTY) for limit in limits
    )
    for most in (hard, 2**16, 10_240, 4096):  # macOS allows 10,240, whatever it says
        if soft < most <= hard:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
                return most
    return soft


def _welcome(board: Board, logdir: Path, allowed: Sequence[Path]) -> list[str]:
    """What whoever starts a board is told: where it is, and for whom; `allowed` are the networks'
    files that were agreed to beforehand."""
    who = "for this computer alone; " if board.alone else ""
    told = [f"TensorBoard shows {str(logdir)!r} at {board.urls[0]} ({who}Ctrl-C ends it)"]
    if board.urls[1:]:
        told.append(f"where these names and addresses are known, also {' '.join(board.urls[1:])}")
    proxied = urlsplit(board.here).path != "/"
    if proxied or not board.alone:
        who = "whom a proxy lets through" if board.alone else "who can reach this computer there"
        code = (
            "with --path-prefix nobody can permit the execution of a network's file"
            if proxied
            else f"that a network's file may be run is agreed to at this computer, at {board.here}"
        )
        files = ", ".join(map(str, allowed))
        run = f"no code but that of {files} (--allow-model)" if allowed else "no code"
        told.append(
            f"Everybody {who} sees all runs in {str(logdir)!r}; there is no password. They can run"
            f" {run}: {code}"
        )
    if board.alone:
        told += filter(None, [reach.tunnel(board.here)])
    if not board.has_runs:
        told.append(
            "Curves alone: no run of this lab is in there (the runs of a sweep's means are in the"
            " folder above)"
        )
    return told


def _with_shortcuts(board: Any, flags: Any) -> object:
    """TensorBoard's own server, which leads short addresses to the views, too."""
    from tensorboard import program

    return program.create_port_scanning_werkzeug_server(
        with_shortcuts(board, flags.path_prefix), flags
    )


def _survey(logdir: Path, *, enough: int) -> tuple[int, bool]:
    """How many event files there are, counted up to `enough`, and whether any folder is a run's,
    or may be in what was not searched."""
    count, has_runs = 0, False
    for folders, (_, _, files) in enumerate(os.walk(logdir)):
        count += sum(map(is_events, files))
        has_runs = has_runs or CONFIG in files or folders >= MOST_FOLDERS
        if count >= enough and has_runs:
            break
    return count, has_runs
