"""The command line: flags from dataclasses, and one line for every error."""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from typing import Any, get_type_hints

import tyro

from lab.core import streams
from lab.core.errors import Interrupted, LabError
from lab.core.flags import arranged, help_texts
from lab.core.text import escape, memory_ran_out

BAD_INPUT = 2
"""Exit code for what the user can mend: a flag, a file, a full disk, too little memory."""

BROKEN_PIPE = 128 + 13
"""Exit code where whoever reads the output has ended: that of SIGPIPE, which Windows lacks."""

NARROW = 40
"""Columns of the narrowest terminal that the help is laid out for; tyro needs some, or never ends.
"""

LONGEST = 1000
"""Characters of a line; more of them, and the middle is left out."""


def main(
    run: Callable[[Any], int | None],
    argv: Sequence[str] | None = None,
    *,
    program: str | None = None,
) -> int:
    """Call `run` with its flags, and return the exit code: 0, what `run` returns, or an error's.

    `run` takes one dataclass, whose fields (and those of the dataclasses in it) are the flags.
    `argv` are the words after the program's name (None: those of this process), and `program` is
    the name that the help shows (None: this process's). Errors are reported as by `guarded`;
    `--debug` shows the traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)

    def action() -> int | None:
        _check_folder()
        given = [word for word in words if word != "--debug"]
        flags = parse(_kind(run), given, program=program)
        return run(flags)

    return guarded(action, debug="--debug" in words)


def guarded(action: Callable[[], int | None], *, debug: bool = False) -> int:
    """Call `action` and return its exit code, or that of an error.

    `ValueError` and `OSError` become one line on standard error and exit code 2, any other
    `LabError` exit code 1; `Interrupted` and Ctrl-C become 128 + the signal's number, as in a
    shell. `debug` prints the traceback, too.
    """
    streams.prepare()
    warnings.formatwarning = _warning_line
    try:
        return action() or 0
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", 130, debug)
    except BrokenPipeError:  # who reads our output has heard enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ValueError, OSError) as error:
        return _fail(f"error: {_describe(error)}", BAD_INPUT, debug)
    except Interrupted as error:
        return _fail(str(error), 128 + error.signal, debug)
    except LabError as error:
        return _fail(f"error: {error}", 1, debug)
    except MemoryError:
        return _fail("error: there is not enough memory for this", BAD_INPUT, debug)
    except (RuntimeError, ImportError) as error:
        if memory_ran_out(error):
            return _fail(f"error: there is not enough memory: {error}", BAD_INPUT, debug)
        raise


def parse(kind: type[Any], words: Sequence[str], *, program: str | None = None) -> Any:
    """An instance of the dataclass `kind` from `words`; `ValueError` says what is wrong with them.

    A static method `expanded` of the dataclass may replace the words first, and a method
    `check_given`, which gets the names of the flags that are written (also those whose value is the
    default), may refuse them. Prints the help and ends the program if they ask for it.
    """
    expanded = getattr(kind, "expanded", None)
    words = words if expanded is None else expanded(words)
    note = "--debug shows where an error comes from."
    said = io.StringIO()
    args, given = arranged(kind, words)
    try:
        with _terminal(), redirect_stderr(said):
            flags = tyro.cli(
                kind,
                prog=program,
                args=args,
                description=" ".join(f"{_about(kind)} {note}".split()),
                config=(tyro.conf.OmitArgPrefixes,),
                registry=help_texts(),
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise ValueError(_unboxed(said.getvalue())) from None
    if (check := getattr(flags, "check_given", None)) is not None:
        check(given)
    return flags


@functools.cache
def _told() -> set[str]:
    """The warnings that this process has told."""
    return set()


def _warning_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: Any = None
) -> str:
    """What standard error says of a warning of Python's, as code of others raises them: a line, the
    first time."""
    text = one_line(f"warning: {message} ({category.__name__}, {filename}:{lineno})") + "\n"
    if text in _told():
        return ""
    _told().add(text)
    return text


def one_line(text: str) -> str:
    """`text` fit for a terminal: one line of at most `LONGEST` characters, none of which moves the
    cursor, changes colors or hides others.

    >>> one_line("two\\nlines, one\\x1b[31m red")
    'two lines, one\\\\x1b[31m red'
    """
    line = " ".join(text.split())
    if len(line) > LONGEST:
        half = LONGEST // 2 - 2
        line = f"{line[:half]} … {line[-half:]}"
    return escape(line)


@contextmanager
def _terminal() -> Iterator[None]:
    """The console for tyro's help: wide enough, and without colors where these are switched off."""
    given = {name: os.environ.get(name) for name in ("COLUMNS", "TERM")}
    if shutil.get_terminal_size().columns < NARROW:
        os.environ["COLUMNS"] = str(NARROW)
    if os.environ.get("NO_COLOR"):
        os.environ["TERM"] = "dumb"
    try:
        yield
    finally:
        for name, value in given.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _check_folder() -> None:
    """`ValueError` if the current folder was deleted; torch would end the program with another
    message."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise ValueError("the current folder has been deleted: change to another one") from None


def _about(kind: type[Any]) -> str:
    """The description of a script; empty where Python strips docstrings (-OO)."""
    return "" if sys.flags.optimize > 1 else kind.__doc__ or ""


def _kind(run: Callable[[Any], int | None]) -> type[Any]:
    hints = get_type_hints(run)
    hints.pop("return", None)
    (kind,) = hints.values()
    return kind  # type: ignore[no-any-return]


def _fail(line: str, code: int, debug: bool) -> int:
    with suppress(OSError):  # a terminal that has been closed, a full disk: the code still tells
        if debug:
            traceback.print_exc()
        print(one_line(line), file=sys.stderr, flush=True)
    return code


def _describe(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error)


def _unboxed(panel: str) -> str:
    """tyro's message, a box of several lines, as one line without the box and the flag's help."""
    lines = [line.strip("│╭╮╰╯─ \t") for line in panel.splitlines()[1:]]
    lines = ["" if set(line) == {"-"} else line for line in lines]  # a box for plain terminals
    while lines and not lines[0]:
        del lines[0]
    told = lines[: lines.index("")] if "" in lines else lines
    return " ".join(told)
