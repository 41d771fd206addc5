"""Search the nuisances for faces that fool a network: what is it right about only by luck?

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
from lab.worlds import Population
from lab.worlds.faces import Faces


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What came of a search among N faces, F of which could be made to fool the network.

    right (N,) bool: its answers on the faces as they are; after_resamples and after_search (N,):
    where it is right about all that was tried, to the end of that part. found (F,): positions of
    the fooled ones, the most confidently wrong first. before and after: those faces as they are,
    and as they fool it with few attributes changed; logits (F, C) on both. changed: the names of
    these attributes, the most needed first. shown: how many pictures each part has shown.
    """

    labels: Tensor
    right: Tensor
    after_resamples: Tensor
    after_search: Tensor
    found: Tensor
    before: Faces
    after: Faces
    logits_before: Tensor
    logits_after: Tensor
    changed: tuple[tuple[str, ...], ...]
    shown: dict[str, int]


def find_failures(
    ask: Ask,
    population: Population,
    faces: Faces,
    *,
    size: int,
    seed: int,
    resamples: int = 30,
    generations: int = 20,
    device: str | torch.device = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> Failures:
    """Change the nuisances of `faces` until the network, `ask`, errs about them at `size` px.

    Each face it is right about is tried with its nuisances drawn anew `resamples` times, and if
    that fools nobody, with `CHILDREN` variants in each of `generations`. What face i is tried with
    depends on the seed, on i and on the answers about it, not on the other faces.
    """
    oracle = Oracle(ask, population, size, device, progress)
    labels = population.task.label(faces)
    as_is = State(faces, labels, oracle("as they are", faces, labels))
    right = ~as_is.said.wrong
    indices = right.nonzero()[:, 0].numpy()
    start = as_is[right]
    resampled = resample(oracle, start, indices, seed=seed, times=resamples)
    searched = evolve(oracle, resampled, indices, seed=seed, generations=generations)
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
        before=before.faces,
        after=after.faces,
        logits_before=before.said.logits,
        logits_after=after.said.logits,
        changed=tuple(needed[i] for i in order.tolist()),
        shown=oracle.shown,
    )
