"""The parameters of a request, checked one by one against the attribute table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from lab.core.text import unknown
from lab.playground.errors import RequestError, one_line
from lab.worlds.faces import ATTRIBUTES, Attribute, Faces, attribute, sample_prior

LONGEST = 4000
"""Most characters of a face's description: three times the length of all attributes."""

NUMBER = re.compile(r"-?(\d{1,9}(\.\d{0,20})?|\.\d{1,20})(e-?\d{1,3})?", re.ASCII)
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)

IDENTITY = "identity"
"""Not an attribute, but part of a face's description: the random details that no attribute
controls, such as where stray parts lie."""


class QueryParams:
    """The parameters of one request; unknown ones are refused."""

    def __init__(self, parameters: Mapping[str, Sequence[str]], allowed: Sequence[str]) -> None:
        for name in parameters:
            if name not in allowed:
                raise RequestError(unknown("parameter", name[:100], allowed))
        self._parameters = parameters

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def text(self, name: str) -> str:
        """The value of a required parameter."""
        values = self._parameters.get(name, ())
        if len(values) != 1:
            raise RequestError(f"{name} must be given once, not {len(values)} times")
        return values[0]

    def texts(self, name: str, *, most: int) -> list[str]:
        """The distinct values of a parameter that may be given up to `most` times."""
        values = list(dict.fromkeys(self._parameters.get(name, ())))
        if len(values) > most:
            raise RequestError(f"{name} may be given {most} times at most, not {len(values)}")
        return values

    def choice(self, name: str, allowed: Sequence[str], *, default: str) -> str:
        """One of the `allowed` values."""
        if name not in self._parameters:
            return default
        value = self.text(name)
        if value not in allowed:
            raise RequestError(unknown(name, value[:100], allowed))
        return value

    def whole(self, name: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        if default is not None and name not in self._parameters:
            return default
        text = self.text(name)
        if not WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise RequestError(
                f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}"
            )
        return int(text)

    def wholes(self, name: str, low: int, high: int, *, most: int) -> list[int]:
        """Whole numbers from `low` to `high`, written as 1,5,7: up to `most` of them."""
        entries = self.text(name).split(",")
        if len(entries) > most:
            raise RequestError(f"{name} may hold {most} numbers at most, not {len(entries)}")
        for entry in entries:
            if not WHOLE.fullmatch(entry) or not low <= int(entry) <= high:
                raise RequestError(
                    f"{name} must hold whole numbers from {low} to {high}, not {entry[:40]!r}"
                )
        return [int(entry) for entry in entries]

    def face(self) -> Faces:
        """The face that the parameter `face` describes."""
        return read_face(self.text("face"))


def start_face() -> Faces:
    """The initial face: every attribute has its typical value; a person."""
    return sample_prior(1, seed=0).do(**{name: row.typical for name, row in ATTRIBUTES.items()})


def read_face(text: str) -> Faces:
    """The face (1) written as `eye_color:blue,nose:0`; all other attributes as in the initial face.

    Raises `RequestError` that names the attribute, the value and what is allowed.
    """
    if len(text) > LONGEST:
        raise RequestError(f"face is {len(text):,} characters long; {LONGEST:,} are enough")
    changes: dict[str, str | int | float] = {}
    identity: int | None = None
    for entry in filter(None, text.split(",")):
        name, colon, value = entry.partition(":")
        if not colon:
            raise RequestError(f"face: write attribute:value, not {entry[:100]!r}")
        if name in changes or (name == IDENTITY and identity is not None):
            raise RequestError(f"face: {name} is given twice")
        if name == IDENTITY:
            if not WHOLE.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
                raise RequestError(
                    f"face: {IDENTITY} must be a whole number of 64 bits, not {value!r}"
                )
            identity = int(value)
            continue
        try:
            changes[name] = _value(attribute(name), value)
        except ValueError as error:
            raise RequestError(f"face: {one_line(error)[:600]}") from None
    face = start_face().do(**changes)
    if identity is None:
        return face
    return replace(face, identity=torch.tensor([identity]))


def write_face(faces: Faces, i: int = 0) -> dict[str, str | int | float]:
    """Face `i` as values by name, with its identity as text (JavaScript has no 64-bit numbers)."""
    values: dict[str, str | int | float] = {}
    for name, row in ATTRIBUTES.items():
        if row.kind == "categorical":
            values[name] = faces.names(name)[i]
        else:
            values[name] = int(faces[name][i]) if row.kind == "count" else number(faces[name][i])
    return {**values, IDENTITY: str(int(faces.identity[i]))}


def plain(row: Attribute, value: float) -> str | int | float:
    """An attribute's value in a batch (code or number) as its name or number."""
    if row.kind == "categorical":
        return row.values[int(value)]
    return int(value) if row.kind == "count" else number(torch.tensor(value))


def number(value: torch.Tensor) -> float:
    """A float32 as the shortest decimal number that rounds to it."""
    return float(str(value.numpy()))


def _value(row: Attribute, text: str) -> str | int | float:
    if row.kind == "categorical":
        row.code(text)
        return text
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{row.name} must be a number, not {text[:40]!r}")
    value = int(text) if row.kind == "count" and WHOLE.fullmatch(text) else float(text)
    row.code(value)
    return value
