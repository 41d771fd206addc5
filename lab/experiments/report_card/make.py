"""A network's card from the tables of its finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lab.core.config import RunConfig
from lab.core.estimate import Estimate
from lab.core.metrics import shown
from lab.experiments.judged import told
from lab.experiments.report_card.card import TARGETS, Card, RandomLabels, Size
from lab.experiments.report_card.sections import Asked, applying
from lab.experiments.report_card.subject import Subject
from lab.experiments.show.curves import power_law
from lab.experiments.table import Cell, Table
from lab.measure import faces_needed, mean_of_seeds


def make_card(
    model: str,
    tables: Mapping[str, Table],
    base: RunConfig,
    subject: Subject,
    *,
    name: str,
    parameters: int,
    warnings: Sequence[str],
    training_speed: float,
    answering_speed: float,
    device: str,
) -> Card:
    """The card of one of the models in the tables of `plans`; asks its finished networks, too.
    `warnings` are those of its dry run."""
    asked = Asked(model=model, tables=tables, base=base, device=device)
    learning, last = asked.learning, asked.last
    sizes = [cell.settings["num_train"] for cell in learning]
    accuracies = np.stack([cell.values("accuracy/test") for cell in learning], axis=1)
    above = not subject.frequent or last.mean("accuracy/test").interval[0] > subject.frequent
    return Card(
        model=model,
        name=name,
        chance=subject.chance,
        parameters=parameters,
        training_speed=training_speed,
        answering_speed=answering_speed,
        learning=tuple(size_of(cell) for cell in learning),
        needed=tuple(
            faces_needed(sizes, accuracies, target) if target > subject.frequent else None
            for target in TARGETS
        ),
        power_law=power_law(learning, "accuracy/test") if above else None,
        random_labels=tuple(_random(cell) for cell in tables["random"].where(model=model)),
        metrics={tag: last.mean(tag) for tag in shown("card", last.tags)},
        judged=_judged(learning),
        doubt=last.doubt,
        before=_before(last),
        warnings=tuple(warnings),
        **{section.name: section.measure(asked) for section in applying(subject)},
    )


def size_of(cell: Cell) -> Size:
    """What came of the number of training examples of a cell of the learning curve. Runs that
    leave wrong labels alone count as fitted."""
    unfitted = cell.unfitted > cell.wrong_labels_left
    return Size(
        faces=cell.settings["num_train"],
        train=cell.judged("accuracy/train"),
        test=cell.mean("accuracy/test"),
        membership_auc=cell.judged("memorization/membership_auc"),
        shown=min(run.shown or 0 for run in cell.runs) if cell.unreached else None,
        unfitted=cell.mean("accuracy/train") if unfitted else None,
        unstudied=len(cell.unstudied),
    )


def _judged(learning: Sequence[Cell]) -> str:
    """By which figures the cells of a learning curve are judged, as `told` says."""
    cells = [replace(cell, settings={"num_train": cell.settings["num_train"]}) for cell in learning]
    return told(cells).removesuffix(" in all cells")


def _before(cell: Cell) -> Estimate | None:
    """The mean accuracy before training over the runs of which the network knew the test set."""
    known = cell.known_before
    return mean_of_seeds([right.value for right in known]) if known else None


def _random(cell: Cell) -> RandomLabels:
    accuracies = cell.values("accuracy/train")
    return RandomLabels(
        faces=cell.settings["num_train"],
        train=mean_of_seeds(accuracies.tolist()),
        fitted=not cell.unfitted,
    )
