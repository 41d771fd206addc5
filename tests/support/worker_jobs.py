"""What workers are asked to do in their tests: a module of its own that is imported in no time."""

import os
import signal
import sys
import time
from pathlib import Path

from lab.core.machine import TORCHRUN


def double(number: int) -> int:
    return 2 * number


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_: object) -> None:
    print("this is the end", file=sys.stderr, flush=True)
    os._exit(3)


def die_once(mark: Path) -> int:
    if mark.exists():
        return os.getpid()
    mark.touch()
    die(None)
    return 0


def whoami(_: object) -> tuple[int, str, str]:
    return os.getpid(), os.environ["OMP_NUM_THREADS"], str(sys.stdin)


def launched(_: object) -> list[str]:
    return [name for name in TORCHRUN if name in os.environ]


def chatter(number: int) -> int:
    print("this must not get between the answers")
    os.write(1, b"nor this")
    return number


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def torch_is_here(_: object) -> bool:
    return "torch" in sys.modules
