"""Drawing in C: the recorded arithmetic of every kernel, built once by the system's compiler.

The library is kept in the user's cache folder, under the hash of its source, compiler and
processor. It is used only after it has drawn a set of faces exactly as `lab.faces.eager` does.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lab.faces import eager, parts, scene
from lab.faces.anatomy import Numbers
from lab.faces.batch import sample
from lab.faces.picture import SUBJECTS, lay_cloth, lay_subject, shade
from lab.faces.plan import Plan, make_plan
from lab.faces.scene import grid, noise_tape
from lab.faces.trace import FACE, PIXEL, ROW, Recorder, Symbol

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
         "-ffinite-math-only", "-fno-signed-zeros", "-fPIC", "-shared")  # fmt: skip
"""No flag that changes a finite result: no contraction to fused multiply-add, no reassociation.
The last two promise that no number is infinite and none's sign of zero matters, so that least and
most are single instructions."""


class Unavailable(RuntimeError):
    """Why faces cannot be drawn in C here."""


def draw(plan: Plan, out: Tensor) -> None:
    """Write the pictures of a plan, whose faces may come in any order, to `out`: uint8 (N, 3, S, S)
    on the CPU, contiguous. Raises `Unavailable`."""
    _draw(library(), plan, out)


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled drawing; raises `Unavailable` if it cannot be built or draws differently."""
    path = library_path()
    if not path.exists():
        _build(path)
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise Unavailable(f"the compiled drawing does not load: {error}") from None
    _compare(loaded)
    return loaded


def is_built() -> bool:
    """Whether the library is there, so that using it costs no wait."""
    return compiler() is not None and library_path().exists()


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)


@functools.cache
def library_path() -> Path:
    """Where this processor's library of this drawing is, or will be."""
    key = "\n".join([source(), str(compiler()), *FLAGS, platform.platform(), _processor()])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "memorization-lab" / f"faces-{hashlib.sha256(key.encode()).hexdigest()[:20]}.so"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(path: Path) -> None:
    program = compiler()
    if program is None:
        raise Unavailable("there is no C compiler (cc, gcc or clang)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            code, built = Path(folder) / "faces.c", Path(folder) / "faces.so"
            code.write_text(source())
            command = [program, *FLAGS, str(code), "-o", str(built), "-lm"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                line = (result.stderr.strip().splitlines() or ["no message"])[-1]
                raise Unavailable(f"{program} fails: {line}")
            os.replace(built, path)
    except OSError as error:
        raise Unavailable(f"the compiled drawing cannot be kept: {error}") from None


def _compare(loaded: ctypes.CDLL) -> None:
    """Raise `Unavailable` unless a set of faces comes out exactly as the eager drawing has it."""
    faces = sample(48, seed=0, split="compare drawings")
    subjects = [*SUBJECTS] * 8
    faces = faces.do(subject=subjects)
    plan = make_plan(faces[torch.argsort(faces["subject"], stable=True)], 40)
    drawn = torch.empty(len(plan), 3, plan.size, plan.size, dtype=torch.uint8)
    _draw(loaded, plan, drawn)
    if not torch.equal(drawn, eager.draw(plan, torch.device("cpu"))):
        raise Unavailable("the compiled drawing differs from the eager one on this machine")


def _draw(loaded: ctypes.CDLL, plan: Plan, out: Tensor) -> None:
    size, count = plan.size, len(plan)
    assert out.is_contiguous(), "a pointer knows no strides"
    x, y = grid(size, torch.device("cpu"))
    tape = noise_tape(3 * size * size)
    subjects = torch.tensor(plan.subjects, dtype=torch.int32)
    packed, blur = plan.numbers.packed.contiguous(), plan.blur.contiguous()
    keep: list[Tensor] = []  # what pointers point at must outlive the call

    def pointer(tensor: Tensor) -> ctypes.c_void_p:
        keep.append(tensor.contiguous())
        return ctypes.c_void_p(keep[-1].data_ptr())

    marks: list[object] = []
    rows = torch.arange(count + 1)
    for part in parts.DRAW:
        stamps = plan.stamps[part]
        places = torch.stack([stamps.left, stamps.top], dim=1).int()
        turns = torch.stack([stamps.cos, stamps.sin, stamps.side, stamps.sharp], dim=1)
        marks += [pointer(torch.searchsorted(stamps.face, rows)), pointer(places), pointer(turns),
                  pointer(stamps.dx), pointer(stamps.dy), ctypes.c_int(stamps.dx.shape[1]),
                  ctypes.c_int(stamps.dy.shape[1])]  # fmt: skip
    shared = [ctypes.c_int(size), pointer(packed), pointer(subjects), pointer(plan.boxes),
              pointer(x), pointer(y), *marks, pointer(blur), ctypes.c_int(blur.shape[1] - 1),
              pointer(plan.noise_start), pointer(tape), pointer(out)]  # fmt: skip
    threads = min(torch.get_num_threads(), max(1, count // 64))
    cuts = [count * k // threads for k in range(threads + 1)]

    def stretch(start: int, stop: int) -> int:
        return int(loaded.draw(ctypes.c_long(start), ctypes.c_long(stop), *shared))

    if threads == 1:
        codes = [stretch(0, count)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            codes = list(pool.map(stretch, cuts[:-1], cuts[1:]))
    if any(codes):
        raise MemoryError("no memory to draw in")


@functools.cache
def source() -> str:
    """The C source of the whole drawing."""
    faces = sample(1, seed=0)
    columns = make_plan(faces, 16).numbers
    pieces = [_PRELUDE, *_layer_kernels(columns)]
    pieces += [_stamp_kernel(part, columns) for part in parts.DRAW]
    pieces.append(_shade_kernel(columns))
    cases = "".join(
        f"      case {code}: lay_{subject}(p, pixels, x + l, y + t, w, h, S, r + o, g + o, b + o,"
        " c + o); break;\n"
        for code, subject in enumerate(SUBJECTS)
    )
    arguments = "".join(
        f"    const long* at_{part}, const int* place_{part}, const float* turn_{part},\n"
        f"    const float* dx_{part}, const float* dy_{part}, int w_{part}, int h_{part},\n"
        for part in parts.DRAW
    )
    calls = "".join(
        f"    for (long m = at_{part}[f]; m < at_{part}[f + 1]; m++) {{\n"
        f"      const long o = (long)place_{part}[2 * m + 1] * S + place_{part}[2 * m];\n"
        f"      stamp_{part}(p, turn_{part} + 4 * m, dx_{part} + m * w_{part},"
        f" dy_{part} + m * h_{part},\n        w_{part}, h_{part}, S, r + o, g + o, b + o);\n"
        "    }\n"
        for part in parts.DRAW
    )
    noise = next(k for k, (name, _) in enumerate(_slots(columns)) if name == "noise")
    driver = _DRIVER.replace("@ARGUMENTS@", arguments).replace("@CASES@", cases)
    driver = driver.replace("@STAMPS@", calls).replace("@NOISE@", str(noise))
    pieces.append(driver.replace("@K@", str(columns.packed.shape[1])))
    return "\n".join(pieces)


def _slots(columns: Numbers) -> list[tuple[str, int]]:
    """(name, channel) of each packed column."""
    return [(name, c) for name, width in columns.columns for c in range(width)]


def _inputs(recorder: Recorder, columns: Numbers) -> dict[str, Symbol]:
    named: dict[str, list[tuple[str, int]]] = {}
    for k, (name, _) in enumerate(_slots(columns)):
        named.setdefault(name, []).extend(recorder.input(f"p[{k}]", FACE).channels)
    return {name: Symbol(recorder, tuple(channels)) for name, channels in named.items()}


def _kernel(head: str, recorder: Recorder, stores: list[str]) -> str:
    face, row, pixel = (recorder.lines[level] for level in (FACE, ROW, PIXEL))
    return "\n".join(
        [f"static __attribute__((noinline)) void {head} {{", *_indent(1, face),
         "  for (int j = 0; j < h; j++) {", *_indent(2, row),
         "    const long o = (long)j * S;",
         "    for (int i = 0; i < w; i++) {", *_indent(3, pixel + stores), "    }", "  }", "}", ""]
    )  # fmt: skip


def _indent(depth: int, lines: list[str]) -> list[str]:
    return ["  " * depth + line for line in lines]


def _store(planes: str, values: Any) -> list[str]:
    pairs = zip(planes, values.channels, strict=True)
    return [f"{plane}[o + i] = {name};" for plane, (name, _) in pairs]


_WINDOW = (
    "(const float* restrict p, float pixels, const float* restrict gx, const float* restrict gy,"
    " int w, int h, int S, float* restrict r, float* restrict g, float* restrict b,"
    " float* restrict c)"
)


def _layer_kernels(columns: Numbers) -> list[str]:
    """Background, cloth and every subject, each on a window of the picture."""
    kernels = []
    for name in ("background", "cloth", *SUBJECTS):
        recorder = Recorder()
        n: Any = _inputs(recorder, columns)
        x: Any = recorder.input("gx[i]", PIXEL)
        y: Any = recorder.input("gy[j]", ROW)
        pixels: Any = recorder.input("pixels", FACE)
        if name == "background":
            stores = _store("rgb", scene.background(x, y, pixels, n))
        else:
            below: Any = _planes(recorder)
            if name == "cloth":
                stores = _store("rgb", lay_cloth(below, x, y, pixels, n))
            else:
                canvas, cover = lay_subject(name, below, x, y, pixels, n)
                stores = _store("rgb", canvas) + _store("c", cover)
        kernels.append(_kernel(f"lay_{name}{_WINDOW}", recorder, stores))
    return kernels


def _planes(recorder: Recorder) -> Symbol:
    """The picture as it is so far."""
    return Symbol(recorder, tuple(recorder.input(f"{c}[o + i]", PIXEL).channels[0] for c in "rgb"))


def _stamp_kernel(part: str, columns: Numbers) -> str:
    recorder = Recorder()
    n: Any = _inputs(recorder, columns)
    dx, dy = recorder.input("gx[i]", PIXEL), recorder.input("gy[j]", ROW)
    cos, sin, side, sharp = (recorder.input(f"q[{k}]", FACE) for k in range(4))
    u: Any = dx * cos + dy * sin
    v: Any = dy * cos - dx * sin
    ink = parts.DRAW[part](u, v, side, sharp, n)  # type: ignore[arg-type]
    laid = _planes(recorder) * (1 - ink.alpha) + ink.rgb
    head = (f"stamp_{part}(const float* restrict p, const float* restrict q,"
            " const float* restrict gx, const float* restrict gy, int w, int h, int S,"
            " float* restrict r, float* restrict g, float* restrict b)")  # fmt: skip
    return _kernel(head, recorder, _store("rgb", laid))


def _shade_kernel(columns: Numbers) -> str:
    recorder = Recorder()
    n: Any = _inputs(recorder, columns)
    x: Any = recorder.input("gx[i]", PIXEL)
    y: Any = recorder.input("gy[j]", ROW)
    cover: Any = recorder.input("c[o + i]", PIXEL)
    below: Any = _planes(recorder)
    head = f"shade{_WINDOW.replace('float* restrict c', 'const float* restrict c')}"
    return _kernel(head, recorder, _store("rgb", shade(below, cover, x, y, n)))


_PRELUDE = """
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static inline float least(float a, float b) { return a < b ? a : b; }
static inline float most(float a, float b) { return a > b ? a : b; }
"""

_DRIVER = """
static inline __attribute__((always_inline)) void blur_by(float* restrict a, float* restrict t,
    float* restrict line, int S, const float* restrict w, const int taps) {
  for (int j = 0; j < S; j++) {
    for (int i = 0; i < S; i++) {
      float v = a[j * S + i] * w[0];
      for (int k = 1; k <= taps; k++) {
        const int u = j - k < 0 ? 0 : j - k, d = j + k >= S ? S - 1 : j + k;
        v = v + (a[u * S + i] + a[d * S + i]) * w[k];
      }
      t[j * S + i] = v;
    }
  }
  for (int j = 0; j < S; j++) {
    for (int i = 0; i < taps; i++) { line[i] = t[j * S]; line[taps + S + i] = t[j * S + S - 1]; }
    for (int i = 0; i < S; i++) line[taps + i] = t[j * S + i];
    for (int i = 0; i < S; i++) {
      float v = line[taps + i] * w[0];
      for (int k = 1; k <= taps; k++) v = v + (line[taps - k + i] + line[taps + k + i]) * w[k];
      a[j * S + i] = v;
    }
  }
}

static __attribute__((noinline)) void blur(float* a, float* t, float* line, int S, const float* w,
                                           int taps) {
  switch (taps) { /* unrolled where it matters */
    case 1: blur_by(a, t, line, S, w, 1); break;
    case 2: blur_by(a, t, line, S, w, 2); break;
    case 3: blur_by(a, t, line, S, w, 3); break;
    case 4: blur_by(a, t, line, S, w, 4); break;
    default: blur_by(a, t, line, S, w, taps);
  }
}

/* Grain and bytes; the planes lie one behind the other. */
static __attribute__((noinline)) void finish(const float* restrict a,
    const float* restrict grain, float deviation, uint8_t* restrict out, long count) {
  for (long k = 0; k < count; k++) {
    const float v = (a[k] + deviation * grain[k]) * 255.0f + 0.5f;
    out[k] = (uint8_t)(int)least(most(v, 0.0f), 255.0f);
  }
}

int draw(long first, long last, int S, const float* numbers, const int* subject,
    const int* boxes, const float* x, const float* y,
@ARGUMENTS@    const float* weights, int taps, const long* start, const float* tape, uint8_t* out) {
  const long area = (long)S * S;
  const float pixels = S * 0.5f;
  float* r = malloc((5 * area + S + 2 * taps) * sizeof(float));
  if (!r) return 1;
  float *g = r + area, *b = g + area, *c = b + area, *t = c + area, *line = t + area;
  for (long f = first; f < last; f++) {
    const float* p = numbers + f * @K@;
    const int* box = boxes + 6 * f; /* rows of the cloth; columns and rows of the subject */
    memset(c, 0, area * sizeof(float));
    lay_background(p, pixels, x, y, S, S, S, r, g, b, c);
    {
      const long o = (long)box[0] * S;
      lay_cloth(p, pixels, x, y + box[0], S, box[1] - box[0], S, r + o, g + o, b + o, c + o);
    }
    {
      const int l = box[2], w = box[3] - l, t = box[4], h = box[5] - t;
      const long o = (long)t * S + l;
      switch (subject[f]) {
@CASES@      }
    }
@STAMPS@    shade(p, pixels, x, y, S, S, S, r, g, b, c);
    const float* weight = weights + f * (taps + 1);
    if (weight[0] != 1.0f) {
      blur(r, t, line, S, weight, taps);
      blur(g, t, line, S, weight, taps);
      blur(b, t, line, S, weight, taps);
    }
    finish(r, tape + start[f], p[@NOISE@], out + f * 3 * area, 3 * area);
  }
  free(r);
  return 0;
}
"""
__all__ = ["Unavailable", "compiler", "draw", "is_built", "library", "library_path", "source"]
