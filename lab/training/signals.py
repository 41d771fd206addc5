"""Graceful termination: the first signal (Ctrl-C, SIGTERM, a closed terminal) lets a run finish its
step and save, the second ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """The number of the signal that asked the run to stop; 0: none did."""

    signal: int = 0

    def __bool__(self) -> bool:
        return self.signal != 0


STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that stop a run, as far as the system has them: Ctrl-C; kill, and preemption on clusters;
a terminal or connection that closes; Ctrl-Break on Windows."""


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Handle the signals of `STOPPING` inside the block, and restore the former handlers after it.

    The first signal only sets the block's `Stop`, and restores the former handlers, so that a
    second signal has its usual effect: the process ends. Outside the main thread Python allows no
    handlers, so nothing is handled.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {}
    for name in STOPPING:
        number = getattr(signal, name, None)
        handler = signal.getsignal(number) if number else None
        ignored = (
            name == "SIGHUP" and handler == signal.SIG_IGN
        )  # nohup: keep running without a terminal
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
