"""incr and decr: more or fewer processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    MATCH,
    NAMES,
    Call,
    Command,
    Fields,
    Property,
)
from cvec_circus.commands.naming import names_and_numbers
from cvec_circus.commands.render import by_name
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.orders import Resize, together

_NUMBER = Property("nb", to_integer, default=1, low=0, high=10_000, doc="How many more, of each.")
_SINGLETON = "a singleton: the number of processes stays as it is"
_CIRCUS_SINGLETON = "This watcher is a Singleton - not changing the number of processes"


class Incr(Command):
    name = "incr"
    doc = "Raise the number of processes of watchers."
    properties = (NAMES, MATCH, _NUMBER)
    usage = "NAME [NAME ...] [NUMBER]"
    named = (("NUMBER", "nb"),)
    mutating = True
    proves = True
    sign = 1

    def execute(self, call: Call) -> Fields | None:
        watchers, by = call.each(), self.sign * call.props["nb"]
        sizes = {one.name: one.options["numprocesses"] for one in watchers}
        each = [one for one in watchers if not one.options["singleton"]]
        if call.names(watchers) and not each:
            return {"numprocesses": sizes[watchers[0].name], "singleton": True}
        rest = [one.name for one in watchers if one.options["singleton"]]
        kept: Fields = {"singletons": rest} if rest else {}
        if not each:
            return {"numprocesses": sizes, **kept}

        def shape(_: object) -> Fields:
            now = {one.name: one.options["numprocesses"] for one in watchers}
            if call.names(watchers):
                return {"numprocesses": now[watchers[0].name]}
            return {"numprocesses": now, **kept}

        cause = call.cause
        orders = [Resize(one, max(0, sizes[one.name] + by), cause) for one in each]
        given = call.give(together(orders, cause), shape)
        return None if given is None else {**given, **kept}

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        return self.typed({**names_and_numbers(args, "nb", of_one=False), **switches})

    def words(self, reply: Fields) -> str:
        if reply.get("singleton"):
            return _SINGLETON
        sizes, kept = reply.get("numprocesses", "ok"), reply.get("singletons", ())
        if isinstance(sizes, Mapping):
            lines = [f"{name}: {n}" for name, n in by_name(sizes) if name not in kept]
        else:
            lines = [str(sizes)]
        return "\n".join([*lines, *(f"{name}: {_SINGLETON}" for name in kept)])

    def script(self, reply: Fields) -> str:
        return _CIRCUS_SINGLETON if reply.get("singleton") else self.words(reply)


class Decr(Incr):
    name = "decr"
    doc = "Lower the number of processes of watchers."
    properties = (NAMES, MATCH, _NUMBER._replace(doc="How many fewer, of each."))
    sign = -1
