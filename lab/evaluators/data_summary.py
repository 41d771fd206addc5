"""The summary of a run's examples: subpopulations, groups and cues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.core.words import estimated
from lab.evaluators.evaluation import clusters_among
from lab.models import to_input
from lab.tracking import texts
from lab.tracking.writer import Tracker
from lab.worlds import DrawnWorld, Examples, StoredWorld, World
from lab.worlds.groups import (
    MeasuredCue,
    given_group_counts,
    group_counts,
    measured,
    told_by,
    told_by_chance,
)


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What a training and a test set are made of.

    Args:
        noun: what the examples are called, in the plural.
        classes: the names of the classes.
        subpopulations: name, class, number of training and of test examples, of each that there is.
        mislabeled: how many training examples have a wrong label.
        given_groups: how many training examples each group has by their given labels, as an
            objective gets them; empty where no label is wrong.
        groups: how many training examples each group has, by their true labels; empty without
            cues.
        cues: each cue's strength in the training set.
        columns: for columns that form groups, the share of training examples whose class is the
            most frequent one of their value, and what that would be by chance.
    """

    noun: str
    classes: tuple[str, ...]
    subpopulations: tuple[tuple[str, str, int, int], ...]
    mislabeled: int
    given_groups: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int]
    cues: tuple[MeasuredCue, ...]
    columns: Mapping[str, tuple[Estimate, Estimate]]

    @classmethod
    def of(cls, world: World, train: Examples, test: Examples) -> DataSummary:
        """The summary of a run's two sets."""
        known = train.all_subpopulations
        trained, tested = (
            torch.bincount(each.subpopulations.cpu(), minlength=len(known)).tolist()
            for each in (train, test)
        )
        together = clusters_among(world, "train", len(train))
        return cls(
            noun=world.noun,
            classes=train.classes,
            subpopulations=tuple(
                (kind.name, train.classes[kind.label], trained[i], tested[i])
                for i, kind in enumerate(known)
                if trained[i] or tested[i]
            ),
            mislabeled=int(train.mislabeled.sum()),
            given_groups=given_group_counts(train, world.grouped_by)
            if bool(train.mislabeled.any())
            else {},
            groups=group_counts(train, world.grouped_by) if world.grouped_by else {},
            cues=tuple(measured(world, train, own=world.own("train", len(train))))
            if isinstance(world, DrawnWorld)
            else (),
            columns={
                c.attribute: (told_by(c, train, together), told_by_chance(c, train, together))
                for c in world.grouped_by
            }
            if isinstance(world, StoredWorld)
            else {},
        )

    def log(
        self,
        tracker: Tracker,
        *,
        settings: Mapping[str, object],
        environment: Mapping[str, str],
    ) -> None:
        """Log the texts that a run's record begins with."""
        header = ("subpopulation", "class", f"training {self.noun}", f"test {self.noun}")
        counts = texts.table(header, self.subpopulations)
        if self.groups:
            by = " by true label" if self.given_groups else ""
            rows = self.groups.items()
            counts += "\n\n" + texts.table((f"group{by}", f"training {self.noun}"), rows)
        if self.given_groups:
            rows = self.given_groups.items()
            by = " by given label, as an objective gets it"
            counts += "\n\n" + texts.table((f"group{by}", f"training {self.noun}"), rows)
        tracker.text("config", texts.settings_table(settings))
        tracker.text("groups", counts)
        tracker.text("environment", texts.table(("part", "version"), environment.items()))
        if self.cues:
            tracker.text("cues", self._cue_table())

    def _cue_table(self) -> str:
        rows = []
        for found in self.cues:
            cue, strength = found.cue, found.strength
            values = ", ".join(f"{w}: {c}" for w, c in zip(cue.words, self.classes, strict=True))
            rows.append(
                (cue.attribute, values, f"{cue.strength:g}", f"{cue.no_link:.3g}",
                 estimated(strength, 3), f"{found.shown.value:.3f}")
            )  # fmt: skip
        header = ("cue", "value: class", "strength asked for", "no link", "measured on the training"
                  f" {self.noun} that show it (95 % interval)", "shown by")  # fmt: skip
        return texts.table(header, rows)


def log_graph(tracker: Tracker, model: nn.Module, images: Tensor) -> None:
    """Log the network's graph, traced on a few pictures (N, 3, S, S) uint8."""
    tracker.graph(model, to_input(images))
