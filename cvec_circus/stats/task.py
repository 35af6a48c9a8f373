"""What the statistics process is to do: from a person's command line, or from the daemon."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cvec_circus import __version__, exc
from cvec_circus.client.connect import (
    DEFAULT_ENDPOINT_DEALER,
    DEFAULT_ENDPOINT_STATS,
    DEFAULT_ENDPOINT_SUB,
)
from cvec_circus.options.kinds import to_seconds

PROGRAM = "cvec_circusd-stats"
VARIABLE = "CVEC_CIRCUS_STATS"
LEVELS = ("debug", "info", "warning", "error", "critical")
SHORTEST = 0.1
"""Seconds: looking more often would tell less, for a processor's time is counted in hundredths."""


@dataclass
class Task:
    """Whom to measure, and where to publish it. Owned by the main thread.

    Attributes:
        endpoint: Where the daemon takes commands.
        pubsub_endpoint: Where it publishes events.
        stats_endpoint: Where to publish statistics.
        interval: Seconds from one pass to the next.
        log_level: The least severity to log, one of `LEVELS`.
        log_output: The file to log to, or the URL of a syslog; "-" for standard error.
        ssh: The machine that the daemon is on, None for this one.
        mode: The mode of the file of an ipc endpoint.
        owner: Whose that file is, by name or number; None for ours.
        listener: A socket that listens at `stats_endpoint` already, by its number.
        sockets: The daemon's listening sockets, which were inherited: what `listsockets` tells.
        daemon_pid: The daemon.
        lifeline: A file descriptor that is at its end when the daemon is gone.
        report: A file descriptor to write the reason to when nothing can be published.
        by_daemon: Whether the daemon started this process.
    """

    endpoint: str = DEFAULT_ENDPOINT_DEALER
    pubsub_endpoint: str = DEFAULT_ENDPOINT_SUB
    stats_endpoint: str = DEFAULT_ENDPOINT_STATS
    interval: float = 1.0
    log_level: str = "info"
    log_output: str = "-"
    ssh: str | None = None
    mode: int = 0o600
    owner: int | str | None = None
    listener: int | None = None
    sockets: list[dict[str, Any]] = field(default_factory=list)
    daemon_pid: int | None = None
    lifeline: int | None = None
    report: int | None = None
    by_daemon: bool = False


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line. Owned by the main thread."""

    def error(self, message: str) -> NoReturn:
        """Raise ArgumentError instead of printing the usage and leaving."""
        raise exc.ArgumentError(message)


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of a person's command line."""
    parser = OneLineParser(
        prog=PROGRAM,
        description="Measure the processes of a cvec_circusd and publish what they use, every "
        "second. A daemon with `statsd = True` starts this by itself.",
    )
    add = parser.add_argument
    add("--endpoint", default=DEFAULT_ENDPOINT_DEALER, help="where the daemon takes commands")
    add("--pubsub", default=DEFAULT_ENDPOINT_SUB, help="where the daemon publishes events")
    add("--statspoint", default=DEFAULT_ENDPOINT_STATS, help="where to publish statistics")
    add("--interval", type=_interval, default=1.0, metavar="SECONDS", help="default: 1")
    add("--log-level", default="info", choices=LEVELS, type=str.lower, help="default: info")
    add("--log-output", default="-", metavar="FILE", help="default: standard error")
    add(
        "--ssh",
        metavar="SERVER",
        help="reach the two endpoints of the daemon over ssh; it must see the same processes",
    )
    add("--version", action="version", version=__version__)
    return parser


def read_arguments(arguments: Sequence[str]) -> Task:
    """Read a person's command line.

    Args:
        arguments: What follows the name of the program.

    Raises:
        ArgumentError: It cannot be understood.
        SystemExit: It asks for the help or the version, which is printed.
    """
    given = argument_parser().parse_args(arguments)
    return Task(
        endpoint=given.endpoint,
        pubsub_endpoint=given.pubsub,
        stats_endpoint=given.statspoint,
        interval=given.interval,
        log_level=given.log_level,
        log_output=given.log_output,
        ssh=given.ssh,
    )


def read_environment(text: str) -> Task:
    """Read what the daemon passes: a JSON object with the attributes of a task.

    Raises:
        ArgumentError: It cannot be understood.
    """
    try:
        given = json.loads(text)
        known = {key: given[key] for key in Task.__dataclass_fields__ if given.get(key) is not None}
        task = Task(**{**known, "by_daemon": True})
        task.log_level = task.log_level.lower()
        for fd in (task.listener, task.lifeline, task.report):
            if fd is not None:
                os.set_inheritable(fd, False)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise exc.ArgumentError(f"{VARIABLE} cannot be used: {error}") from None
    return task


def _interval(text: str) -> float:
    try:
        return to_seconds(text, SHORTEST, 3600)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
