"""Executors on a running cluster of Dask or Ray.

The cluster's workers need the lab and its dependencies installed, but no shared disk: results are
returned as files. The cluster decides how many runs go on at a time; a worker does one at a time,
however many threads it has. Both libraries are imported only when they are asked for.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

WAIT = 20.0
"""Seconds to wait for a cluster that does not answer."""


class Dask:
    """The workers of the Dask scheduler at `address`, tcp://host:port.

    A job whose worker dies is done once more by another one.
    """

    shares_disk = False

    def __init__(self, address: str) -> None:
        distributed = with_extra("dask", "distributed")
        try:
            self._client: Any = distributed.Client(address, timeout=WAIT, set_as_default=False)
        except OSError as error:
            raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
        self._executor: Any = self._client.get_executor(retries=1, pure=False)

    def submit(self, function: Callable[[Argument], Answer], argument: Argument) -> Future[Answer]:
        """Call the function in a worker."""
        future: Future[Answer] = self._executor.submit(function, argument)
        return future

    def __enter__(self) -> Dask:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=False)  # cancels what is pending
        self._client.close()


class Ray:
    """The workers of the Ray cluster at `address`: auto, or host:port.

    A job whose worker dies is done once more by another one.
    """

    shares_disk = False

    def __init__(self, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray: Any = with_extra("ray", "ray")
        try:
            self._ray.init(
                address=address, include_dashboard=False, log_to_driver=False,
                logging_level=logging.ERROR,
            )  # fmt: skip
        except Exception as error:
            said = " ".join(str(error).split())
            raise ValueError(f"no Ray cluster answers at {address}: {said}") from None
        self._remote: dict[Callable[..., Any], Any] = {}
        self._pending: set[Any] = set()

    def submit(self, function: Callable[[Argument], Answer], argument: Argument) -> Future[Answer]:
        """Call the function in a worker."""
        if function not in self._remote:
            self._remote[function] = self._ray.remote(max_retries=1)(function)
        reference = self._remote[function].remote(argument)
        self._pending.add(reference)
        future: Future[Answer] = reference.future()
        future.add_done_callback(lambda _: self._pending.discard(reference))  # lets the answer go
        return future

    def __enter__(self) -> Ray:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            for reference in tuple(self._pending):
                self._ray.cancel(reference, force=True)
        self._ray.shutdown()


def with_extra(extra: str, module: str) -> Any:
    """A module of an extra; `ValueError` that names the extra if it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise ValueError(
            f"--executor {extra}:// needs {module}: pip install 'memorization-lab[{extra}]'"
            f" (from a clone: pip install -e '.[{extra}]')"
        ) from None


def open_cluster(name: str) -> Dask | Ray:
    """The cluster that dask://host:port or ray://auto names; `ValueError` if it cannot be had."""
    parts = urlsplit(name)
    if parts.scheme == "dask" and parts.port:
        return Dask(f"tcp://{parts.netloc}")
    if parts.scheme == "ray" and parts.netloc:
        return Ray(parts.netloc)
    raise ValueError(
        f"--executor {name}: use local, dask://host:port, ray://auto or ray://host:port"
    )
