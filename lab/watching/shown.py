"""What a network is shown when it is measured, to be compared with what a loop feeds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from lab.watching.known import Known
from lab.watching.probes import first_of, probed

KNOWN = 4000
"""Measured inputs of which these are kept, at most."""


class Shown:
    """What the network gets when `count` examples are measured: `probes` of the inputs that pass
    through it inside `watching`, at most `KNOWN`, and their `shape` without the batch."""

    def __init__(self, count: int) -> None:
        self.count = min(count, KNOWN)
        self.shape: torch.Size | None = None
        self._parts: list[Tensor] = []
        self._seen, self._unfit = 0, False

    @property
    def is_whole(self) -> bool:
        """Whether enough was seen, or nothing can be made of it."""
        return self._unfit or self._seen >= self.count

    @cached_property
    def known(self) -> Known | None:
        """Those of them among which others are searched; to be asked for once it `is_whole`."""
        return None if self.probes is None else Known(self.probes)

    @property
    def probes(self) -> Tensor | None:
        """Of all that were seen, as `probed` (N, C, S); None before there are enough, and where the
        inputs differ in their shapes, or are not in rows."""
        if self._unfit or self._seen < self.count:
            return None
        return torch.cat(self._parts)[: self.count]

    @contextmanager
    def watching(self, network: nn.Module, count: int) -> Iterator[None]:
        """Look at the first call of `network` inside, with `count` examples."""
        if self.is_whole:
            yield
            return
        calls: list[Any] = []

        def look(module: nn.Module, args: Any, named: Any) -> None:
            if not calls and not torch.compiler.is_compiling():
                calls.append(None)
                try:
                    self._keep(first_of([args, named], None), count)
                except Exception:  # whatever is fed, measuring goes on
                    self._unfit = True

        handle = None
        with suppress(Exception):  # scripted networks refuse hooks
            handle = network.register_forward_pre_hook(look, with_kwargs=True)
        try:
            yield
        finally:
            self._unfit = self._unfit or not calls
            if handle is not None:
                handle.remove()

    def _keep(self, found: Tensor, count: int) -> None:
        rows = found.detach().as_subclass(Tensor)
        fits = rows.ndim > 1 and len(rows) == count
        if not fits or self.shape not in (None, rows.shape[1:]):
            self._unfit = True
            return
        self.shape = rows.shape[1:]
        with torch.no_grad():
            self._parts.append(probed(rows))
        self._seen += len(rows)
