"""rm: remove a watcher."""

from __future__ import annotations

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
    ended,
    later,
    one,
    waiter,
)
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire.orders import Remove


class Rm(Command):
    """Immutable. The command `rm`."""

    name = "rm"
    doc = "Remove a watcher."
    properties = (
        NAME,
        Property("nostop", to_boolean, default=False, doc="Let its processes go on, unwatched."),
    )
    arguments = ("name",)
    usage = "NAME"
    switches = (Switch("nostop", "nostop", True),)
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Have it removed."""
        watcher = one(target, props)
        wait = waiter(props, answer, ended)
        cause = answer.cause("command:rm", props["reason"])
        target.give(Remove(watcher, cause, props["nostop"]), wait)
        return later(wait)
