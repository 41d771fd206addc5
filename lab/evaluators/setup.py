"""What evaluators are prepared from: a world, its sets of examples, and how much is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.evaluators.evaluation import Split
from lab.measure import SplitMetric
from lab.measure.consistency import SAMPLE
from lab.worlds import DrawnWorld, World


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The capabilities that decide which evaluators there are.

    Args:
        world: where the examples come from.
        splits: the sets that the model is predicted on, by name.
        counterfactuals: how many samples are redrawn with each attribute changed; 0: none.
        pictures: whether examples for pictures are prepared.
        own: metrics of the user's own.
        asked_again: how many test examples the final model is asked about once more.
        grouped: whether the test set has groups of the user's own, finer than its classes.
        changes: interventions of the user's own by name, the test examples as they leave them.
    """

    world: World
    splits: Mapping[str, Split]
    counterfactuals: int = 0
    pictures: bool = True
    own: tuple[SplitMetric, ...] = ()
    asked_again: int = SAMPLE
    grouped: bool = False
    changes: Mapping[str, Split] = field(default_factory=dict)

    @property
    def intervenable(self) -> DrawnWorld | None:
        """The world, if attributes of its samples are to be changed; None: they are not, or cannot
        be."""
        return self.world if isinstance(self.world, DrawnWorld) and self.counterfactuals else None
