"""The words of a pool's page, explained to readers who never met them."""

from __future__ import annotations

from lab.core.words import percent, singular
from lab.pool.causes import CONTRADICTS, RARE, WRONG
from lab.pool.findings import Findings
from lab.pool.own_run import PICTURES
from lab.worlds import COPIED, HARD, DrawnWorld

KINDS = {
    "person": "a face with all its parts in their places",
    "missing": "a face that lacks parts, such as the nose or the mouth",
    "scrambled": "a face with all parts, in wrong places",
    "object": "no face at all: a clock, a house, a mug, a flower or a car",
}
"""Subpopulations of drawn faces."""


def glossary(findings: Findings, *, influence: bool) -> list[tuple[str, str]]:
    """Words with what they mean, as far as a pool's page has them; `influence`: it has that one."""
    result = findings.result
    noun, count = result.run.world.noun, len(result.train)
    one, size = singular(noun), int(result.pool.members[0].sum())
    words = [
        (
            "network",
            f"A program that learns from labeled {noun} to give the label of others. Here there"
            f" are {len(result.pool):,} of one kind, which differ in their training {noun} and in"
            " chance.",
        ),
        (
            "trained on (member)",
            f"The {size:,} of the {count:,} training {noun} that a network has learned from; these"
            " are its members.",
        ),
        (
            "left out",
            f"The other {count - size:,} training {noun}. Every {one} is left out by some networks"
            " and trained on by others, so that they can be compared.",
        ),
        ("fresh, unseen", f"Not among the {count:,}: no network was trained on it."),
        (
            "right",
            f"The network gives the {one} its label, even if that label is wrong. Fresh"
            f" {noun} have right labels.",
        ),
        (
            "accuracy",
            f"The share of {noun} on which a network is right, from 0 (never) to 1 (always).",
        ),
        ("mean score", f"The average of the memorization scores of several {noun}."),
        ("± (standard error)", "How far the number before it typically is off by chance."),
        (
            "interval",
            "The two numbers in brackets. A 95 % interval is made in such a way that it holds the"
            " true number 95 times in 100. Where two intervals overlap, this page calls neither"
            " number the larger one.",
        ),
        *_causes(findings, noun),
        *_kinds(findings, noun),
    ]
    if findings.attacks:
        words += _attacks(noun)
    if influence:
        words += _influence(noun)
    bound = result.run.config.loss_bound
    if bound is not None:
        words += [
            (
                "criterion, loss, steps",
                "The loss measures how far a network’s answers are from sure and right (0: not at"
                f" all). Training changes the network step by step until the loss is at most"
                f" {bound:g}.",
            )
        ]
    return words


def _causes(findings: Findings, noun: str) -> list[tuple[str, str]]:
    """The causes of the pool."""
    data, there = findings.result.run.config.data, findings.causes
    words = []
    if len(there) > 1:
        words.append(("ordinary", f"All {noun} of which no cause below is known."))
    if WRONG in there:
        said = f"The training label is not the true one. This was done on purpose to some {noun}."
        if data.label_noise and data.label_noise_kind == "random":
            found = there[WRONG].count / len(findings.result.train)
            said += (
                f" {percent(data.label_noise, 0)} of the labels were drawn by lot, which also hits"
                f" the right label: {percent(found, 0)} are wrong."
            )
        words.append(("wrong label", said))
    meanings = {
        CONTRADICTS: "A hint that agrees with the label nearly everywhere is that of another class"
        " here.",
        COPIED: f"Another of the {noun} is the same picture.",
        HARD: "Blurred, noisy, or partly hidden.",
        RARE: "Of a subpopulation that is at most 5 % of its class.",
    }
    return words + [(name, said) for name, said in meanings.items() if name in there]


def _kinds(findings: Findings, noun: str) -> list[tuple[str, str]]:
    """The subpopulations."""
    world, there = findings.result.run.world, findings.subpopulations
    if len(there) < 2:
        return []
    said = f"A kind of {noun} within a class."
    if isinstance(world, DrawnWorld) and world.domain.name == PICTURES:
        named = [f"{name}: {what}" for name, what in KINDS.items() if name in there]
        if named:
            said += f" Here {'; '.join(named)}."
    return [("subpopulation", said)]


def _attacks(noun: str) -> list[tuple[str, str]]:
    return [
        (
            "false positives (wrongly named)",
            f"{noun.capitalize()} that an attacker takes for trained on, though they are not. An"
            " attacker who names more finds more, and is wrong more often; so attacks are compared"
            " at the same share of false positives.",
        ),
        (
            "LiRA (likelihood ratio)",
            "The attack asks whether a network’s answer is more like those of networks that were"
            " trained on the picture, or of networks that were not. Carlini et al. 2022.",
        ),
        (
            "offline",
            "The attacker has no networks that were trained on the picture, only others.",
        ),
        (
            "RMIA (relative to fresh ones)",
            f"The attack asks whether a network is surer of the picture than of most fresh {noun},"
            " each in comparison with other networks. Zarifzadeh et al. 2024.",
        ),
        (
            "loss threshold",
            "The simplest attack: the network is surer of pictures that it was trained on. It"
            " compares with no other network.",
        ),
    ]


def _influence(noun: str) -> list[tuple[str, str]]:
    one = singular(noun)
    return [
        (
            "influence",
            f"Of a training {one} on an unseen one: how much more often networks that were trained"
            " on the former get the latter right than the other networks.",
        ),
        (
            "beyond noise, shuffles, permutation test",
            "Among many numbers some are large by accident. To see how large, it is exchanged at"
            f" random which network was trained on which {noun} (shuffles of the subsets); what"
            " is then still found is accident, or noise. p is how often shuffles show as much as"
            " there is: a small p speaks against accident.",
        ),
    ]
