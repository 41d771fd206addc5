"""Messages of one line: the nearest match of a misspelt name, exceptions, labels of networks."""

import difflib
import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath

MOST = 100
"""Names that are listed; of more than that only the nearest few."""
NEAREST = 5

LONGEST = 300
"""Characters of an error of others that are shown."""

_APPENDED = re.compile(
    r"\s*(?:This could be because the operator doesn't exist for this backend"
    r"|Exception raised from \S+ at \S+ \(most recent call first\)"
    r"|'[\w:.]+' is only available for these backends:)"
)
"""What begins that part of torch's messages which is meant for its own developers."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colors, moves of the cursor
    r"|[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and the like: titles, links
    r"|[ -/]*[0-~])"
)
"""Escape sequences of terminals (ECMA-48)."""


def unknown(
    what: str, name: object, known: Iterable[str], *, renamed: Mapping[str, str] | None = None
) -> str:
    """One line for an unknown name: what it is, the nearest match, and what there is; `renamed`
    maps former names to those they have now.

    >>> unknown("attribute", "eye_colour", ["eye_color", "gaze"])
    "unknown attribute 'eye_colour'; did you mean 'eye_color'? There are: eye_color, gaze"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    if renamed and str(name) in renamed:
        close = [renamed[str(name)]]
    hint = f"; did you mean {close[0]!r}?" if close else "."
    parts = [part.partition(":")[0] for part in re.split(r"[,;\s]+", str(name))]
    if len(parts) > 1 and set(parts) <= set(names):
        hint = "; these are several: where several may stand, write spaces between them."
    listed = f"There are: {', '.join(names)}"
    if len(names) > MOST:
        near = difflib.get_close_matches(str(name), names, n=NEAREST, cutoff=0.0)
        listed = f"There are {len(names):,}, the nearest: {', '.join(near)}"
    return f"unknown {what} {name!r}{hint} {listed}"


def missing(path: Path) -> str:
    """The reason why no file can be read at `path`."""
    if path.is_dir():
        return "it is a folder"
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "its symbolic links lead in a circle"
        if os.path.islink(path):
            return f"it is a symbolic link to {os.readlink(path)}, where nothing is"
        return "there is no such file or folder"
    except ValueError as error:  # a zero byte
        return f"no file has such a name ({error})"
    return "it is a device or a pipe, no file"


def one_line(error: BaseException) -> str:
    """An exception as one line for people."""
    text = plain(reason(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason(error: BaseException) -> str:
    """What an exception says, without what torch appends for its own developers: the table of the
    kernels of an operation, a trace of its C++ code. Of a `RuntimeError` or `TypeError`, which are
    seldom the lab's, at most `LONGEST` characters.

    >>> reason(NotImplementedError("Could not run 'aten::equal' with arguments from the 'SparseCPU'\
     backend. This could be because the operator doesn't exist for this backend, or … CPU: …"))
    "Could not run 'aten::equal' with arguments from the 'SparseCPU' backend."
    """
    text = _APPENDED.split(str(error), maxsplit=1)[0].strip()
    if isinstance(error, (RuntimeError, TypeError)) and len(text) > LONGEST:
        text = f"{text[: LONGEST - 2]} …"
    return text


def model_label(name: str) -> str:
    """A short text for a network in a file, which tells those of different folders apart:
    /home/me/v1/net.py:net is v1/net, nets/mixer.py:small is nets/mixer:small. Other names stay.

    >>> model_label("cnn"), model_label("timm:resnet10t")
    ('cnn', 'timm:resnet10t')
    """
    path, colon, function = name.rpartition(".py:")
    if not colon:
        return name
    *folders, stem = re.split(r"[/\\\\]", path)
    place = "/".join([*folders[-1:], stem])
    return place if function == stem else f"{place}:{function}"


def model_labels(names: Iterable[str]) -> dict[str, str]:
    """A label for each network, short, but different for different ones: where `model_label` does
    not tell two apart, the whole name."""
    labels = {name: model_label(name) for name in names}
    taken = list(labels.values())
    return {n: label if taken.count(label) == 1 else n for n, label in labels.items()}


def short_paths(paths: Iterable[Path]) -> dict[Path, str]:
    """The name of each file; where others have the same, with as many of the folders above it as
    tell it apart from them.

    >>> list(short_paths(map(Path, ["old/cat/0.png", "old/dog/0.png", "old/1.png"])).values())
    ['cat/0.png', 'dog/0.png', '1.png']
    """
    known = dict.fromkeys(paths, "")
    left, depth = list(known), 1
    while left:
        ends = {path: PurePath(*path.parts[-depth:]).as_posix() for path in left}
        count = Counter(ends.values())
        for path, end in ends.items():
            if count[end] == 1 or depth >= len(path.parts):
                known[path] = end
        left = [path for path in left if not known[path]]
        depth += 1
    return known


def escape(text: object) -> str:
    r"""A text in a message, such as a path, on one line: characters that cannot be shown, or that
    move the cursor, as Python writes them.

    >>> escape(Path("my\nruns"))
    'my\\nruns'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)
    )


def plain(text: str) -> str:
    r"""Text from outside the lab as one line: without line breaks, escape sequences, control
    characters.

    >>> plain("two\nlines, one \x1b[31mred\x1b[0m")
    'two lines, one red'
    """
    words = " ".join(_ESCAPES.sub("", text).split())
    return "".join(c for c in words if c.isprintable())


_NO_MEMORY = (
    "can't allocate memory", "not enough memory", "failed to map segment", "cannot allocate memory",
    "out of memory", "_status_alloc_failed",
)  # fmt: skip
"""What torch says on a CPU, on Linux and on Windows, what the system says when it cannot load a
library, and what torch says on GPUs where that is no `OutOfMemoryError`: "MPS backend out of
memory", "CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling …" (of
cuDNN and cuSOLVER alike)."""


def memory_ran_out(error: BaseException) -> bool:
    """Whether an exception is Python's or torch's out-of-memory error, on a CPU or a GPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (
            isinstance(error, (RuntimeError, ImportError))
            and any(part in str(error).lower() for part in _NO_MEMORY)
        )
    )


def in_tag(text: str) -> str:
    """A name as a part of a tag: on one line, without a slash or a space."""
    return "_".join(plain(str(text)).replace("/", "_").split()) or "_"


def only_apart(where: str, values: Iterable[str], *, named: Callable[[str], str] = in_tag) -> None:
    """`ValueError` if two different values would have one name in tags, as `named` gives it;
    `where` they stand begins the line.

    >>> only_apart("place", ["in a house", "in_a_house"])
    Traceback (most recent call last):
    ValueError: place: 'in a house' and 'in_a_house' would be one name, 'in_a_house': write one \
otherwise, or both alike
    """
    taken: dict[str, str] = {}
    for value in values:
        other = taken.setdefault(named(value), value)
        if other != value:
            raise ValueError(
                f"{where}: {other!r} and {value!r} would be one name, {named(value)!r}: write one"
                " otherwise, or both alike"
            )


def own_columns(names: Iterable[str], *, beside: Iterable[str], kind: str) -> dict[str, str]:
    """The columns of a table for `names` that users chose, by name: the name itself, or with the
    `kind` of it before it where one of the table's other columns, `beside`, is called so. All
    columns have different names if these have.

    >>> own_columns(["camera", "loss"], beside=["label", "loss"], kind="group")
    {'camera': 'camera', 'loss': 'group:loss'}
    """
    taken, chosen = set(beside), list(names)
    columns = {}
    for name in chosen:
        column = name
        while column in taken or (column != name and column in chosen):
            column = f"{kind}:{column}"
        columns[name] = column
        taken.add(column)
    return columns
