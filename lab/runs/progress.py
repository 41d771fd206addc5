"""The progress bar of what is done before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from lab.evaluators.evaluation import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with the time that is left, where standard error is a terminal; it goes when all is
    done. There is none before the first progress."""
    bar: tqdm[None] | None = None
    described = ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal bar, described
        if bar is None:
            bar = tqdm(disable=None, leave=False, dynamic_ncols=True, unit_scale=True)
        if what != described:
            described = what
            bar.set_description(what, refresh=False)
            bar.reset(total)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
