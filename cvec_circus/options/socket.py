"""The options of a listening socket: a `[socket:NAME]` section."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.endpoint import why_too_long
from cvec_circus.options.table import Option, OptionTable

_TYPES = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_RDM", "SOCK_RAW")

SOCKET_OPTIONS = OptionTable(
    [
        Option("host", "text", "localhost"),
        Option("port", "integer", 8080, low=0, high=65_535),
        Option("family", "choice", "AF_INET", choices=("AF_INET", "AF_INET6", "AF_UNIX")),
        Option("type", "choice", "SOCK_STREAM", choices=_TYPES),
        Option("backlog", "integer", 2048, low=0, high=65_535),
        Option("blocking", "boolean", False),
        Option("path", "text", None),
        Option("umask", "umask", 0o010),
        Option("owner", "account", None),
        Option("replace", "boolean", False),
        Option("interface", "text", None),
        Option("proto", "protocol", 0),
        Option("so_reuseport", "boolean", False),
    ]
)
"""Everything that can be configured of a listening socket."""

TUNABLE = frozenset({"backlog", "blocking", "umask", "owner", "replace"})
"""What can be changed of a socket that is bound, so that its descriptor stays."""


def check(options: Mapping[str, Any]) -> None:
    """Refuse options of a socket that cannot be together.

    Args:
        options: All of them, typed.

    Raises:
        OptionError: Names the one that has to change.
    """
    path = options["path"] or None
    if path is not None and (reason := why_too_long(os.path.normpath(path))):
        raise OptionError("path", reason)
    if path is None and options["family"] == "AF_INET" and ":" in (options["host"] or ""):
        raise OptionError("host", "an IPv6 address; set family = AF_INET6")
    if path is None and options["family"] == "AF_UNIX":
        raise OptionError("path", "missing; a unix socket has one")
    if path is None and options["owner"] not in (None, ""):
        raise OptionError("owner", "only the path of a unix socket has one")
    if path is not None and options["so_reuseport"]:
        raise OptionError("so_reuseport", "a unix socket cannot share its path")
