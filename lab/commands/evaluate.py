"""Measurement of a finished run on any population, without training.

Flags such as --cues none and --variation 0.5 set another population than that of the run;
--find-failures searches for faces that the network misclassifies.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from lab.commands._given import refuse_all
from lab.core.config import PLACE
from lab.core.run_dir import RunDir

OWN = ("own",)
LISTS = ("cues", "subpopulations", "missing", "unseen_combinations")
NUMBERS = ("cue_visibility", "variation", "num_test")
HUNT = ("search_faces", "resamples", "generations", "out")


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Measure a finished run on unseen pictures of its own or of any other population."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    cues: tuple[str, ...] = OWN
    """Nuisances tied to the label, as for train.py: eye_color=blue/brown:0.5. own: the run's;
    none: no cues."""
    cue_visibility: float | None = None
    """How different the values of a cue look, above 0 to 1 (as drawn). None: as in the run."""
    subpopulations: tuple[str, ...] = OWN
    """Subpopulations to use. own: the run's; all: the task's mix."""
    missing: tuple[str, ...] = OWN
    """Parts that a face may lack: eyes nose mouth ears. own: the run's; all: any of them."""
    unseen_combinations: tuple[str, ...] = OWN
    """Combinations of values with a separate test set, and in no other:
    eye_color=blue,hair_length=long. own: the run's; none: no such combinations."""
    variation: float | None = None
    """How much faces differ in the nuisances, 0 to 1. None: as in the run."""
    num_test: int | None = None
    """Test pictures, 2 to 1,000,000. None: as many as in the run."""
    counterfactuals: int = 200
    """Faces that are redrawn with each attribute changed, to measure reliance, 0 to 100,000 (fewer
    where their pictures would take too much memory); 0: not measured."""
    metric: tuple[str, ...] = OWN
    """Metrics of your own, path/to/file.py:name each, as for train.py. own: those of the run; none:
    the lab's alone."""
    seed: int | None = None
    """Seed of the test pictures, a whole number from 0. Under every seed they are in neither the
    training nor the validation set. None: the run's own."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to draw and measure; auto takes a GPU if there is one."""
    model_file: Path | None = None
    """Where the file of the run's network is now, if it was moved since the run was trained."""
    data: Path | None = field(default=None, metadata=PLACE)
    """Where the run's own pictures are now, a folder or an .npz file, if they were moved since the
    run was trained."""
    changed_code: bool = False
    """Open the run although its network's source files have changed since it was trained."""
    json: Path | None = None
    """File for the same metrics as JSON, nested as in summary.json; it is overwritten."""
    examples: Path | None = None
    """CSV file for a row for each training and test example: label, prediction, loss, log odds, the
    rank among the training examples by loss, and all attributes; it is overwritten."""
    find_failures: bool = False
    """Search for failures: change nuisances only, until the network misclassifies the face."""
    search_faces: int = 200
    """With --find-failures: how many test faces the search starts from, 1 to 10,000."""
    resamples: int = 30
    """With --find-failures: how often all nuisances of each face are redrawn (cues independently of
    the label), 0 to 10,000."""
    generations: int = 20
    """With --find-failures: rounds of the evolution strategy over the continuous nuisances, which
    starts from the draw with the lowest log odds of the true label, 0 to 10,000."""
    out: Path | None = None
    """With --find-failures: PNG of the failures that were found; it is overwritten. None:
    failures.png in the run's folder."""

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        if not self.find_failures:
            refuse_all(names, HUNT, "--find-failures")
        run = RunDir(self.run)
        if "counterfactuals" in names and self.counterfactuals and run.is_run():
            pictures = run.config().data.data
            if pictures is not None:
                raise ValueError(
                    f"--counterfactuals {self.counterfactuals} changes what is drawn, and the run's"
                    f" pictures, those in {pictures}, are not drawn: leave it out"
                )


def evaluate(flags: Flags) -> None:
    """Print the tables; write the files that the flags name."""
    from lab.runs.evaluate import Hunt, evaluate  # not above: --help need not wait for torch

    evaluate(
        flags.run,
        lists={name: getattr(flags, name) for name in LISTS},
        numbers={name: getattr(flags, name) for name in NUMBERS},
        counterfactuals=flags.counterfactuals,
        metric=flags.metric,
        seed=flags.seed,
        device=flags.device,
        model_file=flags.model_file,
        data=flags.data,
        changed_code=flags.changed_code,
        json_file=flags.json,
        examples_file=flags.examples,
        hunt=Hunt(**{name: getattr(flags, name) for name in HUNT}) if flags.find_failures else None,
    )
