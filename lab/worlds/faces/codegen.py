"""The drawing as C: the recorded arithmetic of every layer, and the loops around it."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from lab.worlds.faces import parts, scene
from lab.worlds.faces.batch import sample_prior
from lab.worlds.faces.geometry import Numbers, numbers_of
from lab.worlds.faces.layers import Layer
from lab.worlds.faces.picture import CLOTH, SUBJECTS, lay, shade
from lab.worlds.faces.runtime import DRIVER, PRELUDE
from lab.worlds.faces.sprites import ORDER
from lab.worlds.faces.trace import FACE, PIXEL, ROW, Recorder, Symbol

_OPERATION = re.compile(r"\s*(const float t\d+ = |[RGBC]\[i\] = )")

Known = Mapping[str, float]
"""Numbers that a kernel is written for."""

_BACKGROUNDS: tuple[Known, ...] = (
    {"stripes": 0, "waves": 0, "checks": 0, "dots": 0, "plain": 1},
    {"stripes": 1, "waves": 0, "checks": 0, "dots": 0, "plain": 0},
    {"stripes": 1, "checks": 0, "dots": 0, "plain": 0},
    {"stripes": 0, "waves": 0, "checks": 1, "dots": 0, "plain": 0},
    {"stripes": 0, "waves": 0, "checks": 0, "dots": 1, "plain": 0},
)

_WINDOW = (
    "const float* restrict p, float pixels, const float* restrict gx, const float* restrict gy,"
    " int S, int P, int* restrict start, int* restrict width, int* restrict from, int* restrict to,"
    " float* restrict r, float* restrict g, float* restrict b, float* restrict c"
)
_PASSED = "p, pixels, x, y, S, P, start, width, from, to, r, g, b, c"


def arithmetic() -> str:
    """The recorded arithmetic of all kernels, one operation a line, without the C around it: what
    decides the colors of a picture, once its numbers are known."""
    return "\n".join(line.strip() for line in source().splitlines() if _OPERATION.match(line))


@functools.cache
def source() -> str:
    """The C source of the whole drawing."""
    columns = numbers_of(sample_prior(1, seed=0))
    kernels: list[str] = []
    background = _chosen("background", _BACKGROUNDS, columns, kernels)
    cloth = _layer(CLOTH, columns, kernels)
    cases = "".join(
        f"      case {code}:\n{''.join(_layer(layer, columns, kernels) for layer in layers)}"
        "        break;\n"
        for code, layers in enumerate(SUBJECTS.values())
    )
    kernels += [_stamp_kernel(part, columns) for part in ORDER]
    kernels += [_shade_kernel(columns, inside=True), _shade_kernel(columns, inside=False)]
    calls = "".join(
        f"        case {code}: stamp_{part}(q, {_PASSED}); break;\n"
        for code, part in enumerate(ORDER)
    )
    noise = next(k for k, (name, _) in enumerate(_slots(columns)) if name == "noise")
    driver = DRIVER
    for mark, text in {
        "LAYERS": background + cloth, "CASES": cases, "STAMPS": calls,
        "PASSED": _PASSED, "NOISE": str(noise), "K": str(columns.packed.shape[1]),
    }.items():  # fmt: skip
        driver = driver.replace(f"@{mark}@", text)
    return "\n".join([PRELUDE, *kernels, driver])


def _slots(columns: Numbers) -> list[tuple[str, int]]:
    """(name, channel) of each packed column."""
    return [(name, c) for name, width in columns.columns for c in range(width)]


def _inputs(recorder: Recorder, columns: Numbers, known: Known) -> dict[str, Symbol]:
    named: dict[str, list[tuple[str, int]]] = {}
    for k, (name, _) in enumerate(_slots(columns)):
        value = (
            (recorder.constant(known[name]),)
            if name in known
            else recorder.input(f"p[{k}]", FACE).channels
        )
        named.setdefault(name, []).extend(value)
    return {name: Symbol(recorder, tuple(channels)) for name, channels in named.items()}


def _layer(layer: Layer, columns: Numbers, kernels: list[str]) -> str:
    return _chosen(layer, layer.cases, columns, kernels)


def _chosen(
    layer: Layer | str, cases: tuple[Known, ...], columns: Numbers, kernels: list[str]
) -> str:
    """Write a kernel for each case and one for all others; returns the code that calls the first
    that fits. A case in which nothing changes has no kernel."""
    slot = {name: k for k, (name, _) in enumerate(_slots(columns))}
    calls, name = [], layer if isinstance(layer, str) else layer.name
    for number, known in enumerate((*cases, {})):
        head = f"lay_{name}_{number}"
        kernel = _layer_kernel(head, layer, columns, known)
        test = " && ".join(
            f"p[{slot[key]}] == {float(value).hex()}f" for key, value in known.items()
        )
        kernels.append(kernel)
        call = f"{head}({_PASSED});" if kernel else ";"
        calls.append(f"if ({test}) {call}" if known else call)
    return "        " + "\n        else ".join(calls) + "\n"


def _layer_kernel(head: str, layer: Layer | str, columns: Numbers, known: Known) -> str:
    """Code of a layer where some numbers are known; empty if it then changes nothing."""
    recorder = Recorder()
    n: Any = _inputs(recorder, columns, known)
    x: Any = recorder.input("X[i]", PIXEL)
    y: Any = recorder.input("gy[j]", ROW)
    pixels: Any = recorder.input("pixels", FACE)
    if isinstance(layer, str):
        stores = _stores("RGB", scene.background(x, y, pixels, n))
        return _kernel(head, recorder, stores)
    below, cover = _planes(recorder, "RGB"), _planes(recorder, "C")
    laid: tuple[Any, Any] = lay(layer, below, cover, x, y, pixels, n)  # type: ignore[arg-type]
    stores = []
    for planes, before, after in (("RGB", below, laid[0]), ("C", cover, laid[1])):
        if after.channels != before.channels:
            stores += _stores(planes, after)
    if not stores:
        return ""
    frame: list[Any] = [n[name] for name in ("x", "y", "cos", "sin")]
    box = layer.box(pixels * n["scale"], n)
    covers = laid[1].channels != cover.channels
    return _kernel(head, recorder, stores, spans=_sides(recorder, [*frame, *box]), covers=covers)


def _sides(recorder: Recorder, values: list[Any]) -> str:
    """Numbers as arguments of a call in C."""
    sides = [v.channels[0] if isinstance(v, Symbol) else recorder.constant(v) for v in values]
    assert all(level <= FACE for _, level in sides), "a box is the same for all pixels"
    return ", ".join(name for name, _ in sides)


def _stamp_kernel(part: str, columns: Numbers) -> str:
    recorder = Recorder()
    n: Any = _inputs(recorder, columns, {})
    left, top, cos, sin, side, sharp = (recorder.input(f"q[{k}]", FACE) for k in range(6))
    dx: Any = recorder.input("X[i]", PIXEL) - left
    dy: Any = recorder.input("gy[j]", ROW) - top
    ink = parts.DRAW[part](dx * cos + dy * sin, dy * cos - dx * sin, side, sharp, n)  # type: ignore[arg-type]
    laid = _planes(recorder, "RGB") * (1 - ink.alpha) + ink.rgb
    box = parts.BOXES[part](sharp, n)  # type: ignore[arg-type]
    sides = _sides(recorder, [left, top, cos, sin, *box])
    return _kernel(f"stamp_{part}", recorder, _stores("RGB", laid), spans=sides, stamp=True)


def _shade_kernel(columns: Numbers, *, inside: bool) -> str:
    """The light, where the subject may be and where it is not."""
    recorder = Recorder()
    n: Any = _inputs(recorder, columns, {})
    x: Any = recorder.input("X[i]", PIXEL)
    y: Any = recorder.input("gy[j]", ROW)
    cover = _planes(recorder, "C") if inside else Symbol(recorder, (recorder.constant(0.0),))
    below: Any = _planes(recorder, "RGB")
    stores = _stores("RGB", shade(below, cover, x, y, n))  # type: ignore[arg-type]
    head = "shade_inside" if inside else "shade_outside"
    if inside:
        loop, place = "k < to[j] - from[j]", "from[j] + k"
    else:
        loop, place = "k < from[j] + P - to[j]", "k < from[j] ? k : k - from[j] + to[j]"
    return _kernel(head, recorder, stores, loop=loop, place=place)


def _planes(recorder: Recorder, names: str) -> Symbol:
    """The picture as it is so far."""
    channels = [recorder.input(f"{name}[i]", PIXEL).channels[0] for name in names]
    return Symbol(recorder, tuple(channels))


def _stores(planes: str, values: Any) -> list[str]:
    pairs = zip(planes, values.channels, strict=True)
    return [f"{plane}[i] = {name};" for plane, (name, _) in pairs]


def _kernel(
    head: str,
    recorder: Recorder,
    stores: list[str],
    *,
    spans: str = "",
    covers: bool = False,
    stamp: bool = False,
    loop: str = "k < P",
    place: str = "k",
) -> str:
    """A function of C that does the recorded arithmetic on blocks of pixels.

    `spans` are the arguments for a box whose rows and spans are to be drawn, `covers` says that the
    subject covers something there. Otherwise all rows are drawn, those blocks `k` of each for which
    `loop` holds, each at column `place`.
    """
    face, row, pixel = (recorder.lines[level] for level in (FACE, ROW, PIXEL))
    before, rows = [], "int j = 0; j < S; j++"
    if spans:
        before = ["int rows[2];", f"spans({spans}, gy, S, P, start, width, rows);"]
        before += ["cover(rows, start, width, from, to);"] if covers else []
        rows = "int j = rows[0]; j < rows[1]; j++"
        loop, place = "k < width[j]", "start[j] + k"
    window = f"const float* restrict q, {_WINDOW}" if stamp else _WINDOW
    return "\n".join(
        [f"static __attribute__((noinline)) void {head}({window}) {{",
         *_indent(1, [*face, *before]), f"  for ({rows}) {{", *_indent(2, row),
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
