"""Errors whose messages are written for the user: one line, without a traceback.

Bad input is a `ValueError` as everywhere in Python, and what the system refuses an `OSError`; both
are shown as they are. Every other error that the user is meant to read is a `LabError`. Who reacts
to an error tells it by its class, never by its words.
"""

from __future__ import annotations

import signal


class LabError(Exception):
    """An error whose message is one line for the user."""


class Interrupted(LabError, RuntimeError):
    """A signal stopped the run after `step` steps; `go_on` is the command that resumes it."""

    def __init__(self, signal: int, step: int) -> None:
        super().__init__(signal, step)
        self.signal = signal
        self.step = step
        self.go_on = ""

    def __str__(self) -> str:
        then = f"; {self.go_on}" if self.go_on else ""
        return f"stopped by {signal.Signals(self.signal).name} after step {self.step:,}{then}"
