"""events: what was published, out of the daemon's history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields, Property, Switch
from cvec_circus.commands.kinds import to_marker
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.topics import split

MAX_EVENTS = 500


class Events(Command):
    """Immutable. The command `events`."""

    name = "events"
    doc = "Show past events."
    properties = (
        Property("since", to_integer, default=0, low=0, doc="The last number known already."),
        Property(
            "limit", to_integer, default=MAX_EVENTS, low=0, high=MAX_EVENTS, doc="How many at most."
        ),
        Property("marker", to_marker, doc="Publish `sync.MARKER` right after the answer."),
    )
    switches = (Switch("since", "since"), Switch("limit", "limit"))
    local = (Switch("follow", "follow", True, "Go on with what happens, until Ctrl-C."),)

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look the history up."""
        return target.events(props["since"], props["limit"], props["marker"])

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Refuse what cannot be meant: an end of what goes on."""
        if "follow" in switches and "limit" in switches:
            raise ArgumentError("--limit and --follow do not go together")
        return super().message(args, {key: switches[key] for key in switches if key != "follow"})

    def words(self, reply: Fields) -> str:
        """Show an event a line."""
        lines = [event_line(topic, payload) for topic, payload in reply["events"]]
        if reply.get("lost"):
            lines.insert(0, f"({reply['lost']} earlier events are no longer kept)")
        if reply.get("more"):
            lines.append(f"(there are more: --since {_last(reply)})")
        return "\n".join(lines) or "no events"


def _last(reply: Fields) -> Any:
    return json.loads(reply["events"][-1][1])["seq"] if reply["events"] else "N"


def event_line(topic: str, payload: str) -> str:
    """Show an event: when, its number, the watcher, what happened, and what else is known."""
    _, name, action = split(topic)
    try:
        known = dict(json.loads(payload))
        at = float(known.pop("time"))
        when = f"{strftime('%Y-%m-%d %H:%M:%S', localtime(at))}.{int(at * 1000) % 1000:03}"
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return f"{topic} {payload}"
    seq, name = known.pop("seq", None), known.pop("watcher", name)
    known.pop("run", None)
    number = [] if seq is None else [f"#{seq}"]
    if " " in name:
        name = f'"{name}"'
    rest = [f"{key}={known[key]}" for key in sorted(known)]
    return " ".join([when, *number, name, action, *rest])
