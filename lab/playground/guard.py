"""Who may agree that a network's file is run: somebody at this computer, in a browser that shows
our own page.

There is no password, so the request itself must tell. Where a proxy stands between, it cannot: all
that come through one on this computer come from this computer.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""What proxies add to a request."""


def stranger(request: Request, prefix: str) -> str:
    """Why this request may not agree to anything, in one line; empty if it may.

    `prefix` is the path that TensorBoard is served under.
    """
    if prefix:
        return (
            f"the board is served under {prefix}, as behind a proxy, through which anybody could"
            " agree: start it with board.py --allow-model FILE, or without a path prefix"
        )
    if any(name in request.headers for name in PROXIES):
        return "agree at the computer that the board runs on, not through a proxy"
    if not _is_of_this_machine(request):
        return f"agree at the computer that the board runs on, not at {request.remote_addr}"
    if not _is_home(request.host):
        # whoever owns a name can let it lead here, and a page of theirs then counts as ours
        return f"agree at http://localhost or at an address of digits, not at {request.host[:200]}"
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return f"agree on the board's own page, not on one of {origin[:200]}"
    return ""


def _is_of_this_machine(request: Request) -> bool:
    """Whether the connection begins where it ends, on this computer."""
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
    """An address as it was before IPv6 wrapped it; None if it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_home(host: str) -> bool:
    """Whether a request came to a name that only this machine gives."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _address(name.strip("[]")) is not None
