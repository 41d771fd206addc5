"""Tracing: the drawing's arithmetic as C, recorded by running its Python code on symbols.

A `Symbol` stands where the drawing expects a tensor and records the operations on it. Every
operation rounds as IEEE 754 says, in C as in torch, so both give the same bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

PICTURE, ROW, PIXEL = 1, 2, 3
"""Levels: how often a value changes. Once a picture, once a row, with every pixel; constants: 0."""

_FORMS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "min": "least({}, {})",
    "max": "most({}, {})",
    "neg": "-{}",
    "abs": "fabsf({})",
    "sqrt": "sqrtf({})",
    "floor": "floorf({})",
}

_NEUTRAL = {
    "add": ((0, 0.0), (1, 0.0)),
    "sub": ((1, 0.0),),
    "mul": ((0, 1.0), (1, 1.0)),
    "div": ((1, 1.0),),
}
"""Operation -> its neutral elements: (position of the argument, value)."""


@dataclass
class Recorder:
    """The operations of one kernel in order, common subexpressions eliminated."""

    lines: dict[int, list[str]] = field(default_factory=lambda: {PICTURE: [], ROW: [], PIXEL: []})
    known: dict[tuple[str, ...], tuple[str, int]] = field(default_factory=dict)

    def input(self, code: str, level: int) -> Symbol:
        """An input of the kernel: the C expression `code`."""
        return Symbol(self, (self._name((code,), code, level),))

    def constant(self, value: float) -> tuple[str, int]:
        """A number, rounded to float32 as torch does with Python numbers."""
        rounded = struct.unpack("f", struct.pack("f", value))[0]
        return (f"{float(rounded).hex()}f", 0)

    def apply(self, op: str, *args: tuple[str, int]) -> tuple[str, int]:
        """The result of an operation on values (C name, level).

        Operations with a constant 0 or 1 that change nothing are left out: for finite numbers the
        bits are the same, but for the sign of a zero.
        """
        for at, spare in _NEUTRAL.get(op, ()):
            if args[at] == self.constant(spare):
                return args[1 - at]
        if op == "mul" and self.constant(0.0) in args:
            return self.constant(0.0)
        names = [name for name, _ in args]
        code = _FORMS[op].format(*names)
        return self._name((op, *names), code, max(PICTURE, *(level for _, level in args)))

    def _name(self, key: tuple[str, ...], code: str, level: int) -> tuple[str, int]:
        if key not in self.known:
            name = f"t{len(self.known)}"
            self.lines[level].append(f"const float {name} = {code};")
            self.known[key] = (name, level)
        return self.known[key]


@dataclass(frozen=True)
class Symbol:
    """A stand-in for a tensor: one channel or three, each a C name and its level."""

    recorder: Recorder
    channels: tuple[tuple[str, int], ...]

    def _apply(self, op: str, *others: object, first: bool = True) -> Symbol:
        sides = [self._lift(other) for other in others]
        sides.insert(0 if first else 1, self.channels)
        width = max(map(len, sides))
        rows = [side * width if len(side) == 1 else side for side in sides]
        return Symbol(
            self.recorder,
            tuple(self.recorder.apply(op, *args) for args in zip(*rows, strict=True)),
        )

    def _lift(self, other: object) -> tuple[tuple[str, int], ...]:
        if isinstance(other, Symbol):
            return other.channels
        assert isinstance(other, (int, float)), f"the C backend cannot trace {other!r}"
        return (self.recorder.constant(other),)

    def __add__(self, other: object) -> Symbol:
        return self._apply("add", other)

    def __radd__(self, other: object) -> Symbol:
        return self._apply("add", other, first=False)

    def __sub__(self, other: object) -> Symbol:
        return self._apply("sub", other)

    def __rsub__(self, other: object) -> Symbol:
        return self._apply("sub", other, first=False)

    def __mul__(self, other: object) -> Symbol:
        return self._apply("mul", other)

    def __rmul__(self, other: object) -> Symbol:
        return self._apply("mul", other, first=False)

    def __truediv__(self, other: object) -> Symbol:
        return self._apply("div", other)

    def __rtruediv__(self, other: object) -> Symbol:
        assert other == 1, "torch rounds twice in number / tensor, but for 1 / tensor"
        return self._apply("div", other, first=False)

    def __neg__(self) -> Symbol:
        return self._apply("neg")

    def neg(self) -> Symbol:
        """As `Tensor.neg`."""
        return self._apply("neg")

    def abs(self) -> Symbol:
        """As `Tensor.abs`."""
        return self._apply("abs")

    def clamp(self, low: float, high: float) -> Symbol:
        """As `Tensor.clamp`."""
        return self.clamp_min(low).clamp_max(high)

    def clamp_min(self, low: float) -> Symbol:
        """As `Tensor.clamp_min`."""
        return self._apply("max", low)

    def clamp_max(self, high: float) -> Symbol:
        """As `Tensor.clamp_max`."""
        return self._apply("min", high)

    def new_tensor(self, values: Sequence[float]) -> Symbol:
        """As `Tensor.new_tensor`: constants."""
        return Symbol(self.recorder, tuple(self.recorder.constant(value) for value in values))

    def view(self, *_: int) -> Symbol:
        """As `Tensor.view`: the same symbol, because the C code works on single pixels."""
        return self

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: object, args: Any = (), kwargs: Any = None
    ) -> Symbol:
        first = next(arg for arg in args if isinstance(arg, Symbol))
        if func is torch.zeros_like:
            return Symbol(first.recorder, (first.recorder.constant(0.0),))
        return args[0]._apply(_FUNCTIONS[func], *args[1:])  # type: ignore[no-any-return]


_FUNCTIONS: dict[Any, str] = {
    torch.minimum: "min",
    torch.maximum: "max",
    torch.sqrt: "sqrt",
    torch.floor: "floor",
}
