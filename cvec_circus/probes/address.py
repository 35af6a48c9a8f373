"""Addresses that are probed: from text, with all names in it replaced."""

from __future__ import annotations

import functools
import re
import socket

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.options.endpoint import LONGEST_PATH

PORTS = {"http": 80, "https": 443}
_ROOTS = {"tcp": "", "http": "/", "https": "/"}

_HOST_PORT = regex(
    r"(?:\[(?P<six>[:.%\w]+)\]|(?P<host>[^\s:/\[\]@]+))(?::(?P<port>\w+))?", re.ASCII
)
_VISIBLE = regex(r"[!-~]*")
LONGEST_URL_PATH = 2048


class Address(NamedTuple):
    """What a probe connects to, and what it asks there. Immutable."""

    kind: str  # tcp, unix, http or https
    host: str  # of a unix socket, its path
    port: int
    path: str  # what HTTP asks for, with its query
    authority: str  # host and port as they were written

    def __str__(self) -> str:
        """Return it for messages: without the query, which may have a secret in it."""
        return f"{self.kind}://{self.authority}{self.path.partition('?')[0]}"

    @property
    def is_number(self) -> bool:
        """Whether no name has to be looked up."""
        return self.kind == "unix" or family(self.host) is not None


@functools.lru_cache(maxsize=1024)
def family(host: str) -> int | None:
    """Return the address family of a host that is a number; None for a name."""
    for one in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(one, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return one
    return None


def parse(kind: str, target: str) -> Address:
    """Return the address of a check.

    Args:
        kind: The kind of the check.
        target: What stands after `KIND://`, with names replaced.

    Raises:
        ValueError: It is not an address.
    """
    if kind == "unix":
        if not target.startswith("/") or "\0" in target or len(target.encode()) > LONGEST_PATH:
            raise ValueError(f"{kind}://{target} is not the path of a socket")
        return Address(kind, target, 0, "", target)
    cut = min((at for at in map(target.find, "/?") if at >= 0), default=len(target))
    authority, path = target[:cut], target[cut:].partition("#")[0]
    if "@" in authority:
        raise ValueError(f"the address of {kind}:// has a user in it, which is not supported")
    if kind == "tcp" and path:
        raise ValueError(f"{kind}://{authority}{path} is not an address of a host and a port")
    found = _HOST_PORT.fullmatch(authority)
    given = (found["port"] or "") if found else ""
    number = int(given) if given.isascii() and given.isdecimal() else 0
    port = number or (PORTS.get(kind, 0) if not given else 0)
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{kind}://{authority} is not an address of a host and a port")
    if path and not path.startswith("/"):
        path = f"/{path}"
    if not _VISIBLE.fullmatch(path) or len(path) > LONGEST_URL_PATH:
        raise ValueError(f"the path of {kind}://{authority} has characters that no URL has")
    return Address(kind, found["six"] or found["host"], port, path or _ROOTS[kind], authority)
