"""Search the nuisances for pictures that fool a network: what is it right about only by luck?

Relevant attributes stay as they are, and so does the true label. First all nuisances are drawn
anew, many times; then, from the worst of these, an evolution strategy moves the continuous ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lab.robustness.minimal import few_changes
from lab.robustness.oracle import Ask, Oracle, Progress, State
from lab.robustness.resample_and_evolve import evolve, resample
from lab.worlds import DrawnWorld, Samples


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What came of a search among N samples, F of which could be made to fool the network.

    right (N,) bool: its answers on the samples as they are; after_resamples and after_search (N,):
    where it is right about all that was tried, to the end of that part. found (F,): positions of
    the fooled ones, the most confidently wrong first. before and after: those samples as they are,
    and as they fool it with few attributes changed; logits (F, C) on both. changed: the names of
    these attributes, the most needed first. shown: how many pictures each part has shown.
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
    ask: Ask,
    world: DrawnWorld,
    samples: Samples,
    *,
    resamples: int = 30,
    generations: int = 20,
    progress: Progress = lambda what, done, total: None,
) -> Failures:
    """Change the nuisances of `samples` until the network, `ask`, errs about them.

    Each sample it is right about is tried with its nuisances drawn anew `resamples` times, and if
    that does not fool it, with `CHILDREN` variants in each of `generations`. What sample i is tried
    with depends on the world's seed, on i and on the answers about it, not on the other samples.
    """
    oracle = Oracle(ask, world, progress)
    labels = world.task.label(samples)
    as_is = State(samples, labels, oracle("as they are", samples, labels))
    right = ~as_is.said.wrong
    indices = right.nonzero()[:, 0].numpy()
    start = as_is[right]
    resampled = resample(oracle, start, indices, times=resamples)
    searched = evolve(oracle, resampled, indices, generations=generations)
    after_resamples, after_search = right.clone(), right.clone()
    after_resamples[right] = ~resampled.said.wrong
    after_search[right] = ~searched.said.wrong

    fooled = searched.said.wrong
    least, needed = few_changes(oracle, start[fooled], searched[fooled])
    order = least.said.margin.argsort(stable=True)
    before, after = start[fooled][order], least[order]
    return Failures(
        labels=labels,
        right=right,
        after_resamples=after_resamples,
        after_search=after_search,
        found=torch.from_numpy(indices)[fooled][order],
        before=before.samples,
        after=after.samples,
        logits_before=before.said.logits,
        logits_after=after.said.logits,
        changed=tuple(needed[i] for i in order.tolist()),
        shown=oracle.shown,
    )
