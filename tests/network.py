"""Refuses and notes what would leave this machine: names looked up, connections, datagrams.

Of the standard library alone, so that it can stand at the start of any Python process. It sees
what Python's ``socket`` does, and with it all that builds on it; not what a C library does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
REVERSE = "socket.getnameinfo"


def stays_here(host: object) -> bool:
    """Whether a host's name or address means this machine and needs nobody to be asked."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or name in ("", "localhost"):
        return True
    try:
        return ip_address(str(name)).is_loopback
    except ValueError:
        return False


def outward(event: str, arguments: tuple[Any, ...]) -> str | None:
    """What an audit event of Python would send away, in words; None if nothing.

    Args:
        event: Its name, see Python's table of audit events.
        arguments: Its arguments.
    """
    if event in LOOKUPS and not stays_here(arguments[0]):
        return f"{event} {arguments[0]!r}"
    if event == REVERSE and not stays_here(arguments[0][0]):
        return f"{event} {arguments[0]!r}"
    # Only addresses of the internet are tuples: those of Unix's sockets are paths, and a datagram
    # without one goes where the socket was connected to before.
    if event in CONNECTIONS and isinstance(arguments[1], tuple) and not stays_here(arguments[1][0]):
        return f"{event} {arguments[1]!r}"
    return None


def forbid(note: Callable[[str], None]) -> None:
    """From now on, and for good, refuse it in this process.

    Args:
        note: Told of each attempt: whoever attempts it may hide that it failed.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Millions of events are none of these.
        if event.startswith("socket.") and (attempt := outward(event, arguments)):
            note(attempt)
            raise OSError(f"no network in tests: {attempt}")

    sys.addaudithook(hook)
