"""What a pool has found, in sentences for readers without training in machine learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from lab.core.estimate import Estimate
from lab.core.finite import ONE_COLOR
from lab.core.words import (
    NOTHING,
    capital,
    chance,
    estimated,
    in_steps,
    listed,
    percent,
    share,
    singular,
)
from lab.measure.memorization_scores import BY_HEART, FEWEST
from lab.pool.attacks import LOSS, OFFLINE, ONLINE
from lab.pool.causes import CONTRADICTS, ORDINARY, RARE, WRONG
from lab.pool.findings import Findings, Part
from lab.pool.fresh import WARNING
from lab.pool.membership import networks_for
from lab.worlds import COPIED, HARD, StoredWorld

WHOSE = {
    WRONG: "with a wrong label",
    CONTRADICTS: "that contradict a cue",
    COPIED: "of which there are copies",
    HARD: "that are hard to see",
    RARE: "of a rare subpopulation",
}
"""What is said of a cause's examples."""

MENTIONED = 0.01
"""The share with a score as far below 0 from which on it is mentioned."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is said of a pool, the most important first: how much is `known` by heart, for which
    `causes`, what an `attack` finds, and `checks` for researchers."""

    known: Sequence[str]
    causes: Sequence[str]
    attack: Sequence[str]
    checks: Sequence[str]


def tell(findings: Findings) -> Told:
    """The findings in sentences."""
    noun = findings.result.run.world.noun
    usual, why = findings.causes[ORDINARY], []
    for cause, what in WHOSE.items():
        if cause in findings.causes and usual.count and findings.tells:
            why.append(_compared(findings.causes[cause], what, usual, noun))
    why += _taught(findings, noun)
    fresh = findings.result.fresh
    warned, noted = ([fresh.said], []) if fresh.mixed else ([], [fresh.said] if fresh.said else [])
    return Told(
        known=[
            *_not_finite(findings, noun),
            *_doubts(findings),
            *warned,
            _by_heart(findings, noun),
            *_together(findings, noun),
        ],
        causes=[*why, *_extremes(findings, noun)],
        attack=_attack(findings, noun),
        checks=[*noted, *_identity(findings, noun), *_criterion(findings, noun)],
    )


def _doubts(findings: Findings) -> list[str]:
    """A warning for each thing that is doubtful of pictures from disk; what follows from other
    shares of classes is said of the fresh examples."""
    doubts = [each for each in findings.result.doubts if WARNING.shares not in each]
    return [f"Warning: {capital(each)}" for each in doubts]


def sentences(findings: Findings) -> list[str]:
    """All of them in order."""
    told = tell(findings)
    return [*told.known, *told.causes, *told.attack, *told.checks]


def _not_finite(findings: Findings, noun: str) -> list[str]:
    """A warning of examples for which logits are not finite numbers; nothing where all are."""
    pool, told = findings.result.pool, []
    for what, logits in (("training", pool.train_logits), ("test", pool.test_logits)):
        bad = int((~logits.isfinite()).any(dim=2).any(dim=0).sum())
        if bad:
            told.append(f"{bad:,} of {logits.shape[1]:,} {what} {noun}")
    if not told:
        return []
    return [
        f"Warning: for {listed(told)} a logit of a network is not a finite number: {ONE_COLOR} NaN"
        " counts as a wrong answer, and figures of attacks, which go by logits, are missing"
        f" ({NOTHING}) or a little off."
    ]


def _by_heart(findings: Findings, noun: str) -> str:
    """How much is known by heart, or why that cannot be told."""
    by_heart, opposite = findings.all.by_heart, findings.all.opposite
    count, one = by_heart.count or 0, singular(noun)
    if not findings.scores.firm:
        return _too_few(findings, noun)
    if not findings.tells:
        return (
            f"Whether any of the {count:,} training {noun} are known by heart cannot be told:"
            f" {share(by_heart, first=True)} have a score of {BY_HEART} or more, and"
            f" {share(opposite)} one of -{BY_HEART} or less. That is no more than noise."
        )
    said = (
        f"Of the {count:,} training {noun} {share(by_heart, first=True)} are known by heart:"
        f" networks that were trained on such a {one} get it right at least"
        f" {100 * BY_HEART:.0f} percentage points more often than networks that were not."
    )
    if opposite.value >= MENTIONED:
        said += (
            f" As far the other way are {share(opposite)}, which is noise: about as many of the"
            " former may be noise, too."
        )
    return said


def _together(findings: Findings, noun: str) -> list[str]:
    """That the scores of examples which belong together are those of each one alone."""
    found, one = findings.result.clusters, singular(noun)
    if found is None:
        return []
    return [
        f"{found.tested:,} training {noun} have {found.counted}."
        f" {capital(found.if_together(noun))} their scores may be low although networks know them"
        f" by heart: a score is the effect of one {one} alone, and where that is left out, others"
        " that belong with it stay among those trained on and teach its answer. Scores do not show"
        " what is memorized of all of them together"
        f"{f', and the intervals below take {noun} for independent' * found.stated}."
    ]


def _too_few(findings: Findings, noun: str) -> str:
    """That there are too few networks, and how many would do."""
    result, mean = findings.result, findings.all.mean
    enough = networks_for(
        FEWEST, count=len(result.train), share=result.share, seed=result.run.config.seed
    )
    enough = max(enough, len(result.pool) + len(result.failed))
    return (
        f"{len(result.pool):,} networks are too few to say which training {noun} are known by"
        f" heart: {FEWEST} must have been trained on each {singular(noun)}, and {FEWEST} not, as"
        f" from --networks {enough} on. The mean score is {estimated(mean)}."
    )


def _compared(part: Part, what: str, usual: Part, noun: str) -> str:
    """How far the examples of a cause are known by heart, beside ordinary ones."""
    one = singular(noun)
    if not part.count:
        return f"No training {one} is among those {what}."
    found, other = part.by_heart, usual.by_heart
    start = f"Of the {part.count:,} {noun} {what} {share(found)} are known by heart"
    rest = f"of the {usual.count:,} ordinary ones {share(other)}"
    if _apart(found, other):
        more = found.value > other.value
        times = found.value / other.value if other.value else 0.0
        how = f"{times:.1f} times as often" if more and times else "more often"
        verdict = how if more else "less often"
    else:
        verdict = f"no difference that this many {noun} could show"
    return (
        f"{start}, {rest}: {verdict}. A {one} of the former kind has a higher score than"
        f" an ordinary one in {share(part.above)} of pairs (a guess: 50 %)."
    )


def _apart(one: Estimate, other: Estimate) -> bool:
    return one.interval[0] > other.interval[1] or one.interval[1] < other.interval[0]


def _taught(findings: Findings, noun: str) -> list[str]:
    """That ordinary examples are known by heart as far as the others do not teach them."""
    same, usual = findings.identity, findings.causes[ORDINARY]
    if not (findings.tells and usual.count and usual.by_heart.value):
        return []
    guess = chance(len(findings.result.train.classes))
    return [
        f"Ordinary {noun} are known by heart as far as the rest of the training {noun} do not teach"
        f" them: networks are right on {percent(same.members.value)} of the {noun} that they were"
        f" trained on, but on only {percent(same.fresh.value)} of fresh ones (a guess: {guess})."
        f" What makes a single ordinary {singular(noun)} hard is not measured."
    ]


def _extremes(findings: Findings, noun: str) -> list[str]:
    """Which subpopulation of right labels has the highest and the lowest mean score, as far as the
    intervals tell it from all others."""
    parts = [(n, p.mean) for n, p in findings.subpopulations.items() if p.mean.low is not None]
    if len(parts) < 2:
        return []
    parts.sort(key=lambda each: -each[1].value)
    among = f" of {noun} with right labels" if WRONG in findings.causes else ""
    start = f"Of the subpopulations{among}"
    ends = []
    for (name, mean), how in ((parts[0], "most"), (parts[-1], "least")):
        if all(_apart(mean, other) for each, other in parts if each != name):
            ends.append(f"{name} is memorized {how} (mean score {estimated(mean)})")
    if len(ends) == 2:
        return [f"{start}, {' and '.join(ends)}."]
    group = parts if not ends else [each for each in parts if f"{each[0]} is" not in ends[0]]
    means = listed([f"{estimated(mean)} for {name}" for name, mean in group])
    if not ends and _apart(parts[0][1], parts[-1][1]):
        (most, _), (least, _) = parts[0], parts[-1]
        ends = [f"{most} is memorized more than {least}"]
        rest = "the rest of the order cannot be told"
    elif not ends:
        return [f"{start}, none is memorized more than another, as far as can be told: mean scores"
                f" are {means}."]  # fmt: skip
    else:
        rest = f"which is memorized {'most' if 'least' in ends[0] else 'least'} cannot be told"
    return [f"{start}, {ends[0]}; {rest}, because intervals overlap: mean scores are {means}."]


def _attack(findings: Findings, noun: str) -> list[str]:
    """How many members an attacker can name at one false positive in a hundred, and in a thousand
    fresh examples."""
    attacks, one = findings.attacks, singular(noun)
    if not attacks:
        return []
    ratio, threshold = (attacks.left_out[name][0.01] for name in (ONLINE, LOSS))
    said = [
        f"An attacker looks for the {noun} that a network was trained on, and wrongly names 1 in"
        f" 100 of the training {noun} that were left out. Comparing the network with the"
        f" {len(findings.result.pool) - 1:,} others, the attacker then finds {share(ratio)} of"
        f" those that it was trained on; by how sure this network alone is of each {one} (its"
        f" losses) {share(threshold)} (a guess: 1 %)."
    ]
    found = attacks.fresh[OFFLINE].get(0.001)
    if found is not None and findings.result.run.world.endless:
        said.append(
            f"A harder test: the attacker has only networks that were not trained on the {one} to"
            f" compare with, and wrongly names 1 in 1,000 of fresh {noun}, which no network was"
            f" trained on. Of the {noun} that the network was trained on, the attacker then finds"
            f" {share(found)} (a guess: 0.1 %)."
        )
    return said


def _identity(findings: Findings, noun: str) -> list[str]:
    """That accuracies agree with the mean score and with each other, as they must."""
    same = findings.identity
    wrong = findings.causes.get(WRONG)
    of = " (copied ones left out)" if COPIED in findings.causes else ""
    fresh = f"On fresh {noun} it is {same.fresh.value:.3f}"
    if wrong:
        fresh += f", which {wrong.count:,} wrong labels would make {same.expected.value:.3f}"
    shares = findings.result.fresh.mixed
    if same.holds:
        verdict = "no difference, as far as can be told"
    elif shares:
        verdict = f"it should be 0 where both have the same {shares} shares, which they have not"
        if found := _siblings(findings, noun, "is a reason, too"):
            verdict += f". {found}"
    else:
        verdict = f"it should be 0. {_reason(findings, noun)}"
    return [
        f"Check of the mean score{of}: {estimated(same.score, 3)} is accuracy on {noun} trained on,"
        f" {same.members.value:.3f}, minus accuracy on training {noun} left out,"
        f" {same.others.value:.3f} (difference {same.members.value - same.others.value:.3f}).",
        f"Check of the networks: a training {singular(noun)} that was left out is to a network like"
        f" any fresh one, so that accuracy must be equal on both. {fresh}. Accuracy on those left"
        f" out minus that is {estimated(same.off, 3, sign='+')}: {verdict}.",
    ]


def _reason(findings: Findings, noun: str) -> str:
    """Why accuracy on left-out examples may differ from that on fresh ones of the same shares."""
    unlike = f"the training {noun} are not like the fresh ones"
    if found := _siblings(findings, noun, "is the likely reason"):
        return f"{found}. Else {unlike}"
    if isinstance(findings.result.run.world, StoredWorld) and findings.identity.off.value > 0:
        return f"{capital(unlike)}, or some of them belong together, as of one patient"
    few = (
        f"{unlike}, or they are so few that the networks go by how often each class is left among"
        " them"
    )
    if not isinstance(findings.result.run.world, StoredWorld):
        return capital(few)
    own = "" if WRONG not in findings.causes else " beside those that were made so"
    return (
        f"Some of the training {noun} may have a wrong label{own}: a network errs on such a"
        f" {singular(noun)} unless it was trained on it, and its score is high. Else {few}"
    )


def _siblings(findings: Findings, noun: str, that: str) -> str:
    """That examples which belong together make networks right on those of them that are left out,
    where they are more often so than on fresh ones; else nothing."""
    found, one = findings.result.clusters, singular(noun)
    if found is None or findings.identity.off.value <= 0:
        return ""
    return (
        f"{capital(found.if_together(noun))} that {that}: others that belong with a {one} that was"
        f" left out are among the {noun} that the network was trained on, and fewer or none that"
        " belong with a fresh one"
    )


def _criterion(findings: Findings, noun: str) -> list[str]:
    """How many networks met the criterion on their training loss, and of which steps early stopping
    has kept the weights."""
    pool, config = findings.result.pool, findings.result.run.config
    bound, early = config.loss_bound, config.train.early_stopping
    kept = [f"Early stopping kept the weights of {_span(pool.weights_of)}, where the loss on the"
            f" validation {noun} was lowest."] if early and pool.notes_weights else []  # fmt: skip
    if bound is None:
        mean = pool.losses.mean().item()
        said = f"Each of {len(pool):,} networks took {_span(pool.steps)}"
        return [f"{said}; mean training loss {mean:.2g}.", *kept, *_unreached(findings, noun)]
    met = int(pool.fitted.sum())
    lead = "All" if met == len(pool) else f"{met:,} of"
    said = (
        f"{lead} {len(pool):,} networks met the criterion to end training (a mean loss of at most"
        f" {bound:g} on the {noun} that they are trained on), after {_span(pool.steps)}"
    )
    if met < len(pool):
        until = "before they were stopped early, or within" if early else "within"
        said += f"; {percent(1 - met / len(pool))} did not {until} the most steps"
    return [f"{said}.", *kept, *_unreached(findings, noun)]


def _span(steps: Tensor) -> str:
    """Numbers of steps in words: '20 steps', '20 to 30 steps'."""
    least, most = int(steps.min()), int(steps.max())
    if least < most:
        return f"{least:,} to {in_steps(most)}"
    return in_steps(most)


def _unreached(findings: Findings, noun: str) -> list[str]:
    """That networks were not shown all that they are trained on before they had their weights, if
    some were not."""
    pool, config = findings.result.pool, findings.result.run.config
    sizes = pool.members.sum(dim=1)
    steps = pool.weights_of if pool.notes_weights else pool.steps
    shown = steps * config.train.batch_size
    short = shown < sizes
    if not short.any():
        return []
    why = "took too few steps to be shown"
    if config.train.early_stopping:
        why = "have the weights of before they were shown"
    return [
        f"{int(short.sum()):,} of {len(pool):,} networks {why} all {int(sizes.max()):,} {noun} that"
        f" they are trained on, one of them {int(shown.min()):,}: scores count the others as"
        " trained on, too."
    ]
