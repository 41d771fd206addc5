"""Populations: the joint distribution of attributes, labels and subpopulations.

Sample i is a pure function of (task, variation, seed, split, i): training sets are nested, and no
batch size, order or other sample affects it.
"""

from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.seeds import uniforms, uniforms_of_each
from lab.core.text import unknown
from lab.worlds.cues import Cue, draw_cue, parse_cues
from lab.worlds.domain import Domain
from lab.worlds.samples import Samples, as_column, sample_at
from lab.worlds.splits import check_split
from lab.worlds.tasks import Task, get_task
from lab.worlds.unseen_combinations import UnseenCombination, avoid, parse_unseen_combinations, show

Indices = npt.NDArray[np.int64]

MAX_ATTEMPTS = 1000
"""Draws until a sample of the wanted kind is found. No kind of the lab's tasks has less than 6 % of
its prior: 1 sample in 10^26 would need more."""

AT_ONCE = 512
"""Draws computed together while few samples are left, for whom the calls would take longer."""


@dataclass(frozen=True)
class Population:
    """The joint distribution of a task's attributes and labels: classes balanced, subpopulations by
    weight, nuisances from their priors.

    `variation` in [0, 1] is how much samples differ in the nuisances; relevant attributes always
    have their full priors, and so have cues. `missing` are the components that a sample may lack;
    (): any. Combinations in `unseen_combinations` are never shown, or with `only_unseen` always.
    """

    task: Task
    _: KW_ONLY
    variation: float = 1.0
    cues: tuple[Cue, ...] = ()
    missing: tuple[str, ...] = ()
    unseen_combinations: tuple[UnseenCombination, ...] = ()
    only_unseen: bool = False

    @property
    def domain(self) -> Domain:
        """The kind of pictures that it is about."""
        return self.task.domain

    def unbiased(self) -> "Population":
        """The same samples, but with cues independent of the label: with K classes each shows the
        value of each class with probability 1 / K, whatever the label."""
        return replace(self, cues=tuple(cue.weakened(cue.no_link) for cue in self.cues))

    def conflicting(self) -> "Population":
        """The same samples, but every cue contradicts the label: it shows the value of one of the
        other classes, each as likely."""
        return replace(self, cues=tuple(cue.weakened(0.0) for cue in self.cues))

    def combined(self) -> "Population":
        """The same samples, but each shows one of the unseen combinations."""
        return replace(self, only_unseen=True)

    def sample(self, count: int, *, seed: int, split: str, start: int = 0) -> Samples:
        """The `count` samples from address (seed, split, `start`) on; `task.label` labels them.

        `split` is one of `lab.worlds.SPLITS`; `ValueError` with the nearest match otherwise.
        Samples of the unbiased and conflicting populations differ from this one's in the cues
        alone.
        """
        if count < 0 or start < 0:
            raise ValueError(f"count and start must not be negative, not {count} and {start}")
        return self.sample_at(np.arange(start, start + count), seed=seed, split=split)

    def sample_at(self, indices: Indices, *, seed: int, split: str) -> Samples:
        """The samples with the addresses (seed, split, i) for i in `indices` (N,), as `sample`."""
        where: _Where = {"seed": seed, "split": check_split(split)}
        samples = sample_at(self.domain.schema, indices, **where, variation=self.variation)
        labels = balanced_labels(indices, len(self.task.classes), **where)
        subpopulations = draw_subpopulations(self.task, labels, indices, **where)
        relevant = draw_relevant(self.task, subpopulations, indices, **where, missing=self.missing)
        cues = {cue.attribute: draw_cue(cue, labels, indices, **where) for cue in self.cues}
        samples = replace(samples.redrawn({**relevant, **cues}), visibility=self._visibility())
        samples = self.domain.finish(samples, indices, **where, keep={*self.task.relevant, *cues})
        if not self.unseen_combinations:
            return samples
        choose = show if self.only_unseen else avoid
        return choose(self.unseen_combinations, samples, indices, **where, variation=self.variation)

    def redraw_nuisances(
        self, samples: Samples, indices: Indices, *, seed: int, split: str
    ) -> Samples:
        """The samples with all nuisances drawn anew, jointly, as the population could show them.

        But a cue takes each of its values equally often, whatever the label. `indices` (N,) are the
        addresses of the draws in the streams of `split`, any name.
        """
        task, where = self.task, _Where(seed=seed, split=split)
        drawn = sample_at(self.domain.schema, indices, **where, variation=self.variation)
        columns = {name: drawn[name] for name in task.nuisances}
        for name in self.always:
            if name in columns:
                last = self.domain.schema[name].values[-1]
                columns[name] = torch.full_like(columns[name], int(last))
        labels = task.label(samples)
        for cue in self.unbiased().cues:
            columns[cue.attribute] = draw_cue(cue, labels, indices, **where)
        keep = {*task.relevant, *(cue.attribute for cue in self.cues)}
        samples = self.domain.finish(samples.redrawn(columns), indices, **where, keep=keep)
        if not self.unseen_combinations:
            return samples
        return avoid(self.unseen_combinations, samples, indices, **where, variation=self.variation)

    @property
    def always(self) -> tuple[str, ...]:
        """The components that no sample lacks."""
        return always_there(self.domain, self.missing)

    def _visibility(self) -> dict[str, float]:
        return {
            cue.attribute: cue.visibility
            for cue in self.cues
            if cue.visibility < 1 and cue.row.kind != "continuous"
        }


class _Where(TypedDict):
    seed: int
    split: str


def population_of(config: DataConfig) -> Population:
    """The population that a run's settings describe.

    Raises `ValueError` in one line that names the flag, the value and what is possible.
    """
    task = choose_subpopulations(get_task(config.task), config.subpopulations)
    task.domain.check_components(config.missing)
    cues = parse_cues(config.cues, task, visibility=config.cue_visibility)
    holds = parse_unseen_combinations(
        config.unseen_combinations, task, cues, variation=config.variation
    )
    return Population(
        task=task,
        variation=config.variation,
        cues=cues,
        missing=config.missing,
        unseen_combinations=holds,
    )


def choose_subpopulations(task: Task, chosen: Collection[str]) -> Task:
    """The task with classes made of the chosen subpopulations, NAME or NAME:SHARE of its class; one
    without any keeps its mix. The rest of a class is divided among those that are named without a
    share, or else among all others, in the proportions of the task."""
    names, shares = _named(task, chosen)
    kinds = []
    for label, name in enumerate(task.classes):
        own = [kind for kind in task.subpopulations if kind.label == label]
        rest = [kind for kind in own if kind.name in names] or [
            kind for kind in own if kind.name not in shares
        ]
        fixed = sum(shares.get(kind.name, 0.0) for kind in own)
        if fixed > 1 + 1e-9 or (fixed < 1 - 1e-9 and not rest):
            raise ValueError(
                f"--subpopulations: the shares of {name!r} sum to {fixed:g}, and must sum to"
                f" {'1, since no other is left' if fixed <= 1 else '1 or less'}"
            )
        total = sum(kind.weight for kind in rest)
        weights = {kind.name: (1 - fixed) * kind.weight / total for kind in rest} | shares
        kinds += [(kind, weights.get(kind.name, 0.0)) for kind in own]
    weight_of = {(kind.label, kind.name): max(0.0, weight) for kind, weight in kinds}
    return replace(
        task,
        subpopulations=tuple(
            replace(kind, weight=weight_of[kind.label, kind.name]) for kind in task.subpopulations
        ),
    )


def subpopulation_name(chosen: str) -> str:
    """The name in NAME or NAME:SHARE."""
    return chosen.partition(":")[0]


def _named(task: Task, chosen: Collection[str]) -> tuple[set[str], dict[str, float]]:
    """The subpopulations that are named alone, and those with a share of their class."""
    known = [kind.name for kind in task.subpopulations]
    names, shares = set(), {}
    for text in chosen:
        name, colon, number = text.partition(":")
        if name not in known:
            raise ValueError(
                f"--subpopulations: {unknown(f'kind of the task {task.name}', name, known)}"
            )
        if name in names or name in shares:
            raise ValueError(f"--subpopulations names {name!r} twice: leave one of them out")
        if not colon:
            names.add(name)
            continue
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not 0 < share <= 1:
            raise ValueError(
                f"--subpopulations {text}: its share of its class must be above 0 to 1, not"
                f" {number or 'nothing'}"
            )
        shares[name] = share
    return names, shares


def balanced_labels(indices: Indices, classes: int, *, seed: int, split: str) -> Tensor:
    """Labels (N,) in which each block of `classes` addresses holds every class once.

    So every prefix is balanced to within one sample, even a training set of four, and a constant
    prediction has chance accuracy. The order within a block is random.
    """
    block, place = indices // classes, indices % classes
    keys = np.stack([uniforms(block, seed, split, "label", c) for c in range(classes)], axis=1)
    order = np.argsort(keys, axis=1)  # (N, classes), a random permutation for each block
    return torch.from_numpy(order[np.arange(len(indices)), place])


def draw_subpopulations(
    task: Task, labels: Tensor, indices: Indices, *, seed: int, split: str
) -> Tensor:
    """Kinds (N,), positions in `task.subpopulations`, drawn by weight among those with the
    sample's label."""
    weights = np.array(
        [
            [kind.weight * (kind.label == label) for kind in task.subpopulations]
            for label in range(len(task.classes))
        ]
    )
    ends = weights.cumsum(axis=1)
    u = uniforms(indices, seed, split, "kind") * ends[labels, -1]
    return torch.from_numpy((u[:, None] >= ends[labels]).sum(axis=1))


def draw_relevant(
    task: Task,
    subpopulations: Tensor,
    indices: Indices,
    *,
    seed: int,
    split: str,
    missing: Collection[str] = (),
) -> dict[str, Tensor]:
    """The relevant attributes of samples of `subpopulations` (N,): their priors, by rejection.

    Each address keeps its first attempt that turns out to be of the wanted kind and lacks `missing`
    components only ((): any). Components that the label does not depend on are treated alike.
    Raises `ValueError` naming the kind if there is none among `MAX_ATTEMPTS`.
    """
    schema, whole = task.domain.schema, always_there(task.domain, missing)
    rows = {name: schema[name] for name in (*task.relevant, *whole)}
    values = {name: as_column(row, np.zeros(len(indices))) for name, row in rows.items()}
    open_, begin = torch.arange(len(indices)), 0
    while len(open_) and begin < MAX_ATTEMPTS:
        where = indices[open_.numpy()]
        end = min(begin + max(1, AT_ONCE // len(open_)), MAX_ATTEMPTS)
        attempts, begin = range(begin, end), end
        drawn = {}
        for name, row in rows.items():
            u = uniforms_of_each(attempts, where, seed, split, row.name)
            drawn[name] = as_column(row, row.quantile(u.flatten()))
        tried = Samples(drawn, torch.from_numpy(where).repeat(len(attempts)), schema=schema)
        hit = task.subpopulation_of(tried) == subpopulations[open_].repeat(len(attempts))
        for name in whole:
            hit &= drawn[name] == schema[name].values[-1]
        hits = hit.view(len(attempts), -1)  # (attempts, addresses)
        found, first = hits.any(dim=0), hits.int().argmax(dim=0)
        for name, column in drawn.items():
            kept = column.view(len(attempts), -1).gather(0, first[None])[0]
            values[name][open_[found]] = kept[found]
        open_ = open_[~found]
    if len(open_) == 0:
        return values
    kind = task.subpopulations[int(subpopulations[open_[0]])].name
    allowed = f", where only {', '.join(missing)} may be missing" if whole else ""
    raise ValueError(
        f"task {task.name}: no {kind!r} among {MAX_ATTEMPTS} draws from the priors of"
        f" {', '.join(rows)}{allowed}"
    )


def always_there(domain: Domain, missing: Collection[str]) -> tuple[str, ...]:
    """The components that no sample lacks if only `missing` ((): any) may be."""
    return tuple(name for name in domain.components if missing and name not in missing)
