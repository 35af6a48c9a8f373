"""events: what was published, out of the daemon's history."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields, Property, Switch
from cvec_circus.commands.kinds import to_marker
from cvec_circus.options.kinds import to_integer

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

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look the history up."""
        return target.events(props["since"], props["limit"], props["marker"])

    def words(self, reply: Fields) -> str:
        """Show an event a line, as a subscriber sees it."""
        lines = [f"{topic} {payload}" for topic, payload in reply["events"]]
        if reply.get("lost"):
            lines.insert(0, f"({reply['lost']} earlier events are no longer kept)")
        if reply.get("more"):
            lines.append("(there are more)")
        return "\n".join(lines) or "no events"
