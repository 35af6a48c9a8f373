"""reopen: open log files anew."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields


class Reopen(Command):
    name = "reopen"
    doc = "Reopen log files that were moved away; without a name, the daemon's own too."
    properties = (ANY_NAMES, MATCH)
    usage = "[NAME ...]"
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        call.target.reopen(call.several())
        return {}
