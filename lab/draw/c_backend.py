"""Drawing in C: the generated source, built once by a C compiler.

The library is kept in the user's cache (`lab.core.compiled`). It is used only after it has drawn a
drawing's examples bit for bit as the torch backend does.
"""

import ctypes
import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from lab.core import compiled
from lab.draw import torch_backend
from lab.draw.codegen import LANES, source
from lab.draw.display_list import DisplayList
from lab.draw.drawing import Drawing
from lab.draw.finish import grid, noise_tape

FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-ffinite-math-only",
         "-fno-signed-zeros", "-fPIC", "-shared")  # fmt: skip
"""No flag that changes a finite result: no contraction to fused multiply-add, no reassociation.
`-ffinite-math-only` and `-fno-signed-zeros` promise that no number is infinite or NaN and that the
sign of a zero does not matter, so that `least` and `most` become single instructions."""


def draw(drawing: Drawing[Any], listed: DisplayList, out: Tensor, *, threads: int) -> None:
    """Write the pictures of a display list, in any order of subjects, to `out`: uint8 (N, 3, S, S)
    on the CPU, contiguous, with up to so many threads. Raises `compiled.Unavailable`."""
    _draw(library(drawing), listed, out, threads=threads)


@functools.cache
def library(drawing: Drawing[Any]) -> ctypes.CDLL:
    """The compiled library; raises `compiled.Unavailable` if it cannot be built or draws
    differently."""
    loaded = compiled.load(source(drawing), library_paths(drawing), FLAGS)
    _compare(drawing, loaded)
    return loaded


def is_built(drawing: Drawing[Any]) -> bool:
    """Whether the library is there, so that using it costs no wait."""
    return compiled.is_built(library_paths(drawing))


@functools.cache
def library_paths(drawing: Drawing[Any]) -> tuple[Path, ...]:
    """Where this processor's library of a drawing is, or can be, the best place first."""
    return compiled.library_paths(drawing.name, source(drawing), FLAGS)


def _compare(drawing: Drawing[Any], loaded: ctypes.CDLL) -> None:
    """Raise `compiled.Unavailable` unless the examples come out bit for bit as torch draws them."""
    batch, size = drawing.examples(), 40
    batch = batch.take(torch.argsort(drawing.subject_of(batch), stable=True))
    listed = drawing.prepare(batch, size)
    drawn = torch.empty(len(listed), 3, size, size, dtype=torch.uint8)
    _draw(loaded, listed, drawn, threads=1)
    if not torch.equal(drawn, torch_backend.draw(drawing, listed, torch.device("cpu"))):
        raise compiled.Unavailable(
            "the compiled library draws differently from torch on this machine"
        )


def _draw(loaded: ctypes.CDLL, listed: DisplayList, out: Tensor, *, threads: int) -> None:
    size, count = listed.size, len(listed)
    assert out.is_contiguous(), "the library gets a pointer without strides"
    padded = (size + LANES - 1) // LANES * LANES
    x, y = (pad(axis.flatten(), (0, padded - size)) for axis in grid(size, torch.device("cpu")))
    tape = noise_tape(3 * size * size)
    subjects = torch.tensor(listed.subjects, dtype=torch.int32)
    keep: list[Tensor] = []  # tensors that pointers point at must outlive the call

    def pointer(tensor: Tensor) -> ctypes.c_void_p:
        keep.append(tensor.contiguous())
        return ctypes.c_void_p(keep[-1].data_ptr())

    sprites = listed.sprites
    ends = torch.searchsorted(sprites.picture, torch.arange(count + 1))
    shared = [ctypes.c_int(size), ctypes.c_int(padded), pointer(listed.inputs.packed),
              pointer(subjects), pointer(x), pointer(y), pointer(ends), pointer(sprites.kind.int()),
              pointer(sprites.place), pointer(listed.blur), ctypes.c_int(listed.blur.shape[1] - 1),
              pointer(listed.noise_start), pointer(tape), pointer(out)]  # fmt: skip
    threads = min(threads, max(1, count // 64))
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
