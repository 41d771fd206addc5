"""What is tried: nuisances drawn anew, and an evolution strategy over the continuous ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.robustness.oracle import Oracle, OracleAnswer, State, most_fooling
from lab.worlds import Population, Samples
from lab.worlds.samples import as_column

Indices = npt.NDArray[np.int64]

SPLIT = "search"
"""Names the random streams of the search."""

CHILDREN = 8
"""Variants of each sample in a generation of the evolution strategy."""

STEP, LEAST, MOST = 0.2, 0.005, 0.5
"""Its first, least and greatest step: the standard deviation of a quantile. First steps of 0.05,
0.1, 0.2 and 0.4 left 12, 10, 11 and 10 % of 200 faces unfooled (a network trained on 10,000); as
many pictures and six times as many that were drawn anew instead, 18 %."""

SUCCESS = 0.2
"""Share of children that fool better than their parent at which the step stays as it is: the 1/5
rule of Rechenberg, "Evolutionsstrategie", 1973."""


def resample(oracle: Oracle, start: State, indices: Indices, *, times: int) -> State:
    """The worst that the network errs about of the samples and `times` draws of their nuisances."""
    world, worst = oracle.world, start
    for time in range(times if len(start) else 0):
        oracle.progress("resamples", time, times)
        samples = world.population.redraw_nuisances(
            start.samples, indices, seed=world.seed, split=f"{SPLIT} {time}"
        )
        said = oracle("resamples", samples, start.labels)
        worst = _worse(worst, State(samples, start.labels, said))
    oracle.progress("resamples", times, times)
    return worst


def evolve(oracle: Oracle, start: State, indices: Indices, *, generations: int) -> State:
    """A (1+`CHILDREN`) evolution strategy for each sample that does not fool the network yet.

    It moves the quantiles of the continuous nuisances, all with one step, which follows the share
    of successes as in the (1+λ)-CMA-ES of Igel, Hansen and Roth, Evolutionary Computation 15, 2007,
    but for their average over generations.
    """
    population, seed = oracle.world.population, oracle.world.seed
    schema = population.domain.schema
    names = [n for n in population.task.nuisances if schema[n].kind == "continuous"]
    if not names:
        return start
    level = np.stack([quantile_of(population, n, start.samples[n]) for n in names], axis=1)
    step = np.full(len(start), STEP)
    damping = 1 + len(names) / (2 * CHILDREN)
    best = start
    for generation in range(generations):
        oracle.progress("search", generation, generations)
        rows = (~best.said.wrong).nonzero()[:, 0]
        if len(rows) == 0:
            break
        where = rows.numpy()
        moves = _normal(indices[where], names, seed=seed, generation=generation)  # (R, K, D)
        moved = level[where][:, None] + step[where][:, None, None] * moves
        moved = moved.clip(0, 1).reshape(-1, len(names))
        parents = best[rows.repeat_interleave(CHILDREN)]
        samples = parents.samples.redrawn(
            {name: at_quantile(population, name, moved[:, d]) for d, name in enumerate(names)}
        )
        children = State(samples, parents.labels, oracle("search", samples, parents.labels))

        better = children.said.wrong | (children.said.margin < parents.said.margin)
        share = better.view(-1, CHILDREN).double().mean(dim=1).numpy()
        step[where] *= np.exp((share - SUCCESS) / (1 - SUCCESS) / damping)
        step = step.clip(LEAST, MOST)
        first = torch.arange(len(rows)) * CHILDREN
        winner = first + most_fooling(
            children.said.margin.view(-1, CHILDREN), children.said.wrong.view(-1, CHILDREN)
        )
        wins = better[winner]
        level[where[wins.numpy()]] = moved[winner[wins].numpy()]
        best = _replaced(best, rows[wins], children[winner[wins]])
    oracle.progress("search", generations, generations)
    return best


def _worse(one: State, other: State) -> State:
    """Of each sample the one that fools better, `one` where they are equal."""
    margin = torch.stack([one.said.margin, other.said.margin], dim=1)
    wrong = torch.stack([one.said.wrong, other.said.wrong], dim=1)
    rows = most_fooling(margin, wrong).nonzero()[:, 0]
    return _replaced(one, rows, other[rows])


def _replaced(state: State, rows: Tensor, new: State) -> State:
    """The state with those of `rows` (R,) exchanged for `new` (R)."""
    order = torch.arange(len(state))
    order[rows] = len(state) + torch.arange(len(rows))
    both = OracleAnswer(*(torch.cat(pair) for pair in zip(state.said, new.said, strict=True)))
    labels = torch.cat([state.labels, new.labels])
    return State(Samples.cat([state.samples, new.samples]), labels, both)[order]


def _normal(
    indices: Indices, names: list[str], *, seed: int, generation: int
) -> npt.NDArray[np.float64]:
    """Standard normal numbers (R, CHILDREN, D) for the samples `indices` (R,) and attributes."""
    address = (indices[:, None] * CHILDREN + np.arange(CHILDREN)).reshape(-1)
    levels = [uniforms(address, seed, SPLIT, "move", generation, name) for name in names]
    normal: npt.NDArray[np.float64] = torch.special.ndtri(
        torch.from_numpy(np.stack(levels, axis=1))
    ).numpy()
    return normal.reshape(len(indices), CHILDREN, len(names))


def at_quantile(population: Population, name: str, level: npt.NDArray[np.float64]) -> Tensor:
    """A continuous attribute's column (N,) at the quantiles `level` (N,) from 0 to 1."""
    row = population.domain.schema[name]
    for cue in population.cues:
        if cue.attribute == name:
            half = (level >= 0.5).astype(np.int64)
            says = np.argsort(cue.options)[half]
            return cue.column(torch.from_numpy(says), 2 * level - half)
    return as_column(row, row.quantile(level, variation=population.variation))


def quantile_of(population: Population, name: str, values: Tensor) -> npt.NDArray[np.float64]:
    """The quantiles (N,) of a continuous attribute's values (N,): the inverse of `at_quantile`."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    for _ in range(40):
        middle = (low + high) / 2
        below = (at_quantile(population, name, middle) < values).numpy()
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
