"""Reliance: which attributes change a model's predictions, and which should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.core.estimate import Estimate, highest
from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import predict, reliance
from lab.tracking import views
from lab.tracking.strips import COLUMNS, Strip
from lab.tracking.writer import Tracker
from lab.worlds import Attribute, DrawnWorld, Examples, Samples
from lab.worlds.counterfactuals import Counterfactuals, draw_counterfactuals, shows
from lab.worlds.samples import as_column

STRIP_ROWS = 4
"""Samples in a strip, of each class as many."""


@dataclass(frozen=True)
class RelianceEvaluator:
    """An evaluator: predictions on samples and on their counterfactuals, in which one attribute is
    redrawn; `strips` are samples with each value of a nuisance, for pictures."""

    world: DrawnWorld
    counterfactuals: Counterfactuals
    informative: Mapping[str, Tensor]
    """The counterfactuals of each attribute whose predictions count, by attribute."""
    strips: tuple[_Pictures, ...]

    @classmethod
    def prepare(cls, setup: Setup) -> RelianceEvaluator | None:
        """Where attributes can be changed and counterfactuals are asked for."""
        world = setup.intervenable
        if world is None:
            return None
        drawn = draw_counterfactuals(world, count=setup.counterfactuals)
        informative = {name: drawn.informative(name).cpu() for name in world.domain.schema}
        names = [cue.attribute for cue in world.cues] or [
            name for name in world.domain.showcase if name in world.nuisances
        ]
        strips = [
            _draw_strip(world, drawn.examples, name) for name in (names if setup.pictures else [])
        ]
        return cls(
            world,
            drawn,
            {name: index for name, index in informative.items() if len(index)},
            tuple(strip for strip in strips if strip),
        )

    def __call__(self, evaluation: Evaluation) -> RelianceResult:
        """Reliance on every attribute."""
        model, drawn = evaluation.model, self.counterfactuals
        before = predict(model, drawn.examples.images)
        after = predict(model, drawn.images, seed=1)  # a model with noise in eval mode draws anew
        original = drawn.original.cpu()
        metrics: dict[str, Estimate] = {}
        flips: dict[str, Estimate] = {}
        for name, informative in self.informative.items():
            found = reliance(before[original[informative]], after[informative])
            flips[name] = found.flips
            metrics[f"reliance/{name}"] = found.flips
            metrics[f"logit_change/{name}"] = found.moved
        nuisances = [flips[n] for n in self.world.nuisances if n in flips]
        if nuisances:
            metrics["shortcut/strongest"] = highest(nuisances)
        return RelianceResult(
            metrics=metrics,
            relevant={n: share for n, share in flips.items() if n in self.world.relevant},
            nuisances={n: share for n, share in flips.items() if n not in self.world.relevant},
            strips=tuple(self._predicted(evaluation, strip) for strip in self.strips),
        )

    def _predicted(self, evaluation: Evaluation, strip: _Pictures) -> Strip:
        """A strip with the probability of the last class, or of each sample's own where there are
        more than two."""
        classes, (rows, columns) = self.world.classes, strip.images.shape[:2]
        logits = predict(evaluation.model, strip.images.flatten(0, 1))
        watched = strip.labels if len(classes) > 2 else torch.ones_like(strip.labels)
        shown = logits.softmax(dim=1).gather(1, watched.repeat_interleave(columns)[:, None])
        predicted = logits.argmax(dim=1).view(rows, columns)
        return Strip(
            attribute=strip.attribute,
            what=classes[1] if len(classes) == 2 else "its own class",
            values=strip.values,
            images=strip.images.cpu(),
            chances=shown.view(rows, columns),
            right=predicted == strip.labels[:, None],
        )


@dataclass(frozen=True, kw_only=True)
class RelianceResult(Result):
    """Reliance on what the label depends on and on nuisances, and strips with predictions."""

    relevant: Mapping[str, Estimate]
    nuisances: Mapping[str, Estimate]
    strips: tuple[Strip, ...]

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log bars of reliance, and strips of the same samples with each value of a nuisance."""
        views.write_bars(tracker, step, relevant=self.relevant, nuisances=self.nuisances)
        for strip in self.strips:
            views.write_strip(tracker, step, strip)


@dataclass(frozen=True)
class _Pictures:
    attribute: str
    values: tuple[str, ...]
    images: Tensor  # (R, C, 3, S, S)
    labels: Tensor  # (R,)


def _draw_strip(world: DrawnWorld, examples: Examples, name: str) -> _Pictures | None:
    """Some samples of each class that show the attribute, with each of its values."""
    visible = shows(world, examples, name)
    classes = len(examples.classes)
    each = max(1, STRIP_ROWS // classes)
    labels = examples.clean_labels.cpu()
    chosen = torch.cat(
        [((labels == label) & visible).nonzero()[:each, 0] for label in reversed(range(classes))]
    )
    if len(chosen) == 0:
        return None
    samples, row = examples.samples[chosen], world.domain.schema[name]
    levels, words = _levels(row, world)
    columns = [
        samples.redrawn({name: as_column(row, np.full(len(samples), level))}) for level in levels
    ]
    images = world.render(Samples.cat(columns))
    shape = (len(levels), len(samples), *images.shape[1:])
    return _Pictures(name, words, images.view(shape).transpose(0, 1), labels[chosen])


def _levels(row: Attribute, world: DrawnWorld) -> tuple[list[float], tuple[str, ...]]:
    """At most `COLUMNS` values of an attribute and their names; those of a cue come first."""
    if row.kind == "continuous":
        numbers = row.quantile(np.linspace(0, 1, COLUMNS).clip(0.01, 0.99)).tolist()
        return numbers, tuple(f"{number:.2g}" for number in numbers)
    tied = [cue.options for cue in world.cues if cue.attribute == row.name]
    order = [*reversed(tied[0])] if tied else []
    order += [option for option in range(len(row.options)) if option not in order]
    chosen = order[:COLUMNS]
    return [float(option) for option in chosen], tuple(row.options[option] for option in chosen)
