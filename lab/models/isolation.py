"""Isolation of a network's code from the lab and from the calling program in the same process.

They share the random generators of Python, NumPy and torch, torch's settings (default dtype and
device, gradient mode, deterministic kernels, …) and the command line's words. A run must neither
depend on what others left there, nor leave anything there itself.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import mtrand
from torch import nn
from torch.nn import functional, init

_CPU = torch.device("cpu")

_NUMPY_ERRORS = (("divide", "warn"), ("over", "warn"), ("under", "ignore"), ("invalid", "warn"))
"""What NumPy does about floating-point errors unless it is told otherwise."""

TURN = threading.RLock()
"""Held by the thread that draws from the generators or changes a setting, for a step of training or
a measurement: those of another thread would move its own."""

_ARGUMENTS = threading.RLock()

_METHODS = ("__init__", "__call__", "forward", "reset_parameters")
"""Methods of layers that a change may add to one that had only inherited them."""

_thread = threading.local()
"""`reseeded`: whether this thread is in a block of `isolated` that says so."""


class Settings(NamedTuple):
    """The settings of the process that decide what a computation gives, and which folder relative
    paths begin at (None: one that is gone), as one comparable value."""

    dtype: torch.dtype
    device: torch.device
    gradients: bool
    deterministic: bool
    warn_only: bool
    anomaly: bool
    benchmark: bool
    matmul: str | None
    autocast: tuple[bool, bool]
    threads: int
    folder: str | None
    numpy_errors: tuple[tuple[str, str], ...]

    @classmethod
    def now(cls) -> Settings:
        """The settings as they are, in about 3 microseconds."""
        usual = torch.empty(0).device == _CPU  # a third of the time of `get_default_device`
        return cls(
            dtype=torch.get_default_dtype(),
            device=_CPU if usual else torch.get_default_device(),
            gradients=torch.is_grad_enabled(),
            deterministic=torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
            anomaly=torch.is_anomaly_enabled(),
            benchmark=torch.backends.cudnn.benchmark,
            matmul=_matmul_precision(),
            autocast=(torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
            threads=torch.get_num_threads(),
            folder=_current_folder(),
            numpy_errors=tuple((kind, str(what)) for kind, what in np.geterr().items()),
        )

    def restore(self) -> None:
        """Make them what they were, where they have changed since."""
        now = Settings.now()
        if now == self:
            return
        torch.set_default_dtype(self.dtype)
        if now.device != self.device:
            torch.set_default_device(None if self.device == _CPU else self.device)
        torch.set_grad_enabled(self.gradients)
        if (now.deterministic, now.warn_only) != (self.deterministic, self.warn_only):
            # the call imports torch._inductor
            torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
        torch.autograd.set_detect_anomaly(self.anomaly)
        torch.backends.cudnn.benchmark = self.benchmark
        if self.matmul is not None and now.matmul != self.matmul:
            torch.set_float32_matmul_precision(self.matmul)
        for kind, enabled in zip(("cpu", "cuda"), self.autocast, strict=True):
            torch.set_autocast_enabled(kind, enabled)
        if now.threads != self.threads:
            torch.set_num_threads(self.threads)
        if self.folder is not None and now.folder != self.folder:
            os.chdir(self.folder)
        np.seterr(**dict(self.numpy_errors))  # type: ignore[arg-type]


@contextmanager
def settings_kept() -> Iterator[None]:
    """Afterwards the settings are what they were, whatever code inside has set."""
    before = Settings.now()
    try:
        yield
    finally:
        before.restore()


class Generators:
    """The random generators that a network on `device` can draw from without naming one: those of
    Python, of NumPy and of torch.

    `torch.manual_seed` checks every kind of device, which takes 0.15 ms.
    """

    def __init__(self, device: str | torch.device = _CPU) -> None:
        place = torch.device(device)
        own: dict[str, Any] = {"cuda": torch.cuda, "mps": torch.mps}
        self._device = place
        self._backend = own.get(place.type)
        self._seeders: list[Callable[[int], object]] = [
            torch.default_generator.manual_seed,
            random.seed,
            lambda seed: np.random.seed(seed & 0xFFFFFFFF),  # it takes 32 bits
        ]
        if self._backend is not None:
            self._seeders.append(self._backend.manual_seed)

    def seed(self, seed: int) -> None:
        """Start all of them anew from `seed`, from 0 to below 2^63."""
        for start_anew in self._seeders:
            start_anew(seed)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Afterwards they go on as if nothing had been drawn inside."""
        state = random.getstate(), torch.get_rng_state()
        numbers = mtrand.get_bit_generator()
        numbers_state = np.random.get_state(legacy=False)
        if not isinstance(numbers, np.random.MT19937):  # the caller's own kind has no `seed`
            mtrand.set_bit_generator(np.random.MT19937())
        there = self._backend.get_rng_state(*self._where()) if self._backend else None
        try:
            yield
        finally:
            random.setstate(state[0])
            torch.set_rng_state(state[1])
            if mtrand.get_bit_generator() is not numbers:
                mtrand.set_bit_generator(numbers)
            np.random.set_state(numbers_state)
            if self._backend is not None:
                self._backend.set_rng_state(there, *self._where())

    def _where(self) -> tuple[torch.device, ...]:
        return (self._device,) if self._device.type == "cuda" else ()


def shared_code() -> dict[str, object]:
    """What all networks of a process share of torch: the methods of its layers, its functions,
    those that draw weights included, and how many hooks there are for every module, by name. In
    about a millisecond."""
    found: dict[str, object] = {}
    layers = [kind for kind in vars(nn).values() if isinstance(kind, type)]
    kinds = {base for kind in layers for base in kind.__mro__ if issubclass(base, nn.Module)}
    for kind in kinds:
        own = {name: value for name, value in vars(kind).items() if isinstance(value, FunctionType)}
        for method in (*_METHODS, *own):
            found[f"torch.nn.{kind.__name__}.{method}"] = vars(kind).get(method)
    for module in (functional, init):
        found |= {f"{module.__name__}.{name}": value for name, value in vars(module).items()}
    for name, value in vars(nn.modules.module).items():
        if name.startswith("_global_") and isinstance(value, dict):
            found[f"the hooks for every module ({name})"] = len(value)
    return found


def refuse_changed(before: dict[str, object], name: str, *, flag: str = "--model") -> None:
    """Raise `ValueError` if the code that `flag` names as `name` has changed what all networks
    share: every other one would get it, and this one again each time that it is made."""
    now = shared_code()
    changed = [what for what, value in before.items() if now.get(what) is not value]
    changed = [w for w in changed if not isinstance(before[w], int) or now.get(w) != before[w]]
    if changed:
        raise ValueError(
            f"{flag} {name} changes {changed[0]} for every network in the process: make a"
            " subclass, or a hook of the network's own modules, instead"
        )


def seed_all(seed: int) -> None:
    """Start every generator that code on any device in use can draw from anew from `seed`."""
    Generators("cuda" if gpu_in_use() else "cpu").seed(seed)


def gpu_in_use() -> bool:
    """Whether this process has begun to use an NVIDIA GPU."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@contextmanager
def without_arguments(program: object) -> Iterator[None]:
    """Inside, `sys.argv` is the name of a program without arguments: code that reads the command
    line gets its own defaults, the same whichever script makes the network."""
    with _ARGUMENTS:
        words, sys.argv = sys.argv, [str(program)]
        try:
            yield
        finally:
            sys.argv = words


@contextmanager
def isolated(device: str | torch.device = _CPU, *, reseeded: bool = False) -> Iterator[None]:
    """Inside: float32, the CPU and gradients by default, whatever the caller has set. Afterwards:
    every setting of torch and every random generator as the caller had them.

    What draws or changes settings inside must hold `TURN`; this alone keeps no other thread out.
    `reseeded` promises that whoever draws inside seeds the generators before: then such blocks in
    this one need not keep them, which takes 0.1 ms.
    """
    with ExitStack() as stack:
        stack.callback(TURN.release)
        TURN.acquire()
        if not getattr(_thread, "reseeded", False):
            stack.enter_context(Generators(device).kept())
            stack.callback(setattr, _thread, "reseeded", False)
            _thread.reseeded = reseeded
        before = Settings.now()
        stack.callback(before.restore)
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if before.device != _CPU:
            torch.set_default_device(None)
            if torch.get_default_device() != _CPU:  # a `with torch.device(…)` of the caller
                stack.enter_context(_CPU)
        before._replace(
            dtype=torch.float32,
            device=torch.get_default_device(),
            gradients=True,
            anomaly=False,
            matmul=before.matmul and "highest",
            autocast=(False, False),
            numpy_errors=_NUMPY_ERRORS,
        ).restore()
        TURN.release()
        try:
            yield
        finally:
            TURN.acquire()


def _current_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _matmul_precision() -> str | None:
    """The precision of float32 products; None where torch cannot tell, because its old and its new
    way to set it were both used."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
