"""The cache of loaded networks, bounded in number and memory (LRU)."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.paths import at_home
from lab.core.run_dir import RunDir
from lab.core.text import missing
from lab.measure import predict
from lab.measure.label_doubts import features_of
from lab.models import NetworkError, Sources, file_of, only_agreed, sources_of
from lab.playground.errors import RequestError, one_line
from lab.playground.logdir import LARGEST, RunEntry, Stamp, snapshots_of, stamp
from lab.playground.work_queue import ending
from lab.runs.load import Opened, open_run, open_snapshot
from lab.runs.provenance import changed_sources, moved, refuse_other_world
from lab.worlds import DrawnWorld, Task
from lab.worlds.faces.world import FACES

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

MOST, MEMORY = 240, 2**29
"""Most networks in the cache, and most bytes that they and their cached results take."""

ONE = 2**28
"""Largest checkpoint in bytes: larger networks are too slow for a slider."""

T = TypeVar("T")

Key = tuple[tuple[str, str], ...]
"""Source files by path and digest; permission to execute is given for a key."""


@dataclass(kw_only=True)
class LoadedNetwork:
    """A run with its network, used by one thread at a time, whatever its pictures are.

    The network is the trained one (`trained` None), or that of a snapshot, whose run with the
    trained network is `trained`. `kept`: cached results that are costly to compute, each with its
    size in bytes.
    """

    name: str
    opened: Opened
    stamp: Stamp
    entry: RunEntry
    trained: Self | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[str, tuple[object, int]] = field(default_factory=dict)
    snapshots: dict[int, Self] = field(default_factory=dict)

    @property
    def config(self) -> RunConfig:
        """The settings of the run."""
        return self.opened.config

    @property
    def model(self) -> nn.Module:
        """The network, with the weights after `step` steps."""
        return self.opened.model

    @property
    def step(self) -> int:
        """The optimizer steps that the network was trained for."""
        return self.opened.step

    @property
    def size(self) -> int:
        """Width and height of the network's input, in pixels."""
        return self.config.data.image_size

    def ask(self, images: Tensor) -> Tensor:
        """Logits (N, C) on pictures (N, 3, S, S) uint8; `RequestError` if the network fails."""
        logits = self._run(lambda: predict(self.model, images))
        if not bool(logits.isfinite().all()):
            raise RequestError("its logits are not finite")
        return logits

    def features(self, images: Tensor) -> Tensor | None:
        """Features (N, D), the input of its last layer, of pictures (N, 3, S, S) uint8; None: it
        has no layer with features. `RequestError` if the network fails."""
        return self._run(lambda: features_of(self.model, images))

    def _run(self, work: Callable[[], T]) -> T:
        if ending():
            raise RequestError("the board is being stopped")  # ends a long search
        try:
            with self.lock:
                return work()
        except NetworkError as error:
            raise RequestError(one_line(error)) from error
        except (Exception, SystemExit) as error:  # networks are anybody's code
            raise RequestError(f"its network fails: {one_line(error)}") from error

    @property
    def bytes(self) -> int:
        """Its approximate memory."""
        kept = sum(size for _, size in list(self.kept.values()))
        frames = sum(frame.bytes for frame in list(self.snapshots.values()))
        return self._weights + kept + frames

    @cached_property
    def _weights(self) -> int:
        tensors = (*self.model.parameters(), *self.model.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @property
    def whole(self) -> Self:
        """The run with its trained network."""
        return self.trained or self

    def remember(self, what: str, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The cached result `what`, made and kept if there is none."""
        with self.lock:
            known = self.kept.get(what)
        if known is not None:
            return cast("T", known[0])
        made = make()
        with self.lock:
            self.kept[what] = (made, size(made))
        return made

    def at(self, step: int | None) -> Self:
        """The run with its network as it was after `step` steps, or at the last snapshot before;
        with the trained one if `step` is None, or behind all snapshots. `RequestError` if the
        snapshot cannot be read."""
        known = snapshots_of(self.entry) if step is not None else ()
        if step is None or not known or step > max(known[-1], self.step - 1):
            return self
        step = max((each for each in known if each <= step), default=known[0])
        with self.lock:
            frame = self.snapshots.get(step)
        if frame is not None:
            return frame
        path = RunDir(self.entry.folder).snapshot(step)
        state = torch.get_rng_state()
        try:
            if path.is_symlink() or path.stat().st_size > ONE:
                raise RequestError(f"{path.name} is a link, or too large for interactive use")
            opened = open_snapshot(self.entry.folder, step, self.opened)
        except (ValueError, OSError, RuntimeError, MemoryError, SystemExit) as error:
            raise RequestError(one_line(error)) from None
        finally:
            torch.set_rng_state(state)
        frame = self.with_network(opened)
        with self.lock:
            return self.snapshots.setdefault(step, frame)

    def with_network(self, opened: Opened) -> Self:
        """The run with another network, as it is in `opened`."""
        return replace(
            self, opened=opened, trained=self, lock=threading.Lock(), kept={}, snapshots={}
        )

    def forget(self, what: str) -> None:
        """Drop the cached result `what`, if there is one."""
        with self.lock:
            self.kept.pop(what, None)

    def unread(self) -> tuple[int, ...]:
        """The steps of its snapshots that are not in memory, in rising order."""
        with self.lock:
            there = set(self.snapshots)
        return tuple(step for step in snapshots_of(self.entry) if step not in there)

    def snapshot_size(self, step: int) -> int:
        """The bytes of the file of a snapshot; 0 if there is none."""
        try:
            return RunDir(self.entry.folder).snapshot(step).stat().st_size
        except OSError:
            return 0


@dataclass(kw_only=True)
class LoadedRun(LoadedNetwork):
    """A run on faces."""

    world: DrawnWorld
    visibility: dict[str, float]

    @property
    def task(self) -> Task:
        """The task of the run."""
        return self.world.task


@dataclass(kw_only=True)
class PictureRun(LoadedNetwork):
    """A run on pictures from disk (`--data`)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.opened.classes


class ModelCache:
    """Loads runs, keeps them loaded, and reloads them when their files have changed."""

    def __init__(self, model_files: Sequence[Path] = (), allowed: Collection[Key] = ()) -> None:
        """`model_files`: present paths of network files that were moved; each replaces a missing
        file with the same content. `allowed`: keys permitted at the start."""
        self._model_files = model_files
        self._open: OrderedDict[Path, LoadedRun | PictureRun] = OrderedDict()
        self._failed: OrderedDict[Path, tuple[Stamp, str]] = OrderedDict()
        self._allowed = set(allowed)
        self._lock = threading.Lock()

    def get(self, run: RunEntry) -> LoadedRun:
        """The loaded run on faces; `RequestError` says in one line why it cannot be loaded."""
        if run.config is not None and run.config.data.data is not None:
            raise RequestError(not_faces(run.config))
        held = self._get(run)
        assert isinstance(held, LoadedRun)
        return held

    def of_pictures(self, run: RunEntry) -> PictureRun:
        """The loaded run on pictures from disk; `RequestError` says in one line why it cannot be
        loaded. It is for the caller to see that the pictures are what it was trained on."""
        if run.config is not None and run.config.data.data is None:
            raise RequestError(f"{run.name} was trained on drawn pictures, not on some from disk")
        held = self._get(run)
        assert isinstance(held, PictureRun)
        return held

    def _get(self, run: RunEntry) -> LoadedRun | PictureRun:
        with self._lock:
            now = stamp(run)
            held = self._open.get(run.folder)
            if held is not None and held.stamp == now:
                self._open.move_to_end(run.folder)
                return held
            failed = self._failed.get(run.folder)
            if failed is not None and failed[0] == now:
                raise RequestError(failed[1])
            try:
                held = self._load(run, now)
            except (NeedsConsent, LostCode):  # can change although the run's files do not
                raise
            except RequestError as refusal:
                self._fail(run, now, str(refusal))
                raise
            self._open[run.folder] = held
            self._open.move_to_end(run.folder)
            self._put_away()
            return held

    def allow(self, run: RunEntry) -> None:
        """Permit the execution of the source files of the network of `run`, with their present
        content."""
        code = self.code_of(run)
        if code is None:
            raise RequestError(f"the network of {run.name} is the lab's own and needs no consent")
        if code.trouble:
            raise RequestError(code.trouble)
        with self._lock:
            self._allowed.add(code.key)
            self._failed.pop(run.folder, None)

    def consented(self, run: RunEntry) -> bool:
        """Whether opening the run executes only permitted code."""
        code = self.code_of(run)
        return code is None or code.key in self._allowed

    def code_of(self, run: RunEntry) -> Code | None:
        """The source files of the run's network; None if it is the lab's own."""
        if run.config is None or file_of(run.config.model.model) is None:
            return None
        for file in (None, *self._model_files):
            try:
                config = moved(run.config, file)
                path = at_home(str(file_of(config.model.model)))
                if path.suffix != ".py" or path.stat().st_size > LARGEST:
                    continue
                sources = sources_of(config.model.model)
                changed = changed_sources(config, run.provenance)
            except (OSError, ValueError):
                continue
            if file is None or not changed:
                return Code(config=config, file=str(path), sources=sources, changed=changed)
        path = Path(str(file_of(run.config.model.model)))
        trouble = (
            f"its network is defined by the file {path}, which cannot be read (if it was moved:"
            " board.py --model-file FILE gives its new path)"
        )
        return Code(config=run.config, file=str(path), sources={}, trouble=trouble)

    def room(self) -> int:
        """The bytes that networks and cached results may take beside those that are there."""
        with self._lock:
            return MEMORY - self._bytes()

    def fits(self) -> None:
        """Drop networks until the rest fits, after a result was cached."""
        with self._lock:
            self._put_away()

    def _load(self, run: RunEntry, now: Stamp) -> LoadedRun | PictureRun:
        if run.config is None:
            raise RequestError(run.trouble)
        files = {name: size for name, size, _ in now}
        if len(files) < 2:
            raise NotReady("it has no checkpoint yet: it was only just started, or stopped early")
        if max(files.values()) > ONE:
            raise RequestError(
                f"its checkpoint is larger than {ONE // 2**20:,} MB: too slow for interactive use"
            )
        code = self.code_of(run)
        if code is not None and code.trouble:
            raise LostCode(code.trouble)
        if code is not None and code.key not in self._allowed:
            raise NeedsConsent(f"{code.told}; opening it runs that code")
        state = torch.get_rng_state()
        agreed = code.sources.values() if code is not None else ()
        try:
            world = None
            if run.config.data.data is None:
                world = face_world(run.config)
                refuse_other_world(world, run.provenance, what=run.name)
            with only_agreed(agreed):  # executes exactly what was permitted
                opened = open_run(
                    run.folder, config=code.config if code is not None else run.config,
                    changed_code=code is not None and bool(code.changed), any_world=True,
                )  # fmt: skip
            tried = world.sample(1, split="tried") if world is not None else None
        except (ValueError, OSError, RuntimeError, MemoryError, SystemExit) as error:
            raise RequestError(one_line(error)) from None
        finally:
            torch.set_rng_state(state)
        if world is None or tried is None:
            return PictureRun(name=run.name, opened=opened, stamp=now, entry=run)
        return LoadedRun(
            name=run.name, opened=opened, world=world, visibility=dict(tried.visibility),
            stamp=now, entry=run,
        )  # fmt: skip

    def _fail(self, run: RunEntry, now: Stamp, why: str) -> None:
        self._failed[run.folder] = (now, why)
        while len(self._failed) > 10 * MOST:
            self._failed.popitem(last=False)

    def _put_away(self) -> None:
        while len(self._open) > 1 and (len(self._open) > MOST or self._bytes() > MEMORY):
            self._open.popitem(last=False)

    def _bytes(self) -> int:
        return sum(held.bytes for held in self._open.values())


def keys_of(files: Sequence[Path]) -> frozenset[Key]:
    """The keys of network files with what they import, as they are now; executes nothing.

    Raises `ValueError` for one that cannot be read.
    """
    found = set()
    for file in files:
        path = at_home(file, "--allow-model")
        if path.suffix != ".py" or not path.is_file():
            why = missing(path) if not path.is_file() else "it is no Python file"
            raise ValueError(f"--allow-model {file}: {why}")
        found.add(_key(str(path), sources_of(f"{path}:any")))
    return frozenset(found)


def _key(file: str, sources: Sources) -> Key:
    return (("", os.path.realpath(file)), *sorted(sources.items()))


def face_world(config: RunConfig) -> DrawnWorld:
    """The world of a run on faces; `ValueError` in one line for a run on other drawn pictures."""
    if config.data.data is None:
        world = DrawnWorld.of(config.data, seed=config.seed)
        if world.domain is FACES:
            return world
    raise ValueError(not_faces(config))


def not_faces(config: RunConfig) -> str:
    """Why a run has no sliders."""
    what = config.data.data or f"the task {config.data.task}"
    said = f"it was trained on pictures of {what}; this tab has sliders for faces only"
    if config.data.data is None:
        return said
    return f"{said}: the view of its pictures shows it"


class NotReady(RequestError):
    """A run without a checkpoint."""


class NeedsConsent(RequestError):
    """A run whose network is defined by a Python file that has no permission to be executed."""


class LostCode(RequestError):
    """A run whose network is defined by a Python file that is missing."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """The source files outside the lab that define a run's network: `file` and what it imports."""

    config: RunConfig
    """The run's settings, with the present path of the file."""
    file: str
    sources: Sources
    changed: str = ""
    """How they differ from those that the run was trained with; empty: not at all."""
    trouble: str = ""
    """Why they cannot be used; empty: they can."""

    @property
    def key(self) -> Key:
        """The files with their digests."""
        return _key(self.file, self.sources)

    @property
    def told(self) -> str:
        """A line on the files."""
        others = len(self.sources) - 1
        more = f" and {others} that it imports" if others > 0 else ""
        differs = f", not as the run was trained with: {self.changed}" if self.changed else ""
        return f"its network is defined by the file {self.file}{more}{differs}"
