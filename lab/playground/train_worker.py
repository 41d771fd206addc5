"""A process that trains one run for the board: `python3 -m lab.playground.train_worker`.

It imports PyTorch, says {"ready": true}, and waits for a line of JSON: {"config": …} for a new run
(the text of a `config.json`), or {"resume": FOLDER}. Then it trains, and ends with a line that says
how it came out: {"status": "finished", "stopped" or "failed", "line": …}. A further line from the
board, or the end of the board, stops it as Ctrl-C would: the run can be resumed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from _thread import interrupt_main
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from lab.core.config import parse_settings
from lab.core.errors import Interrupted
from lab.core.text import one_line, plain


def main() -> None:
    """Train one run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also under nohup, which ignores it
    board = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    from lab.runs.train import resume, start

    _say(board, ready=True)
    order = _line()
    if not order.strip():
        return
    done = threading.Event()
    threading.Thread(target=_listen, args=(done,), daemon=True).start()
    try:
        told = json.loads(order)
        if "resume" in told:
            resume(Path(told["resume"]))
        else:
            start(parse_settings(told["config"])[0])
        _say(board, status="finished", line="")
    except (Interrupted, KeyboardInterrupt):
        _say(board, status="stopped", line="")
    except Exception as error:
        readable = isinstance(error, (ValueError, OSError))
        _say(board, status="failed", line=plain(str(error)) if readable else one_line(error))
    finally:
        done.set()


def _listen(done: threading.Event) -> None:
    """Interrupt the run when the board says anything more, or ends."""
    _line()
    if not done.is_set():
        interrupt_main()


def _line() -> str:
    """The next line from the board; empty if the board has ended. Read without a buffer, whose lock
    a thread that waits would hold when the program ends."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode()


def _say(board: TextIO, **told: object) -> None:
    with suppress(OSError):  # the board has ended
        print(json.dumps(told), file=board, flush=True)


if __name__ == "__main__":
    main()
