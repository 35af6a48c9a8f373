"""quit: stop all watchers and end the daemon."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.target import strays
from cvec_circus.wire import orders


class Quit(Command):
    name = "quit"
    doc = "Stop all watchers and end the daemon."
    mutating = True
    urgent = True

    def execute(self, call: Call) -> Fields | None:
        return call.give(orders.Quit(call.cause), strays)
