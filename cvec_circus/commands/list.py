"""list: the names of the watchers, or the pids of one."""

from __future__ import annotations

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
)
from cvec_circus.options.kinds import to_boolean


class List(Command):
    """Immutable. The command `list`."""

    name = "list"
    doc = "Show the names of all watchers, or the pids of one."
    properties = (
        ANY_NAME,
        Property("pids", to_boolean, default=False, doc="With the pids of all watchers."),
    )
    arguments = ("name",)
    usage = "[NAME]"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up."""
        if props["name"] is not None:
            return {"pids": target.pids(target.find(props["name"]))}
        watchers = target.watchers()
        reply: Fields = {"watchers": sorted(watcher.name.lower() for watcher in watchers)}
        if props["pids"]:
            reply["pids"] = {watcher.name: target.pids(watcher) for watcher in watchers}
        return reply

    def words(self, reply: Fields) -> str:
        """Show them with commas between, as Circus does."""
        entries = reply["watchers"] if "watchers" in reply else reply["pids"]
        return ",".join(map(str, entries))
