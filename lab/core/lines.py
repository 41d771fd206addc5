"""Lines on standard output whose reader may end before the program does.

Standard library only.
"""

from __future__ import annotations


class Lines:
    """Lines on standard output. Whoever reads them may end before the program does, as `head` does,
    and a log's disk may be full: the program goes on in silence, and `lost` is the error of the
    first line that could not be written."""

    def __init__(self) -> None:
        self.lost: OSError | None = None

    def say(self, line: str) -> None:
        """Print a line, and flush it."""
        if self.lost is not None:
            return
        try:
            print(line, flush=True)
        except OSError as error:
            error.filename = error.filename or "standard output"
            self.lost = error

    def end(self) -> None:
        """Raise what was `lost`, if anything was."""
        if self.lost is not None:
            raise self.lost
