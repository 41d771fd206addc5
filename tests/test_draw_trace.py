"""A recorded drawing is what its Python code does: operations, order, rounding, levels."""

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.draw.shapes import root
from lab.draw.trace import PICTURE, PIXEL, ROW, Recorder, Symbol

f32 = np.float32
C = {
    "fabsf": np.abs, "sqrtf": np.sqrt, "floorf": np.floor,
    "least": lambda a, b: a if a < b else b, "most": lambda a, b: a if a > b else b,
}  # fmt: skip


def _run(recorder: Recorder, symbol: Symbol, given: dict[str, float]) -> list[np.float32]:
    """What the recorded C code computes, in float32, one operation at a time."""
    names: dict[str, Any] = {**C, **{name: f32(value) for name, value in given.items()}}
    number = re.compile(r"-?0x[0-9a-f.]+p[+-]\d+f")
    for level in (PICTURE, ROW, PIXEL):
        for line in recorder.lines[level]:
            name, code = line.removeprefix("const float ").removesuffix(";").split(" = ", 1)
            code = number.sub(lambda hit: f"f32({float.fromhex(hit[0][:-1])!r})", code)
            names[name] = f32(eval(code, {"f32": f32}, names))
    return [names[name] for name, _ in symbol.channels]


numbers = st.floats(-3, 3, width=32).filter(lambda x: abs(x) > 1e-3)
DRAWINGS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + 0.1 - y * 3,
    lambda x, y: (1 - x) * (y - 0.3) / (x * x + 1),
    lambda x, y: 1 / (x * x + 0.7) - -y,
    lambda x, y: (x * y).clamp(-0.5, 0.8) + x.clamp_min(0) * y.clamp_max(0.2),
    lambda x, y: torch.minimum(x.abs(), y) + torch.maximum(x, y.neg()),
    lambda x, y: root(x * x + y * y) - torch.floor(x * 1.7),
    lambda x, y: x + 1e-6 * (0.62 + 0.55 * x * (1 + 0.6 * y)),
]


@settings(max_examples=20)
@given(numbers, numbers)
@pytest.mark.parametrize("code", DRAWINGS)
def test_recorded_code_rounds_as_torch_does(
    code: Callable[[Any, Any], Any], x: float, y: float
) -> None:
    recorder = Recorder()
    symbol = code(recorder.input("x", PIXEL), recorder.input("y", ROW))
    [ours] = _run(recorder, symbol, {"x": x, "y": y})
    theirs = code(torch.tensor([x], dtype=torch.float32), torch.tensor([y], dtype=torch.float32))
    assert ours == theirs.item()


def test_what_is_known_early_is_computed_early() -> None:
    recorder = Recorder()
    face, row, pixel = (recorder.input(name, k) for name, k in (("f", PICTURE), ("y", ROW),
                                                                ("x", PIXEL)))  # fmt: skip
    for value, level in ((face * 2, PICTURE), (face * row, ROW), (row - 1 + pixel * face, PIXEL)):
        assert value.channels[0][1] == level
    assert [len(recorder.lines[level]) for level in (PICTURE, ROW, PIXEL)] == [2, 3, 3]


def test_the_same_operation_is_written_once() -> None:
    recorder = Recorder()
    x = recorder.input("x", PIXEL)
    assert (x * x + 1).channels == (x * x + 1).channels
    assert recorder.input("x", PIXEL).channels == x.channels
    assert len(recorder.lines[PIXEL]) == 3


def test_colors_meet_numbers_channel_by_channel() -> None:
    recorder = Recorder()
    x = recorder.input("x", PIXEL)
    color = x.new_tensor((0.25, 0.5, 1.0)).view(1, 3, 1, 1)
    assert _run(recorder, x * color, {"x": 2}) == [0.5, 1.0, 2.0]
    assert _run(recorder, color - x, {"x": 2}) == [-1.75, -1.5, -1.0]
    assert len(torch.zeros_like(x).channels) == 1


@pytest.mark.parametrize(
    ("unknown", "error"),
    [
        (torch.sin, KeyError),
        (torch.exp, KeyError),
        (lambda x: 2 / x, AssertionError),  # rounds twice in torch
        (lambda x: x + torch.ones(1), AssertionError),
        (lambda x: x**2, TypeError),
        (operator.methodcaller("sigmoid"), AttributeError),
    ],
)
def test_what_cannot_be_recorded_is_not_passed_over(
    unknown: Callable[[Any], Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        unknown(Recorder().input("x", PIXEL))
