"""The certificate of a population: which attributes and image statistics predict its labels.

audit(config, seed=0)               all of it, tens of seconds with the probes
warnings(world, train, test)        the cheap part, a sentence for each thing that is not in order
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lab.core.config import DataConfig
from lab.core.estimate import Estimate
from lab.core.words import estimated, those
from lab.worlds.association import (
    Association,
    Duplicates,
    associations,
    duplicates,
    matches_request,
)
from lab.worlds.copies import REPEATED
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.groups import MeasuredCue, group_counts, measured
from lab.worlds.leaks import Certificate, certificate, tree_accuracy
from lab.worlds.leaks import to_text as probes_to_text

ROWS = 10
"""Fewest attributes that are printed."""

_TESTED = "is a test picture, too", "are test pictures, too"
_KNOWN = "has the identity of a test picture", "have the identity of a test picture"

Named = Mapping[str, tuple[int, int]]
"""The numbers of training and test examples, by name."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The results of the checks of a population."""

    classes: tuple[str, ...]
    subpopulations: Named
    groups: Named
    """By label and cue values; empty without cues."""
    links: tuple[Association, ...]
    """The association of each nuisance with the label in training, the strongest first. Planted
    copies of examples count once."""
    declared: Mapping[str, str]
    """The nuisances that may be associated with the label, and why."""
    cues: tuple[MeasuredCue, ...]
    """The measured strengths in training; copies count once."""
    twice: Duplicates
    probes: Certificate | None
    """On unbiased examples, whose cues are independent of the label; None: skipped."""
    tree: Estimate | None
    """Accuracy of the boosted tree with the cues as declared; None: no cues, or skipped."""

    @property
    def undeclared(self) -> tuple[Association, ...]:
        """Undeclared attributes that exceed their bound."""
        return _undeclared(self.links, self.declared)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the population is not clean, a few words each."""
        found = [f"{link.attribute} is associated with the label" for link in self.undeclared]
        found += [f"{one.cue.attribute} not as requested" for one in self.cues if not _holds(one)]
        for probe in self.probes.probes if self.probes else ():
            if probe.leaks:
                found.append(f"{probe.model} ({probe.statistics}) above its bound")
        if self.twice.shared_pictures or self.twice.shared_identities:
            found.append("train and test share pictures")
        return tuple(found)


def audit(config: DataConfig, *, seed: int, probes: bool = True) -> Audit:
    """Examine the population that `config` describes on its own examples.

    The probes are trained on unbiased pictures, so that they find undeclared links only.
    `ValueError` if a setting cannot work, or if scikit-learn is missing, which they need.
    """
    world = DrawnWorld.of(config, seed=seed)
    cues = world.cues
    train, test = _draw(world)
    fair = _draw(world.unbiased()) if probes and cues else (train, test)
    drawn = _without_copies(world, train)
    return Audit(
        classes=world.classes,
        subpopulations=_side_by_side(_kind_counts(train), _kind_counts(test)),
        groups=_side_by_side(group_counts(train, cues), group_counts(test, cues)) if cues else {},
        links=_links(world, drawn),
        declared=_declared(world),
        cues=tuple(measured(world, drawn)),
        twice=duplicates(train, test),
        probes=certificate(*fair) if probes else None,
        tree=tree_accuracy(train, test) if probes and cues else None,
    )


def warnings(world: DrawnWorld, train: Examples, test: Examples) -> list[str]:
    """Faults of drawn training and test examples, one sentence each; usually none.

    A population in which nothing is wrong gets one in about 1 % of all cases. Draws nothing:
    0.1 s for 10,000 examples.
    """
    drawn = _without_copies(world, train)
    said = [
        f"{link.attribute} is associated with the label, though it is no cue: {link.bits:.3f} bits"
        f" of mutual information, above the bound under independence, {link.chance:.3f}."
        for link in _undeclared(_links(world, drawn), _declared(world))
    ]
    for cue in world.cues:
        agreeing = int((cue.says(drawn.samples) == drawn.clean_labels.cpu()).sum())
        if not matches_request(agreeing, len(drawn), cue.strength):
            said.append(
                f"{cue.attribute} agrees with the label for {agreeing:,} of {len(drawn):,} training"
                f" {world.noun}, not in accordance with the requested strength {cue.strength:g}."
            )
    twice = duplicates(train, test)
    for number, one, more in (
        (twice.shared_pictures, *_TESTED),
        (twice.shared_identities, *_KNOWN),
        (0 if world.data.copies else twice.repeated, *REPEATED),
    ):
        if number:
            what = one if number == 1 else more
            said.append(f"{number:,} of {len(train):,} training pictures {what}.")
    return said


def to_text(result: Audit) -> str:
    """The certificate for people, about 100 columns wide; the last line says if it is clean."""
    parts = [_counts("subpopulation", result.subpopulations)]
    if result.groups:
        parts.append(_counts("group: label, cue values", result.groups))
    parts.append(_links_to_text(result))
    if result.probes:
        parts.append(probes_to_text(result.probes))
    if result.tree:
        parts.append(
            "These probes used unbiased pictures (cues independent of the label). With the cues\n"
            f"as declared the boosted tree (all) reaches {estimated(result.tree, 3)}."
        )
    twice, total = result.twice, sum(train for train, _ in result.subpopulations.values())
    parts.append(
        f"Of {total:,} training pictures {those(twice.shared_pictures, *_TESTED)},"
        f" {those(twice.shared_identities, *_KNOWN)},\nand"
        f" {those(twice.repeated, *REPEATED)}."
    )
    if result.faults:
        parts.append("NOT CLEAN: " + ", ".join(result.faults))
    else:
        skipped = "" if result.probes else " (without probes)"
        parts.append(f"clean: nothing undeclared predicts the label{skipped}")
    return "\n\n".join(parts)


def _draw(world: DrawnWorld) -> tuple[Examples, Examples]:
    """Training and test examples."""
    return world.load("train", world.data.num_train), world.load("test", world.data.num_test)


def _without_copies(world: DrawnWorld, train: Examples) -> Examples:
    """The first `train` examples of a world without those that are planted copies of earlier ones,
    which say nothing new of what goes with the label: bounds are those of independent examples."""
    return train.take(world.own("train", len(train))) if world.data.copies else train


def _kind_counts(examples: Examples) -> dict[str, int]:
    known = examples.all_subpopulations
    numbers = torch.bincount(examples.subpopulations, minlength=len(known)).tolist()
    return {kind.name: number for kind, number in zip(known, numbers, strict=True)}


def _side_by_side(train: Mapping[str, int], test: Mapping[str, int]) -> Named:
    return {name: (number, test[name]) for name, number in train.items()}


def _links(world: DrawnWorld, train: Examples) -> tuple[Association, ...]:
    return associations(
        train.samples,
        train.clean_labels.cpu(),
        world.nuisances,
        classes=len(train.classes),
        variation=world.population.variation,
    )


def _declared(world: DrawnWorld) -> dict[str, str]:
    """The attributes that may be associated with the label, and why: those that the domain adjusts
    to relevant attributes, cues, and attributes that are changed to avoid an unseen combination
    with one of these.
    """
    reasons = dict.fromkeys(world.domain.adjusted, "by design")
    reasons |= {cue.attribute: "cue" for cue in world.cues}
    for _ in world.population.unseen_combinations:  # one may follow from another
        for hold in world.population.unseen_combinations:
            if any(name in reasons for name, _ in hold.conditions):
                reasons.setdefault(hold.yields, "by combination")
    return reasons


def _undeclared(
    links: tuple[Association, ...], declared: Mapping[str, str]
) -> tuple[Association, ...]:
    return tuple(link for link in links if link.above_chance and link.attribute not in declared)


def _holds(one: MeasuredCue) -> bool:
    """Whether a cue's measured strength agrees with the requested one, among the pictures that show
    it."""
    total = one.strength.count or 0
    agreeing = round(one.strength.value * total) if total else 0
    return matches_request(agreeing, total, one.cue.strength)


def _counts(what: str, counts: Named) -> str:
    width = max(len(what), *map(len, counts))
    lines = [f"{what:<{width}}  {'train':>9}  {'test':>9}"]
    lines += [f"{name:<{width}}  {a:>9,}  {b:>9,}" for name, (a, b) in counts.items()]
    return "\n".join(lines)


def _links_to_text(result: Audit) -> str:
    cues = {one.cue.attribute: one for one in result.cues}
    whole = math.log2(len(result.classes))
    lines = [
        f"Mutual information of attributes and label in training (label entropy: {whole:.3g} bit)",
        f"{'attribute':<20}  {'bits':>7}  {'bound':>15}",
    ]
    rows = [
        link
        for place, link in enumerate(result.links)
        if place < ROWS or link.above_chance or link.attribute in cues
    ]
    for link in rows:
        note = ""
        if link.attribute in cues:
            note = _cue_to_text(cues[link.attribute])
        elif link.above_chance:
            note = result.declared.get(link.attribute, "UNDECLARED")
        elif link.chance == 0:
            note = "one value only, or too few pictures"
        lines.append(
            f"{link.attribute:<20}  {link.bits:7.4f}  {link.chance:15.4f}  {note}".rstrip()
        )
    if len(rows) < len(result.links):
        lines.append(f"... and {len(result.links) - len(rows)} more, each below its bound")
    return "\n".join(lines)


def _cue_to_text(one: MeasuredCue) -> str:
    agreeing = estimated(one.strength, 3) if one.strength.count else "0"
    mark = "" if _holds(one) else "  NOT AS REQUESTED"
    return f"cue {one.cue.strength:g}: {agreeing} of {one.shown.value:.0%} that show it{mark}"
