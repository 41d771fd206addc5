"""The data of a report card: all measures of one network, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.core.estimate import Estimate
from lab.measure import FacesNeeded, PowerLaw

TARGETS = (0.9, 0.95)
"""Test accuracies for which the faces needed are read off the learning curve."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What came of one number of training faces; means over the seeds. `train` and
    `membership_auc` are those by which memorization is judged (`lab.measure.judged`). `shown`: so
    many of the faces the networks were shown, as they took too few steps for more; None: all.
    `unfitted`: the share of the training labels that they got right, where not every seed fitted
    them; None: all did. `unstudied`: in how many of the seeds the training set lacks groups of the
    test set."""

    faces: int
    train: Estimate
    test: Estimate
    membership_auc: Estimate
    shown: int | None = None
    unfitted: Estimate | None = None
    unstudied: int = 0


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
    """One network's metrics. `subpopulations`, `reliance`, `parts`, `perturbations`, `occlusions`,
    `classes` and `groups` are those of the runs with most training faces; speeds are multiples of
    those of the reference network. `chance` is the accuracy of a guess. What a section of the card
    fills that does not apply to its pictures is empty."""

    model: str
    name: str
    """The model's name for people, no other card's."""
    chance: float
    parameters: int
    training_speed: float
    answering_speed: float
    learning: tuple[Size, ...]
    needed: tuple[FacesNeeded | None, ...]
    """For each of `TARGETS`; None: always answering the most frequent class gets as much."""
    power_law: PowerLaw | None
    """None: too few sizes are better than a guess, or the test accuracy with most training faces is
    not surely above the share of the most frequent class."""
    random_labels: tuple[RandomLabels, ...]
    gap: Mapping[int, Estimate] = field(default_factory=dict)
    """Train accuracy minus test accuracy, by number of training pictures."""
    cues: Mapping[str, CueAdopted] = field(default_factory=dict)
    subpopulations: Mapping[str, Estimate] = field(default_factory=dict)
    reliance: Mapping[str, Estimate] = field(default_factory=dict)
    perturbations: Mapping[str, Estimate] = field(default_factory=dict)
    occlusions: Mapping[str, Estimate] = field(default_factory=dict)
    classes: Mapping[str, Estimate] = field(default_factory=dict)
    groups: Mapping[str, Estimate] = field(default_factory=dict)
    parts: Mapping[str, Estimate] = field(default_factory=dict)
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    """Further metrics by tag that the table of metrics has for the card, of the runs with most
    training faces: calibration, and the user's own."""
    judged: str = ""
    """By which figures memorization is judged where these are not the plain ones, and in which runs
    of the learning curve, in words: its train accuracy, gap and membership AUC are those."""
    doubt: str = ""
    """A sentence on answers that change though the picture does not; empty: none do."""
    before: Estimate | None = None
    """Accuracy on the test set before training with most training faces, the mean over the seeds
    where that shows that the network was trained earlier already; None: in none."""
    warnings: tuple[str, ...] = ()
    """What the dry run of the network warns of, such as probabilities in place of logits."""

    @property
    def largest_fitted(self) -> int | None:
        """The largest set of random labels that every seed fitted; None: not even the smallest."""
        return max((each.faces for each in self.random_labels if each.fitted), default=None)

    @property
    def best(self) -> Size:
        """What came of most faces."""
        return self.learning[-1]


def plain(value: Any, *, noun: str = "faces", without: Collection[str] = ()) -> Any:
    """Anything in a card as what JSON knows; `noun` is what its pictures are called, `without` are
    fields that are left out."""
    if isinstance(value, Estimate):
        known = value.as_dict()
        return {name: number for name, number in known.items() if number is not None}
    if isinstance(value, PowerLaw):
        return {"exponent": plain(value.exponent), "factor": value.factor}
    if isinstance(value, (list, tuple)):
        return [plain(each, noun=noun, without=without) for each in value]
    if isinstance(value, Mapping):
        return {str(name): plain(each, noun=noun, without=without) for name, each in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {
            noun if name == "faces" else name: plain(
                getattr(value, name), noun=noun, without=without
            )
            for name in value.__dataclass_fields__
            if name not in without
        }
    return value
