"""The search for failures: changes of nuisances after which a network misclassifies a sample.

Relevant attributes are not changed, so the true label stays. First all nuisances are redrawn from
the population (cues: independently of the label), many times; then an evolution strategy changes
the continuous ones, starting from the redraw with the lowest log odds of the true label; then as
many changes as possible are undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lab.robustness.minimal import minimal_changes
from lab.robustness.oracle import Oracle, Predict, Progress, State
from lab.robustness.resample_and_evolve import evolve, resample
from lab.worlds import DrawnWorld, Samples


@dataclass(frozen=True, kw_only=True)
class Failures:
    """The result of a search on N samples, for F of which a misclassified variant was found.

    right (N,) bool: whether the sample itself is classified correctly; after_resamples and
    after_search (N,) bool: whether all variants tried up to the end of that stage are, too.
    found (F,): positions of the samples with a misclassified variant, the most confident error
    first. before and after: these samples and their variants, with few attributes changed;
    logits_before and logits_after (F, C). changed: the names of these attributes for each sample,
    the one with the largest effect first. shown: the number of pictures predicted in each stage.
    """

    labels: Tensor
    right: Tensor
    after_resamples: Tensor
    after_search: Tensor
    found: Tensor
    before: Samples
    after: Samples
    logits_before: Tensor
    logits_after: Tensor
    changed: tuple[tuple[str, ...], ...]
    shown: dict[str, int]


def find_failures(
    predict: Predict,
    world: DrawnWorld,
    samples: Samples,
    *,
    resamples: int = 30,
    generations: int = 20,
    progress: Progress = lambda what, done, total: None,
) -> Failures:
    """Search for variants of `samples`, with other nuisances, that the network misclassifies.

    Of each correctly classified sample all nuisances are redrawn `resamples` times; if no redraw is
    misclassified, an evolution strategy tries `CHILDREN` variants in each of `generations`. The
    variants of sample i depend on the world's seed, on i and on the predictions on them, not on the
    other samples.
    """
    oracle = Oracle(predict, world, progress)
    labels = world.task.label(samples)
    as_is = State(samples, labels, oracle("as they are", samples, labels))
    right = ~as_is.predictions.wrong
    indices = right.nonzero()[:, 0].numpy()
    start = as_is[right]
    resampled = resample(oracle, start, indices, times=resamples)
    searched = evolve(oracle, resampled, indices, generations=generations)
    after_resamples, after_search = right.clone(), right.clone()
    after_resamples[right] = ~resampled.predictions.wrong
    after_search[right] = ~searched.predictions.wrong

    fooled = searched.predictions.wrong
    least, needed = minimal_changes(oracle, start[fooled], searched[fooled])
    order = least.predictions.margin.argsort(stable=True)
    before, after = start[fooled][order], least[order]
    return Failures(
        labels=labels,
        right=right,
        after_resamples=after_resamples,
        after_search=after_search,
        found=torch.from_numpy(indices)[fooled][order],
        before=before.samples,
        after=after.samples,
        logits_before=before.predictions.logits,
        logits_after=after.predictions.logits,
        changed=tuple(needed[i] for i in order.tolist()),
        shown=oracle.shown,
    )
