"""An executor without processes, for tests of what comes before and after the runs."""

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import pytest


class Here:
    """Does each job at once, in this process, which has imported torch already."""

    shares_disk = True

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Future[Any]:
        """Call the function; a future that is done, or has failed."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(argument))
        except Exception as error:
            future.set_exception(error)
        return future

    def __enter__(self) -> "Here":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@pytest.fixture
def runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let grids and pools do their runs in this process."""
    for module in ("lab.experiments.runner.run", "lab.pool.run"):
        monkeypatch.setattr(f"{module}.open_executor", lambda name, processes: Here())
