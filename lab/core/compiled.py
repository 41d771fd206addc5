"""C code built once by the system's compiler, and kept in a cache folder of the user's.

A library is kept under the hash of its source, flags, compiler and processor. Standard library
only.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.core.atomic import replace_file
from lab.core.caches import caches, is_private

TUNED = (("-march=native",), ("-mcpu=native",), ())
"""Flags that tune for this processor; the first that the compiler accepts is used. Clang on Apple's
processors accepts the second alone."""


class Unavailable(RuntimeError):
    """Why compiled code cannot be used here."""


def load(text: str, paths: Sequence[Path], flags: Sequence[str]) -> ctypes.CDLL:
    """The library made of the C code `text` with `flags`, from the first of `paths` (see
    `library_paths`) where it is or can be kept; raises `Unavailable` if there is none."""
    reason = "there is no folder to keep the compiled library in"
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not is_private(path.parent):
                raise PermissionError(errno.EPERM, "others can write there", str(path.parent))
            if not path.exists():
                _build(text, path, flags)
            return ctypes.CDLL(str(path))
        except OSError as error:  # a full disk, or one from which nothing may be executed
            reason = f"the compiled library cannot be kept and loaded: {error}"
        except Unavailable as error:
            reason = str(error)
    raise Unavailable(reason)


def is_built(paths: Sequence[Path]) -> bool:
    """Whether the library is there, so that using it costs no wait."""
    return compiler() is not None and any(
        os.path.exists(path) and is_private(path.parent) for path in paths
    )


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)


def library_paths(name: str, text: str, flags: Sequence[str]) -> tuple[Path, ...]:
    """Where this processor's library of the C code `text` is, or can be, the best place first."""
    key = "\n".join([text, str(compiler()), _version(), *flags, platform.platform(), _processor()])
    file = f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.so"
    return tuple(folder / file for folder in caches())


def _version() -> str:
    """What changes when another version of the compiler is installed: its file, its size and when
    it was made. To ask it for its version would take a process of its own."""
    program = compiler()
    if program is None:
        return ""
    file = Path(os.path.realpath(program))
    found = file.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns}"


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _build(text: str, path: Path, flags: Sequence[str]) -> None:
    program = compiler()
    if program is None:
        raise Unavailable("there is no C compiler (cc, gcc or clang)")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        code, built = Path(folder) / "code.c", Path(folder) / "code.so"
        code.write_text(text, encoding="utf-8")
        for tuned in TUNED:
            command = [program, *flags, *tuned, str(code), "-o", str(built), "-lm"]
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env={**os.environ, "TMPDIR": folder},  # for the compiler's own files
            )
            if result.returncode == 0 or "native" not in result.stderr:
                break
        if result.returncode != 0:
            line = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise Unavailable(f"{program} fails: {line}")
        replace_file(path, built.read_bytes())
