"""A dataclass's flags: their types, their help, and one-line errors for misspelt ones.

tyro makes the parser. Its own messages are for programmers, so words are checked before it sees
them; and it keeps some of a docstring's line breaks, so help texts are handed to it as paragraphs.
Standard library and tyro only.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from tyro.conf import arg
from tyro.constructors import (
    MISSING,
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from lab.core.config import PLACE, RENAMED, Ends, flag, outside
from lab.core.paths import at_home

EVERYWHERE = ("--help", "--debug")
"""Flags of every script."""

ELSEWHERE = {
    "arch": "model", "architecture": "model", "network": "model", "net": "model",
    "epochs": "steps", "iterations": "steps", "iters": "steps", "max-steps": "steps",
    "gpu": "device", "cuda": "device", "cpu": "device", "output": "out", "output-dir": "out",
    "outdir": "out", "workers": "processes", "jobs": "processes", "tasks": "task",
    "noise": "label-noise", "resolution": "image-size", "verbose": "debug", "logdir": "out",
    "log-dir": "logdir", "run-name": "name", "loss": "objective", "criterion": "objective",
    "loss-function": "objective", "figures": "metrics",
    **{former.replace("_", "-"): now.replace("_", "-") for former, now in RENAMED.items()},
}  # fmt: skip
"""What other programs, and former versions of the lab, call a flag, without its dashes."""

END = "--"
"""What stands before words that are no flags, whatever they begin with."""

DASHES = "‐‑‒–—―−"
"""What word processors make of - and --."""

QUOTES = "'\"‘’‚‛“”„‟«»`"
"""What is left of a text's quotes where a shell does not know them."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A flag, or a word without one (`bare`): its dataclass's field, seen from the command line.

    `kind` is the type of one value; `choices` are the values of a Literal; `ends` are the range of
    a number. It takes any number of values if it is a `tuple`, and the word None if it may be
    `unset`. `takes` says what it takes where its kind does not.
    """

    field: str
    kind: type[Any]
    choices: tuple[str, ...] = ()
    ends: Ends | None = None
    many: bool = False
    unset: bool = False
    takes: str = ""
    bare: bool = False
    required: bool = False
    text: str = ""

    @property
    def name(self) -> str:
        """The flag's spelling, --num-train, or the name of a positional argument, RUN."""
        return self.field.upper() if self.bare else flag(self.field)

    @property
    def is_path(self) -> bool:
        """Whether its values are paths of files or folders."""
        return self.kind is Path or self.takes == PLACE["takes"]


def flags_of(kind: type[Any]) -> list[Flag]:
    """The flags of a dataclass and of the dataclasses in it."""
    found = []
    hints = get_type_hints(kind, include_extras=True)
    texts = _texts(kind)  # type: ignore[arg-type]  # mypy takes a class for what has no hash
    for entry in dataclasses.fields(kind):
        hint = hints[entry.name]
        marked = hasattr(hint, "__metadata__")
        hint = get_args(hint)[0] if marked else hint
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            found += flags_of(hint)
            continue
        many = get_origin(hint) is tuple
        kinds = [each for each in get_args(hint) or (hint,) if each not in (type(None), ...)]
        if get_origin(kinds[0]) is Literal:
            kinds = list(get_args(kinds[0]))
        choices = tuple(each for each in kinds if isinstance(each, str))
        found.append(
            Flag(
                field=entry.name,
                kind=str if choices else kinds[0],
                choices=choices,
                ends=entry.metadata.get("range"),
                many=many,
                unset=type(None) in get_args(hint),
                takes=entry.metadata.get("takes", ""),
                bare=marked,
                required=entry.default is entry.default_factory is dataclasses.MISSING
                and not (many and marked),
                text=texts.get(entry.name, ""),
            )
        )
    return found


def arranged(kind: type[Any], words: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """`words` for the flags of a dataclass as tyro takes them, those without a flag last; and the
    fields of the flags among them, also of those whose value is the default.

    Raises `ValueError` if they do not fit, in a line that says what to write instead.
    """
    flags = flags_of(kind)
    known = {each.name: each for each in flags if not each.bare}
    bare = [each for each in flags if each.bare]
    given: set[str] = set()
    flagged: list[str] = []
    alone: list[str] = []
    swallowed = False  # a list at the end: tyro takes its last word for what must stand alone
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            return ["--help"], frozenset()
        if word == END:
            alone += rest
            break
        if not _is_flag(word):
            alone.append(word)
            continue
        key, equals, value = word.partition("=")
        name, chosen = _find(key, known)
        if name in given:
            after = "; write all its values after the first" if chosen.many else ""
            raise ValueError(f"{name} is given twice{after}")
        given.add(name)
        if chosen.kind is bool:
            if equals or (rest and rest[0].lower() in _TRUTHS):
                raise ValueError(f"{name} takes no value: write {name} or {_opposite(name)}")
            flagged.append(word)
            continue
        values = [value] if equals else []
        while rest and rest[0] != END and not _is_flag(rest[0]) and (chosen.many or not values):
            values.append(rest.pop(0))
        swallowed = chosen.many and bool(values) and not rest
        _check(chosen, values)
        values = [_at_home(each, chosen) for each in values]
        flagged += [f"{key}={values[0]}", *values[1:]] if equals else [word, *values]
    for each in flags:
        if each.required and (not (alone or swallowed) if each.bare else each.name not in given):
            raise ValueError(f"{each.name} is missing. {each.text}")
    if len(alone) > len(bare) and not any(each.many for each in bare):
        raise ValueError(_unexpected(alone[len(bare)], known))
    for each in bare:
        if each.is_path:
            alone = [_at_home(word, each) for word in alone]
            if swallowed and not alone:
                flagged[-1] = _at_home(flagged[-1], each)
    fields = frozenset(known[name].field for name in given)
    return ([*flagged, END, *alone] if alone else flagged), fields


def help_texts() -> ConstructorRegistry:
    """Rules for tyro: the same flags, with each paragraph of their help in one line."""
    registry = ConstructorRegistry()
    registry.struct_rule(_struct)
    return registry


def _struct(info: StructTypeInfo) -> StructConstructorSpec | None:
    if not dataclasses.is_dataclass(info.type):
        return None
    hints = get_type_hints(info.type, include_extras=True)
    fields = []
    for entry in dataclasses.fields(info.type):
        default: Any = MISSING
        if dataclasses.is_dataclass(info.default):
            default = getattr(info.default, entry.name)
        elif entry.default is not dataclasses.MISSING:
            default = entry.default
        elif entry.default_factory is not dataclasses.MISSING:
            default = entry.default_factory()
        hint = hints[entry.name]
        told = "(required)" if default is MISSING else "(default: none)"
        if default in (MISSING, (), ""):  # for texts and lists tyro would say "(default: )"
            hint = Annotated[hint, arg(help_behavior_hint=told)]
        text = _texts(info.type).get(entry.name) or _paragraphs(getattr(hint, "__doc__", "") or "")
        fields.append(StructFieldSpec(name=entry.name, type=hint, default=default, helptext=text))
    return StructConstructorSpec(instantiate=info.type, fields=tuple(fields))


@cache
def _texts(kind: type[Any]) -> dict[str, str]:
    """The docstrings under the fields of a dataclass, as paragraphs."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):  # made where there is no source
        return {}
    (made,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    texts = {}
    for entry, below in zip(made.body, made.body[1:], strict=False):
        match entry, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                texts[name] = _paragraphs(str(text))
    return texts


def _paragraphs(text: str) -> str:
    """A text whose only line breaks are those between paragraphs."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))


def _is_flag(word: str) -> bool:
    """Whether a word is meant as a flag, not as a value: -5 and -inf are numbers."""
    bare = word.lstrip("-" + DASHES)
    return bare != word and bare[:1].isalpha() and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _find(key: str, known: dict[str, Flag]) -> tuple[str, Flag]:
    """The flag that is spelled `key`: its name, and what it is."""
    name = key.replace("_", "-")
    if name in known:
        return name, known[name]
    switch = "--" + name.removeprefix("--no-")
    if name.startswith("--no-") and switch in known and known[switch].kind is bool:
        return switch, known[switch]
    if key[0] in DASHES:
        meant = _nearest(key, known)
        raise ValueError(f"{key!r} begins with a long dash: write {meant or 'two short ones, --'}")
    raise ValueError(_unknown(key, known))


def _nearest(key: str, known: dict[str, Flag]) -> str:
    """The flag that `key` was meant to be; nothing if there is none like it."""
    switches = [_opposite(name) for name, each in known.items() if each.kind is bool]
    names = {name[2:]: name for name in (*known, *switches, *EVERYWHERE)}
    bare = key.lower().replace("_", "-").strip("-" + DASHES)
    meant = ELSEWHERE.get(bare)
    initials = ["".join(part[0] for part in name.split("-")) for name in names]
    for found in (
        [bare] if bare in names else [],
        [meant] if meant in names else [],
        [name for name in names if name.startswith(bare) and len(bare) > 2],
        [name for name, of in zip(names, initials, strict=True) if of == bare and len(bare) > 1],
        difflib.get_close_matches(bare, list(names), n=1, cutoff=0.65),
        [name for name in names if bare in name.split("-")],
    ):
        if found:
            return names[min(found, key=len)]
    return ""


def _unknown(key: str, known: dict[str, Flag]) -> str:
    meant = _nearest(key, known)
    hint = f"did you mean {meant!r}? " if meant else ""
    return f"unknown flag {key!r}; {hint}--help lists all flags"


def _unexpected(word: str, known: dict[str, Flag]) -> str:
    """The error for a word that belongs to no flag."""
    key, equals, value = word.partition("=")
    name = flag(key)
    write = ""
    if name in EVERYWHERE or (name in known and known[name].kind is bool):
        write = name
    elif name in known and (not equals or _fits(known[name], value)):
        write = f"{name} {value or '…'}"
    return f"unexpected {word!r}: {f'write {write}' if write else 'flags begin with --'}"


def _opposite(name: str) -> str:
    """The flag that switches off what `name` switches on."""
    return f"--no-{name[2:]}"


def _check(each: Flag, values: Sequence[str]) -> None:
    """Raise `ValueError` if a flag's values are none of its kind: what it takes, what to write."""
    # An empty text, as of a shell's variable that is not set, would count as if none were given
    empty = "" in values and (each.kind is not str or each.unset)
    if not (values or each.many) or empty:
        raise ValueError(f"{each.name} needs a value: {_wanted(each)}")
    wrong = [word for word in values if not _fits(each, word)]
    if wrong:
        meant = [word if _fits(each, word) else _meant(each, word) for word in values]
        hint = f"; write {each.name} {' '.join(meant)}" if all(meant) else ""
        if hint and each.ends is not None and meant[0] != "None":
            ends = outside(each.ends, each.kind(meant[0]))
            hint = f"; it must be {ends}" if ends else hint
        raise ValueError(f"{each.name} takes {_wanted(each)}, not {wrong[0]!r}{hint}")


def _at_home(word: str, each: Flag) -> str:
    """A flag's value, with the user's folder in place of a leading `~` if it is a path."""
    place = at_home(word, each.name) if each.is_path else Path(word)
    return word if place == Path(word) else str(place)


def _fits(each: Flag, word: str) -> bool:
    """Whether a word is a value of a flag's kind."""
    if each.unset and word == "None":
        return True
    if each.choices:
        return word in each.choices
    if each.kind not in (int, float):
        return not _wrapped(word, brackets=each.many)
    try:
        each.kind(word)
    except ValueError:
        return False
    return True


def _wrapped(word: str, *, brackets: bool) -> bool:
    """Whether a text came with its quotes, or with the brackets of Python's lists."""
    ends = word[:1], word[-1:]
    quoted = len(word) > 1 and all(end in QUOTES for end in ends)
    return quoted or (brackets and ends == ("[", "]"))


def _wanted(each: Flag) -> str:
    """What a flag takes."""
    one, more = _KINDS.get(each.kind, ("a text", "texts"))
    what = f"{more} with spaces between them" if each.many else one
    if each.choices:
        *most, last = each.choices
        what = f"{', '.join(most)} or {last}" if most else last
    what = each.takes or what
    return f"{what}, or None" if each.unset else what


def _meant(each: Flag, word: str) -> str:
    """What was probably meant by a word that does not fit; nothing if that is unclear."""
    bare = word.strip(QUOTES + "[](){} ,;")
    if each.unset and bare.lower() in ("none", "null", "no", "never", "off", "false"):
        return "None"
    if each.choices:
        close = difflib.get_close_matches(bare.lower(), each.choices, n=1, cutoff=0.7)
        return close[0] if close else ""
    if each.kind not in (int, float):
        apart = rf"\s+|(?<=[{QUOTES}])\s*,\s*(?=[{QUOTES}])"
        return (
            " ".join(piece.strip(QUOTES) for piece in re.split(apart, bare)) if each.many else bare
        )
    pieces = [piece.strip(QUOTES) for piece in re.split(r"[,;\s]+", bare)]
    if each.many and len(pieces) > 1:
        values = [_number(each.kind, piece) for piece in pieces]
        return " ".join(values) if all(values) else ""
    return _number(each.kind, bare)


def _number(kind: type[Any], word: str) -> str:
    """A number that is written as people write them, as a flag takes it; nothing if it is none."""
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", word) and kind is int:
        word = word.replace(",", "")
    if re.fullmatch(r"[+-]?\d*,\d+", word) and kind is float:
        word = word.replace(",", ".")
    scale = {"k": 1e3, "m": 1e6, "%": 0.01}.get(word[-1:].lower(), 1)
    try:
        value = float(word[:-1] if scale != 1 else word) * scale
    except ValueError:
        return ""
    if not math.isfinite(value) or abs(value) >= 1e15:
        return ""
    if kind is int:
        return str(round(value)) if value == round(value) else ""
    return f"{value:.12g}"


_TRUTHS = ("true", "false", "yes", "no", "on", "off", "1", "0", "none")

_KINDS: dict[type[Any], tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    Path: ("a path", "paths"),
    str: ("a text", "texts"),
}
