"""Say what a misspelt name may have meant, and what went wrong, in one line."""

import difflib
import re
from collections.abc import Iterable

MOST = 100
"""Names that are listed; of more than that only the nearest few."""
NEAREST = 5


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """One line for an unknown name: what it is, the nearest match, and what there is.

    >>> unknown("attribute", "eye_colour", ["eye_color", "gaze"])
    "unknown attribute 'eye_colour'; did you mean 'eye_color'? There are: eye_color, gaze"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    parts = [part.partition(":")[0] for part in re.split(r"[,;\s]+", str(name))]
    if len(parts) > 1 and set(parts) <= set(names):
        hint = "; these are several: where several may stand, write spaces between them."
    listed = f"There are: {', '.join(names)}"
    if len(names) > MOST:
        near = difflib.get_close_matches(str(name), names, n=NEAREST, cutoff=0.0)
        listed = f"There are {len(names):,}, the nearest: {', '.join(near)}"
    return f"unknown {what} {name!r}{hint} {listed}"


def one_line(error: BaseException) -> str:
    """An exception as one line for people."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
