"""Drawing in C: the recorded arithmetic of every kernel, built once by the system's compiler.

The library is kept in a cache folder of the user's, under the hash of its source, compiler and
processor. It is used only after it has drawn a set of faces exactly as
`lab.worlds.faces.torch_backend` does.
"""

import ctypes
import errno
import functools
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from lab.core.atomic import replace_file
from lab.worlds.faces import torch_backend
from lab.worlds.faces.batch import sample_prior
from lab.worlds.faces.codegen import source
from lab.worlds.faces.picture import SUBJECTS
from lab.worlds.faces.plan import Plan, make_plan
from lab.worlds.faces.runtime import LANES
from lab.worlds.faces.scene import grid, noise_tape

FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-ffinite-math-only",
         "-fno-signed-zeros", "-fPIC", "-shared")  # fmt: skip
"""No flag that changes a finite result: no contraction to fused multiply-add, no reassociation.
`-ffinite-math-only` and `-fno-signed-zeros` promise that no number is infinite and none's sign of
zero matters, so that least and most are single instructions."""

TUNED = (("-march=native",), ("-mcpu=native",), ())
"""Flags for this very processor, the first that the compiler takes: clang on Apple's processors
knows the second alone."""

NAME = "memorization-lab"
"""The folder in the user's cache."""


class Unavailable(RuntimeError):
    """Why faces cannot be drawn in C here."""


def draw(plan: Plan, out: Tensor) -> None:
    """Write the pictures of a plan, whose faces may come in any order, to `out`: uint8 (N, 3, S, S)
    on the CPU, contiguous. Raises `Unavailable`."""
    _draw(library(), plan, out)


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled drawing; raises `Unavailable` if it cannot be built or draws differently."""
    reason = "there is no folder to keep the compiled drawing in"
    for path in library_paths():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not _is_private(path.parent):
                raise PermissionError(errno.EPERM, "others can write there", str(path.parent))
            if not path.exists():
                _build(path)
            loaded = ctypes.CDLL(str(path))
        except OSError as error:  # a full disk, or one from which nothing may be executed
            reason = f"the compiled drawing cannot be kept and loaded: {error}"
        except Unavailable as error:
            reason = str(error)
        else:
            _compare(loaded)
            return loaded
    raise Unavailable(reason)


def is_built() -> bool:
    """Whether the library is there, so that using it costs no wait."""
    return compiler() is not None and any(
        os.path.exists(path) and _is_private(path.parent) for path in library_paths()
    )


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)


@functools.cache
def library_paths() -> tuple[Path, ...]:
    """Where this processor's library of this drawing is, or can be, the best place first."""
    key = "\n".join([source(), str(compiler()), *FLAGS, platform.platform(), _processor()])
    name = f"faces-{hashlib.sha256(key.encode()).hexdigest()[:20]}.so"
    return tuple(folder / name for folder in _caches())


def _caches() -> Iterator[Path]:
    """The user's cache folder; and a folder among the temporary files, for users who have no home
    here or may not write there, as in many containers."""
    with suppress(RuntimeError):  # who has no home
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not cache.is_absolute():  # then it is to be ignored
            cache = Path.home() / ".cache"
        if cache.is_absolute():
            yield cache / NAME
    temporary = Path(os.environ.get("TMPDIR") or "/tmp")
    if hasattr(os, "getuid") and temporary.is_absolute():
        yield temporary / f"{NAME}-{os.getuid()}"


def _is_private(folder: Path) -> bool:
    """Whether nobody else can put a library into the folder."""
    found = folder.stat()
    return not hasattr(os, "getuid") or (
        found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(path: Path) -> None:
    program = compiler()
    if program is None:
        raise Unavailable("there is no C compiler (cc, gcc or clang)")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, built = Path(folder) / "faces.c", Path(folder) / "faces.so"
        code.write_text(source(), encoding="utf-8")
        for tuned in TUNED:
            command = [program, *FLAGS, *tuned, str(code), "-o", str(built), "-lm"]
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env={**os.environ, "TMPDIR": folder},  # where the compiler keeps its own files
            )
            if result.returncode == 0 or "native" not in result.stderr:
                break
        if result.returncode != 0:
            line = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise Unavailable(f"{program} fails: {line}")
        replace_file(path, built.read_bytes())


def _compare(loaded: ctypes.CDLL) -> None:
    """Raise `Unavailable` unless a set of faces comes out exactly as the eager drawing has it."""
    faces = sample_prior(48, seed=0, split="compare drawings")
    subjects = [*SUBJECTS] * 8
    faces = faces.do(subject=subjects)
    plan = make_plan(faces[torch.argsort(faces["subject"], stable=True)], 40)
    drawn = torch.empty(len(plan), 3, plan.size, plan.size, dtype=torch.uint8)
    _draw(loaded, plan, drawn)
    if not torch.equal(drawn, torch_backend.draw(plan, torch.device("cpu"))):
        raise Unavailable("the compiled drawing differs from the eager one on this machine")


def _draw(loaded: ctypes.CDLL, plan: Plan, out: Tensor) -> None:
    size, count = plan.size, len(plan)
    assert out.is_contiguous(), "a pointer knows no strides"
    padded = (size + LANES - 1) // LANES * LANES
    x, y = (pad(axis.flatten(), (0, padded - size)) for axis in grid(size, torch.device("cpu")))
    tape = noise_tape(3 * size * size)
    subjects = torch.tensor(plan.subjects, dtype=torch.int32)
    keep: list[Tensor] = []  # what pointers point at must outlive the call

    def pointer(tensor: Tensor) -> ctypes.c_void_p:
        keep.append(tensor.contiguous())
        return ctypes.c_void_p(keep[-1].data_ptr())

    stamps = plan.stamps
    ends = torch.searchsorted(stamps.face, torch.arange(count + 1))
    shared = [ctypes.c_int(size), ctypes.c_int(padded), pointer(plan.numbers.packed),
              pointer(subjects), pointer(x), pointer(y), pointer(ends), pointer(stamps.part.int()),
              pointer(stamps.place), pointer(plan.blur), ctypes.c_int(plan.blur.shape[1] - 1),
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


__all__ = ["Unavailable", "compiler", "draw", "is_built", "library", "library_paths",
           "source"]  # fmt: skip
