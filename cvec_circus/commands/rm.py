"""rm: remove watchers."""

from __future__ import annotations

from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields, Property
from cvec_circus.commands.target import strays
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire.orders import Remove, together

_NOSTOP = "Leave the processes running, unsupervised."


class Rm(Command):
    name = "rm"
    doc = "Remove watchers."
    properties = (
        NAMES,
        MATCH,
        Property("nostop", to_boolean, default=False, switch=True, doc=_NOSTOP),
    )
    usage = "NAME [NAME ...]"
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        cause, nostop = call.cause, call.props["nostop"]
        each = [Remove(one, cause, nostop) for one in call.each()]
        return call.give(together(each, cause), strays)
