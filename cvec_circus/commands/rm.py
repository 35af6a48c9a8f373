"""rm: remove watchers."""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus.commands.base import MATCH, NAMES, Call, Command, Fields, Property
from cvec_circus.commands.stop import needs
from cvec_circus.commands.target import needing, strays
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
        chosen = call.each()
        more = needing(call.target, chosen)
        if nostop and more:  # nothing that would take its parts down
            more = {"dependants": sorted(name for names in more.values() for name in names)}
        each = [Remove(one, cause, nostop) for one in chosen]
        reply = call.give(together(each, cause), lambda outcome: {**strays(outcome), **more})
        return None if reply is None else {**reply, **more}

    def remarks(self, reply: Fields) -> Iterator[str]:
        """Say also what stops with it, and what depends on it and goes on."""
        yield from super().remarks(reply)
        without = ", but cannot start again without it"
        yield from needs(reply, one=without, several=without)
