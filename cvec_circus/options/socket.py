"""The options of a listening socket: a `[socket:NAME]` section."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.options.kinds import LONGEST_PATH
from cvec_circus.options.option import Option
from cvec_circus.options.table import OptionTable

SOCKET_OPTIONS = OptionTable(
    [
        Option(
            "host",
            "text",
            "localhost",
            "The address or host name to listen on; nothing for every address.",
            live=False,
        ),
        Option(
            "port",
            "integer",
            8080,
            "The port to listen on; 0 for any free one.",
            live=False,
            low=0,
            high=65_535,
        ),
        Option(
            "family",
            "choice",
            "AF_INET",
            "The kind of address. AF_UNIX needs a `path`.",
            live=False,
            choices=("AF_INET", "AF_INET6", "AF_UNIX"),
        ),
        Option(
            "type",
            "choice",
            "SOCK_STREAM",
            "The kind of connection. Only SOCK_STREAM and SOCK_SEQPACKET listen.",
            live=False,
            choices=("SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_RDM", "SOCK_RAW"),
        ),
        Option(
            "backlog",
            "integer",
            2048,
            "How many connections may wait to be accepted.",
            live=False,
            low=0,
            high=65_535,
        ),
        Option(
            "blocking",
            "boolean",
            False,
            "Whether an accept waits. Of several processes that one connection wakes, all but one "
            "would then hang in it.",
            live=False,
        ),
        Option(
            "path",
            "text",
            None,
            "The path of a unix socket, which it is then, whatever `family` says. Something must "
            "not be there yet; it is removed when the daemon ends, unless somebody else has put "
            "another one there.",
            live=False,
        ),
        Option(
            "umask",
            "umask",
            0o010,
            "The mask, in octal, of the mode that `path` has: 177 for one that only its owner can "
            "connect to. With the default everybody can, as with Circus.",
            live=False,
        ),
        Option(
            "owner",
            "account",
            None,
            "The user, by name or number, who owns `path`; the daemon's own without it.",
            live=False,
        ),
        Option(
            "replace",
            "boolean",
            False,
            "Whether a socket that is at `path` already is removed first. What is no socket never "
            "is.",
            live=False,
        ),
        Option(
            "interface",
            "text",
            None,
            "The network device, such as `eth0`, over which alone it can be reached.",
            live=False,
        ),
        Option(
            "proto",
            "protocol",
            0,
            "The protocol, by name (`tcp`, `udp`, `mptcp`, ...) or number; 0 for the usual one of "
            "the type.",
            live=False,
        ),
        Option(
            "so_reuseport",
            "boolean",
            False,
            "Whether every process gets a socket of its own on the same port, among which the "
            "kernel shares out the connections. Those that wait on the socket of a process that "
            "ends are lost with it.",
            live=False,
        ),
        Option(
            "use_papa", "boolean", False, "Held by the papa kernel.", live=False, available=False
        ),
    ]
)
"""Everything that can be configured of a listening socket."""


def check(options: Mapping[str, Any]) -> None:
    """Refuse options of a socket that cannot be together.

    Args:
        options: All of them, typed.

    Raises:
        OptionError: Names the one that has to change.
    """
    path = options["path"] or None
    if path is not None and len(os.fsencode(os.path.normpath(path))) > LONGEST_PATH:
        raise OptionError("path", f"more than the {LONGEST_PATH} bytes that a unix socket can have")
    if path is None and options["family"] == "AF_INET" and ":" in (options["host"] or ""):
        raise OptionError("host", "an IPv6 address; set family = AF_INET6")
    if path is None and options["family"] == "AF_UNIX":
        raise OptionError("path", "missing; a unix socket has one")
    if path is None and options["owner"] not in (None, ""):
        raise OptionError("owner", "only the path of a unix socket has one")
    if path is not None and options["so_reuseport"]:
        raise OptionError("so_reuseport", "a unix socket cannot share its path")
