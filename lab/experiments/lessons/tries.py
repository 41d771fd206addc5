"""Things to try after a lesson: a command, or the board's tab Faces with everything set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.experiments.plan import Plans
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.jobs import make_jobs
from lab.tracking.board import HOST, PORT
from lab.tracking.links import faces_view

BOARD = f"http://{HOST}:{PORT}/"
"""Where the board is unless its flags say otherwise."""


@dataclass(frozen=True)
class Pinned:
    """Runs of the lesson: a plan, and the settings of one of its cells."""

    plan: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Try:
    """One thing to try: what to do and to look for, and a command or a view of the tab Faces."""

    text: str
    command: str = ""
    """A command of the lab; empty: none."""
    pins: tuple[Pinned, ...] = ()
    """Runs that the tab shows, of the first seed; at most three."""
    face: str = ""
    """The face that it shows, as its differences from the initial one: "eye_color:blue"."""
    train: str | None = None
    """Settings of the panel that trains, as "num_train:60,label_noise:0.2"; None: it is closed."""

    def address(self, plans: Plans, out: Path) -> str:
        """The view's address on a board over the folder above `out`, the lesson's own; empty if
        there is no view, or if one of the runs is not there."""
        if not self.pins and not self.face and self.train is None:
            return ""
        runs = [_folder(plans, pin, out) for pin in self.pins]
        if not all(run.is_dir() for run in runs):
            return ""
        names = [run.relative_to(out.parent).as_posix() for run in runs]
        return BOARD + faces_view(pins=names, face=self.face, train=self.train)


def _folder(plans: Plans, pin: Pinned, out: Path) -> Path:
    """The folder of the first seed's run of a cell."""
    plan = plans[pin.plan]
    for job in make_jobs(plan.base, make_grid(plan.grid), seeds=1, out=out):
        if all(job.settings[name] == value for name, value in pin.settings.items()):
            return job.folder
    raise ValueError(f"the plan {pin.plan} has no cell with {dict(pin.settings)}")
