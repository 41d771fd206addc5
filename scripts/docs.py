"""Check or renew the generated parts of README.md and docs/: python3 scripts/docs.py --check"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap

from lab.core.cli import main

AGAIN = "python3 scripts/docs.py --write"


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Compare the generated parts of the documentation with the code (the default), or renew
    them."""

    check: bool = False
    """Only compare: exit code 1 and a line for each part that is out of date. The default."""
    write: bool = False
    """Write the parts that are out of date."""
    time_models: bool = False
    """With --write: measure the training speed of every model again, which takes minutes."""
    lessons: Path | None = None
    """With --write: put the results of the lessons in this folder, such as runs/lessons, into
    docs/results.md, in place of earlier results of the same lessons."""


def docs(flags: Flags) -> int:
    """Compare the generated parts, or write them."""
    if flags.check and flags.write:
        raise ValueError("--check and --write exclude each other: leave one of them out")
    for name, given in (("--time-models", flags.time_models), ("--lessons", flags.lessons)):
        if given and not flags.write:
            raise ValueError(f"{name} goes with --write only")
    from lab.docs import MODELS, RESULTS, outdated, refresh, with_results, with_speeds

    root = _bootstrap.ROOT
    if not flags.write:
        wrong = outdated(root)
        for line in wrong:
            print(f"{line} is out of date: {AGAIN}", file=sys.stderr)
        return 1 if wrong else 0
    pages = refresh(root)
    if flags.time_models:
        pages[root / MODELS] = with_speeds(pages[root / MODELS])
    if flags.lessons is not None:
        pages[root / RESULTS] = with_results(pages[root / RESULTS], flags.lessons)
    for path, text in pages.items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main(docs))
