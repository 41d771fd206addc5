"""Drawing in C: built when asked, proven before use, and never missed where it cannot be."""

import ctypes
import importlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lab.core import compiled
from lab.core.caches import CACHE
from lab.draw import c_backend, codegen
from lab.worlds.faces import render, sample_prior
from lab.worlds.faces.drawing import DRAWING
from support.compilers import (
    REAL,
    UNOPTIMIZED,
    install,
    install_ziglang,
    needs_compiler,
    needs_ziglang,
    take_away,
)

engine: ModuleType = importlib.import_module("lab.draw.render")


def _forget() -> None:
    c_backend.library.cache_clear()
    c_backend.library_paths.cache_clear()
    engine.can_draw_in_c.cache_clear()
    engine.drawn_unbuilt.clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of programs on a machine that has never drawn in C."""
    programs = tmp_path / "bin"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    take_away(monkeypatch, programs)
    monkeypatch.setattr(engine, "WORTH_BUILDING", 0)
    _forget()
    yield programs
    _forget()


def _quick(programs: Path) -> str:
    """A compiler that does not optimize; still it must give the same bytes."""
    return f'{programs.parent / REAL} {UNOPTIMIZED} "$code" -o "$out" -lm'


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, built without optimization; still it must give the same bytes."""
    path = tmp_path_factory.mktemp("built") / "faces.so"
    compiled.load(codegen.source(DRAWING), [path], UNOPTIMIZED.split())
    return path


def _is_refused(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Asked for C, an error gives the reason; else one warning does, and torch draws."""
    faces = sample_prior(5, seed=0)
    with pytest.raises(ValueError, match=f"the C backend is not available: .*{reason}") as error:
        render(faces, size=16, backend="c")
    assert "\n" not in str(error.value)
    with caplog.at_level(logging.WARNING):
        drawn = [render(faces, size=16) for _ in range(2)]
    notices = [record.getMessage() for record in caplog.records]
    assert len(notices) == 1
    assert reason in notices[0]
    assert torch.equal(drawn[0], render(faces, size=16, backend="torch"))
    assert torch.equal(drawn[0], drawn[1])


def test_without_a_compiler(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not compiled.compilers()
    assert not c_backend.is_built(DRAWING)
    _is_refused("there is no C compiler", caplog)


def test_with_a_compiler_that_fails(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    install(machine / "cc", "echo preamble >&2; echo the disk is on fire >&2; exit 1")
    _is_refused("fails: the disk is on fire", caplog)
    for path in c_backend.library_paths(DRAWING):
        assert not list(path.parent.iterdir()), "nothing half-made is left behind"


def test_with_ziglang_that_fails(
    machine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_ziglang(monkeypatch, machine.parent / "site", "echo unknown processor >&2; exit 1")
    _is_refused("zig fails: unknown processor", caplog)


@needs_ziglang
def test_ziglang_draws_the_same(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ziglang")
    assert [Path(command[0]).name for command in compiled.compilers()] == ["zig"]
    faces = sample_prior(40, seed=1)
    assert torch.equal(render(faces, size=24, backend="c"), render(faces, size=24, backend="torch"))


def test_with_a_compiler_that_makes_nothing(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(machine / "cc", "exit 0")
    _is_refused("cannot be kept", caplog)


def test_with_a_compiler_that_makes_rubbish(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(machine / "cc", 'echo rubbish > "$out"')
    _is_refused("cannot be kept and loaded", caplog)


def test_with_nowhere_to_keep_it(
    machine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = machine.parent / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("TMPDIR", str(blocked))
    install(machine / "cc", "exit 0")
    assert not c_backend.is_built(DRAWING)
    _is_refused("cannot be kept", caplog)


def _homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


def _no_home(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", _homeless)


def _relative(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache is not put just anywhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", "home")


def _not_writable(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.parent / "file"))


def _open_to_others(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = machine.parent / "cache" / CACHE
    place.chmod(0o777)


def _of_somebody_else(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = machine.parent / "cache" / CACHE
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(place, 12345, 12345)


def _not_executable(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `mount -o noexec` has it."""
    real = ctypes.CDLL

    def load(path: str) -> ctypes.CDLL:
        if path.startswith(str(machine.parent / "cache")):
            raise OSError(f"{path}: failed to map segment from shared object")
        return real(path)

    monkeypatch.setattr(ctypes, "CDLL", load)


@needs_compiler
@pytest.mark.parametrize(
    "spoil",
    [_no_home, _relative, _not_writable, _open_to_others, _of_somebody_else, _not_executable],
)
def test_users_without_a_cache_of_their_own_draw_in_c(
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    machine: Path,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    install(machine / "cc", f'cp {built} "$out"')
    path = c_backend.library_paths(DRAWING)[0]
    path.parent.mkdir(parents=True)
    shutil.copy(built, path)
    assert c_backend.is_built(DRAWING)
    _forget()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    spoil(machine, monkeypatch)
    if spoil is not _not_executable:
        assert not c_backend.is_built(DRAWING)
    faces = sample_prior(4, seed=1)
    drawn = render(faces, size=16, backend="c")
    assert torch.equal(drawn, render(faces, size=16, backend="torch"))
    assert list((tmp_path / "temporary").rglob("*.so")), "kept among the temporary files"
    place = tmp_path / "temporary" / f"{CACHE}-{os.getuid()}"
    assert place.stat().st_mode & 0o077 == 0, "nobody else can put a library there"
    assert not list(here.iterdir())
    _forget()
    assert c_backend.is_built(DRAWING)


@needs_compiler
@pytest.mark.parametrize("known", ["-mcpu=native", ""])
def test_a_compiler_that_calls_this_processor_otherwise(
    known: str, machine: Path, built: Path
) -> None:
    """As clang on Apple's processors."""
    install(
        machine / "cc",
        f"""
for a; do case "$a" in "{known}") ;; -m*=native) echo "unsupported $a" >&2; exit 1;; esac; done
echo "$@" > {machine}/taken
cp {built} "$out"
""",
    )
    faces = sample_prior(3, seed=1)
    assert torch.equal(render(faces, size=16, backend="c"), render(faces, size=16, backend="torch"))
    taken = (machine / "taken").read_text().split()
    assert [word for word in taken if word.endswith("=native")] == [known] * bool(known)


@needs_compiler
def test_the_compiler_gets_a_folder_that_can_be_written(
    machine: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(machine / "nowhere"))
    install(machine / "cc", f'[ -d "$TMPDIR" ] || exit 1\ncp {built} "$out"')
    render(sample_prior(3, seed=1), size=16, backend="c")


@needs_compiler
def test_a_library_that_draws_differently_is_refused(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(machine / "cc", "sed -i 's/255.0f + 0.5f/255.0f + 0.51f/' $code\n" + _quick(machine))
    _is_refused("draws differently from torch", caplog)


@needs_compiler
def test_it_is_built_once_and_kept(machine: Path, built: Path) -> None:
    install(machine / "cc", f'echo built >> {machine}/log; cp {built} "$out"')
    faces = sample_prior(40, seed=1)
    assert not c_backend.is_built(DRAWING)
    drawn = render(faces, size=24, backend="c")
    assert torch.equal(drawn, render(faces, size=24, backend="torch")), "without optimization too"
    assert c_backend.is_built(DRAWING)
    _forget()
    assert torch.equal(render(faces, size=24), drawn)
    assert (machine / "log").read_text() == "built\n"
    kept = c_backend.library_paths(DRAWING)[0]
    assert list(kept.parent.iterdir()) == [kept]
    assert kept.parent.stat().st_mode & 0o077 == 0, "nobody else can put a library there"


def test_only_many_pictures_wait_for_a_compiler(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(machine / "cc", f"echo asked >> {machine}/log; exit 1")
    monkeypatch.setattr(engine, "WORTH_BUILDING", 5 * 16 * 16)
    for few in (2, 2):
        render(sample_prior(few, seed=0), size=16)
        assert not (machine / "log").exists()
    render(sample_prior(1, seed=0), size=16)
    assert "asked" in (machine / "log").read_text(), "many, a few at a time"


def test_only_the_cpu_draws_in_c() -> None:
    with pytest.raises(ValueError, match="the C backend draws on the cpu, not on meta"):
        render(sample_prior(1, seed=0), size=16, device="meta", backend="c")


@pytest.mark.slow
def test_the_source_is_the_same_everywhere() -> None:
    """Another process with another hash seed writes the same code, or the cache would be void."""
    code = (
        "import sys; from lab.draw import codegen; from lab.worlds.faces.drawing import DRAWING;"
        " sys.stdout.write(codegen.source(DRAWING))"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parents[1], env={"PYTHONHASHSEED": "77"})  # fmt: skip
    assert again.stdout == codegen.source(DRAWING)


def test_the_source_has_exactly_rounded_operations_alone() -> None:
    source = codegen.source(DRAWING)
    for inexact in ("exp", "sin", "cos", "pow", "tan", "log", "rsqrt", "fma", "double"):
        assert f"{inexact}(" not in source
        assert f"{inexact}f(" not in source
    assert "double" not in source
    assert "-ffp-contract=off" in c_backend.FLAGS
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(c_backend.FLAGS)
