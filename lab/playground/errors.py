"""What the playground answers instead of a result: one line for people."""

from __future__ import annotations

from lab.core.text import plain


class RequestError(Exception):
    """A request that gets no result: what is said, and the HTTP status it is said with."""

    status = 400


class NotThere(RequestError):
    """A run that is not (or no longer) in the logdir."""

    status = 404


class Busy(RequestError):
    """Too many questions at once: asking again later helps, and the page does."""

    status = 429


class Overtaken(Exception):
    """A question that nobody wants an answer to any more: a newer one of the same page has come."""


def one_line(error: BaseException) -> str:
    """An exception's text on one line, or its kind where it has none."""
    return plain(str(error)) or type(error).__name__
