"""Check everything: format, lint, types, tests. Further arguments go to pytest.

python3 scripts/test.py -k resume
"""

import os
import shlex
import subprocess
import sys

import _bootstrap

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    # Two processes with one thread each use two cores more reliably than one with two threads.
    ("pytest", "-n", "2", *sys.argv[1:]),
)


def main() -> int:
    """Run the checks until one fails; return its exit code."""
    for check in CHECKS:
        print("$", shlex.join(check), flush=True)
        code = subprocess.run(
            [sys.executable, "-m", *check],
            cwd=_bootstrap.ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        ).returncode
        if code:
            print(f"failed: {shlex.join(check)}", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
