"""Errors of requests, each with a message of one line."""

from __future__ import annotations

from lab.core.text import plain


class RequestError(Exception):
    """An error whose message is the response, with its HTTP status."""

    status = 400


class NotThere(RequestError):
    """A run that is not, or no longer, in the logdir."""

    status = 404


class Busy(RequestError):
    """The queue is full; the page repeats the request later."""

    status = 429


class Overtaken(Exception):
    """A request that was dropped, because a newer one of the same page replaced it."""


def one_line(error: BaseException) -> str:
    """An exception's text on one line, or its type if it has no text."""
    return plain(str(error)) or type(error).__name__
