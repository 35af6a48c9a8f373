"""logs: the output of the processes of a watcher."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import NAME, Call, Command, Fields, Property, Switch
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_choice, to_integer, to_seconds

LINES = 100
MOST = 1_000_000
LONGEST_WAIT = 60.0

_LINES = Property(
    "lines", to_integer, default=LINES, low=0, high=MOST, switch=True, doc="How many lines."
)
_WAIT = "With `since`: seconds to wait for a line, if there is none."
_TIMEOUT = Property("timeout", to_seconds, default=0.0, low=0, high=LONGEST_WAIT, doc=_WAIT)


def to_channel(value: Any) -> str:
    """Take the name of an output."""
    return to_choice(value, "stdout", "stderr")


class Logs(Command):
    name = "logs"
    doc = "Show the output of the processes of a watcher."
    properties = (
        NAME,
        Property("stream", to_channel, default="stdout", doc="Which output: stdout or stderr."),
        _LINES,
        Property("since", to_integer, low=0, doc="The place to go on from: an answer's `next`."),
        _TIMEOUT,
    )
    usage = "NAME"
    switches = (Switch("stderr", "stream", "stderr", "Show standard error instead."),)
    local = (
        Switch("follow", "follow", True, "Go on with new lines, until Ctrl-C."),
        Switch("grep", "grep", None, "Only lines that match this regular expression."),
    )

    def execute(self, call: Call) -> Fields | None:
        target, props, channel = call.target, call.props, call.props["stream"]
        watcher = call.one()
        shown = {"name": watcher.name, "stream": channel}
        if props["since"] is None:
            return {**shown, **target.last_lines(watcher, channel, props["lines"])}

        def then(found: Fields) -> None:
            call.answer.ok(**shown, **found)

        target.next_lines(watcher, channel, props["since"], props["timeout"], then)
        return None

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        try:
            re.compile(switches.get("grep", ""))
        except re.error as error:
            raise ArgumentError(f"--grep {switches['grep']}: {error}") from None
        return super().message(args, switches)

    def words(self, reply: Fields) -> str:
        return "\n".join(map(log_line, reply["lines"]))


def log_line(row: Fields) -> str:
    """Render a line of output: its time, the pid, and the text."""
    when = strftime("%Y-%m-%d %H:%M:%S", localtime(row["time"]))
    dots = "... " if row.get("cut") else ""
    return f"{when} [{row['pid']}] | {dots}{row['text']}"
