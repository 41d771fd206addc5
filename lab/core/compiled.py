"""C code built once by a C compiler, and kept in a cache folder of the user's.

The compiler is the system's; where it is missing, or fails, it is clang in the Python package
ziglang (the extra `compiler`), if that is installed. A library is kept under the hash of its
source, flags, preferred compiler and processor. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.core.atomic import replace_file
from lab.core.caches import caches, is_private
from lab.core.machine import WINDOWS

TUNED = (("-march=native",), ("-mcpu=native",), ())
"""Flags that tune for this processor; the first that the compiler accepts is used. Clang on Apple's
processors accepts the second alone."""

ZIG = ("cc", "-rtlib=none", "-s")
"""What follows ziglang's program: its C compiler, without its runtime library, which it would first
build for four processor seconds and which the code here does not need, and without debug
information."""

INSTALL = "pip install -e '.[compiler]'"
"""What installs ziglang."""


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
    return any(os.path.exists(path) and is_private(path.parent) for path in paths)


def compilers() -> list[tuple[str, ...]]:
    """The commands of the C compilers there are, the preferred first: that of the environment
    variable CC, or else cc, gcc or clang; and that of the package ziglang."""
    names = (os.environ.get("CC", "cc"), "gcc", "clang")
    system = next(filter(None, map(shutil.which, names)), None)
    package = _ziglang()
    commands: list[tuple[str, ...]] = [] if system is None else [(system,)]
    return commands if package is None else [*commands, (package, *ZIG)]


def library_paths(name: str, text: str, flags: Sequence[str]) -> tuple[Path, ...]:
    """Where this processor's library of the C code `text` is, or can be, the best place first."""
    command = next(iter(compilers()), ())
    key = "\n".join(
        [text, " ".join(command), _version(command), *flags, platform.platform(), processor()]
    )
    file = f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.so"
    return tuple(folder / file for folder in caches())


def _ziglang() -> str | None:
    """The program of the Python package ziglang. Not on Windows, where it refuses the C code:
    `aligned_alloc` is missing there."""
    found = None if WINDOWS else importlib.util.find_spec("ziglang")
    places = (found and found.submodule_search_locations) or ()
    return next(filter(None, (shutil.which("zig", path=place) for place in places)), None)


def _version(command: Sequence[str]) -> str:
    """What changes when another version of the compiler is installed: its file, its size and when
    it was made. To ask it for its version would take a process of its own."""
    if not command:
        return ""
    file = Path(os.path.realpath(command[0]))
    found = file.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns}"


@functools.cache
def processor() -> str:
    """What tells processors apart for which the compiler's code may differ: the instructions that
    Linux lists, the model on macOS, where Python knows the architecture alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return _model() or platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _model() -> str:
    """The processor's model on macOS, empty elsewhere."""
    sysctl = shutil.which("sysctl")
    if sysctl is None:
        return ""
    command = [sysctl, "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _build(text: str, path: Path, flags: Sequence[str]) -> None:
    """Raises `Unavailable` if no compiler can; the reason is the preferred one's."""
    reasons = []
    for command in compilers():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            code, built = Path(folder) / "code.c", Path(folder) / "code.so"
            code.write_text(text, encoding="utf-8")
            message = _compile(command, flags, code, built)
            if message is None:
                replace_file(path, built.read_bytes())
                return
        reasons.append(f"{command[0]} fails: {message}")
    reason = reasons[0] if reasons else "there is no C compiler (cc, gcc or clang)"
    if WINDOWS or _ziglang():
        raise Unavailable(reason)
    raise Unavailable(f"{reason}; {INSTALL} installs {'another' if reasons else 'one'}")


def _compile(command: Sequence[str], flags: Sequence[str], code: Path, built: Path) -> str | None:
    """Make the library `built` of the file `code`; what the compiler says last if it fails."""
    folder = str(code.parent)
    own = dict.fromkeys(("TMPDIR", "ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), folder)
    for tuned in TUNED:
        result = subprocess.run(
            [*command, *flags, *tuned, str(code), "-o", str(built), "-lm"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **own},  # for the compiler's own files
        )
        if result.returncode == 0 or "native" not in result.stderr:
            break
    if result.returncode == 0:
        return None
    return (result.stderr.strip().splitlines() or ["no message"])[-1]
