"""The scripts, run in this process, which is quick, or in one of their own."""

import contextlib
import importlib
import importlib.util
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from lab.core.cli import LONGEST, main
from lab.core.flags import flags_of

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


def command(script: str, *words: str) -> list[str]:
    """The command that runs a script (`train.py`) in a process of its own."""
    return [sys.executable, str(SCRIPTS / script), *words]


def load_script(name: str) -> ModuleType:
    """One of the scripts as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where tyro looks for the text of the flags
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


@dataclass(frozen=True)
class Done:
    """The end of a script: its exit code and what it printed."""

    code: int
    out: str
    err: str


def run_here(script: str, *words: str) -> Done:
    """Run a script in this process, as a shell would run it in one of its own."""
    out, err = io.StringIO(), io.StringIO()
    run = getattr(load_script(script), script)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(run, words)
    return Done(code, out.getvalue(), err.getvalue())


def told(run: Callable, words: Sequence[str]) -> tuple[int, str]:
    """Exit code of a script with the flags `words`, and what is on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(run, words)
    return code, err.getvalue()


def is_refused(run: Callable, words: Sequence[str]) -> str:
    """Assert that a script refuses its flags as it should; the line that it says."""
    code, said = told(run, words)
    assert code == 2, said
    assert said.endswith("\n")
    assert said.count("\n") == 1, said
    is_a_good_line(said[:-1])
    return said


def is_a_good_line(line: str, names: str = "") -> None:
    """Assert that an error is told in one line that is fit for a terminal, and `names` what it is
    about."""
    assert line, "something is said"
    assert names in line
    assert line.isprintable(), ascii(line)
    assert len(line) < 6 * LONGEST  # characters may have been spelt out
    assert "Traceback" not in line


@cache
def flags_in(script: str) -> frozenset[str]:
    """The flags of a script, from its command's dataclass."""
    kind = getattr(load_script(Path(script).stem), "Flags", None)
    if kind is None:  # its command is in the package
        kind = importlib.import_module(f"lab.commands.{Path(script).stem}").Flags
    names = {each.name for each in flags_of(kind)}
    return frozenset(names | {name.replace("--", "--no-", 1) for name in names} | {"--help"})
