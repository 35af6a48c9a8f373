"""Common to the client programs: their command line, and how a daemon starts one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Callable, TypeVar

from cvec_circus import exc
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_DEALER, DEFAULT_ENDPOINT_SUB
from cvec_circus.options.command_line import CommandLine
from cvec_circus.options.kinds import to_seconds

LEVELS = ("debug", "info", "warning", "error", "critical")

DESCRIPTORS = ("listener", "lifeline", "progress", "report")
"""Attributes of an assignment that are file descriptors, which the program's children must not
inherit."""

Assignment = TypeVar("Assignment")


class Parser(CommandLine):
    """A command line with the options that these programs share. Owned by the main thread."""

    def add_endpoints(self) -> None:
        """Declare where the daemon listens and publishes."""
        add, commands, events = self.add_argument, DEFAULT_ENDPOINT_DEALER, DEFAULT_ENDPOINT_SUB
        where = "where the daemon takes commands"
        add("--endpoint", metavar="URL", default=commands, help=where)
        where = "where the daemon publishes events"
        add("--pubsub", dest="pubsub_endpoint", metavar="URL", default=events, help=where)

    def add_log(self) -> None:
        """Declare what to log, and where to."""
        add = self.add_argument
        add("--log-level", default="info", choices=LEVELS, type=str.lower, help="default: info")
        add("--log-output", default="-", metavar="FILE", help="default: standard error")


def seconds(low: float, high: float | None = None) -> Callable[[str], float]:
    """Make the type of an argument that is a time in seconds, from `low` to `high`."""

    def convert(text: str) -> float:
        try:
            return to_seconds(text, low, high)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def assigned(
    kind: Callable[..., Assignment],
    variable: str,
    parser: Callable[[], argparse.ArgumentParser],
    arguments: Sequence[str] | None,
) -> Assignment:
    """Read the assignment from the environment if a daemon started this, else from the arguments.

    Args:
        kind: A dataclass, whose attributes are the destinations of the arguments.
        variable: The environment variable that a daemon sets; it is removed.
        parser: Makes the parser of the command line.
        arguments: None for those of the process.

    Raises:
        ArgumentError: They cannot be understood.
        SystemExit: The help or the version was asked for, and is printed.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    text = os.environ.pop(variable, None)
    if text is not None and not given:
        return from_daemon(kind, variable, text)
    return kind(**vars(parser().parse_args(given)))


def from_daemon(kind: Callable[..., Assignment], variable: str, text: str) -> Assignment:
    """Read what a daemon passes: a JSON object with attributes of a dataclass.

    Those that are missing or null keep their defaults. Unknown keys are ignored: the daemon may be
    of a later version.

    Raises:
        ArgumentError: It cannot be understood.
    """
    try:
        given = json.loads(text)
        fields: Any = kind.__dataclass_fields__  # type: ignore[attr-defined]
        known = {key: given[key] for key in fields if given.get(key) is not None}
        if "log_level" in known:
            known["log_level"] = known["log_level"].lower()
        for name in known.keys() & set(DESCRIPTORS):
            os.set_inheritable(known[name], False)
        return kind(**{**known, "by_daemon": True})
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise exc.ArgumentError(f"{variable} cannot be used: {error}") from None


def refuse(error: Exception, report: int | None = None) -> int:
    """Say in one line why a program cannot run, and return its exit code.

    People read it on the standard error, a daemon through the file descriptor `report`; the daemon
    logs it then, without the values of variables.
    """
    text = str(error)
    if isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    if report is None:
        print(f"{exc.ERROR}{text}", file=sys.stderr, flush=True)
    else:
        with open(report, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
    return exc.EXIT_USAGE
