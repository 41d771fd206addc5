"""Search the nuisances for faces that fool a network: what is it right about only by luck?

Relevant attributes stay as they are, and so does the true label. First all nuisances are drawn
anew, many times; then, from the worst of these, an evolution strategy moves the continuous ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.data import Population
from lab.data.cues import draw_cue
from lab.data.holdouts import avoid
from lab.data.population import balance_parts
from lab.faces import ATTRIBUTES, PARTS, Faces, render, sample_at
from lab.faces.batch import as_column
from lab.measure.reliance import log_odds
from lab.seeds import uniforms

Ask = Callable[[Tensor], Tensor]
"""Pictures (N, 3, S, S) uint8 in, logits (N, C) on the CPU out."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rounds of it are done, and of how many."""

Indices = npt.NDArray[np.int64]

SPLIT = "search"
"""Names the random streams of this module."""

PIXELS = 2**22
"""Pixels that are drawn and shown at a time: those of 4,096 faces at 32 px."""

CHILDREN = 8
"""Variants of each face in a generation of the evolution strategy."""

STEP, LEAST, MOST = 0.2, 0.005, 0.5
"""Its first, least and greatest step: the standard deviation of a quantile."""

SUCCESS = 0.2
"""Share of children that fool better than their parent at which the step stays as it is: the 1/5
rule of Rechenberg, "Evolutionsstrategie", 1973."""


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
    asker = _Asker(ask, population, size, device, progress)
    labels = population.task.label(faces)
    as_is = _State(faces, labels, asker("as they are", faces, labels))
    right = ~as_is.said.wrong
    indices = right.nonzero()[:, 0].numpy()
    start = as_is[right]
    resampled = _resample(asker, start, indices, seed=seed, times=resamples)
    searched = _evolve(asker, resampled, indices, seed=seed, generations=generations)
    after_resamples, after_search = right.clone(), right.clone()
    after_resamples[right] = ~resampled.said.wrong
    after_search[right] = ~searched.said.wrong

    fooled = searched.said.wrong
    least, needed = _go_back(asker, start[fooled], searched[fooled])
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
        shown=asker.shown,
    )


def draw_nuisances(
    population: Population, faces: Faces, indices: Indices, *, seed: int, split: str
) -> Faces:
    """The faces with all nuisances drawn anew, jointly, as the population could show them.

    But a cue takes each of its values equally often, whatever the label. `indices` (N,) are the
    addresses of the draws in the streams of `split`.
    """
    task = population.task
    drawn = sample_at(indices, seed=seed, split=split, variation=population.variation)
    columns = {name: drawn[name] for name in task.nuisances}
    for part in PARTS:
        if part in columns and part not in population.missing:
            columns[part] = torch.full_like(columns[part], int(ATTRIBUTES[part].values[-1]))
    labels = task.label(faces)
    for cue in population.unbiased().cues:
        columns[cue.attribute] = draw_cue(cue, labels, indices, seed=seed, split=split)
    keep = {*task.relevant, *(cue.attribute for cue in population.cues)}
    faces = balance_parts(faces.redrawn(columns), indices, seed=seed, split=split, keep=keep)
    if not population.hold_outs:
        return faces
    holds, variation = population.hold_outs, population.variation
    return avoid(holds, faces, indices, seed=seed, split=split, variation=variation)


class _Said(NamedTuple):
    """Logits (N, C), the log odds of the true label (N,), and where the answer is another (N,)."""

    logits: Tensor
    margin: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class _State:
    """Faces with their labels (N,), and what the network says about them."""

    faces: Faces
    labels: Tensor
    said: _Said

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: Tensor) -> _State:
        said = _Said(*(column[index] for column in self.said))
        return _State(self.faces[index], self.labels[index], said)


class _Asker:
    """Draws faces, shows them, counts them; faces that the population holds out fool nobody."""

    def __init__(
        self,
        ask: Ask,
        population: Population,
        size: int,
        device: str | torch.device,
        progress: Progress,
    ) -> None:
        self.population, self.progress = population, progress
        self.shown: dict[str, int] = {}
        self._ask, self._size, self._device = ask, size, device

    def __call__(self, what: str, faces: Faces, labels: Tensor) -> _Said:
        step = max(1, PIXELS // self._size**2)
        logits = torch.cat(
            [
                self._ask(render(faces[at : at + step], size=self._size, device=self._device))
                for at in range(0, max(1, len(faces)), step)
            ]
        )
        self.shown[what] = self.shown.get(what, 0) + len(faces)
        allowed = torch.ones(len(faces), dtype=torch.bool)
        for hold in self.population.hold_outs:
            allowed &= ~hold.met(faces) | self.population.held_out
        margin = log_odds(logits, labels).masked_fill(~allowed, torch.inf)
        return _Said(logits, margin, (logits.argmax(dim=1) != labels) & allowed)


def _resample(asker: _Asker, start: _State, indices: Indices, *, seed: int, times: int) -> _State:
    """The worst that the network errs about of the faces and `times` draws of their nuisances."""
    worst = start
    for time in range(times if len(start) else 0):
        asker.progress("resamples", time, times)
        faces = draw_nuisances(
            asker.population, start.faces, indices, seed=seed, split=f"{SPLIT} {time}"
        )
        worst = _worse(worst, _State(faces, start.labels, asker("resamples", faces, start.labels)))
    asker.progress("resamples", times, times)
    return worst


def _evolve(
    asker: _Asker, start: _State, indices: Indices, *, seed: int, generations: int
) -> _State:
    """A (1+`CHILDREN`) evolution strategy for each face that does not fool the network yet.

    It moves the quantiles of the continuous nuisances, all with one step, which follows the share
    of successes as in the (1+λ)-CMA-ES of Igel, Hansen and Roth, Evolutionary Computation 15, 2007,
    but for their average over generations.
    """
    population = asker.population
    names = [n for n in population.task.nuisances if ATTRIBUTES[n].kind == "continuous"]
    level = np.stack([_level(population, n, start.faces[n]) for n in names], axis=1)  # (N, D)
    step = np.full(len(start), STEP)
    damping = 1 + len(names) / (2 * CHILDREN)
    best = start
    for generation in range(generations):
        asker.progress("search", generation, generations)
        rows = (~best.said.wrong).nonzero()[:, 0]
        if len(rows) == 0:
            break
        where = rows.numpy()
        moves = _normal(indices[where], names, seed=seed, generation=generation)  # (R, K, D)
        moved = level[where][:, None] + step[where][:, None, None] * moves
        moved = moved.clip(0, 1).reshape(-1, len(names))
        parents = best[rows.repeat_interleave(CHILDREN)]
        faces = parents.faces.redrawn(
            {name: _at(population, name, moved[:, d]) for d, name in enumerate(names)}
        )
        children = _State(faces, parents.labels, asker("search", faces, parents.labels))

        better = children.said.wrong | (children.said.margin < parents.said.margin)
        share = better.view(-1, CHILDREN).double().mean(dim=1).numpy()
        step[where] *= np.exp((share - SUCCESS) / (1 - SUCCESS) / damping)
        step = step.clip(LEAST, MOST)
        first = torch.arange(len(rows)) * CHILDREN
        winner = first + _most_fooling(
            children.said.margin.view(-1, CHILDREN), children.said.wrong.view(-1, CHILDREN)
        )
        wins = better[winner]
        level[where[wins.numpy()]] = moved[winner[wins].numpy()]
        best = _replaced(best, rows[wins], children[winner[wins]])
    asker.progress("search", generations, generations)
    return best


def _go_back(asker: _Asker, before: _State, after: _State) -> tuple[_State, list[tuple[str, ...]]]:
    """The faces `after` with as many attributes as possible as they were `before`, still wrong; and
    the names of the others, for each face those first that it needs most.

    What fools well without an attribute's change loses it first. At the end no single attribute can
    go back any more.
    """
    if len(after) == 0:
        return after, []
    names = asker.population.task.nuisances
    changed = torch.stack([before.faces[n] != after.faces[n] for n in names], dim=1)  # (F, A)
    need = torch.full(changed.shape, torch.inf, dtype=torch.float64)  # the margin without it
    rounds, done = 2 * len(names), 0

    def without(rows: Tensor, columns: Tensor) -> _Said:
        nonlocal done
        asker.progress("going back", done, rounds)
        done = min(done + 1, rounds - 1)
        trial = changed[rows]
        trial[torch.arange(len(rows)), columns] = False
        faces = _mixed(before.faces[rows], after.faces[rows], names, trial)
        said = asker("going back", faces, after.labels[rows])
        need[rows, columns] = said.margin
        return said

    for column in range(len(names)):
        rows = changed[:, column].nonzero()[:, 0]
        if len(rows):
            without(rows, torch.full_like(rows, column))
    active = torch.ones(len(after), dtype=torch.bool)
    while bool(active.any()):
        went = torch.zeros_like(active)
        order = need.masked_fill(~changed, torch.inf).argsort(dim=1, stable=True)
        for column in order.T[: int(changed.sum(dim=1).max())]:
            rows = (active & changed.gather(1, column[:, None])[:, 0]).nonzero()[:, 0]
            if len(rows):
                rows = rows[without(rows, column[rows]).wrong]
                changed[rows, column[rows]] = False
                went[rows] = True
        active = went
    faces = _mixed(before.faces, after.faces, names, changed)
    said = asker("going back", faces, after.labels)
    asker.progress("going back", rounds, rounds)
    order = need.masked_fill(~changed, -torch.inf).argsort(dim=1, descending=True, stable=True)
    counts = changed.sum(dim=1).tolist()
    needed = [
        tuple(names[column] for column in row[:count])
        for row, count in zip(order.tolist(), counts, strict=True)
    ]
    return _State(faces, after.labels, said), needed


def _most_fooling(margin: Tensor, wrong: Tensor) -> Tensor:
    """In each row of (N, K), the first of those with the least margin, wrong answers before all."""
    pool = wrong | ~wrong.any(dim=1, keepdim=True)
    return margin.masked_fill(~pool, torch.inf).argmin(dim=1)


def _worse(one: _State, other: _State) -> _State:
    """Of each face the one that fools better, `one` where they are equal."""
    margin = torch.stack([one.said.margin, other.said.margin], dim=1)
    wrong = torch.stack([one.said.wrong, other.said.wrong], dim=1)
    rows = _most_fooling(margin, wrong).nonzero()[:, 0]
    return _replaced(one, rows, other[rows])


def _replaced(state: _State, rows: Tensor, new: _State) -> _State:
    """The state with those of `rows` (R,) exchanged for `new` (R)."""
    order = torch.arange(len(state))
    order[rows] = len(state) + torch.arange(len(rows))
    both = _Said(*(torch.cat(pair) for pair in zip(state.said, new.said, strict=True)))
    labels = torch.cat([state.labels, new.labels])
    return _State(Faces.cat([state.faces, new.faces]), labels, both)[order]


def _mixed(before: Faces, after: Faces, names: tuple[str, ...], changed: Tensor) -> Faces:
    """The faces `before` with those attributes as `after` that are `changed` (N, A)."""
    columns = {
        name: torch.where(changed[:, k], after[name], before[name]) for k, name in enumerate(names)
    }
    return before.redrawn(columns)


def _normal(
    indices: Indices, names: list[str], *, seed: int, generation: int
) -> npt.NDArray[np.float64]:
    """Standard normal numbers (R, CHILDREN, D) for the faces `indices` (R,) and attributes."""
    address = (indices[:, None] * CHILDREN + np.arange(CHILDREN)).reshape(-1)
    levels = [uniforms(address, seed, SPLIT, "move", generation, name) for name in names]
    normal: npt.NDArray[np.float64] = torch.special.ndtri(
        torch.from_numpy(np.stack(levels, axis=1))
    ).numpy()
    return normal.reshape(len(indices), CHILDREN, len(names))


def _at(population: Population, name: str, level: npt.NDArray[np.float64]) -> Tensor:
    """A continuous attribute's column (N,) at the quantiles `level` (N,) from 0 to 1."""
    row = ATTRIBUTES[name]
    for cue in population.cues:
        if cue.attribute == name:
            half = (level >= 0.5).astype(np.int64)
            says = np.argsort(cue.options)[half]
            return cue.column(torch.from_numpy(says), 2 * level - half)
    return as_column(row, row.quantile(level, variation=population.variation))


def _level(population: Population, name: str, values: Tensor) -> npt.NDArray[np.float64]:
    """The quantiles (N,) of a continuous attribute's values (N,): the inverse of `_at`."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    for _ in range(40):
        middle = (low + high) / 2
        below = (_at(population, name, middle) < values).numpy()
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
