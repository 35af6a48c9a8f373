"""logs: what the processes of a watcher have written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields, Property, Switch
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_choice, to_integer, to_seconds, to_text

LINES = 100
MOST_LINES = 1_000_000
LONGEST_WAIT = 60.0


def to_channel(value: Any) -> str:
    """Take the name of an output."""
    return to_choice(value, "stdout", "stderr")


class Logs(Command):
    """Immutable. The command `logs`."""

    name = "logs"
    doc = "Show what the processes of a watcher have written."
    properties = (
        Property("name", to_text, mandatory=True, null=False, doc="The watcher's name."),
        Property("stream", to_channel, default="stdout", doc="Which output: stdout or stderr."),
        Property(
            "lines", to_integer, default=LINES, low=0, high=MOST_LINES, doc="How many of the last."
        ),
        Property("since", to_integer, low=0, doc="The place to go on from: an answer's `next`."),
        Property(
            "timeout",
            to_seconds,
            default=0.0,
            low=0,
            high=LONGEST_WAIT,
            doc="With `since`: seconds to wait for a line, if there is none.",
        ),
    )
    arguments = ("name",)
    usage = "NAME"
    switches = (
        Switch("lines", "lines"),
        Switch("stderr", "stream", "stderr", "What was written to standard error instead."),
    )
    local = (
        Switch("follow", "follow", True, "Go on with what is written, until Ctrl-C."),
        Switch("grep", "grep", None, "Only lines in which this regular expression is found."),
    )

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Answer with lines, now or when there are some."""
        watcher, channel = target.find(props["name"]), props["stream"]
        told = {"name": watcher.name, "stream": channel}
        if props["since"] is None:
            return {**told, **target.last_lines(watcher, channel, props["lines"])}
        give = partial(_give, answer, told)
        target.next_lines(watcher, channel, props["since"], props["timeout"], give)
        return None

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Refuse an expression that is none, before anybody is asked."""
        try:
            re.compile(switches.get("grep", ""))
        except re.error as error:
            raise ArgumentError(f"--grep {switches['grep']}: {error}") from None
        local = {switch.prop for switch in self.local}
        given = super().message(args, {k: v for k, v in switches.items() if k not in local})
        return {**given, "grep": switches["grep"]} if "grep" in switches else given

    def words(self, reply: Fields) -> str:
        """Show a line a line."""
        return "\n".join(map(log_line, reply["lines"]))


def _give(answer: Answer, told: Fields, found: Fields) -> None:
    answer.ok(**told, **found)


def log_line(row: Fields) -> str:
    """Show a line: when, whose, and the text."""
    when = strftime("%Y-%m-%d %H:%M:%S", localtime(row["time"]))
    dots = "... " if row.get("cut") else ""
    return f"{when} [{row['pid']}] | {dots}{row['text']}"
