"""Windows and macOS, as far as they can be told from here.

No test runs there. What they lack is taken away from the lab's own code, in runs of the scripts;
and mypy checks it as if for Windows (`scripts/test.py`).
"""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from support import without_posix

ROOT = Path(__file__).parent.parent

PROGRAM = """
import importlib.util, json, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from lab.core import machine
from lab.core.cli import main

assert machine.WINDOWS

def script(name):
    spec = importlib.util.spec_from_file_location(f"script_{name}", f"{sys.argv[1]}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)

for name, *words in json.loads(sys.argv[2]):
    code = main(script(name), words)
    if code:
        sys.exit(code)
"""


def windows(folder: Path, *commands: list[str]) -> "subprocess.Popen[str]":
    """Start the scripts, one after the other in one process, on what the lab takes for Windows."""
    shutil.copy(without_posix.__file__, folder / "sitecustomize.py")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(ROOT / "scripts"), json.dumps(commands)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
            "OMP_NUM_THREADS": "1",
            "LAB_ROOT": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


TINY = [
    "--num-train=20", "--num-test=40", "--image-size=16", "--batch-size=16", "--counterfactuals=0",
    "--no-pictures",
]  # fmt: skip


def test_the_scripts_run_and_stop_without_what_windows_lacks(tmp_path: Path) -> None:
    """A run, and what is asked of it; pictures as files; a sweep whose worker does one job, and is
    stopped in another one: there a process can only be ended at once, so it must hear it otherwise.
    """
    (tmp_path / "asked.json").touch()
    process = windows(
        tmp_path,
        ["train", *TINY, "--steps", "6", "--checkpoint-every", "0", "--name", "run"],
        ["train", "--resume", "runs/run"],
        ["predict", "runs/run", str(next((ROOT / "assets").glob("*.png")))],
        ["evaluate", "runs/run", "--counterfactuals", "0", "--json", "asked.json"],
        ["export", "--num-train", "4", "--image-size", "16", "--out", "faces"],
        ["sweep", *TINY, "--grid", "steps=3,1000000", "--seeds", "1", "--processes", "1",
         "--eval-every", "1000000", "--checkpoint-every", "0"],
    )  # fmt: skip
    while not (found := list(tmp_path.glob("runs/sweep/steps_1000000-*/checkpoints/last.pt"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate()
    assert process.returncode == 130, told
    assert "finished already" in out
    assert json.loads((tmp_path / "asked.json").read_text())["accuracy"]
    for name, status in (
        ("runs/run", "finished"),
        ("runs/sweep/steps_3-*", "finished"),
        ("runs/sweep/steps_1000000-*", "stopped"),
    ):
        (summary,) = tmp_path.glob(f"{name}/summary.json")
        assert json.loads(summary.read_text())["status"] == status
    assert found[0].exists()


def test_nothing_that_windows_lacks_is_imported_at_the_top() -> None:
    for part in ("lab", "scripts"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [str(node.module)]
                lacking = {name.partition(".")[0] for name in names} & set(without_posix.MODULES)
                assert not lacking, path
