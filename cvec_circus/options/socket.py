"""The options of a listening socket: a `[socket:NAME]` section."""

from __future__ import annotations

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
            "The kind of address.",
            live=False,
            choices=("AF_INET", "AF_INET6"),
        ),
        Option(
            "type",
            "choice",
            "SOCK_STREAM",
            "The kind of connection.",
            live=False,
            choices=("SOCK_STREAM",),
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
        Option("path", "text", None, "The path of a unix socket.", live=False, available=False),
        Option("umask", "umask", None, "The mask of that path.", live=False, available=False),
        Option("owner", "account", None, "The owner of that path.", live=False, available=False),
        Option("replace", "boolean", False, "Remove that path first.", live=False, available=False),
        Option("interface", "text", None, "The network device.", live=False, available=False),
        Option("proto", "integer", 0, "The protocol's number.", live=False, available=False),
        Option(
            "so_reuseport",
            "boolean",
            False,
            "A socket of its own for every process.",
            live=False,
            available=False,
        ),
        Option(
            "use_papa", "boolean", False, "Held by the papa kernel.", live=False, available=False
        ),
    ]
)
"""Everything that can be configured of a listening socket."""
