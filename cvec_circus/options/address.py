"""Where endpoints and managed sockets listen, and which of them cannot be there together."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from cvec_circus.base.named import NamedTuple

ANY = frozenset({"0.0.0.0", "::"})
_NAMES = {
    "AF_INET": {"": "0.0.0.0", "*": "0.0.0.0", "localhost": "127.0.0.1", "lo": "127.0.0.1"},
    "AF_INET6": {"": "::"},
}
_LISTENING = ("SOCK_STREAM", "SOCK_SEQPACKET")
_MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv6 address begins with that stands for the IPv4 address in its end."""
_ONLY_V6 = "/proc/sys/net/ipv6/bindv6only"


class Address(NamedTuple):
    """One place to listen at, or a file to write. Immutable.

    Attributes:
        shown: How people write it.
        kind: `path`, or the type of a network socket. Only the same kinds are compared.
        host: The host, or the path, without symbolic links in its folder.
        port: The port; None for a path.
        family: AF_INET or AF_INET6; "" for a path.
        device: The network device that it is bound to, "" for any.
        is_shared: Whether others that say so too may have it.
        spare: The second name of a socket at a path, "" for none.
    """

    shown: str
    kind: str
    host: str
    port: int | None = None
    family: str = ""
    device: str = ""
    is_shared: bool = False
    spare: str = ""


def of_socket(options: Mapping[str, object]) -> Address | None:
    """Return where a managed socket listens; None if no other one can be in its way."""
    if options["path"]:
        return _of_unix(str(options["path"]))
    if options["type"] not in _LISTENING or not options["port"] or options["family"] not in _NAMES:
        return None
    host = str(options["host"] or "").lower()
    shown = f"[{host}]" if ":" in host else host or "*"
    return _of_network(
        f"{shown}:{options['port']}",
        (str(options["type"]), str(options["family"]), host, int(str(options["port"]))),
        str(options["interface"] or ""),
        bool(options["so_reuseport"]),
    )


def of_endpoint(endpoint: str) -> Address | None:
    """Return where the daemon listens; None if no other socket can be in its way."""
    transport, _, place = endpoint.partition("://")
    if transport == "ipc":
        if place == "*" or place.startswith("@"):
            return None if place == "*" else Address(place, "path", place)
        return _of_unix(place)
    host, _, port = place.rpartition(":")
    if transport != "tcp" or not (port.isdecimal() and int(port)):
        return None
    family = "AF_INET6" if ":" in host else "AF_INET"
    return _of_network(place, ("SOCK_STREAM", family, host.strip("[]").lower(), int(port)))


def of_file(path: str, folders: dict[str, str] | None = None) -> Address:
    """Return the place of a file that is written.

    Args:
        path: It.
        folders: Keeps where folders really are, for other files in them.
    """
    return Address(path, "path", _real(path, {} if folders is None else folders))


def spare_of(path: str) -> str:
    """Return the second name that a unix socket at a path has: see `sockets.unix`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.spare")


def are_one(one: Address, other: Address) -> bool:
    """Tell whether two cannot listen at the same time. It may look at links in paths, and at what
    this machine lets IPv6 sockets take."""
    if (one.kind, one.port) != (other.kind, other.port) or (one.is_shared and other.is_shared):
        return False
    if one.port is None:
        return other.host in (one.host, one.spare) or one.host == other.spare
    if one.device != other.device and one.device and other.device:
        return False
    if one.family == other.family:
        return one.host == other.host or not {one.host, other.host}.isdisjoint(ANY)
    newer = one if one.family == "AF_INET6" else other
    return newer.host == "::" and not _is_only_v6()


def _of_network(
    shown: str, place: tuple[str, str, str, int], device: str = "", is_shared: bool = False
) -> Address:
    kind, family, host, port = place
    host = _NAMES[family].get(host, host)
    with contextlib.suppress(OSError, ValueError):  # it is a name
        if family == "AF_INET":
            host = socket.inet_ntoa(socket.inet_aton(host))
        else:
            number, percent, scope = host.partition("%")
            newer = socket.inet_pton(socket.AF_INET6, number)
            if newer.startswith(_MAPPED):
                family, host = "AF_INET", socket.inet_ntoa(newer[len(_MAPPED) :])
            else:
                host = socket.inet_ntop(socket.AF_INET6, newer) + percent + scope
    return Address(shown, kind, host, port, family, device, is_shared)


def _of_unix(path: str) -> Address:
    real = _real(path, {})
    return Address(path, "path", real, spare=spare_of(real))


def _real(path: str, folders: dict[str, str]) -> str:
    """Return a path whose folder has no links in it; the last name is what is made there."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _is_only_v6() -> bool:
    """Tell whether IPv6 sockets for any address leave IPv4 to others here."""
    try:
        with open(_ONLY_V6, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False
