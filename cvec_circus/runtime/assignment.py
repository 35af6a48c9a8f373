"""Which plugin to run and how: from a person's command line, or from the daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cvec_circus import __version__, exc
from cvec_circus.client.connect import DEFAULT_ENDPOINT_DEALER, DEFAULT_ENDPOINT_SUB

PROGRAM = "cvec_circus-plugin"
VARIABLE = "CVEC_CIRCUS_PLUGIN"
LEVELS = ("debug", "info", "warning", "error", "critical")

OWN_ARGUMENTS = ("endpoint", "pubsub_endpoint", "check_delay", "ssh_server")
"""What CircusPlugin.__init__ takes beside the configuration."""


@dataclass
class Assignment:
    """Which plugin to run, and how. Owned by the main thread of the plugin's process.

    Attributes:
        use: The dotted name of the class, or the short name of a plugin that is installed.
        config: The plugin's configuration.
        endpoint: Where the daemon takes commands.
        pubsub_endpoint: Where it publishes events.
        check_delay: Its check delay in seconds.
        log_level: The least severity to log, one of `LEVELS`.
        log_output: The file to log to, or the URL of a syslog; "-" for standard error.
        sys_path: Where the daemon imports from.
        since: Events with higher numbers are wanted; None for those from now on.
        run: The life of the daemon that `since` belongs to; None for any.
        lifeline: A file descriptor that is at its end when the daemon is gone.
        progress: A file descriptor of shared memory, in which the daemon sees how far the plugin
            has got when it has died: see `wire.progress`.
        report: A file descriptor to write the reason to when the plugin cannot be run.
        by_daemon: Whether the daemon started this process.
        ssh: The machine that the endpoints are of; None for this one.
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
    report: int | None = None
    by_daemon: bool = False
    ssh: str | None = None


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line. Owned by the main thread."""

    def error(self, message: str) -> NoReturn:
        """Raise ArgumentError instead of printing the usage and leaving."""
        raise exc.ArgumentError(message)


class ListPlugins(argparse.Action):
    """Prints what is installed, in place of running anything. Owned by the main thread."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from cvec_circus.runtime.description import print_overview

        sys.path.insert(0, "")  # as for a plugin that is run
        try:
            print_overview()
        except OSError as problem:
            reason = f"the output cannot be written: {problem.strerror}"
            parser.exit(exc.EXIT_PROBLEM, f"{PROGRAM}: {reason}\n")
        parser.exit()


def read_arguments(arguments: Sequence[str]) -> Assignment:
    """Read a person's command line.

    Args:
        arguments: What follows the name of the program.

    Raises:
        ArgumentError: It cannot be understood.
        SystemExit: It asks for the help or the version, which is printed.
    """
    given = argument_parser().parse_args(arguments)
    return _checked(
        Assignment(
            ssh=given.ssh,
            use=given.plugin,
            config=read_config(given.config),
            endpoint=given.endpoint,
            pubsub_endpoint=given.pubsub,
            check_delay=given.check_delay,
            log_level=given.log_level,
            log_output=given.log_output,
        )
    )


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of a person's command line."""
    parser = OneLineParser(
        prog=PROGRAM, description="Run a plugin of cvec_circusd in this process, until Ctrl-C."
    )
    add = parser.add_argument
    add(
        "plugin",
        metavar="CLASS",
        help="dotted name of the class (myproject.plugins.Logger), or its short name (flapping)",
    )
    add("--list", action=ListPlugins, help="what is installed: short names, and what they do")
    add("--endpoint", default=DEFAULT_ENDPOINT_DEALER, help="where the daemon takes commands")
    add("--pubsub", default=DEFAULT_ENDPOINT_SUB, help="where the daemon publishes events")
    add("--config", default="", help="key:value, several joined by :::")
    add("--check-delay", type=float, default=5.0, metavar="SECONDS", help="default: 5")
    add("--log-level", default="info", choices=LEVELS, type=str.lower, help="default: info")
    add("--log-output", default="-", metavar="FILE", help="default: standard error")
    add("--ssh", metavar="SERVER", help="whose daemon it is, reached through the system's ssh")
    add("--version", action="version", version=__version__)
    return parser


def read_config(text: str) -> dict[str, Any]:
    """Read ``key:value:::key2:value2``. A value may hold single colons.

    Raises:
        ArgumentError: Something in it is no pair.
    """
    config = {}
    for item in text.split(":::"):
        key, colon, value = item.partition(":")
        if colon and key.strip():
            config[key.strip()] = value.strip()
        elif item.strip():
            raise exc.ArgumentError(f"argument --config: {item.strip()!r} is not key:value")
    return config


def read_environment(text: str) -> Assignment:
    """Read what the daemon passes: a JSON object with the attributes of an assignment.

    Attributes that are missing or null have their defaults; keys that are none are left out, so
    that a plugin survives a daemon that is a little younger.

    Raises:
        ArgumentError: It cannot be understood.
    """
    try:
        given = json.loads(text)
        known = {
            key: given[key] for key in Assignment.__dataclass_fields__ if given.get(key) is not None
        }
        assignment = Assignment(**{**known, "by_daemon": True})
        assignment.log_level = assignment.log_level.lower()
        for fd in (assignment.lifeline, assignment.progress, assignment.report):
            if fd is not None:
                os.set_inheritable(fd, False)  # none is for what the plugin starts
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise exc.ArgumentError(f"{VARIABLE} cannot be used: {error}") from None
    return _checked(assignment)


def _checked(assignment: Assignment) -> Assignment:
    for name in OWN_ARGUMENTS:
        if name in assignment.config:
            raise exc.ArgumentError(f"a plugin's configuration cannot hold {name!r}")
    if assignment.log_level not in LEVELS:
        raise exc.ArgumentError(f"{assignment.log_level!r} is no log level")
    return assignment
