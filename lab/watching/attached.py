"""What the adapters share: a watcher that the callbacks of another library drive."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any

from torch import nn

from lab.watching.watcher import Watcher

SETS = ("train", "test")


class Attached:
    """A watcher that is made when training begins; `options` are those of `lab.watch`.

    `watched` is the watcher, None before training. A training that never tells its end, because an
    error ended it, is noted when the program ends.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.watched: Watcher | None = None
        self._options = dict(options)
        self._over = True

    def begin(
        self,
        model: nn.Module,
        *,
        train: Any = None,
        test: Any = None,
        steps: int | None = None,
        batches: int = 1,
        missing: str = "give train= and test= when you make the callback",
        **others: Any,
    ) -> None:
        """Begin to watch `model`; `train` and `test` are the trainer's own sets, where it has them,
        `steps` how many there will be, of so many `batches` each. `ValueError` says which set is
        `missing`, and what to do."""
        self.end()
        options = {"steps": steps if steps and steps > 0 else None, **others, **self._options}
        for name, own in zip(SETS, (train, test), strict=True):
            if options.get(name) is None:
                options[name] = own
            if options[name] is None:
                raise ValueError(f"there is no {name} set to measure on: {missing}")
        self.watched = Watcher(model, **options)
        self.watched.batches = batches
        self.watched.open()
        self._over = False
        atexit.register(self.fail, Unfinished())

    def step(self, number: int | None = None) -> None:
        """After optimizer step `number`, from 0 (None: counted here)."""
        if self.watched is not None and not self._over:
            self.watched(number)

    def doubt(self, text: str) -> None:
        """Say what is doubtful about a training that has begun, once for all processes."""
        if self.watched is not None:
            self.watched.warn(text)

    def end(self) -> None:
        """At the end of training."""
        self._close(None)

    def fail(self, error: BaseException) -> None:
        """When an error has ended it."""
        self._close(error)

    def _close(self, error: BaseException | None) -> None:
        if self.watched is None or self._over:
            return
        self._over = True
        atexit.unregister(self.fail)
        self.watched.close(error)


class Unfinished(Exception):
    """The end of a training that never told it."""

    def __str__(self) -> str:
        return "the program ended before the training did"
