"""Asked at every evaluation: which attributes change its answer, and which should?"""

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
from lab.worlds import Population
from lab.worlds.counterfactuals import SUBSETS, draw_counterfactuals, shows, with_parts
from lab.worlds.faces import ATTRIBUTES, PARTS, Attribute, Faces, render
from lab.worlds.faces.batch import as_column

NAMED = ("eye_color", "mouth_open", "skin_color", "hair_length")
"""Nuisances whose strips are shown where there are no cues."""

STRIP_FACES = 4
"""Faces in a strip, of each class as many."""


class RelianceEvaluator:
    """An evaluator: asks about faces and their counterfactuals, in which one attribute is
    redrawn."""

    def __init__(
        self,
        population: Population,
        *,
        count: int,
        size: int,
        seed: int,
        device: str | torch.device = "cpu",
        strips: bool = True,
    ) -> None:
        self._population, self._count, self._size = population, count, size
        self._seed, self._device = seed, device
        self._counterfactuals = draw_counterfactuals(
            population, count=count, size=size, seed=seed, device=device
        )
        self._informative = {
            name: self._counterfactuals.informative(name).cpu()
            for name in ATTRIBUTES
            if len(self._counterfactuals.informative(name))
        }
        names = [cue.attribute for cue in population.cues] or [
            name for name in NAMED if name in population.task.nuisances
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
        nuisances = [self._flips[n] for n in self._population.task.nuisances if n in self._flips]
        if nuisances:
            figures["shortcut/strongest"] = max(nuisances, key=lambda figure: figure.value)
        self._chances = [
            predict(model, strip.images.flatten(0, 1)).softmax(dim=1) for strip in self._strips
        ]
        return figures

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log bars of reliance, and strips of the same faces with each value of a nuisance: with
        the probability of the last class, or of each face's own where there are more than two."""
        relevant, classes = self._population.task.relevant, self._population.task.classes
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
        """Ask about all sets of parts, where the task is about them; log the table."""
        if not set(PARTS) <= set(self._population.task.relevant):
            return {}
        called = ask_about_parts(
            self._population, model, count=self._count, size=self._size, seed=self._seed,
            device=self._device,
        )  # fmt: skip
        tracker.text("parts", _parts_text(called), step)
        return part_figures(called)

    def _draw_strip(self, name: str) -> "_Pictures | None":
        """Some faces of each class that show the attribute, with each of its values."""
        examples = self._counterfactuals.examples
        visible = shows(self._population, examples, name, seed=self._seed)
        classes = len(examples.classes)
        each = max(1, STRIP_FACES // classes)
        labels = examples.clean_labels.cpu()
        chosen = torch.cat(
            [
                ((labels == label) & visible).nonzero()[:each, 0]
                for label in reversed(range(classes))
            ]
        )
        if len(chosen) == 0:
            return None
        faces, row = examples.faces[chosen], ATTRIBUTES[name]
        levels, words = _levels(row, self._population)
        columns = [
            faces.redrawn({name: as_column(row, np.full(len(faces), level))}) for level in levels
        ]
        images = render(Faces.cat(columns), size=self._size, device=self._device)
        shape = (len(levels), len(faces), *images.shape[1:])
        return _Pictures(name, words, images.view(shape).transpose(0, 1), labels[chosen])


@dataclass(frozen=True)
class _Pictures:
    attribute: str
    values: tuple[str, ...]
    images: Tensor  # (R, C, 3, S, S)
    labels: Tensor  # (R,)


def ask_about_parts(
    population: Population,
    model: nn.Module,
    *,
    count: int,
    size: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Whether a model calls each of `count` faces a person with each set of parts: bool (16, M)."""
    faces = population.sample(count, seed=seed, split="parts")
    person = len(population.task.classes) - 1
    called = []
    for parts in SUBSETS:
        images = render(with_parts(faces, parts), size=size, device=device)
        called.append(predict(model, images).argmax(dim=1) == person)
    return torch.stack(called)


def part_figures(called: Tensor) -> dict[str, Estimate]:
    """Necessity, sufficiency and Shapley value of each part, by tag, from such answers."""
    figures = {}
    for part, value in part_values(called, PARTS).items():
        figures[f"necessity/{part}"] = value.necessity
        figures[f"sufficiency/{part}"] = value.sufficiency
        figures[f"shapley/{part}"] = value.shapley
    return figures


def _levels(row: Attribute, population: Population) -> tuple[list[float], tuple[str, ...]]:
    """At most `COLUMNS` values of an attribute and their names; those of a cue come first."""
    if row.kind == "continuous":
        numbers = row.quantile(np.linspace(0, 1, COLUMNS).clip(0.01, 0.99)).tolist()
        return numbers, tuple(f"{number:.2g}" for number in numbers)
    tied = [cue.options for cue in population.cues if cue.attribute == row.name]
    order = [*reversed(tied[0])] if tied else []
    order += [option for option in range(len(row.options)) if option not in order]
    chosen = order[:COLUMNS]
    return [float(option) for option in chosen], tuple(row.options[option] for option in chosen)


def _parts_text(called: Tensor) -> str:
    rows = []
    for number in reversed(range(len(SUBSETS))):
        share = wilson(int(called[number].sum()), called.shape[1])
        true = 1 if number == len(SUBSETS) - 1 else 0
        rows.append((", ".join(SUBSETS[number]) or "none", true, estimated(share)))
    sets = texts.table(("parts", "a person by the rule", "called a person"), rows)
    each = [
        (part, estimated(v.necessity), estimated(v.sufficiency), f"{v.shapley.value:.2f}")
        for part, v in part_values(called, PARTS).items()
    ]
    header = ("part", "necessity (rule: 1)", "sufficiency (rule: 0)", "Shapley (rule: 0.25)")
    return f"{sets}\n\n{texts.table(header, each)}"
