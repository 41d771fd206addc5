"""Code generation: C kernels from the traced arithmetic of a drawing.

The result is one C file: `runtime.c`, written by hand, with the generated kernels in the place of
its `#include "kernels.h"`.
"""

import functools
import re
from collections.abc import Mapping
from importlib.resources import files
from itertools import chain
from typing import Any

from lab.core.text import unknown
from lab.draw.drawing import FRAME, NOISE, REQUIRED, SCALE, Drawing, lay
from lab.draw.inputs import Inputs
from lab.draw.layers import Case, Layer
from lab.draw.sprites import Sprite
from lab.draw.trace import PICTURE, PIXEL, ROW, Recorder, Symbol

RUNTIME = files("lab.draw").joinpath("runtime.c").read_text(encoding="utf-8")
_INCLUDE = '#include "kernels.h"\n'
LANES = int(re.findall(r"#define LANES (\d+)", RUNTIME)[0])
"""Pixels computed at once: rows of a picture are padded to whole multiples of this."""

_OPERATION = re.compile(r"\s*(const float t\d+ = |[RGBC]\[i\] = )")

_WINDOW = (
    "const float* restrict p, float pixels, const float* restrict gx, const float* restrict gy,"
    " int S, int P, int* restrict start, int* restrict width, int* restrict from, int* restrict to,"
    " float* restrict r, float* restrict g, float* restrict b, float* restrict c"
)
_PASSED = "p, pixels, gx, gy, S, P, start, width, from, to, r, g, b, c"

Columns = tuple[tuple[str, int], ...]


def arithmetic(drawing: Drawing[Any]) -> str:
    """The traced arithmetic of all kernels, one operation a line, without the C around it: what
    decides the colors of a picture, given its inputs."""
    lines = (line.strip() for line in source(drawing).splitlines())
    return "\n".join(line for line in lines if _OPERATION.match(line))


@functools.cache
def source(drawing: Drawing[Any]) -> str:
    """The C source of a whole drawing.

    Raises `KeyError` for an input that is read but not computed, and `ValueError` for one that is
    computed but not read, a missing one of `REQUIRED`, an unknown one in a case, or a name that two
    layers or sprites have.
    """
    generated = _Kernels(drawing).text()
    before, after = RUNTIME.split(_INCLUDE)
    return before + generated + after


class _Traced(Inputs):
    """Symbols for the inputs, which note down what is read."""

    def __init__(self, named: Mapping[str, Any], read: set[str]) -> None:
        super().__init__(named)
        self._read = read

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return super().__getitem__(name)

    def replaced(self, **changes: Any) -> "_Traced":
        """As `Inputs.replaced`."""
        return _Traced(dict(super().replaced(**changes)), self._read)


class _Kernels:
    """The generated part of the source."""

    def __init__(self, drawing: Drawing[Any]) -> None:
        self._drawing = drawing
        self._columns: Columns = drawing.prepare(drawing.examples(), 16).inputs.columns
        slots = [name for name, width in self._columns for _ in range(width)]
        self._slots = {name: slots.index(name) for name, _ in self._columns}
        self._count = len(slots)
        self._kernels: list[str] = []
        self._calls: dict[Layer | str, str] = {}
        self._read = set(REQUIRED)
        if missing := [name for name in REQUIRED if name not in self._slots]:
            raise ValueError(
                f"the drawing {drawing.name} computes no input called {' or '.join(missing)}"
            )
        layers = dict.fromkeys([*drawing.base, *chain.from_iterable(drawing.subjects.values())])
        names = ["background"]
        names += [layer.name for layer in layers] + [sprite.name for sprite in drawing.sprites]
        for name in names:
            if not name.isidentifier() or names.count(name) > 1:
                raise ValueError(f"{name!r} must be a word, and name one layer or sprite alone")

    def text(self) -> str:
        """Macros, kernels, and the two functions by which the runtime calls them."""
        drawing = self._drawing
        layers = self._chosen("background", drawing.background_cases)
        layers += "".join(self._chosen(layer, layer.cases) for layer in drawing.base)
        subjects = "".join(
            f"    case {code}:\n{''.join(self._chosen(layer, layer.cases) for layer in its)}"
            "      break;\n"
            for code, its in enumerate(drawing.subjects.values())
        )
        self._kernels += [self._sprite(sprite) for sprite in drawing.sprites]
        self._kernels += [self._shade(inside=True), self._shade(inside=False)]
        sprites = "".join(
            f"    case {code}: sprite_{sprite.name}(q, {_PASSED}); break;\n"
            for code, sprite in enumerate(drawing.sprites)
        )
        unread = [name for name, _ in self._columns if name not in self._read]
        if unread:
            raise ValueError(
                f"the drawing {drawing.name} computes inputs that nothing reads: {' '.join(unread)}"
            )
        macros = f"#define COLUMNS {self._count}\n#define NOISE {self._slots[NOISE]}\n"
        calls = f"""\
static void lay_layers(int subject, {_WINDOW}) {{
{layers}  switch (subject) {{
{subjects}  }}
}}

static void lay_sprite(int kind, const float* restrict q, {_WINDOW}) {{
  switch (kind) {{
{sprites}  }}
}}
"""
        return "\n".join([macros, *self._kernels, calls])

    def _inputs(self, recorder: Recorder, known: Case) -> Any:
        for name in known.keys() - self._slots.keys():
            raise ValueError(unknown("input in a case", name, self._slots))
        named: dict[str, Symbol] = {}
        for name, width in self._columns:
            channels: list[tuple[str, int]] = []
            for k in range(self._slots[name], self._slots[name] + width):
                channels += (
                    [recorder.constant(known[name])]
                    if name in known
                    else recorder.input(f"p[{k}]", PICTURE).channels
                )
            named[name] = Symbol(recorder, tuple(channels))
        return _Traced(named, self._read)

    def _chosen(self, layer: Layer | str, cases: tuple[Case, ...]) -> str:
        """Write a kernel for each case and a general one, once for each layer; returns the code
        that calls the first that fits a picture. A case in which nothing changes has no kernel."""
        if layer in self._calls:
            return self._calls[layer]
        calls, name = [], layer if isinstance(layer, str) else layer.name
        for number, known in enumerate((*cases, {})):
            function = f"lay_{name}_{number}"
            kernel = self._layer(function, layer, known)
            test = " && ".join(
                f"p[{self._slots[key]}] == {float(value).hex()}f" for key, value in known.items()
            )
            self._kernels.append(kernel)
            call = f"{function}({_PASSED});" if kernel else ";"
            calls.append(f"if ({test}) {call}" if known else call)
        self._calls[layer] = "      " + "\n      else ".join(calls) + "\n"
        return self._calls[layer]

    def _layer(self, function: str, layer: Layer | str, known: Case) -> str:
        """Code of a layer where some inputs are known; empty if it then changes nothing."""
        recorder = Recorder()
        n = self._inputs(recorder, known)
        x: Any = recorder.input("X[i]", PIXEL)
        y: Any = recorder.input("gy[j]", ROW)
        pixels: Any = recorder.input("pixels", PICTURE)
        if isinstance(layer, str):
            stores = _stores("RGB", self._drawing.background(x, y, pixels, n))
            return _kernel(function, recorder, stores)
        below, cover = _planes(recorder, "RGB"), _planes(recorder, "C")
        laid: tuple[Any, Any] = lay(layer, below, cover, x, y, pixels, n)
        stores = []
        for planes, before, after in (("RGB", below, laid[0]), ("C", cover, laid[1])):
            if after.channels != before.channels:
                stores += _stores(planes, after)
        if not stores:
            return ""
        box = layer.box(pixels * n[SCALE], n)
        spans = _arguments(recorder, [*(n[name] for name in FRAME), *box])
        covers = laid[1].channels != cover.channels
        return _kernel(function, recorder, stores, spans=spans, covers=covers)

    def _sprite(self, sprite: Sprite) -> str:
        recorder = Recorder()
        n = self._inputs(recorder, {})
        place: list[Any] = [recorder.input(f"q[{k}]", PICTURE) for k in range(6)]
        left, top, cos, sin, side, sharp = place
        dx = recorder.input("X[i]", PIXEL) - left
        dy = recorder.input("gy[j]", ROW) - top
        ink: Any = sprite.draw(dx * cos + dy * sin, dy * cos - dx * sin, side, sharp, n)
        laid = _planes(recorder, "RGB") * (1 - ink.alpha) + ink.rgb
        spans = _arguments(recorder, [left, top, cos, sin, *sprite.box(sharp, n)])
        stores = _stores("RGB", laid)
        return _kernel(f"sprite_{sprite.name}", recorder, stores, spans=spans, placed=True)

    def _shade(self, *, inside: bool) -> str:
        """Shading where the subject may cover the picture, and where it does not."""
        recorder = Recorder()
        n = self._inputs(recorder, {})
        x: Any = recorder.input("X[i]", PIXEL)
        y: Any = recorder.input("gy[j]", ROW)
        nothing: Any = Symbol(recorder, (recorder.constant(0.0),))
        cover = _planes(recorder, "C") if inside else nothing
        below = _planes(recorder, "RGB")
        stores = _stores("RGB", self._drawing.light(below, cover, x, y, n))
        function = "shade_inside" if inside else "shade_outside"
        if inside:
            loop, place = "k < to[j] - from[j]", "from[j] + k"
        else:
            loop, place = "k < from[j] + P - to[j]", "k < from[j] ? k : k - from[j] + to[j]"
        return _kernel(function, recorder, stores, loop=loop, place=place)


def _planes(recorder: Recorder, names: str) -> Any:
    """The picture so far."""
    channels = [recorder.input(f"{name}[i]", PIXEL).channels[0] for name in names]
    return Symbol(recorder, tuple(channels))


def _arguments(recorder: Recorder, values: list[Any]) -> str:
    """Numbers as arguments of a call in C."""
    sides = [v.channels[0] if isinstance(v, Symbol) else recorder.constant(v) for v in values]
    assert all(level <= PICTURE for _, level in sides), "a box is the same for all pixels"
    return ", ".join(name for name, _ in sides)


def _stores(planes: str, values: Any) -> list[str]:
    pairs = zip(planes, values.channels, strict=True)
    return [f"{plane}[i] = {name};" for plane, (name, _) in pairs]


def _kernel(
    function: str,
    recorder: Recorder,
    stores: list[str],
    *,
    spans: str = "",
    covers: bool = False,
    placed: bool = False,
    loop: str = "k < P",
    place: str = "k",
) -> str:
    """A C function that runs the recorded arithmetic on blocks of pixels.

    spans: arguments for the box whose rows and spans are drawn. Without, all rows are drawn, those
        blocks `k` of each for which `loop` holds, each at column `place`.
    covers: whether it changes the subject's coverage.
    placed: whether it takes the numbers of a sprite's place, `q`.
    """
    picture, row, pixel = (recorder.lines[level] for level in (PICTURE, ROW, PIXEL))
    before, rows = [], "int j = 0; j < S; j++"
    if spans:
        before = ["int rows[2];", f"spans({spans}, gy, S, P, start, width, rows);"]
        before += ["cover(rows, start, width, from, to);"] if covers else []
        rows = "int j = rows[0]; j < rows[1]; j++"
        loop, place = "k < width[j]", "start[j] + k"
    window = f"const float* restrict q, {_WINDOW}" if placed else _WINDOW
    return "\n".join(
        [f"static __attribute__((noinline)) void {function}({window}) {{",
         *_indent(1, [*picture, *before]), f"  for ({rows}) {{", *_indent(2, row),
         f"    for (int k = 0; {loop}; k += LANES) {{",
         f"      const int at = {place};",
         "      const long o = (long)j * P + at;",
         "      const float* restrict X = gx + at;",
         "      float *restrict R = r + o, *restrict G = g + o, *restrict B = b + o,"
         " *restrict C = c + o;",
         "      for (int i = 0; i < LANES; i++) {", *_indent(4, pixel + stores),
         "      }", "    }", "  }", "}", ""]
    )  # fmt: skip


def _indent(depth: int, lines: list[str]) -> list[str]:
    return ["  " * depth + line for line in lines]
