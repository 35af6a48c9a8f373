"""incr and decr: more or fewer processes."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, Call, Command, Fields, Property
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.orders import Resize

_NUMBER = Property("nb", to_integer, default=1, low=0, high=10_000, doc="How many more.")


class Incr(Command):
    name = "incr"
    doc = "Raise the number of processes of a watcher."
    properties = (NAME, _NUMBER)
    usage = "NAME [NUMBER]"
    named = (("NUMBER", "nb"),)
    mutating = True
    sign = 1

    def execute(self, call: Call) -> Fields | None:
        watcher = call.one()
        size = watcher.options["numprocesses"]
        if watcher.options["singleton"]:
            return {"numprocesses": size, "singleton": True}
        order = Resize(watcher, max(0, size + self.sign * call.props["nb"]), call.cause)
        return call.give(order, lambda _: {"numprocesses": watcher.options["numprocesses"]})

    def words(self, reply: Fields) -> str:
        if reply.get("singleton"):
            return "a singleton: the number of processes stays as it is"
        return str(reply.get("numprocesses", "ok"))


class Decr(Incr):
    name = "decr"
    doc = "Lower the number of processes of a watcher."
    properties = (NAME, _NUMBER._replace(doc="How many fewer."))
    sign = -1
