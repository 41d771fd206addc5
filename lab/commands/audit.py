"""The check whether anything but the task's attributes and the cues predicts the label.

The exit code is 1 if something does. --no-probes leaves out the probes, the slow part.
"""

from dataclasses import dataclass, field

from lab.commands._given import refuse_idle
from lab.core.config import DataConfig, RunConfig, check


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Check which attributes and image statistics predict the label, and whether training and test
    share pictures. Only for drawn pictures: --data, --resize, --groups and label noise are refused.
    What is doubtful of pictures of your own train.py --data tells before the training."""

    seed: int = 0
    """The run's seed, a whole number from 0."""
    probes: bool = True
    """Train probes on statistics of colors and edges; takes tens of seconds and needs
    scikit-learn."""
    data: DataConfig = field(default_factory=lambda: DataConfig(num_train=10_000, num_test=10_000))

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        refuse_idle(names, self.data)
        for name in sorted(names & {"label_noise", "label_noise_kind"}):
            raise ValueError(
                f"--{name.replace('_', '-')} changes labels after the drawing; the audit goes by"
                " the true ones: leave it out"
            )
        for name in sorted(names & {"clusters", "groups", "resize"}):
            raise ValueError(
                f"--{name} is about pictures of --data, and the audit about drawn ones"
            )


def audit(flags: Flags) -> int:
    """Print the population's certificate; 1 if it is not clean."""
    check(RunConfig(data=flags.data, seed=flags.seed))
    from lab.worlds import audit as certificate  # not above: --help need not wait for torch
    from lab.worlds import check_memory, reject_no_effect

    reject_no_effect(flags.data)
    if flags.data.data is not None:
        raise ValueError(
            "--data: only drawn pictures have attributes to be audited; what is doubtful of your"
            " own pictures train.py --data tells before the training"
        )
    check_memory(flags.data.num_train + flags.data.num_test, size=flags.data.image_size)
    result = certificate.audit(flags.data, seed=flags.seed, probes=flags.probes)
    print(certificate.to_text(result))
    return 1 if result.faults else 0
