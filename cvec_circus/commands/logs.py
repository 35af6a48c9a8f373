"""logs: the output of the processes of watchers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    Call,
    Command,
    Fields,
    Property,
    Switch,
)
from cvec_circus.commands.kinds import to_place
from cvec_circus.commands.target import TargetWatcher, Watchers
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_choice, to_integer, to_seconds
from cvec_circus.wire.messages import COMMAND_FAILED

LINES = 100
MOST = 1_000_000
LONGEST_WAIT = 60.0
FEW = 1
MOST_SHOWN = 200
CURE = "`log_history = 64k` in [circus] keeps that of all from their next start on"
CHANNELS = ("stdout", "stderr")

_STREAM = "Which output: stdout or stderr. By default, stdout of one watcher, both of several."
_LINES = Property(
    "lines", to_integer, default=LINES, low=0, high=MOST, switch=True, doc="How many lines."
)
_SINCE = "Where to continue: the `next` of an answer."
_WAIT = "With `since`: seconds to wait for a line, if there is none."
_TIMEOUT = Property("timeout", to_seconds, default=0.0, low=0, high=LONGEST_WAIT, doc=_WAIT)
_AGE = "Only lines no older than this: 30s, 10m, 1h or 1d."


def to_channel(value: Any) -> str:
    """Take the name of an output."""
    return to_choice(value, *CHANNELS)


class Logs(Command):
    name = "logs"
    doc = "Show the output of watchers; all of them without a name."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("stream", to_channel, doc=_STREAM),
        _LINES,
        Property("since", to_place, doc=_SINCE),
        _TIMEOUT,
        Property("age", to_seconds, low=0, doc=_AGE),
    )
    usage = "[NAME ...]"
    switches = (
        Switch("stderr", "stream", "stderr", "Show standard error only."),
        Switch("since", "age", None, _AGE),
    )
    local = (
        Switch("follow", "follow", True, "Continue with new lines, until Ctrl-C."),
        Switch("grep", "grep", None, "Only lines that contain this text."),
    )

    def execute(self, call: Call) -> Fields | None:
        """Answer about one output if there is a very name; else about the outputs of several."""
        since = call.props["since"]
        found = None
        if call.props["name"] is not None and not isinstance(since, str):
            found = call.each()
            if call.names(found):
                return self._one(call, found[0])
        return self._several(call, found)

    def _one(self, call: Call, watcher: TargetWatcher) -> Fields | None:
        target, props = call.target, call.props
        channel, since, age = props["stream"] or "stdout", props["since"], props["age"]
        shown = {"name": watcher.name, "stream": channel}
        if since is None:
            found = target.last_lines(watcher, channel, props["lines"], age)
            _, unkept = target.unkept([watcher], [channel])
            return {**shown, **found, **({"unkept": unkept} if unkept else {})}

        def then(found: Fields) -> None:
            call.answer.ok(**shown, **found)

        target.next_lines(watcher, channel, since, props["timeout"], then, age)
        return None

    def _several(self, call: Call, found: Watchers | None) -> Fields | None:
        """Answer with the lines of several watchers. The first question, which has no place yet, is
        also told of names that no watcher has, and why nothing is kept of some."""
        target, props, answer = call.target, call.props, call.answer
        name, since, age = props["name"], props["since"], props["age"]
        channels = [props["stream"]] if props["stream"] else CHANNELS
        names = [name] if isinstance(name, str) else name
        outputs = target.all_outputs()
        wanted = outputs.wanted(names, props["match"] or "glob", channels)
        more: Fields = {}
        if not since:
            is_kept, unkept = target.unkept(found, channels)
            if unkept and not is_kept:
                raise MessageError(nothing_kept(unkept), COMMAND_FAILED)
            more = {"unkept": unkept} if unkept else {}
        elif not isinstance(since, str):
            raise MessageError("message invalid: since: must be text for several outputs")

        def then(reply: Fields) -> None:
            answer.ok(**reply, **more)

        if since is None:
            outputs.last(wanted, props["lines"], age, then)
        else:
            outputs.after(wanted, str(since), props["timeout"], age, then)
        return None

    def words(self, reply: Fields) -> str:
        return "\n".join(map(log_line, reply["lines"]))


def log_line(row: Fields) -> str:
    """Render a line of output: its time, the pid, and the text."""
    when = strftime("%Y-%m-%d %H:%M:%S", localtime(row["time"]))
    dots = "... " if row.get("cut") else ""
    return f"{when} [{row['pid']}] | {dots}{row['text']}"


def nothing_kept(unkept: Mapping[str, str]) -> str:
    """Say why nothing is kept of some watchers: of each by itself, unless there are many."""
    if len(unkept) <= FEW:
        return "; ".join(unkept.values())
    names = shorten(", ".join(unkept))
    return f"no output is kept of {len(unkept)} watchers ({names}); {CURE}"


def shorten(text: str) -> str:
    """Return a text of at most `MOST_SHOWN` characters."""
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 4]} ..."


def writer_of(row: Fields, several: Collection[str]) -> str:
    """Render whose line it is: a watcher, with the slot where it has several processes."""
    name, wid = row["watcher"], row.get("wid")
    return f"{name}.{wid}" if wid and name in several else str(name)
