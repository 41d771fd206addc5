"""The data of a report card: all measures of one network, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab.core.config import RunConfig
from lab.core.estimate import Estimate
from lab.core.metrics import shown
from lab.experiments.presets import equal_cues
from lab.experiments.report_card.ask import as_words, asks_for_parts, by_parts, by_subpopulation
from lab.experiments.show.curves import power_law
from lab.experiments.table import Cell, Table
from lab.measure import FacesNeeded, PowerLaw, faces_needed, mean_of_seeds
from lab.worlds import get_task

TARGETS = (0.9, 0.95)
"""Test accuracies for which the faces needed are read off the learning curve."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What came of one number of training faces; means over the seeds."""

    faces: int
    train: Estimate
    test: Estimate
    membership_auc: Estimate


@dataclass(frozen=True, kw_only=True)
class RandomLabels:
    """Training accuracy on so many faces with random labels, and whether every seed fitted them."""

    faces: int
    train: Estimate
    fitted: bool


@dataclass(frozen=True, kw_only=True)
class CueAdopted:
    """What a network makes of a cue that tells the label without fail: its reliance on it and its
    accuracy on unbiased faces, if that is the only cue; its reliance among all of them."""

    reliance: Estimate
    unbiased: Estimate
    among_all: Estimate


@dataclass(frozen=True, kw_only=True)
class Card:
    """One network's metrics. `subpopulations`, `reliance` and `parts` are those of the runs with
    most training faces; speeds are multiples of those of the reference network. `chance` is the
    accuracy of a guess."""

    model: str
    name: str
    """The model's name for people, no other card's."""
    chance: float
    parameters: int
    training_speed: float
    answering_speed: float
    learning: tuple[Size, ...]
    needed: tuple[FacesNeeded, ...]
    power_law: PowerLaw | None
    random_labels: tuple[RandomLabels, ...]
    cues: Mapping[str, CueAdopted]
    subpopulations: Mapping[str, Estimate]
    reliance: Mapping[str, Estimate]
    parts: Mapping[str, Estimate]
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    """Further metrics by tag that the table of metrics has for the card, of the runs with most
    training faces: calibration, and the user's own."""
    doubt: str = ""
    """A sentence on answers that change though the picture does not; empty: none do."""

    @property
    def largest_fitted(self) -> int | None:
        """The largest set of random labels that every seed fitted; None: not even the smallest."""
        return max((each.faces for each in self.random_labels if each.fitted), default=None)

    @property
    def best(self) -> Size:
        """What came of most faces."""
        return self.learning[-1]


def make_card(
    model: str,
    tables: Mapping[str, Table],
    base: RunConfig,
    *,
    name: str,
    parameters: int,
    training_speed: float,
    answering_speed: float,
    device: str,
) -> Card:
    """The card of one of the models in the tables of `plans`; asks its finished networks, too."""
    learning = tables["learning"].where(model=model)
    task = get_task(base.data.task)
    last = learning[-1]
    sizes = [cell.settings["num_train"] for cell in learning]
    accuracies = np.stack([cell.values("accuracy/test") for cell in learning], axis=1)
    parts = by_parts(last, device=device) if asks_for_parts(task) else {}
    return Card(
        model=model,
        name=name,
        chance=task.chance,
        parameters=parameters,
        training_speed=training_speed,
        answering_speed=answering_speed,
        learning=tuple(_size(cell) for cell in learning),
        needed=tuple(faces_needed(sizes, accuracies, target) for target in TARGETS),
        power_law=power_law(learning, "accuracy/test"),
        random_labels=tuple(_random(cell) for cell in tables["random"].where(model=model)),
        cues=_cues(model, tables["cues"], base),
        subpopulations=by_subpopulation(last, device=device),
        reliance={
            tag.partition("/")[2]: last.mean(tag)
            for tag in last.tags
            if tag.startswith("reliance/")
        },
        parts=as_words(parts),
        metrics={tag: last.mean(tag) for tag in shown("card", last.tags)},
        doubt=last.doubt,
    )


def plain(value: Any) -> Any:
    """Anything in a card as what JSON knows."""
    if isinstance(value, Estimate):
        known = value.as_dict()
        return {name: number for name, number in known.items() if number is not None}
    if isinstance(value, PowerLaw):
        return {"exponent": plain(value.exponent), "factor": value.factor}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def _size(cell: Cell) -> Size:
    return Size(
        faces=cell.settings["num_train"],
        train=cell.mean("accuracy/train"),
        test=cell.mean("accuracy/test"),
        membership_auc=cell.mean("memorization/membership_auc"),
    )


def _random(cell: Cell) -> RandomLabels:
    accuracies = cell.values("accuracy/train")
    return RandomLabels(
        faces=cell.settings["num_train"],
        train=mean_of_seeds(accuracies.tolist()),
        fitted=not cell.unfitted,
    )


def _cues(model: str, table: Table, base: RunConfig) -> dict[str, CueAdopted]:
    task = base.data.task
    among = table.cell(model=model, cues=equal_cues.together(task))
    found = {}
    for cue, world in zip(equal_cues.cues_of(task), equal_cues.alone(task), strict=True):
        cell = table.cell(model=model, cues=world)
        found[cue] = CueAdopted(
            reliance=cell.mean(f"reliance/{cue}"),
            unbiased=cell.mean("accuracy/unbiased"),
            among_all=among.mean(f"reliance/{cue}"),
        )
    return found
