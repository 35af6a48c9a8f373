"""Where endpoints and managed sockets listen, and which of them cannot be there together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

ANY = frozenset({"0.0.0.0", "::"})
_SAME = {"AF_INET": {"": "0.0.0.0", "localhost": "127.0.0.1"}, "AF_INET6": {"": "::"}}
_LISTENING = ("SOCK_STREAM", "SOCK_SEQPACKET")


class Address(NamedTuple):
    """One place to listen at. Immutable.

    Attributes:
        shown: How people write it.
        kind: `path`, or the family and type of a network socket. Only the same kinds are compared.
        host: The host, or the path.
        port: The port; None for a path.
        device: The network device that it is bound to, "" for any.
        is_shared: Whether others that say so too may have it.
    """

    shown: str
    kind: str
    host: str
    port: int | None = None
    device: str = ""
    is_shared: bool = False


def of_socket(options: Mapping[str, Any]) -> Address | None:
    """Return where a managed socket listens; None if no other one can be in its way."""
    if options["path"]:
        return _at_path(options["path"])
    if options["type"] not in _LISTENING or not options["port"]:
        return None
    family, host, port = options["family"], (options["host"] or "").lower(), options["port"]
    shown = f"[{host}]:{port}" if ":" in host else f"{host or '*'}:{port}"
    host = _SAME.get(family, {}).get(host, host)
    device, is_shared = options["interface"] or "", options["so_reuseport"]
    return Address(shown, f"{family} {options['type']}", host, port, device, is_shared)


def of_endpoint(endpoint: str) -> Address | None:
    """Return where the daemon listens; None if no other socket can be in its way."""
    transport, _, place = endpoint.partition("://")
    if transport == "ipc":
        return None if place == "*" else _at_path(place)
    host, _, port = place.rpartition(":")
    if transport != "tcp" or not (port.isdecimal() and int(port)):
        return None
    is_newer = ":" in host
    family = "AF_INET6" if is_newer else "AF_INET"
    host = "0.0.0.0" if host == "*" else host.strip("[]").lower()
    host = _SAME[family].get(host, host)
    return Address(place, f"{family} SOCK_STREAM", host, int(port))


def are_one(one: Address, other: Address) -> bool:
    """Tell whether two cannot listen at the same time, wherever the daemon runs."""
    if (one.kind, one.port) != (other.kind, other.port) or (one.is_shared and other.is_shared):
        return False
    if one.device != other.device and one.device and other.device:
        return False
    hosts = {one.host, other.host}
    return len(hosts) == 1 or (one.port is not None and not hosts.isdisjoint(ANY))


def _at_path(path: str) -> Address:
    return Address(path, "path", os.path.normpath(path))
