"""list: the names of the watchers, or the pids of one."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAME, Call, Command, Fields, Property
from cvec_circus.options.kinds import to_boolean

_PIDS = Property("pids", to_boolean, default=False, doc="With the pids of all watchers.")


class List(Command):
    name = "list"
    doc = "Show the names of all watchers, or the pids of one."
    properties = (ANY_NAME, _PIDS)
    usage = "[NAME]"

    def execute(self, call: Call) -> Fields | None:
        target = call.target
        if call.props["name"] is not None:
            return {"pids": target.pids(call.one())}
        watchers = target.watchers()
        reply: Fields = {"watchers": sorted(watcher.name.lower() for watcher in watchers)}
        if call.props["pids"]:
            reply["pids"] = {watcher.name: target.pids(watcher) for watcher in watchers}
        return reply

    def words(self, reply: Fields) -> str:
        """Join them with commas, as Circus does."""
        entries = reply["watchers"] if "watchers" in reply else reply["pids"]
        return ",".join(map(str, entries))
