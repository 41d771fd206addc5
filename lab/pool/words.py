"""What a pool has found, in sentences for readers without training in machine learning."""

from __future__ import annotations

from lab.core.estimate import Estimate
from lab.core.words import estimated, percent, share, singular
from lab.measure.memorization_scores import BY_HEART, FEWEST
from lab.pool.attacks import LOSS, OFFLINE, ONLINE
from lab.pool.causes import CONTRADICTS, ORDINARY, RARE, WRONG
from lab.pool.findings import Findings, Part
from lab.pool.membership import networks_for
from lab.worlds import COPIED, HARD

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


def sentences(findings: Findings) -> list[str]:
    """The findings, the most important first."""
    noun = findings.result.run.world.noun
    said = [_by_heart(findings, noun)]
    usual = findings.causes[ORDINARY]
    for cause, what in WHOSE.items():
        if cause in findings.causes and usual.count and findings.tells:
            said.append(_compared(findings.causes[cause], what, usual, noun))
    said += [*_extremes(findings, noun), *_attack(findings, noun)]
    return [*said, _identity(findings, noun), *_criterion(findings)]


def _by_heart(findings: Findings, noun: str) -> str:
    """How much is known by heart, or why that cannot be told."""
    by_heart, opposite = findings.all.by_heart, findings.all.opposite
    count, one = by_heart.count or 0, singular(noun)
    if not findings.scores.firm:
        return _too_few(findings, noun)
    if not findings.tells:
        return (
            f"Whether it knows any of its {count:,} training {noun} by heart cannot be told:"
            f" {share(by_heart, first=True)} have a score of {BY_HEART} or more, and"
            f" {share(opposite)} one of -{BY_HEART} or less. That is no more than noise."
        )
    said = (
        f"It knows {share(by_heart, first=True)} of its {count:,} training {noun} by heart:"
        f" networks that were trained on such a {one} get it right at least"
        f" {100 * BY_HEART:.0f} percentage points more often than networks that were not."
    )
    if opposite.value >= MENTIONED:
        said += (
            f" As far the other way are {share(opposite)}, which is noise: about as many of the"
            " former may be noise, too."
        )
    return said


def _too_few(findings: Findings, noun: str) -> str:
    """That there are too few networks, and how many would do."""
    result, mean = findings.result, findings.all.mean
    enough = networks_for(
        FEWEST, count=len(result.train), share=result.share, seed=result.run.config.seed
    )
    enough = max(enough, len(result.pool) + len(result.failed))
    return (
        f"{len(result.pool):,} networks are too few to say which training {noun} it knows by heart:"
        f" {FEWEST} must have been trained on each {singular(noun)}, and {FEWEST} not, as from"
        f" --networks {enough} on. The mean score is {estimated(mean)}."
    )


def _compared(part: Part, what: str, usual: Part, noun: str) -> str:
    """How far the examples of a cause are known by heart, beside ordinary ones."""
    if not part.count:
        return f"No training {singular(noun)} is among those {what}."
    one, other = part.by_heart, usual.by_heart
    start = f"Of the {part.count:,} {noun} {what} it knows {share(one)} by heart"
    rest = f"of the {usual.count:,} ordinary ones {share(other)}"
    if _apart(one, other):
        more = one.value > other.value
        times = one.value / other.value if other.value else 0.0
        how = f"{times:.1f} times as often" if more and times else "more often"
        verdict = how if more else "less often"
    else:
        verdict = f"no difference that this many {noun} could show"
    pairs = f"{share(part.above)} of pairs"
    return f"{start}, {rest}: {verdict}. The score puts them above ordinary ones in {pairs}."


def _apart(one: Estimate, other: Estimate) -> bool:
    return one.interval[0] > other.interval[1] or one.interval[1] < other.interval[0]


def _extremes(findings: Findings, noun: str) -> list[str]:
    """The subpopulations of right labels with the highest and the lowest mean score."""
    parts = [(n, p) for n, p in findings.subpopulations.items() if p.mean.low is not None]
    if len(parts) < 2:
        return []
    parts.sort(key=lambda each: -each[1].mean.value)
    (most, high), (least, low) = parts[0], parts[-1]
    if not _apart(high.mean, low.mean):
        return []
    among = f" of {noun} with right labels" if WRONG in findings.causes else ""
    return [
        f"Of the subpopulations{among}, {most} is memorized most (mean score"
        f" {estimated(high.mean)}), {least} least ({estimated(low.mean)})."
    ]


def _attack(findings: Findings, noun: str) -> list[str]:
    """How many members an attacker can name at one false positive in a hundred, and in a thousand
    fresh examples."""
    attacks = findings.attacks
    if not attacks:
        return []
    ratio, threshold = (attacks.left_out[name][0.01] for name in (ONLINE, LOSS))
    said = [
        f"An attacker who wrongly names 1 in 100 of the other {noun} can name {share(ratio)} of"
        " those that a network was trained on, with the other networks to compare it with; from its"
        f" losses alone, {share(threshold)}."
    ]
    found = attacks.fresh[OFFLINE].get(0.001)
    if found is not None and findings.result.run.world.endless:
        said.append(
            f"Of fresh {noun}, where 1 in 1,000 is wrongly named, it finds {share(found)} of those"
            " that a network was trained on by comparing it with networks that were not."
        )
    return said


def _identity(findings: Findings, noun: str) -> str:
    same = findings.identity
    wrong = findings.causes.get(WRONG)
    fresh = f"On fresh {noun} it is {same.fresh.value:.3f}"
    if wrong:
        fresh += f", from which {same.expected.value:.3f} follows for {wrong.count:,} wrong labels"
    if same.holds:
        verdict = "as it must be, as far as can be told"
    else:
        verdict = (
            f"which should be 0: the training {noun} are not like the fresh ones, or they are so"
            " few that the networks go by how often each class is left among them"
        )
    of = " (copied ones left out)" if COPIED in findings.causes else ""
    return (
        f"Check{of}: the mean score {estimated(same.score, 3)} is accuracy on {noun} trained on"
        f" {same.members.value:.3f} minus accuracy on training {noun} left out"
        f" {same.others.value:.3f} (difference {same.members.value - same.others.value:.3f})."
        f" {fresh}; left out minus that: {estimated(same.off, 3, sign='+')}, {verdict}."
    )


def _criterion(findings: Findings) -> list[str]:
    """How many networks met the criterion on their training loss."""
    pool, bound = findings.result.pool, findings.result.run.config.loss_bound
    least, most = int(pool.steps.min()), int(pool.steps.max())
    steps = f"{least:,} steps" if least == most else f"{least:,} to {most:,} steps"
    if bound is None:
        mean = pool.losses.mean().item()
        return [f"Each of {len(pool):,} networks took {steps}; mean training loss {mean:.2g}."]
    met = int(pool.fitted.sum())
    lead = "All" if met == len(pool) else f"{met:,} of"
    said = f"{lead} {len(pool):,} networks met the criterion (training loss at most {bound:g})"
    said += f", after {steps}"
    if met < len(pool):
        said += f"; {percent(1 - met / len(pool))} did not within the most steps"
    return [f"{said}."]
