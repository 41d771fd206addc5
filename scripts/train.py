"""Train a network on a scarce set of faces, and say what it learned: python3 scripts/train.py"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap

from lab.cli import main
from lab.config import RunConfig, check, flag, given


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train a network on a scarce set of faces, and say what it learned."""

    run: RunConfig = field(default_factory=RunConfig)
    resume: Path | None = None
    """Go on with the run in this folder, with its own settings (only --device can be another)."""


def train(flags: Flags) -> None:
    """Do a new run, or go on with one."""
    if flags.resume is None:
        from lab.data import refuse_idle  # not above: --help need not wait for torch
        from lab.run import start

        check(flags.run)
        refuse_idle(flags.run.data)
        start(flags.run, began=_bootstrap.BEGAN)
        return
    others = [flag(name) for name in given(flags.run) if name != "device"]
    if others:
        raise ValueError(f"--resume goes on with the run's own settings: leave out {others[0]}")
    from lab.run import resume

    device = None if flags.run.device == "auto" else flags.run.device
    if resume(flags.resume, device=device, began=_bootstrap.BEGAN) is None:
        print(f"{flags.resume} is finished already: nothing to do")


if __name__ == "__main__":
    sys.exit(main(train))
