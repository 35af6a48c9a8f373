"""wait: until watchers are in a state, however they come to it."""

from __future__ import annotations

from typing import Any

from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields, Property, Switch
from cvec_circus.commands.is_active import phase_words
from cvec_circus.commands.render import Table
from cvec_circus.exc import EXIT_TIMED_OUT
from cvec_circus.options.kinds import to_choice, to_seconds

STATES = ("ready", "up", "stopped", "gone", "completed")
_STATE = "What to wait for: ready, up, stopped, gone or completed."


def to_state(value: Any) -> str:
    """Take a state to wait for."""
    return to_choice(value, *STATES)


class Wait(Command):
    name = "wait"
    doc = "Wait until watchers are ready, up, stopped, gone or completed."
    properties = (
        NAMES,
        MATCH,
        Property("state", to_state, default="ready", doc=_STATE, choices=STATES),
        Property("timeout", to_seconds, low=0, doc="Seconds after which the answer is an error."),
    )
    usage = "NAME [NAME ...]"
    switches = (Switch("for", "state"),)
    waits = True

    def execute(self, call: Call) -> Fields | None:
        target, state = call.target, call.props["state"]
        if state == "gone":
            given = call.props["name"]
            names = [given] if isinstance(given, str) else given
            watchers = [one for name in names for one in target.leaving(name)]
        else:
            watchers = list(call.each(known=True))

        def shape(outcome: Any) -> Fields:
            shown = [] if state == "gone" else watchers
            return {"phases": {one.name: target.phase(one) for one in shown}}

        target.await_state(watchers, state, call.answer.wait(shape))
        return None

    def exit_code(self, reply: Fields) -> int:
        if reply.get("timed_out"):
            return EXIT_TIMED_OUT
        return super().exit_code(reply)

    def words(self, reply: Fields) -> str | Table:
        return phase_words(reply)
