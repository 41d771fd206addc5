"""Settings for all tests, and fixtures that several modules use."""

import gc
import ipaddress
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.executors import runs_here  # noqa: F401
from support.figures import plain_figures  # noqa: F401
from support.pools import short_bootstraps  # noqa: F401
from support.threads import one_thread  # noqa: F401

# A busy machine is no reason to fail; what is too slow shows in the suite's durations.
settings.register_profile("lab", deadline=None, max_examples=int(os.environ.get("FUZZ", "50")))
settings.load_profile("lab")


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what was imported and collected: that is there to stay."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Let no test of this process reach another machine."""
    connect = socket.socket.connect

    def refuse_others(door: socket.socket, address: object) -> None:
        if door.type == socket.SOCK_STREAM and isinstance(address, tuple):
            assert is_near(str(address[0])), f"a test asks {address[0]}"
        connect(door, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse_others)
        yield


def is_near(host: str) -> bool:
    """Whether a host is this machine, or in its own network: a board is asked at such addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_private
    except ValueError:
        return False
