"""incr and decr: more or fewer processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    later,
    one,
    waiter,
)
from cvec_circus.options.kinds import to_integer
from cvec_circus.wire.orders import Resize

if TYPE_CHECKING:
    from cvec_circus.wire.outcome import Outcome


class Incr(Command):
    """Immutable. The command `incr`."""

    name = "incr"
    doc = "Have a watcher run more processes."
    properties = (
        NAME,
        Property("nb", to_integer, default=1, low=0, high=10_000, doc="How many more."),
    )
    arguments = ("name", "nb")
    usage = "NAME [NUMBER]"
    named = (("NUMBER", "nb"),)
    mutating = True
    sign = 1

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Change the number; a singleton keeps its own, and the reply says so."""
        watcher = one(target, props)
        if watcher.options["singleton"]:
            return {"numprocesses": watcher.options["numprocesses"], "singleton": True}

        def shape(outcome: Outcome) -> Fields:
            return {"numprocesses": watcher.options["numprocesses"]}

        wait = waiter(props, answer, shape)
        size = max(0, watcher.options["numprocesses"] + self.sign * props["nb"])
        cause = answer.cause(f"command:{self.name}", props["reason"])
        target.give(Resize(watcher, size, cause), wait)
        return later(wait)

    def words(self, reply: Fields) -> str:
        """Say the new number."""
        if reply.get("singleton"):
            return "a singleton: the number of processes stays as it is"
        return str(reply.get("numprocesses", "ok"))


class Decr(Incr):
    """Immutable. The command `decr`."""

    name = "decr"
    doc = "Have a watcher run fewer processes."
    properties = (
        NAME,
        Property("nb", to_integer, default=1, low=0, high=10_000, doc="How many fewer."),
    )
    sign = -1
