"""Check everything: format, lint, types, tests. Further arguments go to pytest.

python3 scripts/test.py -k resume
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap

# What Windows lacks, and macOS most of it: neither is tested otherwise.
WINDOWS = "--platform=win32 --no-warn-unreachable --cache-dir=.mypy_cache/win32"
TYPES = (("mypy",), ("mypy", *WINDOWS.split(), "lab", "scripts/_bootstrap.py"))
CHECKS = (
    (("ruff", "format", "--check", "."),),
    (("ruff", "check", "."),),
    TYPES,  # both at once: each has one thread
    # Three processes with one thread each keep two cores busy: one or the other waits for a program
    # that it has started. Each begins with a part of the modules, so that what a module prepares is
    # prepared once.
    (("pytest", "-n", "3", "--dist", "worksteal", *sys.argv[1:]),),
)


def main() -> int:
    """Run the checks until one fails; return its exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # The tests start many programs; without kept bytecode each would compile the lab anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for together in CHECKS:
        started = []
        for check in together:
            print("$", shlex.join(check), flush=True)
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *check], cwd=_bootstrap.ROOT, env=environment
                )
            )
        codes = [process.wait() for process in started]
        for check, code in zip(together, codes, strict=True):
            if code:
                print(f"failed: {shlex.join(check)}", file=sys.stderr)
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
