"""events: past events, from the daemon's history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import Call, Command, Fields, Property, Switch
from cvec_circus.commands.kinds import to_marker
from cvec_circus.exc import ArgumentError
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.topics import split

MOST = 500
_LIMIT = Property(
    "limit", to_integer, default=MOST, low=0, high=MOST, switch=True, doc="The maximum number."
)
_SINCE = "Show the events after this number, oldest first; by default the latest."


class Events(Command):
    name = "events"
    doc = "Show past events."
    properties = (
        Property("since", to_integer, low=0, switch=True, doc=_SINCE),
        _LIMIT,
        Property("marker", to_marker, doc="Publish `sync.MARKER` right after the answer."),
    )
    local = (Switch("follow", "follow", True, "Continue with new events, until Ctrl-C."),)

    def execute(self, call: Call) -> Fields | None:
        return call.target.events(*(call.props[key] for key in ("since", "limit", "marker")))

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        if {"follow", "limit"} <= switches.keys():
            raise ArgumentError("--limit and --follow do not go together")
        return super().properties_of(args, switches)

    def words(self, reply: Fields) -> str:
        lines = [event_line(topic, payload) for topic, payload in reply["events"]]
        if reply.get("lost"):
            lines.insert(0, f"({reply['lost']} earlier events are no longer kept)")
        if reply.get("earlier"):
            lines.insert(0, f"({reply['earlier']} earlier: --since 0, or a larger --limit)")
        if reply.get("more"):
            last = json.loads(reply["events"][-1][1])["seq"] if reply["events"] else "N"
            lines.append(f"(there are more: --since {last})")
        return "\n".join(lines) or "no events"


def event_line(topic: str, payload: str) -> str:
    """Render an event in a line: time, number, watcher, action, and the rest of the payload."""
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
    rest = [f"{key}={_quoted(known[key])}" for key in sorted(known)]
    return " ".join([when, *number, _quoted(name), action, *rest])


def _quoted(value: Any) -> Any:
    """Return a value; in quotes if it is a text with blanks, which would hide where it ends."""
    return f'"{value}"' if isinstance(value, str) and " " in value else value
