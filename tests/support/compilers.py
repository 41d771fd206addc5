"""C compilers that a test takes away, or puts there."""

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

from lab.core.compiled import compilers

needs_compiler = pytest.mark.skipif(not compilers(), reason="there is no C compiler")

needs_ziglang = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="the package ziglang is not installed"
)

REAL = "real"
"""Beside the empty folder of programs, a script that calls the compiler that there was."""

UNOPTIMIZED = "-O0 -fno-sanitize=undefined -ffp-contract=off -fPIC -shared"
"""Flags of a library that is built quickly; without optimization zig would add checks."""

_FIND = """PATH=/usr/local/bin:/usr/bin:/bin
for a; do [ "$last" = -o ] && out=$a; last=$a; case "$a" in *.c) code=$a;; esac; done
"""


def take_away(patch: pytest.MonkeyPatch, programs: Path) -> None:
    """Let `programs`, a new folder, be the only one with programs, and there be no ziglang."""
    programs.mkdir()
    real = next(iter(compilers()), None)
    patch.setenv("CC", "cc")
    patch.setenv("PATH", str(programs))
    patch.setitem(sys.modules, "ziglang", None)  # as if it were not installed
    if real:
        _write(programs.parent / REAL, f'exec {shlex.join(real)} "$@"')


def install(program: Path, script: str) -> None:
    """Put a compiler there. In a script, $code is the source, $out the library to make."""
    _write(program, _FIND + script)


def install_ziglang(patch: pytest.MonkeyPatch, site: Path, script: str) -> Path:
    """Put the package ziglang there, in a folder of packages, with such a program."""
    package = site / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    install(package / "zig", script)
    patch.delitem(sys.modules, "ziglang", raising=False)
    patch.syspath_prepend(str(site))
    return package / "zig"


def _write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
