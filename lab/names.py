"""Say what a misspelt name may have meant."""

import difflib
from collections.abc import Iterable


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """One line for an unknown name: what it is, the nearest match, and what there is.

    >>> unknown("attribute", "eye_colour", ["eye_color", "gaze"])
    "unknown attribute 'eye_colour'; did you mean 'eye_color'? There are: eye_color, gaze"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"unknown {what} {name!r}{hint} There are: {', '.join(names)}"
