"""Ctrl-C, SIGTERM and a closed terminal: the first signal asks a run to finish its step and save,
the second ends it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Interrupted(RuntimeError):
    """A signal stopped the run after `step` whole steps; `go_on` says how to go on with it."""

    def __init__(self, signal: int, step: int) -> None:
        super().__init__(signal, step)
        self.signal = signal
        self.step = step
        self.go_on = ""

    def __str__(self) -> str:
        then = f"; {self.go_on}" if self.go_on else ""
        return f"stopped by {signal.Signals(self.signal).name} after step {self.step:,}{then}"


@dataclass
class Stop:
    """Whether the run was asked to stop: the signal's number, or 0."""

    signal: int = 0

    def __bool__(self) -> bool:
        return self.signal != 0


STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that ask a run to stop, as far as a system has them: Ctrl-C; kill, and clusters that want
a machine back; a terminal or connection that closes; Ctrl-Break on Windows."""


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Catch the signals of `STOPPING` while the block runs, and put the former handlers back after.

    The first signal only sets the `Stop` that the block gets. It also puts the former handlers
    back, so that a second signal does what it would have done: end the process at once. In a thread
    other than the main one nothing can be caught, and nothing is.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {}
    for name in STOPPING:
        number = getattr(signal, name, None)
        handler = signal.getsignal(number) if number else None
        ignored = name == "SIGHUP" and handler == signal.SIG_IGN  # nohup: it outlives the terminal
        if number and handler is not None and not ignored:
            former[number] = handler

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def catch(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        restore()

    for number in former:
        signal.signal(number, catch)
    try:
        yield stop
    finally:
        restore()
