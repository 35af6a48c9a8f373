"""events: past events, from the daemon's history."""

from __future__ import annotations

import json
from time import localtime, strftime
from typing import Any

from cvec_circus.commands.base import Call, Command, Fields, Property, Switch
from cvec_circus.commands.kinds import to_marker
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.topics import split

MOST = 500
_LIMIT = Property(
    "limit", to_integer, default=MOST, low=0, high=MOST, switch=True, doc="The maximum number."
)
_FOLLOW = "Show all past events, or with --limit the latest, and then new ones, until Ctrl-C."
_SINCE = "Show the events after this number, oldest first; by default the latest."


class Events(Command):
    name = "events"
    doc = "Show past events."
    properties = (
        Property("since", to_integer, low=0, switch=True, doc=_SINCE),
        _LIMIT,
        Property("marker", to_marker, doc="Publish `sync.MARKER` right after the answer."),
    )
    local = (Switch("follow", "follow", True, _FOLLOW),)

    def execute(self, call: Call) -> Fields | None:
        return call.target.events(*(call.props[key] for key in ("since", "limit", "marker")))

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


def _quoted(value: Any) -> str:
    """Return a value as text, in quotes if its end could not be seen otherwise."""
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and (" " in text or not text) else text
