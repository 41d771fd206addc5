"""Is there another way to the label than the declared ones?

The exit code is 1 if there is. --no-probes leaves out what takes long.
"""

from dataclasses import dataclass, field

from lab.core.config import DataConfig, RunConfig, check


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What goes along with the label, declared or not? Do train and test share pictures?"""

    seed: int = 0
    """The run's seed, a whole number from 0."""
    probes: bool = True
    """Train probes on colors and edges, for tens of seconds; they need scikit-learn."""
    data: DataConfig = field(default_factory=lambda: DataConfig(num_train=10_000, num_test=10_000))


def audit(flags: Flags) -> int:
    """Print the population's certificate; 1 if it is not clean."""
    check(RunConfig(data=flags.data, seed=flags.seed))
    from lab.worlds import audit as certificate  # not above: --help need not wait for torch
    from lab.worlds import check_memory, reject_no_effect

    reject_no_effect(flags.data)
    if flags.data.data is not None:
        raise ValueError("--data: only drawn pictures have attributes to be audited; leave it out")
    check_memory(flags.data.num_train + flags.data.num_test, size=flags.data.image_size)
    result = certificate.audit(flags.data, seed=flags.seed, probes=flags.probes)
    print(certificate.to_text(result))
    return 1 if result.faults else 0
