"""Search the nuisances for faces that fool a network: what is it right about by luck alone?

Relevant attributes stay as they are, so the true label does. First all nuisances are drawn anew,
many times; then, from the worst draw, an evolution strategy moves the continuous ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.data import Cue, Population
from lab.data.cues import draw_cue
from lab.data.holdouts import avoid
from lab.data.population import balance_parts
from lab.faces import ATTRIBUTES, PARTS, Faces, render
from lab.faces.batch import as_column
from lab.measure.reliance import log_odds
from lab.seeds import uniforms

Ask = Callable[[Tensor], Tensor]
"""Pictures (N, 3, S, S) uint8 in, logits (N, C) on the CPU out."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rounds of it are done, and of how many."""

SPLIT = "search"
"""Names the streams of this module."""

PIXELS = 2**22
"""Pixels that are drawn and shown at a time: 4,096 faces at 32 px."""

CHILDREN = 8
"""Faces that the evolution strategy tries in each generation."""

STEP, LEAST_STEP, MOST_STEP = 0.2, 0.005, 0.5
"""Its step size at the start, and the least and the greatest: a quantile's standard deviation."""

SUCCESS = 0.2
"""Share of children better than their parent at which the step size stays as it is: Rechenberg's
1/5 rule ("Evolutionsstrategie", 1973)."""


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What came of the search among N faces; F of them could be made to fool the network.

    right: bool (N,), its answers on the faces as they are. after_draws, after_search: bool (N,),
    whether it is right about all that was tried, up to the end of that part.
    found: positions (F,) of the fooled faces, the most confidently wrong first; `before` and
    `after` hold them as they are and as they fool it, with as few attributes changed as could be,
    and the logits (F, C) on them. changed: for each of them the names, the most needed first.
    shown: how many pictures each part of the search showed.
    """

    labels: Tensor
    right: Tensor
    after_draws: Tensor
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
    draws: int = 30,
    generations: int = 20,
    device: str | torch.device = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> Failures:
    """Try to change the nuisances of `faces` so that the network, `ask`, errs on them.

    Everything is drawn at `size` px. Each face is tried with its nuisances drawn anew `draws`
    times, and if it fools nobody then, with `CHILDREN` variants in each of `generations`. What is
    tried with face i depends on seed, i and the answers on that face alone.
    """
    asker = _Asker(ask, size, device)
    labels = population.task.label(faces)
    first = asker("as they are", faces, labels)
    right = ~first.wrong
    start = _State(faces, first).take(right.nonzero()[:, 0])
    where = right.nonzero()[:, 0].numpy()
    labels_right = labels[right]

    worst = _draw_anew(
        asker, population, start, labels_right, where, seed=seed, draws=draws, progress=progress
    )
    searched = _evolve(
        asker, population, worst, labels_right, where, seed=seed, generations=generations,
        progress=progress,
    )  # fmt: skip
    after_draws, after_search = right.clone(), right.clone()
    after_draws[right], after_search[right] = ~worst.said.wrong, ~searched.said.wrong

    fooled = searched.said.wrong.nonzero()[:, 0]
    before, found = start.take(fooled), searched.take(fooled)
    least, needed = _go_back(
        asker, population, before.faces, found.faces, labels_right[fooled], progress=progress
    )
    order = least.said.margin.argsort(stable=True)
    return Failures(
        labels=labels,
        right=right,
        after_draws=after_draws,
        after_search=after_search,
        found=torch.from_numpy(where)[fooled][order],
        before=before.faces[order],
        after=least.faces[order],
        logits_before=before.said.logits[order],
        logits_after=least.said.logits[order],
        changed=tuple(needed[i] for i in order.tolist()),
        shown=asker.shown,
    )


def draw_nuisances(
    population: Population,
    faces: Faces,
    indices: npt.NDArray[np.int64],
    *,
    seed: int,
    split: str,
) -> Faces:
    """The faces with all nuisances drawn anew, together, as the population could show them.

    But a cue takes each of its values equally often, whatever the label. `indices` (N,) are the
    faces' addresses in the streams of `split`.
    """
    task = population.task
    drawn = population.world(indices, seed=seed, split=split)
    columns = {name: drawn[name] for name in task.nuisances}
    for part in PARTS:
        if part in columns and part not in population.missing:
            columns[part] = torch.full_like(columns[part], int(ATTRIBUTES[part].values[-1]))
    labels = task.label(faces)
    for cue in population.unbiased().cues:
        columns[cue.attribute] = draw_cue(cue, labels, indices, seed=seed, split=split)
    kept = {*task.relevant, *(cue.attribute for cue in population.cues)}
    faces = balance_parts(faces.redrawn(columns), indices, seed=seed, split=split, keep=kept)
    if not population.hold_outs:
        return faces
    return avoid(
        population.hold_outs, faces, indices, seed=seed, split=split,
        variation=population.variation,
    )  # fmt: skip
