"""C code is built by the compiler there is: the system's, or that of the package ziglang."""

import ctypes
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lab.core import compiled
from support.compilers import REAL, install, install_ziglang, needs_ziglang, take_away

FLAGS = ("-O1", "-fPIC", "-shared")
COPY = f'cp {torch._C.__file__} "$out"'
"""What makes some library without compiling anything."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a compiler; its programs are in `bin`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    take_away(monkeypatch, tmp_path / "bin")
    return tmp_path


def _paths() -> tuple[Path, ...]:
    return compiled.library_paths("test", "int answer;", FLAGS)


def _load() -> None:
    compiled.load("int answer;", _paths(), FLAGS)


def test_ziglang_is_found_where_there_is_no_other_compiler(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for C, and keeps its own files where they are thrown away."""
    log = machine / "log"
    say = f'echo "$@" > {log}; env | grep -E "^(TMPDIR|ZIG_[A-Z]*_CACHE_DIR)=" >> {log}\n'
    zig = install_ziglang(monkeypatch, machine / "site", say + COPY)
    assert not compiled.is_built(_paths())
    _load()
    assert compiled.is_built(_paths())
    asked, *places = log.read_text().splitlines()
    assert asked.startswith("cc ")
    assert set(FLAGS) < set(asked.split())
    assert len(places) == 3
    kept = _paths()[0]
    for place in places:
        folder = Path(place.partition("=")[2])
        assert folder.parent == kept.parent
        assert not folder.exists()
    assert list(kept.parent.iterdir()) == [kept]
    zig.write_text(zig.read_text() + "# another version\n")
    assert _paths()[0] != kept


@pytest.mark.parametrize("name", ["cc", "gcc", "clang", "mine"])
def test_the_systems_compiler_comes_first(
    name: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_ziglang(monkeypatch, machine / "site", "exit 1")
    if name == "mine":
        monkeypatch.setenv("CC", name)
        install(machine / "bin" / "cc", "exit 1")
    install(machine / "bin" / name, COPY)
    assert compiled.compilers()[0] == (str(machine / "bin" / name),)
    _load()


def test_ziglang_builds_what_the_systems_compiler_cannot(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the headers of the C library are missing."""
    install(machine / "bin" / "cc", 'echo half > "$out"; echo no math.h >&2; exit 1')
    install_ziglang(monkeypatch, machine / "site", COPY)
    _load()
    assert compiled.is_built(_paths())


def test_if_all_fail_the_first_ones_reason_is_given(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zig = install_ziglang(monkeypatch, machine / "site", "echo out of memory >&2; exit 1")
    with pytest.raises(compiled.Unavailable, match=rf"^{zig} fails: out of memory$"):
        _load()
    install(machine / "bin" / "cc", "echo no math.h >&2; exit 1")
    with pytest.raises(compiled.Unavailable, match=r"/cc fails: no math\.h$"):
        _load()
    assert not list(_paths()[0].parent.iterdir())


@pytest.mark.parametrize("fails", [False, True])
def test_without_a_compiler_that_works_the_extra_is_named(fails: bool, machine: Path) -> None:
    if fails:
        install(machine / "bin" / "cc", "exit 1")
    reason = "fails: no message; " if fails else "there is no C compiler"
    with pytest.raises(compiled.Unavailable, match=reason) as error:
        _load()
    named = re.search(r"pip install -e '\.\[(\w+)\]'", str(error.value))
    assert named is not None
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'^{named[1]} = \["ziglang', project, re.MULTILINE)


def test_ziglang_without_its_program_is_none(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_ziglang(monkeypatch, machine / "site", COPY).unlink()
    assert not compiled.compilers()


def test_on_windows_ziglang_is_neither_asked_nor_named(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_ziglang(monkeypatch, machine / "site", COPY)
    monkeypatch.setattr(compiled, "WINDOWS", True)
    with pytest.raises(compiled.Unavailable, match=r"there is no C compiler \([^)]*\)$"):
        _load()


@pytest.fixture
def processor_is_asked() -> Iterator[None]:
    """It is not remembered."""
    compiled.processor.cache_clear()
    yield
    compiled.processor.cache_clear()


def test_macs_with_other_processors_have_other_libraries(
    machine: Path, monkeypatch: pytest.MonkeyPatch, processor_is_asked: None
) -> None:
    """Where there is no /proc/cpuinfo, and Python says "arm" of all."""
    real = Path.read_text

    def read_text(path: Path, *args: Any, **named: Any) -> str:
        if path == Path("/proc/cpuinfo"):
            raise FileNotFoundError(path)
        return real(path, *args, **named)

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    found = []
    for model in ("Apple M1", "Apple M4", None):
        if model is None:
            (machine / "bin" / "sysctl").unlink()
        else:
            install(
                machine / "bin" / "sysctl", f'[ "$2" = machdep.cpu.brand_string ] && echo {model}'
            )
        compiled.processor.cache_clear()
        found.append((compiled.processor(), _paths()[0]))
    assert [processor for processor, _ in found] == ["Apple M1", "Apple M4", "arm"]
    assert len(set(found)) == 3


@needs_ziglang
def test_the_real_ziglang_needs_nothing_else(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No home, no folder that it can write to but the cache, where it leaves the library alone."""
    monkeypatch.delitem(sys.modules, "ziglang")
    monkeypatch.setenv("HOME", str(machine / "nowhere"))
    monkeypatch.chdir(machine / "bin")
    code = """
#include <math.h>
#include <stdlib.h>
float half(float x) { return ceilf(x) * 0.5f; }
void* block(long size) { return aligned_alloc(64, size); }
"""
    paths = compiled.library_paths("test", code, FLAGS)
    half = compiled.load(code, paths, FLAGS).half
    half.argtypes, half.restype = [ctypes.c_float], ctypes.c_float
    assert half(2.5) == 1.5
    assert {path for path in machine.rglob("*") if path.is_file()} - {machine / REAL} == {paths[0]}
