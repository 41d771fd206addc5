"""The search for failures on a run's population: its metrics, its failures in words."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from functools import partial
from typing import Any

from torch import nn

from lab.core.estimate import Estimate, wilson
from lab.evaluators.tables import accuracy_row, fitted, table
from lab.measure import predict
from lab.robustness import CHILDREN, Failures, Progress, find_failures
from lab.tracking.summary import finite
from lab.worlds import DrawnWorld, Samples

NAMED = 12
"""Attributes that are named as what it took, at most."""


def search(
    world: DrawnWorld,
    model: nn.Module,
    *,
    count: int,
    resamples: int,
    generations: int,
    progress: Progress = lambda what, done, total: None,
) -> Failures:
    """Look for failures around the first `count` of the test set."""
    return find_failures(
        partial(predict, model),
        world,
        world.sample(count, split="test"),
        resamples=resamples,
        generations=generations,
        progress=progress,
    )


def failure_metrics(failures: Failures) -> dict[str, Estimate]:
    """The share of right predictions, on the samples as they are and in all that was tried; and how
    many pictures were shown; by tag."""
    count = len(failures.right)
    stages = {
        "as_is": failures.right,
        "after_resamples": failures.after_resamples,
        "after_search": failures.after_search,
    }
    metrics = {
        f"robust_accuracy/{name}": wilson(int(right.sum()), count) for name, right in stages.items()
    }
    for what, shown in failures.shown.items():
        metrics[f"pictures_shown/{'_'.join(what.split())}"] = Estimate.point(shown)
    return metrics


def failure_entries(failures: Failures, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every misclassified sample for a JSON file: its number in the test set, its true label, the
    probability of that label before and after, and what changed."""
    before, after = (
        logits.double().softmax(dim=1) for logits in (failures.logits_before, failures.logits_after)
    )
    entries = []
    for i, number in enumerate(failures.found.tolist()):
        label = int(failures.labels[number])
        entries.append(
            {
                "test_face": number,
                "is": classes[label],
                "says": classes[int(after[i].argmax())],
                "probability_of_truth": [
                    finite(float(chance[i, label])) for chance in (before, after)
                ],
                "changes": {
                    name: [_plain(failures.before, name, i), _plain(failures.after, name, i)]
                    for name in failures.changed[i]
                },
            }
        )
    return entries


def failure_text(failures: Failures, *, noun: str, resamples: int, generations: int) -> str:
    """The results of the search as text for the terminal."""
    metrics = failure_metrics(failures)
    rows = [
        accuracy_row("as they are", metrics["robust_accuracy/as_is"]),
        accuracy_row(
            f"in all of {resamples:,} resamples of the nuisances",
            metrics["robust_accuracy/after_resamples"],
        ),
        accuracy_row(
            f"and in {generations:,} generations of {CHILDREN} candidates",
            metrics["robust_accuracy/after_search"],
        ),
    ]
    header = (f"Robust accuracy on the same {noun}", "right", "95 % interval", noun)
    shown = ", ".join(f"{count:,} {what}" for what, count in failures.shown.items())
    lines = [table(header, rows), fitted(f"Pictures predicted: {shown}")]
    if failures.changed:
        lines.append(fitted(_what_it_took(failures)))
    return "\n".join(lines)


def change_words(failures: Failures, i: int, name: str) -> tuple[str, str]:
    """The old and the new value of an attribute of the misclassified sample `i`, with digits enough
    to differ."""
    row = failures.before.schema[name]
    if row.kind != "continuous":
        return failures.before.names(name)[i], failures.after.names(name)[i]
    old, new = (float(some[name][i]) for some in (failures.before, failures.after))
    digits = max(0, 1 - math.floor(math.log10(row.high - row.low)))
    while round(old, digits) == round(new, digits) and digits < 7:
        digits += 1
    words = [f"{round(number, digits) + 0.0:.{digits}f}" for number in (old, new)]  # no "-0"
    return words[0], words[1]


def _what_it_took(failures: Failures) -> str:
    fooled, total = len(failures.changed), int(failures.right.sum())
    counts = Counter(name for names in failures.changed for name in names)
    top = ", ".join(f"{name} {count}" for name, count in counts.most_common(NAMED))
    rest = len(counts) - NAMED
    middle = statistics.median_low(map(len, failures.changed))
    return (
        f"Misclassified after changes of nuisances: {fooled:,} of {total:,} (half of them after at"
        f" most {middle} change{'s' if middle != 1 else ''}): {top}"
        + (f" and {rest} more attributes" if rest > 0 else "")
    )


def _plain(samples: Samples, name: str, i: int) -> str | int | float:
    kind, value = samples.schema[name].kind, samples[name][i]
    if kind == "categorical":
        return samples.names(name)[i]
    return int(value) if kind == "count" else float(value)
