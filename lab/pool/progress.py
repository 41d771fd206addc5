"""The progress of a pool: networks done, their accuracies so far, and the time that is left."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from tqdm import tqdm

LINES = 20
"""Lines that a pool's progress takes where there is no terminal."""


class Progress:
    """A bar on a terminal, and elsewhere a line now and then, on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._inside: list[float] = []
        self._outside: list[float] = []

    def begin(self, *, total: int, done: int) -> None:
        """Start the clock; `done` of `total` networks are there already."""
        self._total, self._before, self._ended = total, done, 0
        self._began = time.monotonic()
        if done and not self._live:
            self._say(f"{done:,} of {total:,} networks are trained already")

    def ended(self, *, inside: float, outside: float) -> None:
        """A network is done, with its accuracy on its members and on the other examples."""
        self._ended += 1
        self._inside.append(inside)
        self._outside.append(outside)
        done, every = self._before + self._ended, max(1, self._total // LINES)
        if self._live:
            self.tick()
        elif done % every == 0 or done == self._total:
            self._say(f"{done:,}/{self._total:,}  {self._accuracies()} ({self._left()})")

    def failed(self, network: int, error: str) -> None:
        """A network could not be trained."""
        self._ended += 1
        self._say(f"network {network} failed: {error}")

    def tick(self) -> None:
        """Move the clock."""
        if self._live:
            bar = tqdm.format_meter(
                self._ended, self._total - self._before, time.monotonic() - self._began,
                ncols=min(110, shutil.get_terminal_size().columns - 1), unit=" networks",
                postfix=self._accuracies(),
            )  # fmt: skip
            self._stream.write(f"\r\x1b[K{bar}")
            self._stream.flush()

    def close(self) -> None:
        """Leave the bar's line."""
        if self._live and self._ended:
            self._say("")

    def _accuracies(self) -> str:
        if not self._inside:
            return ""
        inside, outside = (sum(each) / len(each) for each in (self._inside, self._outside))
        return f"accuracy {inside:.3f} on members, {outside:.3f} on others"

    def _left(self) -> str:
        left = self._total - self._before - self._ended
        each = (time.monotonic() - self._began) / max(1, self._ended)
        return f"{tqdm.format_interval(left * each)} left" if left else "all done"

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
