"""The training faces that cause the answer about a face, measured with a pool of networks that were
trained on random subsets of the same training set.

The influence of a training face on the answer is the mean probability of the class that the run
predicts over the networks that were trained on it, minus that over the others (Feldman & Zhang
2020).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lab.core.config import Provenance, RunConfig
from lab.measure import influence
from lab.models import deep_copy
from lab.playground.answers import as_seen
from lab.playground.errors import RequestError, one_line
from lab.playground.logdir import Logdir, read_text
from lab.playground.model_cache import LoadedRun, ModelCache
from lab.playground.training_faces import THUMBNAIL, entry, training_faces
from lab.pool.membership import BLOCK, membership
from lab.pool.store import SETTINGS, PoolDir, PoolSettings
from lab.runs.checkpoints import give_weights
from lab.runs.network import model_spec
from lab.runs.provenance import digest_of_provenance
from lab.training import load_checkpoint
from lab.worlds.faces import Faces, render

SHOWN = 6
"""Training faces that are named at most."""

LEAST = 0.01
"""The smallest effect on the probability that is named."""

MOST_POOLS = 100
"""Pools of a logdir that are looked at."""

FEWEST = BLOCK
"""Networks of a pool that are needed: in so many each face was left out equally often."""

MOST, MEMORY, ONE = 1000, 2**27, 2**24
"""Networks of a pool that are asked at most, bytes that their files take in all, and one of them:
an answer of all of them then takes a second or a few."""

KEPT = "pool"
"""The cached result of a run that holds its pool's networks."""

_FILE = re.compile(r"\d{5}\.pt", re.ASCII)

Mark = tuple[Path, int, int, int]
"""A pool's folder, the times of its settings and of its folder of weights, and the number of these:
another mark, and the networks are loaded anew."""


@dataclass(frozen=True, kw_only=True)
class FoundPool:
    """The folder of a pool, its settings, and the numbers of the networks with weights."""

    folder: Path
    settings: PoolSettings
    numbers: Sequence[int]
    mark: Mark


@dataclass(frozen=True, kw_only=True)
class LoadedPool:
    """K networks of a pool, which of the first N training faces each was trained on, `members`
    (K, N) bool, and which of them share a random order of these, `blocks` (K,)."""

    mark: Mark
    networks: Sequence[LoadedRun]
    members: Tensor
    blocks: Tensor

    @property
    def bytes(self) -> int:
        """Its approximate memory."""
        return self.members.numel() + sum(network.bytes for network in self.networks)


def causes(run: LoadedRun, face: Faces, logdir: Logdir, cache: ModelCache) -> dict[str, Any]:
    """The training faces that cause the answer of the trained network about a face, the strongest
    first; "pool" is None if no pool in the logdir is of networks like that of the run."""
    pool = find_pool(run, logdir)
    if pool is None:
        return {"pool": None}
    name = logdir.name_of(pool.folder)
    if trouble := _trouble(run, pool, name):
        return {"pool": name, "trouble": trouble}
    loaded = run.remember(KEPT, lambda: load_pool(run, pool), lambda pool: pool.bytes)
    if loaded.mark != pool.mark:
        run.forget(KEPT)
        loaded = run.remember(KEPT, lambda: load_pool(run, pool), lambda pool: pool.bytes)
    cache.fits()
    images = render(as_seen(face, run), size=run.size)
    says = int(run.ask(images).argmax(dim=1)[0])
    logits = torch.cat([network.ask(images) for network in loaded.networks])
    chances = logits.double().softmax(dim=1)[:, says]
    found = influence.causes(chances, loaded.members, loaded.blocks, most=SHOWN, least=LEAST)
    return {
        "pool": name,
        "networks": len(loaded.networks),
        "share": pool.settings.share,
        "says": says,
        "noise": round(max(found.noise, LEAST), 4),
        "faces": _entries(run, found),
    }


def find_pool(run: LoadedRun, logdir: Logdir) -> FoundPool | None:
    """The pool in the logdir whose networks were trained as that of the run was, but on subsets of
    its training set, and of several the one with the most networks; None if there is none."""
    if run.entry.config is None or run.config.train.online:
        return None
    wanted = _identity(run.entry.config, run.entry.provenance)
    found = []
    for folder in logdir.with_file(SETTINGS, most=MOST_POOLS):
        try:
            settings = PoolSettings.parse(read_text(folder / SETTINGS))
        except (ValueError, OSError):
            continue
        if 0 < settings.share < 1 and _identity(settings.config, settings.provenance) == wanted:
            found.append(_found(folder, settings))
    return max(found, key=lambda pool: len(pool.numbers), default=None)


def _identity(config: RunConfig, provenance: Provenance) -> str:
    """What a run and a pool have in common if they are of the same training set and network."""
    data = replace(config.data, num_test=RunConfig().data.num_test)
    return digest_of_provenance(provenance, replace(config, data=data))


def _found(folder: Path, settings: PoolSettings) -> FoundPool:
    """A pool with its weights; a link to elsewhere counts as none."""
    pool = PoolDir(folder)
    place, changed, numbers = pool.weights_file(0).parent, 0, list[int]()
    if place.is_dir() and not place.is_symlink():
        changed = place.stat().st_mtime_ns
        numbers = sorted(int(path.stem) for path in place.iterdir() if _FILE.fullmatch(path.name))
    since = (folder / SETTINGS).stat().st_mtime_ns
    return FoundPool(
        folder=folder, settings=settings, numbers=numbers,
        mark=(folder, since, changed, len(numbers)),
    )  # fmt: skip


def _trouble(run: LoadedRun, pool: FoundPool, name: str) -> str:
    """Why the networks of the pool called `name` cannot be asked; empty if they can."""
    count = len(pool.numbers)
    if run.opened.provenance is None:
        return f"The pool {name} was trained with the source files as they were, not as they are."
    if not count:
        return (
            f"The pool {name} has no weights: it was made by an earlier version, or they would have"
            " been too large to keep."
        )
    if count < FEWEST:
        return f"The pool {name} has the weights of {count} networks, and it takes {FEWEST}."
    return ""


def load_pool(run: LoadedRun, pool: FoundPool) -> LoadedPool:
    """The networks of a pool, as many as fit: copies of that of the run, of whose code nothing else
    is executed, with other weights."""
    settings, state = pool.settings, torch.get_rng_state()
    config, count = settings.config, len(training_faces(run))
    networks: list[LoadedRun] = []
    members: list[Tensor] = []
    numbers: list[int] = []
    size = 0
    try:
        with run.lock:
            usual = deep_copy(run.model)
        for k in pool.numbers[:MOST]:
            path = PoolDir(pool.folder).weights_file(k)
            if path.is_symlink() or path.stat().st_size > ONE:
                raise RequestError(f"{path.name} is a link, or too large for interactive use")
            size += path.stat().st_size
            if size > MEMORY:
                break
            checkpoint = load_checkpoint(path)
            model = deep_copy(usual)
            if networks:  # the behavior of one is checked, which takes longer than to load it
                checkpoint = replace(checkpoint, progress={})
            give_weights(
                model, checkpoint, path, config=config, spec=model_spec(config, run.opened.classes),
                provenance=settings.provenance, evaluated=True,
            )  # fmt: skip
            networks.append(run.with_network(run.opened._replace(model=model)))
            whole = membership(
                k, count=config.data.num_train, share=settings.share, seed=config.seed
            )
            members.append(whole[:count])
            numbers.append(k)
    except (ValueError, OSError, RuntimeError, MemoryError, SystemExit) as error:
        raise RequestError(f"its pool cannot be loaded: {one_line(error)}") from None
    finally:
        torch.set_rng_state(state)
    return LoadedPool(
        mark=pool.mark, networks=networks, members=torch.stack(members),
        blocks=torch.tensor(numbers) // BLOCK,
    )  # fmt: skip


def _entries(run: LoadedRun, found: influence.Causes) -> list[dict[str, Any]]:
    if not found.found:
        return []
    order = found.effects.abs().argsort(descending=True)
    numbers = torch.tensor(found.found)[order]
    few = training_faces(run).take(numbers)
    images = render(few.samples, size=THUMBNAIL)
    return [
        {
            "number": int(numbers[i]),
            **entry(few, i, images[i]),
            "effect": round(float(found.effects[place]), 4),
            "error": round(float(found.standard_error[place]), 4),
        }
        for i, place in enumerate(order.tolist())
    ]
