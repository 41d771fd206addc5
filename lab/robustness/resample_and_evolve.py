"""The two stages of the search: resampling all nuisances, and an evolution strategy over the
continuous ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.robustness.oracle import Oracle, OraclePredictions, State, worst_in_rows
from lab.worlds import Population, Samples
from lab.worlds.samples import as_column

Indices = npt.NDArray[np.int64]

SPLIT = "search"
"""The split of the random streams of the search."""

CHILDREN = 8
"""Variants of each sample in a generation of the evolution strategy."""

STEP, LEAST, MOST = 0.2, 0.005, 0.5
"""Its first, least and greatest step size: the standard deviation of a quantile. With first steps
of 0.05, 0.1, 0.2 and 0.4 the network (trained on 10,000 faces) stayed right about 12, 10, 11 and 10
% of 200 faces; with resampling only, as many pictures and six times as many left 18 %."""

SUCCESS = 0.2
"""Share of successful children (lower log odds of the true label than the parent's) at which the
step size is kept: the 1/5 rule of Rechenberg, "Evolutionsstrategie", 1973."""


def resample(oracle: Oracle, start: State, indices: Indices, *, times: int) -> State:
    """For each sample, of itself and `times` redraws of its nuisances, the one with the lowest log
    odds of the true label."""
    world, worst = oracle.world, start
    for time in range(times if len(start) else 0):
        oracle.progress("resamples", time, times)
        samples = world.population.redraw_nuisances(
            start.samples, indices, seed=world.seed, split=f"{SPLIT} {time}"
        )
        predictions = oracle("resamples", samples, start.labels)
        worst = _worse(worst, State(samples, start.labels, predictions))
    oracle.progress("resamples", times, times)
    return worst


def evolve(oracle: Oracle, start: State, indices: Indices, *, generations: int) -> State:
    """A (1+`CHILDREN`) evolution strategy for each sample that is still classified correctly.

    It adds normal noise to the quantiles of the continuous nuisances, with one step size for all,
    which follows the share of successes as in the (1+λ)-CMA-ES of Igel, Hansen and Roth,
    Evolutionary Computation 15, 2007, but without their average over generations.
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
        rows = (~best.predictions.wrong).nonzero()[:, 0]
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

        better = children.predictions.wrong | (
            children.predictions.margin < parents.predictions.margin
        )
        share = better.view(-1, CHILDREN).double().mean(dim=1).numpy()
        step[where] *= np.exp((share - SUCCESS) / (1 - SUCCESS) / damping)
        step = step.clip(LEAST, MOST)
        first = torch.arange(len(rows)) * CHILDREN
        winner = first + worst_in_rows(
            children.predictions.margin.view(-1, CHILDREN),
            children.predictions.wrong.view(-1, CHILDREN),
        )
        wins = better[winner]
        level[where[wins.numpy()]] = moved[winner[wins].numpy()]
        best = _replaced(best, rows[wins], children[winner[wins]])
    oracle.progress("search", generations, generations)
    return best


def _worse(one: State, other: State) -> State:
    """For each sample the state with the lower log odds of the true label; `one` if they are
    equal."""
    margin = torch.stack([one.predictions.margin, other.predictions.margin], dim=1)
    wrong = torch.stack([one.predictions.wrong, other.predictions.wrong], dim=1)
    rows = worst_in_rows(margin, wrong).nonzero()[:, 0]
    return _replaced(one, rows, other[rows])


def _replaced(state: State, rows: Tensor, new: State) -> State:
    """The state with the samples `rows` (R,) replaced by `new` (R)."""
    order = torch.arange(len(state))
    order[rows] = len(state) + torch.arange(len(rows))
    both = OraclePredictions(
        *(torch.cat(pair) for pair in zip(state.predictions, new.predictions, strict=True))
    )
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
            implied = np.argsort(cue.options)[half]
            return cue.column(torch.from_numpy(implied), 2 * level - half)
    return as_column(row, row.quantile(level, variation=population.variation))


def quantile_of(population: Population, name: str, values: Tensor) -> npt.NDArray[np.float64]:
    """The quantiles (N,) of a continuous attribute's values (N,): the inverse of `at_quantile`."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    for _ in range(40):
        middle = (low + high) / 2
        below = (at_quantile(population, name, middle) < values).numpy()
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
