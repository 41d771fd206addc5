"""Worker processes: each executes the calls that arrive on its standard input, one after the other.

`lab.experiments.runner.local` starts them. A call's function is imported by name, so that a worker
imports what its first call needs, such as torch, and nothing before.
"""

from __future__ import annotations

import _thread
import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any

from lab.core.errors import Interrupted
from lab.core.machine import WINDOWS

_serving = threading.Event()


def is_worker() -> bool:
    """Whether this process is a worker, which may keep what its next calls could need."""
    return _serving.is_set()


def serve() -> None:
    """Answer calls that come in on standard input, one at a time, until it closes.

    It closes when the parent ends, however it ends, or wants this process to: the run that is going
    on then is stopped as by SIGTERM, which leaves a checkpoint to go on from.
    """
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what a run prints must not mix with the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to deal with
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))  # between two runs
    calls: queue.Queue[tuple[Any, Any] | Exception | None] = queue.Queue()

    def listen() -> None:
        try:
            while True:
                calls.put(pickle.load(incoming))
        except (EOFError, OSError):
            calls.put(None)
        except Exception as error:  # what the call needs cannot be imported, or not in this memory
            calls.put(error)
            return
        if WINDOWS:  # os.kill would end it without a checkpoint
            _thread.interrupt_main(signal.SIGTERM)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
    _serving.set()
    while (call := calls.get()) is not None:
        if isinstance(call, Exception):
            raise call  # its last line is what is told of this process
        function, argument = call
        try:
            answer = function(argument)
        except (Interrupted, KeyboardInterrupt):
            os._exit(128 + signal.SIGTERM)  # not one more job
        pickle.dump(answer, outgoing)
        outgoing.flush()
