"""Drawing in C: built when asked, proven before use, and never missed where it cannot be."""

import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lab.faces import compiled, render, sample_prior

render_module: ModuleType = importlib.import_module("lab.faces.render")
needs_compiler = pytest.mark.skipif(compiled.compiler() is None, reason="there is no C compiler")


def _forget() -> None:
    compiled.library.cache_clear()
    compiled.library_path.cache_clear()
    render_module._try_c.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of programs on a machine that has never drawn in C."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", "cc")
    real = compiled.compiler()
    monkeypatch.setattr(render_module, "_WORTH_BUILDING", 0)
    monkeypatch.setenv("PATH", str(programs))
    if real:
        (tmp_path / "real").symlink_to(real)
    _forget()
    yield programs
    _forget()


def _install(programs: Path, script: str) -> None:
    """Put a compiler there. In a script, $code is the source, $out the library to make."""
    find = 'PATH=/usr/local/bin:/usr/bin:/bin\nfor a; do [ "$last" = -o ] && out=$a; last=$a\n'
    find += 'case "$a" in *.c) code=$a;; esac; done\n'
    program = programs / "cc"
    program.write_text(f"#!/bin/sh\n{find}{script}\n")
    program.chmod(0o755)


def _quick(programs: Path) -> str:
    """A compiler that does not optimize; still it must give the same bytes."""
    real = (programs.parent / "real").resolve()
    return f'{real} -O0 -ffp-contract=off -fPIC -shared "$code" -o "$out" -lm'


def _is_refused(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Asked for C, an error gives the reason; else one notice does, and all is drawn eagerly."""
    faces = sample_prior(5, seed=0)
    with pytest.raises(ValueError, match=f"compiled drawing is not to be had: .*{reason}") as error:
        render(faces, size=16, drawing="compiled")
    assert "\n" not in str(error.value)
    with caplog.at_level(logging.WARNING):
        drawn = [render(faces, size=16) for _ in range(2)]
    notices = [record.getMessage() for record in caplog.records]
    assert len(notices) == 1
    assert reason in notices[0]
    assert torch.equal(drawn[0], render(faces, size=16, drawing="eager"))
    assert torch.equal(drawn[0], drawn[1])


def test_without_a_compiler(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert compiled.compiler() is None
    assert not compiled.is_built()
    _is_refused("there is no C compiler", caplog)


def test_with_a_compiler_that_fails(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    _install(machine, "echo preamble >&2; echo the disk is on fire >&2; exit 1")
    _is_refused("fails: the disk is on fire", caplog)
    assert not list(compiled.library_path().parent.iterdir()), "nothing half-made is left behind"


def test_with_a_compiler_that_makes_nothing(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _install(machine, "exit 0")
    _is_refused("cannot be kept", caplog)


def test_with_a_compiler_that_makes_rubbish(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _install(machine, 'echo rubbish > "$out"')
    _is_refused("does not load", caplog)


def test_with_nowhere_to_keep_it(
    machine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = machine.parent / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    _install(machine, "exit 0")
    assert not compiled.is_built()
    _is_refused("cannot be kept", caplog)


@needs_compiler
def test_a_library_that_draws_differently_is_refused(
    machine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _install(machine, "sed -i 's/255.0f + 0.5f/255.0f + 0.51f/' $code\n" + _quick(machine))
    _is_refused("differs from the eager one", caplog)


@needs_compiler
def test_it_is_built_once_and_kept(machine: Path) -> None:
    _install(machine, f"echo built >> {machine}/log\n" + _quick(machine))
    faces = sample_prior(40, seed=1)
    assert not compiled.is_built()
    drawn = render(faces, size=24, drawing="compiled")
    assert torch.equal(drawn, render(faces, size=24, drawing="eager")), "without optimization too"
    assert compiled.is_built()
    _forget()
    assert torch.equal(render(faces, size=24), drawn)
    assert (machine / "log").read_text() == "built\n"
    kept = compiled.library_path()
    assert list(kept.parent.iterdir()) == [kept]
    assert kept.parent.stat().st_mode & 0o077 == 0, "nobody else can put a library there"


def test_a_few_pictures_do_not_wait_for_a_compiler(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(machine, f"echo asked >> {machine}/log; exit 1")
    monkeypatch.setattr(render_module, "_WORTH_BUILDING", 3 * 16 * 16)
    render(sample_prior(2, seed=0), size=16)
    assert not (machine / "log").exists()
    render(sample_prior(3, seed=0), size=16)
    assert (machine / "log").read_text() == "asked\n"


def test_only_the_cpu_draws_in_c() -> None:
    with pytest.raises(ValueError, match="compiled drawing needs the cpu, not meta"):
        render(sample_prior(1, seed=0), size=16, device="meta", drawing="compiled")


@pytest.mark.slow
def test_the_source_is_the_same_everywhere() -> None:
    """Another process with another hash seed writes the same code, or the cache would be void."""
    code = "import sys; from lab.faces import compiled; sys.stdout.write(compiled.source())"
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parents[1], env={"PYTHONHASHSEED": "77"})  # fmt: skip
    assert again.stdout == compiled.source()


def test_the_source_has_exactly_rounded_operations_alone() -> None:
    source = compiled.source()
    for inexact in ("exp", "sin", "cos", "pow", "tan", "log", "rsqrt", "fma", "double"):
        assert f"{inexact}(" not in source
        assert f"{inexact}f(" not in source
    assert "double" not in source
    assert "-ffp-contract=off" in compiled.FLAGS
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(compiled.FLAGS)
