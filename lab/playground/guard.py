"""The check of requests that permit the execution of a network's file, or start a training: only
from this machine, from the board's own page, and not through a proxy.

There is no password. Requests through a proxy on this machine all have its address, so they are
refused. Against cross-site requests the header Origin is checked, against DNS rebinding the header
Host.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""Headers that proxies add to a request."""


PERMISSION = ("give permission", "start it with board.py --allow-model FILE, or")
TRAINING = ("train", "start it")
"""What a request may not do, and what to do instead behind a prefix."""


def stranger(request: Request, prefix: str, *, wants: tuple[str, str] = PERMISSION) -> str:
    """Why this request may not do what it `wants`, in one line; empty if it may.

    `prefix` is the path that TensorBoard is served under.
    """
    do, instead = wants
    if prefix:
        return (
            f"the board is served under {prefix}, as behind a proxy, through which anybody could"
            f" {do}: {instead} without a path prefix"
        )
    if any(name in request.headers for name in PROXIES):
        return f"{do} on the machine that runs the board, not through a proxy"
    if not _is_of_this_machine(request):
        return f"{do} on the machine that runs the board, not from {request.remote_addr}"
    if not _is_home(request.host):
        # DNS rebinding: another site's name may resolve to this machine
        return f"open the board at http://localhost or a numeric address, not {request.host[:200]}"
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return f"{do} on the board's own page, not on one of {origin[:200]}"
    return ""


def _is_of_this_machine(request: Request) -> bool:
    """Whether both ends of the connection are on this machine."""
    if request.remote_addr is None:
        return True  # a call within the program: every server tells the address
    connection = request.environ.get("werkzeug.socket")
    remote = _address(request.remote_addr)
    if remote is None:
        return False
    if isinstance(connection, socket.socket) and remote == _address(connection.getsockname()[0]):
        return True
    return remote.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address, IPv4-mapped IPv6 ones as IPv4; None if the text is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_home(host: str) -> bool:
    """Whether the Host header is localhost or a numeric address, which excludes DNS rebinding."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _address(name.strip("[]")) is not None
