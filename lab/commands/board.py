"""TensorBoard over the runs, with links to prepared views."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.core.config import flag
from lab.playground.plugin import FacesPlugin
from lab.playground.trainer import Trainer
from lab.tracking.board import HOST, serve


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Open TensorBoard over the runs, with links to prepared views."""

    logdir: Path = Path("runs")
    """Folder that holds the runs."""
    port: int | None = None
    """Port to serve on, 1 to 65,535; None: 6006 or the next free one."""
    model_file: tuple[Path, ...] = ()
    """Present paths of network files that were moved since training: each replaces a missing file
    that had the same content."""
    allow_model: tuple[Path, ...] = ()
    """Files of networks that the tab Faces may execute without asking in the browser, with their
    present contents and those of what they import."""
    train: bool = False
    """Let whoever has the link that is printed train small networks in the tab Faces, on this
    machine only, one at a time: their runs are written to the logdir."""
    host: str = HOST
    """Name or address of this machine to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for
    everybody who can reach it (::, too, by IPv6). There is no password: whoever reaches the board
    sees all runs, but permission to execute a network's file is given on this machine only. For one
    user on another machine keep the default, and forward the port: ssh -L 6006:127.0.0.1:6006 NAME
    """
    path_prefix: str = ""
    """Path below which everything is served, such as /lab, for use behind a proxy; empty: at the
    root."""
    links_only: bool = False
    """Only print the links of a board that is already running."""

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        for name in ("train", "allow_model", "model_file") if self.links_only else ():
            if name in names:
                raise ValueError(
                    f"{flag(name)} is for a board that is started, and --links-only starts none:"
                    " leave one of them out"
                )


def board(flags: Flags) -> None:
    """Serve until Ctrl-C."""
    FacesPlugin.model_files = flags.model_file
    if flags.allow_model and not flags.links_only:
        from lab.playground.model_cache import keys_of  # not above: it imports torch

        FacesPlugin.allowed = keys_of(flags.allow_model)
    if flags.train and flags.path_prefix:
        raise ValueError(
            f"--train: not with --path-prefix {flags.path_prefix}, which is for a proxy, through"
            " which anybody could train"
        )
    with _trainer(flags) as trainer:
        FacesPlugin.trainer = trainer
        serve(
            flags.logdir, port=flags.port, host=flags.host, prefix=flags.path_prefix,
            links_only=flags.links_only, tabs=[FacesPlugin],
            allowed=flags.allow_model,
            token=trainer.token if trainer else "",
        )  # fmt: skip


@contextmanager
def _trainer(flags: Flags) -> Iterator[Trainer | None]:
    """What trains the runs that are started on the page, if any can be."""
    if not flags.train or flags.links_only:
        yield None
        return
    with closing(Trainer(flags.logdir.absolute())) as trainer:
        try:
            yield trainer
        finally:
            FacesPlugin.trainer = None
