"""The networks that are open: a bounded number of them, the least recently asked put away first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from lab.config import RunConfig
from lab.data import Population, Task, population_of
from lab.measure import predict
from lab.models import digest_of, file_of, only_agreed
from lab.playground.lanes import ending
from lab.playground.logdir import LARGEST, Found, Stamp, stamp
from lab.playground.refusal import Refusal, one_line
from lab.run import load_run

MOST, MEMORY = 240, 2**29
"""Networks that are open at a time, and the bytes that they and what is kept with them take."""

ONE = 2**28
"""Bytes of a checkpoint that is opened: larger networks answer too slowly for a slider."""


@dataclass(kw_only=True)
class Open:
    """A run whose network is ready to be asked, by one thread at a time.

    `kept` is room for what is costly to compute about it, with its size in bytes.
    """

    name: str
    config: RunConfig
    model: nn.Module
    population: Population
    vividness: dict[str, float]
    stamp: Stamp
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[str, tuple[object, int]] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """What it was asked."""
        return self.population.task

    @property
    def size(self) -> int:
        """Width and height of the pictures that it sees, in pixels."""
        return self.config.data.image_size

    def ask(self, images: Tensor) -> Tensor:
        """Its logits (N, C) on pictures (N, 3, S, S) uint8; `Refusal` where it has no answer."""
        if ending():
            raise Refusal("the board ends")  # a long search asks thousands of times
        try:
            with self.lock:
                logits = predict(self.model, images)
        except (Exception, SystemExit) as error:  # networks are anybody's code
            raise Refusal(f"its network fails: {one_line(error)}") from error
        if not bool(logits.isfinite().all()):
            raise Refusal("its answers are not finite numbers")
        return logits

    @property
    def bytes(self) -> int:
        """The memory that it takes, about."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return weights + sum(size for _, size in self.kept.values())


class Shelf:
    """Opens runs, keeps them open, and opens them anew when their files have changed."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Open] = OrderedDict()
        self._failed: OrderedDict[Path, tuple[Stamp, str]] = OrderedDict()
        self._allowed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def get(self, run: Found) -> Open:
        """The run, open. `Refusal` says in one line why that cannot be."""
        with self._lock:
            now = stamp(run)
            held = self._open.get(run.folder)
            if held is not None and held.stamp == now:
                self._open.move_to_end(run.folder)
                return held
            failed = self._failed.get(run.folder)
            if failed is not None and failed[0] == now:
                raise Refusal(failed[1])
            try:
                held = self._load(run, now)
            except (NeedsConsent, LostCode):  # that can change while the run's files do not
                raise
            except Refusal as refusal:
                self._fail(run, now, str(refusal))
                raise
            self._open[run.folder] = held
            self._open.move_to_end(run.folder)
            self._put_away()
            return held

    def allow(self, run: Found) -> None:
        """Let the network of `run` be made by the file that its settings name, as it is now."""
        path = code_file(run)
        if path is None:
            raise Refusal(f"the network of {run.name} is the lab's own and needs no consent")
        digest = _digest(path)
        if not digest:
            raise Refusal(f"the file {path} cannot be read")
        with self._lock:
            self._allowed.add((path, digest))
            self._failed.pop(run.folder, None)

    def consented(self, run: Found) -> bool:
        """Whether opening the run executes nothing that was not agreed to."""
        path = code_file(run)
        return path is None or (path, _digest(path)) in self._allowed

    def fits(self) -> None:
        """Put networks away until what is left fits, after something was kept with one."""
        with self._lock:
            self._put_away()

    def _load(self, run: Found, now: Stamp) -> Open:
        if run.config is None:
            raise Refusal(run.trouble)
        files = {name: size for name, size, _ in now}
        if len(files) < 2:
            raise NotReady("it has no checkpoint yet: it was only just started, or stopped early")
        if max(files.values()) > ONE:
            raise Refusal(f"its checkpoint is larger than {ONE // 2**20:,} MB: too slow to play")
        if lost := lost_code(run):
            raise LostCode(lost)
        if not self.consented(run):
            raise NeedsConsent(
                f"its network is made by the file {code_file(run)}; opening it runs that file"
            )
        state = torch.get_rng_state()
        agreed = {digest for _, digest in self._allowed}
        try:
            with only_agreed(agreed):  # what is executed is what was agreed to, whatever is there
                config, model = load_run(run.folder, config=run.config)
            population = population_of(config.data)
            tried = population.sample(1, seed=0, split="tried")
        except (ValueError, OSError, RuntimeError, MemoryError, SystemExit) as error:
            raise Refusal(one_line(error)) from None
        finally:
            torch.set_rng_state(state)
        return Open(
            name=run.name, config=config, model=model, population=population,
            vividness=dict(tried.vividness), stamp=now,
        )  # fmt: skip

    def _fail(self, run: Found, now: Stamp, why: str) -> None:
        self._failed[run.folder] = (now, why)
        while len(self._failed) > 10 * MOST:
            self._failed.popitem(last=False)

    def _put_away(self) -> None:
        def total() -> int:
            return sum(held.bytes for held in self._open.values())

        while len(self._open) > 1 and (len(self._open) > MOST or total() > MEMORY):
            self._open.popitem(last=False)


class NotReady(Refusal):
    """A run that has nothing to ask yet."""


class NeedsConsent(Refusal):
    """A run whose network is made by a file of Python that nobody has agreed to run."""


class LostCode(Refusal):
    """A run whose network is made by a file of Python that is not there."""


def code_file(run: Found) -> str | None:
    """The file of Python that makes the run's network; None for the lab's own."""
    return file_of(run.config.model.model) if run.config else None


def lost_code(run: Found) -> str:
    """Why the file that makes the run's network is of no use; empty if it is fine."""
    path = code_file(run)
    if path is None or _digest(path):
        return ""
    return f"its network is made by the file {path}, and that cannot be read (is it gone?)"


def _digest(path: str) -> str:
    """What stands for the content of a file of Python; empty if there is no such file."""
    file = Path(path).expanduser()
    try:
        if file.suffix != ".py" or not file.is_file() or file.stat().st_size > LARGEST:
            return ""
        return digest_of(file.read_bytes())
    except OSError:
        return ""
