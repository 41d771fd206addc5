"""Reliance: which attributes change a model's predictions, and which should."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.core.words import estimated
from lab.measure import part_values, predict, reliance
from lab.tracking import texts, views
from lab.tracking.strips import COLUMNS, Strip
from lab.tracking.writer import Tracker
from lab.worlds import Attribute, DrawnWorld, Samples, subsets
from lab.worlds.counterfactuals import draw_counterfactuals, shows
from lab.worlds.samples import as_column

STRIP_ROWS = 4
"""Samples in a strip, of each class as many."""


class RelianceEvaluator:
    """An evaluator: predictions on samples and on their counterfactuals, in which one attribute is
    redrawn."""

    def __init__(self, world: DrawnWorld, *, count: int, strips: bool = True) -> None:
        self._world, self._count = world, count
        self._counterfactuals = draw_counterfactuals(world, count=count)
        self._informative = {
            name: self._counterfactuals.informative(name).cpu()
            for name in world.domain.schema
            if len(self._counterfactuals.informative(name))
        }
        names = [cue.attribute for cue in world.cues] or [
            name for name in world.domain.showcase if name in world.nuisances
        ]
        drawn = (self._draw_strip(name) for name in (names if strips else []))
        self._strips = [strip for strip in drawn if strip]
        self._chances: list[Tensor] = []
        self._flips: dict[str, Estimate] = {}

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """Reliance on every attribute, by tag."""
        before = predict(model, self._counterfactuals.examples.images)
        after = predict(model, self._counterfactuals.images, seed=1)  # noise of its own, if any
        original = self._counterfactuals.original.cpu()
        figures = {}
        for name, informative in self._informative.items():
            found = reliance(before[original[informative]], after[informative])
            self._flips[name] = found.flips
            figures[f"reliance/{name}"] = found.flips
            figures[f"logit_change/{name}"] = found.moved
        nuisances = [self._flips[n] for n in self._world.nuisances if n in self._flips]
        if nuisances:
            figures["shortcut/strongest"] = max(nuisances, key=lambda figure: figure.value)
        self._chances = [
            predict(model, strip.images.flatten(0, 1)).softmax(dim=1) for strip in self._strips
        ]
        return figures

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log bars of reliance, and strips of the same samples with each value of a nuisance: with
        the probability of the last class, or of each one's own where there are more than two."""
        relevant, classes = self._world.relevant, self._world.classes
        views.write_bars(
            tracker,
            step,
            relevant={name: f for name, f in self._flips.items() if name in relevant},
            nuisances={name: f for name, f in self._flips.items() if name not in relevant},
        )
        for strip, chances in zip(self._strips, self._chances, strict=True):
            rows, columns = strip.images.shape[:2]
            watched = strip.labels if len(classes) > 2 else torch.ones_like(strip.labels)
            shown = chances.gather(1, watched.repeat_interleave(columns)[:, None])
            said = chances.argmax(dim=1).view(rows, columns)
            views.write_strip(
                tracker,
                step,
                Strip(
                    attribute=strip.attribute,
                    what=classes[1] if len(classes) == 2 else "its own class",
                    values=strip.values,
                    images=strip.images.cpu(),
                    chances=shown.view(rows, columns),
                    right=said == strip.labels[:, None],
                ),
            )

    def finish(self, tracker: Tracker, model: nn.Module, step: int) -> dict[str, Estimate]:
        """Figures of all sets of components, where the task is about them; log the table."""
        if not self._world.components:
            return {}
        called = ask_about_components(self._world, model, count=self._count)
        tracker.text("parts", _parts_text(called, self._world), step)
        return component_figures(called, self._world.components)

    def _draw_strip(self, name: str) -> "_Pictures | None":
        """Some samples of each class that show the attribute, with each of its values."""
        examples = self._counterfactuals.examples
        visible = shows(self._world, examples, name)
        classes = len(examples.classes)
        each = max(1, STRIP_ROWS // classes)
        labels = examples.clean_labels.cpu()
        chosen = torch.cat(
            [
                ((labels == label) & visible).nonzero()[:each, 0]
                for label in reversed(range(classes))
            ]
        )
        if len(chosen) == 0:
            return None
        samples, row = examples.samples[chosen], self._world.domain.schema[name]
        levels, words = _levels(row, self._world)
        columns = [
            samples.redrawn({name: as_column(row, np.full(len(samples), level))})
            for level in levels
        ]
        images = self._world.render(Samples.cat(columns))
        shape = (len(levels), len(samples), *images.shape[1:])
        return _Pictures(name, words, images.view(shape).transpose(0, 1), labels[chosen])


@dataclass(frozen=True)
class _Pictures:
    attribute: str
    values: tuple[str, ...]
    images: Tensor  # (R, C, 3, S, S)
    labels: Tensor  # (R,)


def ask_about_components(world: DrawnWorld, model: nn.Module, *, count: int) -> Tensor:
    """Whether a model calls each of `count` samples the last class with each set of the task's k
    components: bool (2^k, M), row i for set i of `subsets`."""
    assert world.domain.compose is not None, "components can be composed"
    samples = world.sample(count, split="parts")
    whole = len(world.classes) - 1
    called = []
    for present in subsets(world.components):
        images = world.render(world.domain.compose(samples, present))
        called.append(predict(model, images).argmax(dim=1) == whole)
    return torch.stack(called)


def component_figures(called: Tensor, components: Sequence[str]) -> dict[str, Estimate]:
    """Necessity, sufficiency and Shapley value of each component, by tag, from such answers."""
    figures = {}
    for name, value in part_values(called, components).items():
        figures[f"necessity/{name}"] = value.necessity
        figures[f"sufficiency/{name}"] = value.sufficiency
        figures[f"shapley/{name}"] = value.shapley
    return figures


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


def _parts_text(called: Tensor, world: DrawnWorld) -> str:
    components, whole = world.components, world.classes[-1]
    sets = subsets(components)
    rows = []
    for number in reversed(range(len(sets))):
        share = wilson(int(called[number].sum()), called.shape[1])
        true = 1 if number == len(sets) - 1 else 0
        rows.append((", ".join(sets[number]) or "none", true, estimated(share)))
    table = texts.table(("parts", f"{whole} by the rule", f"called {whole}"), rows)
    each = [
        (part, estimated(v.necessity), estimated(v.sufficiency), f"{v.shapley.value:.2f}")
        for part, v in part_values(called, components).items()
    ]
    fair = f"Shapley (rule: {1 / len(components):.3g})"
    header = ("part", "necessity (rule: 1)", "sufficiency (rule: 0)", fair)
    return f"{table}\n\n{texts.table(header, each)}"
