"""rm: remove a watcher."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, Call, Command, Fields, Property, strays
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire.orders import Remove

_NOSTOP = "Leave its processes running, unsupervised."


class Rm(Command):
    name = "rm"
    doc = "Remove a watcher."
    properties = (NAME, Property("nostop", to_boolean, default=False, switch=True, doc=_NOSTOP))
    usage = "NAME"
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        return call.give(Remove(call.one(), call.cause, call.props["nostop"]), strays)
