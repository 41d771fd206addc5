"""What the tests of bad input share: how many cases, hostile values, and what a good answer is."""

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from lab.core.cli import LONGEST, main

SCRIPTS = Path(__file__).parent.parent / "scripts"

TIMES = pytest.mark.parametrize(
    "times",
    [1, pytest.param(int(os.environ.get("FUZZ", "50")), marks=pytest.mark.slow, id="many")],
)
"""The default suite tries the same few hundred cases every time; `FUZZ=1000 python3 scripts/test.py
-m slow -k many` a thousand times as many, others each time."""


def search(
    holds: Callable[..., None], *strategies: st.SearchStrategy, examples: int, times: int
) -> None:
    """Look for a case in which `holds` does not: `examples` * `times` of them."""
    chosen = settings(
        max_examples=examples * times,
        derandomize=times == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    chosen(for_all(*strategies)(holds))()


TEXTS = (
    *("", " ", "nan", "inf", "-inf", "1e999", "1e-400", "-1", "0", "0.5", "1", "2", "1e3", "1_000"),
    *("9" * 30, "-" + "9" * 400, "9" * 5000, "0x10", "１２", "²", "True", "None", "none", "[1]"),
    *("{}", "'", '"', "\\", "%s", "{0}", "=", "==", "--", "-", "-x", "é日本", "\x00", "a\nb", "\r"),
    *("\x1b[31mred", "\u2028", "\udcff", "│", "╭─╮", "Error parsing", "a" * 100_000, "a b" * 30),
    *("..", "../..", "/", "/etc/passwd", "/dev/zero", "~", "~nobody-knows/x.py:f", "x.py:f", "/:f"),
    *(":", ":f", "f:", "<script>alert(1)</script>", "[x](javascript:alert(1))", "person", "object"),
    *("missing", "nose", "eyes", "cuda", "cpu", "cnn", "flip", "bfloat16", "512", "513"),
    *("eye_color:0.95", "eye_colour:1", "eye_color=blue/blue:1", "hair_length=long/short:nan"),
    *("eye_color:inf", "nose:1", "glasses:", ":0.9", "gaze=left,smile=up", "gaze=left,gaze=left"),
    *("eye_color=blue,", "=,=", "a=b", "nose=1", "eye_color:0.9:0.9"),
)
"""Values that somebody's program has stumbled over, and good ones in the wrong place."""

PIECES = (
    *("eye_color", "hair_length", "skin_color", "gaze", "glasses", "nose", "stray_eyes", "beard"),
    *("=", "/", ":", ",", "blue", "brown", "long", "short", "left", "0.9", "1", "0", "nan", "none"),
)
"""What cues and hold-outs are made of."""

hostile_texts = (
    st.sampled_from(TEXTS)
    | st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
    | st.text(max_size=12)
)


def is_a_good_line(line: str, names: str = "") -> None:
    """Assert that an error is told in one line that is fit for a terminal, and `names` what it is
    about."""
    assert line, "something is said"
    assert names in line
    assert line.isprintable(), ascii(line)
    assert len(line) < 6 * LONGEST  # characters may have been spelt out
    assert "Traceback" not in line


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
