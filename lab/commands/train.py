"""One run, from its settings to its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.commands import STARTED_AT
from lab.commands._given import refuse_all, refuse_idle, refuse_width
from lab.core.config import RunConfig, flag
from lab.core.flags import flags_of
from lab.core.presets import explained, fields_of, with_preset
from lab.core.text import escape


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train a network on a small set of pictures, measure it, and print a verdict."""

    run: RunConfig = field(default_factory=RunConfig)
    preset: Literal["useful", "memorizer", "cheat"] | None = None
    """A named set of flags, each of which may be given as well and then counts instead. 'useful',
    the fastest known way to a network that relies on every part of a face and on no nuisance:
    --online --counterfactual-pairs 0.7 --width 24 --optimizer muon --precision bfloat16 --steps
    2700 --num-train 1000 --num-test 10000 --counterfactuals 200 --eval-every 2700 --no-pictures
    --threads 2 (without bfloat16 where the processor has no instructions for it, and with one
    thread where there is one processor). 'memorizer', which has fitted
    100 faces: --num-train 100 --counterfactuals 200. 'cheat', which goes by the color of the eyes:
    --num-train 1000 --cues eye_color=blue/brown:0.95 --subpopulations missing --missing nose mouth
    ears --counterfactuals 200."""
    resume: Path | None = None
    """Continue the run in this folder, with its own settings. Only --device may differ, and --data
    say where its pictures are now, if they were moved."""
    model_file: Path | None = None
    """With --resume: where the file of the run's network is now, if it was moved."""
    changed_code: bool = False
    """With --resume: continue although the source files of the run's network or objective, or data
    files that these read, have changed. The remaining steps are trained with the new files, which
    config.json records."""

    @staticmethod
    def expanded(words: Sequence[str]) -> list[str]:
        """The words with those that `--preset` stands for."""
        return with_preset(words)

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect with --resume, or without it."""
        with_it = ("model_file", "changed_code")
        if self.resume is None:
            refuse_all(names, with_it, "--resume")
            refuse_idle(names, self.run.data)
            refuse_width(names - fields_of(self.preset or ""), [self.run.model.model])
            return
        others = names.difference(with_it, ("resume", "device", "data"))
        for name in ("preset", *(each.field for each in flags_of(RunConfig))):
            if name in others:
                raise ValueError(
                    f"--resume continues with the run's own settings: leave out {flag(name)}"
                )


def train(flags: Flags) -> None:
    """Start a new run, or continue one."""
    if flags.resume is None:
        from lab.runs.train import start  # not above: --help need not wait for torch

        try:
            start(flags.run, strict=True, started_at=STARTED_AT)
        except ValueError as error:
            error.args = (explained(flags.preset or "", str(error)),)
            raise
        return
    from lab.runs.train import resume

    device = None if flags.run.device == "auto" else flags.run.device
    data = flags.run.data.data
    done = resume(
        flags.resume, device=device, model_file=flags.model_file, data=Path(data) if data else None,
        changed_code=flags.changed_code, started_at=STARTED_AT,
    )  # fmt: skip
    if done is None:
        noted = "its pictures are noted where they are now" if data else "nothing to do"
        print(f"{escape(flags.resume)} is finished already: {noted}")
