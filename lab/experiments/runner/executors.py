"""Executors by name: objects with `submit(function, job) -> Future`.

local             worker processes on this machine
dask://host:port  the workers of a running Dask cluster (extra [dask])
ray://auto        those of a running Ray cluster (extra [ray])
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol, TypeVar

from lab.experiments.runner.local import Local

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")
Self = TypeVar("Self", bound="Executor")


class Executor(Protocol):
    """The interface of a runner's workers; a context manager that stops them after an error."""

    shares_disk: bool
    """Whether workers write to the same disk as this process."""

    def submit(self, function: Callable[[Argument], Answer], argument: Argument) -> Future[Answer]:
        """Call the function in a worker."""

    def __enter__(self: Self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


def open_executor(name: str, processes: int) -> Executor:
    """The executor called `name`; `ValueError` if there is none, or its extra is not installed."""
    if name == "local":
        return Local(processes)
    from lab.experiments.runner.clusters import open_cluster

    return open_cluster(name)
