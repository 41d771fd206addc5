"""From where a board can be reached: addresses that work here and elsewhere, and who sees it."""

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that stand for all of this machine's, and how it reaches itself at them."""

_NOWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has, kept for examples: the way there leads through our own address."""


def check_host(host: str) -> str:
    """The host without brackets, and as 0.0.0.0 or :: where it stands for all addresses.

    Raises `ValueError` in one line if no server can listen there.
    """
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not name or re.search(r"[\s/\[\]]", name) or (name.count(":") == 1 and name[-1].isdigit()):
        raise ValueError(
            f"--host {host[:100]!r} is neither a name nor an address: write 127.0.0.1, 0.0.0.0 or"
            " ::, and the port after --port"
        )
    if error := _cannot_listen(name, 0):
        raise ValueError(
            f"--host {host[:100]!r} is not this machine ({error}): it has {', '.join(here())}, and"
            " 0.0.0.0 stands for all of its addresses"
        )
    known = _addresses(name)  # 0 and 0:0::0 are other words for all
    return known[0] if known[0] in ALL else name


def check_port(host: str, port: int) -> None:
    """Raise `ValueError` if `port` cannot be had, before anything is started for it."""
    if not 1 <= port <= 65_535:
        raise ValueError(f"--port must be 1 to 65,535, not {port}")
    if error := _cannot_listen(host, port):
        raise ValueError(
            f"--port {port} cannot be had ({error}): end what uses it, name another, or none for "
            "the next free one"
        )


def check_prefix(prefix: str) -> str:
    """A path prefix as /lab, or empty; `ValueError` in one line if it is no plain path."""
    path = prefix.strip("/")
    parts = path.split("/") if path else []
    if any(not re.fullmatch(r"[A-Za-z0-9_~.-]+", part) or not part.strip(".") for part in parts):
        raise ValueError(
            f"--path-prefix {prefix[:100]!r} must be a path of letters, digits and . _ ~ -, such as"
            " /lab"
        )
    return f"/{path}" if path else ""


def is_local(host: str) -> bool:
    """Whether only programs of this machine reach a server that listens at `host`."""
    try:
        return all(ip_address(address).is_loopback for address in _addresses(host))
    except OSError:
        return False


def hosts(host: str) -> list[str]:
    """Names and addresses for the URL of a server that listens at `host`, those first that work
    from other machines, too."""
    host = host.strip("[]")
    if host not in ALL:
        return [host]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    mine = [each for each in here() if not ip_address(each).is_loopback]
    mine = [each for each in mine if family == socket.AF_INET6 or ":" not in each]
    return [*mine, socket.gethostname()] if mine else [ALL[host]]


def url(host: str, port: int, prefix: str = "") -> str:
    """The address of a board at `host`."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{prefix}/"


def here() -> list[str]:
    """The addresses of this machine that can be found out: 127.0.0.1, and those of its networks."""
    found = ["127.0.0.1"]
    for family, address in _NOWHERE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # sends nothing
            found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += _addresses(socket.gethostname())
    usable = [each for each in found if not ip_address(each).is_link_local]
    return list(dict.fromkeys(usable))


def tunnel(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The command that brings what is at `url` to the computer of somebody who is logged in here
    through ssh; empty where nobody is."""
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) != 4:
        return ""
    _, _, server, door = words
    try:
        user = f"{getpass.getuser()}@"
    except (KeyError, OSError, ImportError):  # a user id without a name
        user = ""
    at = urlsplit(url)
    here, other = at.netloc.rpartition(":")[0], "" if door == "22" else f"-p {door} "
    return (
        f"On your own computer: ssh -N -L {at.port}:{here}:{at.port} {other}{user}{server}, then"
        f" open http://127.0.0.1:{at.port}{at.path}"
    )


def _addresses(host: str) -> list[str]:
    """What `host` stands for; `OSError` if nothing."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _cannot_listen(host: str, port: int) -> str:
    """Why no server can listen there; empty if one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET  # as TensorBoard's server decides
    try:
        entry = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            if os.name != "nt":  # there it would share the port with whoever has it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(entry[4])
    except (OSError, ValueError) as error:  # a name may be no text that has an address
        return (getattr(error, "strerror", None) or str(error)).lower()
    return ""
