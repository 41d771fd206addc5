"""Sentences on shortcuts: accuracy against the cues, reliance on nuisances and on relevant
attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.core.estimate import Estimate, difference, together
from lab.core.words import chance, listed, share, spoken
from lab.worlds import Cue

Metrics = Mapping[str, Estimate]

RELIES = 0.1
"""A nuisance is named if the interval of its reliance lies above this. Intervals are widened for
their number (Bonferroni): else half of the verdicts on a network that relies by 0.09 on each
of thirty nuisances would name one, by chance alone."""
LOOKS = 0.5
"""A network is said to look at a nuisance if the interval of its reliance, widened as well, lies
above this."""
IGNORES = 0.5
"""A relevant attribute is named as hardly noticed if the interval of its reliance lies below
this."""
CLOSE = 0.01
"""A strength within this of 1 / number of classes counts as independent of the label (0.33 for
three classes)."""
MOST, OTHERS = 3, 5
"""Most nuisances named with their reliance, and most further ones named without."""


def misled(
    metrics: Metrics, cues: Sequence[Cue], classes: int, noun: str = "faces"
) -> tuple[str, str] | None:
    """The finding on shortcuts by `cues`: a kind and a sentence; `None` without cues or their
    metrics.

    "misled": the interval of accuracy on conflicting faces lies below chance, 1 / `classes`.
    "misled partly": accuracy is lower there than on unbiased faces (the interval of the difference
    excludes 0), or at chance there but not on the test set, where the cues are as in training. For
    cues negatively associated with the label in training (strength below 1 / `classes`) the other
    way round: accuracy is higher on conflicting faces. "not misled": accuracy on unbiased faces is
    above chance, and the interval of the difference ends below `RELIES`.
    """
    against, unbiased = metrics.get("accuracy/conflicting"), metrics.get("accuracy/unbiased")
    if against is None or unbiased is None or not cues:
        return None
    names, many = listed([spoken(cue.attribute) for cue in cues]), len(cues) > 1
    some = f"one or more of {names}" if many else names  # they contradict the label together only
    where = f"where {names} contradict{'' if many else 's'} the label"
    nothing = f"where {'they say' if many else 'it says'} nothing"
    right = f"{share(against, first=True)} of unseen {noun} right"
    low, high = difference(unbiased, against).interval
    if low > 0 and against.interval[1] < 1 / classes:
        return "misled", (
            f"It looks at {some}. It should not. {where[0].upper()}{where[1:]}, it gets only"
            f" {right}, fewer than a guess ({chance(classes)})."
        )
    if low > 0:
        return "misled partly", (
            f"It leans on {some}: {where}, it gets {right}, and {share(unbiased)} {nothing}."
        )
    if high < 0 and any(cue.strength < cue.no_link - CLOSE for cue in cues):
        return "misled partly", (
            f"It leans on {some}, the other way round: {where}, as mostly in training, it gets"
            f" {right}, and only {share(unbiased)} {nothing}."
        )
    if unbiased.interval[0] <= 1 / classes:  # it knows nothing that a cue could outweigh
        test = metrics["accuracy/test"]
        tied = all(cue.strength > cue.no_link + CLOSE for cue in cues)
        if not tied or difference(test, unbiased).interval[0] <= 0:
            return None
        agree = f"{'they agree' if many else 'it agrees'} with the label as often as in training"
        return "misled partly", (
            f"It leans on {some}: {where}, it gets {right}, {share(unbiased)} {nothing}, and"
            f" {share(test)} where {agree}."
        )
    if high >= RELIES:
        return "misled unsettled", (
            f"Whether {names} misled it, so few {noun} cannot tell: {where}, it gets {right}, and"
            f" {share(unbiased)} {nothing}."
        )
    return "not misled", (
        f"{names[0].upper()}{names[1:]} did not mislead it: {where}, it gets {right}."
    )


def combined(
    metrics: Metrics, noun: str = "faces", *, held: Sequence[Cue] = ()
) -> tuple[str, str] | None:
    """The finding on accuracy for unseen combinations; `None` if there are none. Of the cues that
    are `held` the combinations show one value, whatever the label: accuracy on them differs from
    that on the test set because of that, too."""
    unseen, test = metrics.get("accuracy/unseen_combinations"), metrics.get("accuracy/test")
    if unseen is None or test is None:
        return None
    right, others = (
        f"it gets {share(unseen)} of them right",
        f"{share(test)} of other unseen {noun}",
    )
    unbiased = metrics.get("accuracy/unbiased")
    tied = [spoken(cue.attribute) for cue in held if abs(cue.strength - cue.no_link) > CLOSE]
    if tied and unbiased is not None:
        return "combinations unsettled", (
            f"Combinations it never saw show one value of {listed(tied)} whatever the label;"
            f" whether they confuse it cannot be told from what that does: {right}, {others}, and"
            f" {share(unbiased)} of {noun} on which cues say nothing."
        )
    numbers = f"{right}, and {others}"
    low, high = difference(test, unseen).interval
    if low > 0:
        return "combinations missed", f"Combinations it never saw confuse it: {numbers}."
    if high >= RELIES:
        few = f"Whether combinations it never saw confuse it, so few {noun} cannot tell"
        return "combinations unsettled", f"{few}: {numbers}."
    return "combinations mastered", f"Combinations it never saw do not confuse it: {numbers}."


def relied_on(
    metrics: Metrics, relevant: Sequence[str], noun: str = "faces", *, told: bool = False
) -> str:
    """A sentence on the nuisances with the highest reliance, opened by what it looks at if any is
    above `LOOKS`; empty if there are none, or if `relevant` is empty (not known). `told`: it has
    been said that it should not."""
    nuisances = _nuisances(metrics, relevant)
    found = {
        name: nuisances[name]
        for name, wide in _widened(nuisances).items()
        if wide.interval[0] > RELIES
    }
    order = sorted(found, key=lambda name: -found[name].value)
    if not order:
        return ""
    looks = [] if told else looked_at(metrics, relevant)[:MOST]
    opening = ""
    if looks:
        opening = f"It looks at {listed([spoken(name) for name in looks])}. It should not. "
    numbers = listed(
        [
            f"{spoken(name)} in {share(found[name], first=bool(looks) and not place)}"
            for place, name in enumerate(order[:MOST])
        ]
    )
    one = "one of these things" if len(found) > 1 else "one thing"
    return (
        f"{opening}Its answer changes when {one} changes and all else stays:"
        f" {numbers} of {noun}{_less(order[MOST:])}.{'' if looks or told else ' It should not.'}"
    )


def looked_at(metrics: Metrics, relevant: Sequence[str]) -> list[str]:
    """The nuisances with a reliance above `LOOKS`, the highest first."""
    found = {
        name: wide.value
        for name, wide in _widened(_nuisances(metrics, relevant)).items()
        if wide.interval[0] > LOOKS
    }
    return sorted(found, key=lambda name: -found[name])


def steady(metrics: Metrics, relevant: Sequence[str], noun: str = "faces") -> str:
    """A sentence on the highest reliance on any nuisance if all intervals lie below `RELIES`; empty
    otherwise, or if none was measured."""
    found = {name: each for name, each in _nuisances(metrics, relevant).items() if each.count}
    if not found or max(wide.interval[1] for wide in _widened(found).values()) >= RELIES:
        return ""
    most = max(found, key=lambda name: found[name].value)
    if not found[most].value:
        return f"None of {len(found)} things that should not matter changed its answer."
    return (
        f"Of {len(found)} things that should not matter, {spoken(most)} changes its answer most"
        f" often: in {share(found[most])} of {noun}."
    )


def notices(metrics: Metrics, varied: Sequence[str]) -> bool:
    """Whether the reliance on each relevant attribute, among those that `varied` in the training
    set, was measured and its interval lies above `IGNORES`; not if there are none."""
    found = _reliance(metrics)
    return bool(varied) and all(
        name in found and found[name].interval[0] > IGNORES for name in varied
    )


def ignored(metrics: Metrics, varied: Sequence[str], noun: str = "faces") -> str:
    """A sentence on relevant attributes with low reliance, among those that `varied` in the
    training set; empty if there are none."""
    measured = {name: each for name, each in _reliance(metrics).items() if name in varied}
    found = {name: each for name, each in measured.items() if each.interval[1] < IGNORES}
    if not found:
        return ""
    much = ""
    if len(found) < len(measured):
        much = "most of " if 2 * len(found) > len(measured) else "some of "
    order = sorted(found, key=lambda name: found[name].value)
    numbers = listed([f"{spoken(name)} in {share(found[name])}" for name in order])
    one = "one of these" if len(found) > 1 else "this"
    return (
        f"It hardly notices {much}what the label depends on. Where {one} alone changes the label,"
        f" its answer seldom follows: {numbers} of {noun}. It always should."
    )


def changed(metrics: Metrics, changes: Sequence[str], noun: str = "faces") -> str:
    """A sentence on interventions of the user's own, of which only she knows what they should
    change; empty without any."""
    found = {name: each for name, each in _reliance(metrics).items() if name in changes}
    if not found:
        return ""
    order = sorted(found, key=lambda name: -found[name].value)
    numbers = listed([f"{spoken(name)} in {share(found[name])}" for name in order[:MOST]])
    if rest := order[MOST:]:
        numbers += f", and less often {listed([spoken(name) for name in rest])}"
    each = "each of your changes" if len(found) > 1 else "your change"
    return f"This is how often {each} alone changes its answer: {numbers} of {noun}."


def _less(names: Sequence[str]) -> str:
    """The end of the sentence: the nuisances with lower reliance, all by name if there are few."""
    if not names:
        return ""
    if len(names) <= OTHERS + 1:
        return f", and less often {listed([spoken(name) for name in names])}"
    shown = ", ".join(spoken(name) for name in names[:OTHERS])
    more = len(names) - OTHERS
    return f", and less often {shown} and {more} more (the picture reliance_bars shows all)"


def _nuisances(metrics: Metrics, relevant: Sequence[str]) -> dict[str, Estimate]:
    """The reliance on each nuisance; empty if it is not known which attributes are `relevant`."""
    return {
        name: metric
        for name, metric in _reliance(metrics).items()
        if relevant and name not in relevant
    }


def _widened(found: Metrics) -> dict[str, Estimate]:
    """The estimates with intervals that hold for all of them together (Bonferroni)."""
    return dict(zip(found, together([*found.values()]), strict=True))


def _reliance(metrics: Metrics) -> dict[str, Estimate]:
    prefix = "reliance/"
    return {tag.removeprefix(prefix): f for tag, f in metrics.items() if tag.startswith(prefix)}
