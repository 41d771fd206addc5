"""Standard input, output and error: reopened if closed, and able to encode any text.

Standard library only.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress

PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "×": "x", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "±": "+-"}
)
"""What stands for a character where the terminal's encoding has no such one."""


def prepare() -> None:
    """Reopen closed streams on the null device, and make every text writable in any encoding.

    A file that were opened while 1 or 2 is free would get that number, and whatever libraries print
    would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
        if getattr(sys, name) is None:
            with suppress(OSError):
                mode = "w" if number else "r"
                setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What is written in place of characters that an encoding lacks: ones like them, or their
    numbers."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return text.translate(PLAIN).encode("ascii", "backslashreplace").decode("ascii"), error.end
