"""Do a picture's colors and edges say its label? The leak certificate: python3 scripts/leaks.py

The exit code is 1 where a bound is exceeded.
"""

import sys
from dataclasses import dataclass, field

import _bootstrap  # noqa: F401

from lab.cli import main
from lab.config import DataConfig, RunConfig, check


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Can the label be told from a picture's colors and edges, without looking at any shape?"""

    seed: int = 0
    """The run's seed, a whole number from 0."""
    data: DataConfig = field(default_factory=lambda: DataConfig(num_train=10_000, num_test=10_000))


def leaks(flags: Flags) -> int:
    """Train the probes on the training faces, judge them on the test faces."""
    check(RunConfig(data=flags.data, seed=flags.seed))
    from lab.data.examples import draw_examples  # not above: --help need not wait for torch
    from lab.data.leaks import certificate, to_text

    data, seed = flags.data, flags.seed
    train = draw_examples(data, split="train", count=data.num_train, seed=seed)
    test = draw_examples(data, split="test", count=data.num_test, seed=seed)
    result = certificate(train, test)
    print(to_text(result))
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main(leaks))
