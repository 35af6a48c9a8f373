"""Which plugin to run and how: from a user's command line, or from the daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cvec_circus import exc, version_text
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_DEALER, DEFAULT_ENDPOINT_SUB
from cvec_circus.client.program import LEVELS, Parser, assigned, seconds
from cvec_circus.runtime.catalogue import overview

PROGRAM = "cvec_circus-plugin"
VARIABLE = "CVEC_CIRCUS_PLUGIN"

OWN_ARGUMENTS = ("endpoint", "pubsub_endpoint", "check_delay", "ssh_server")
"""The arguments of CircusPlugin.__init__ besides the configuration."""


@dataclass
class Assignment:
    """Which plugin to run, and how. Owned by the main thread of the plugin's process.

    Attributes:
        use: The dotted name of the class, or the short name of an installed plugin.
        config: The plugin's configuration.
        check_delay: The daemon's check delay in seconds.
        log_level: The least severity to log, one of `LEVELS`.
        log_output: The file to log to, or the URL of a syslog; "-" for standard error.
        sys_path: Where the daemon imports from.
        since: The number of the last unwanted event; None to begin with the next one.
        run: The life of the daemon that `since` belongs to; None for any.
        lifeline: A file descriptor that reaches its end when the daemon is gone.
        progress: A file descriptor of memory that the daemon shares; see `wire.progress`.
        helpers: The watchers of all plugins that the daemon runs now, in lower case.
        report: A file descriptor that gets the reason when the plugin cannot be run.
        by_daemon: Whether the daemon started this process.
        deaths: How many processes of this plugin died quickly, in a row, before this one.
        ssh: The machine of the endpoints; None for this one.
    """

    use: str
    config: dict[str, Any] = field(default_factory=dict)
    endpoint: str = DEFAULT_ENDPOINT_DEALER
    pubsub_endpoint: str = DEFAULT_ENDPOINT_SUB
    check_delay: float = 5.0
    log_level: str = "info"
    log_output: str = "-"
    sys_path: list[str] = field(default_factory=list)
    since: int | None = None
    run: str | None = None
    lifeline: int | None = None
    progress: int | None = None
    helpers: list[str] = field(default_factory=list)
    report: int | None = None
    by_daemon: bool = False
    deaths: int = 0
    ssh: str | None = None


class ListPlugins(argparse.Action):
    """Prints the installed plugins, and exits. Owned by the main thread."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from cvec_circus.ctl.output import say  # only --list prints

        sys.path.insert(0, "")  # as for a plugin that is run
        try:
            say("\n".join(overview()))
        except exc.OutputError as problem:
            parser.exit(exc.EXIT_PROBLEM, f"{exc.ERROR}{problem}\n")
        parser.exit()


def read(arguments: Sequence[str] | None = None) -> Assignment:
    """Read what the daemon passes, or a user's command line; see `client.program.assigned`.

    Raises:
        ArgumentError: It cannot be understood.
        SystemExit: The help or the version was asked for, and is printed.
    """
    assignment = assigned(Assignment, VARIABLE, argument_parser, arguments)
    for name in OWN_ARGUMENTS:
        if name in assignment.config:
            raise exc.ArgumentError(f"a plugin's configuration cannot hold {name!r}")
    if assignment.log_level not in LEVELS:
        raise exc.ArgumentError(f"{assignment.log_level!r} is not a log level")
    return assignment


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of a user's command line."""
    parser = Parser(
        prog=PROGRAM, description="Run a plugin of cvec_circusd in this process, until Ctrl-C."
    )
    add = parser.add_argument
    add(
        "use",
        metavar="CLASS",
        help="dotted name of the class (myproject.plugins.Logger), or its short name (flapping)",
    )
    add("--list", action=ListPlugins, help="list the installed plugins and what they do")
    parser.add_endpoints()
    add("--config", type=read_config, default="", help="key:value pairs, joined by :::")
    add("--check-delay", type=seconds(0.0), default=5.0, metavar="SECONDS", help="default: 5")
    parser.add_log()
    add("--ssh", metavar="SERVER", help="reach the daemon on SERVER through the system's ssh")
    add("--version", action="version", version=version_text())
    return parser


def read_config(text: str) -> dict[str, Any]:
    """Read ``key:value:::key2:value2``, where a value may hold single colons.

    Raises:
        ArgumentError: It holds something that is not such a pair.
    """
    config = {}
    for item in text.split(":::"):
        key, colon, value = item.partition(":")
        if colon and key.strip():
            config[key.strip()] = value.strip()
        elif item.strip():
            raise exc.ArgumentError(f"--config: {item.strip()!r} is not key:value")
    return config
