"""list: the names of the watchers, or the pids of some."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields, Property
from cvec_circus.commands.render import by_name
from cvec_circus.options.kinds import to_boolean

_PIDS = Property("pids", to_boolean, default=False, doc="Include the pids of all watchers.")


class List(Command):
    name = "list"
    doc = "Show the names of all watchers, or the pids of some."
    properties = (ANY_NAMES, MATCH, _PIDS)
    usage = "[NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        target = call.target
        if call.props["name"] is not None:
            found = call.each()
            if call.names(found):
                return {"pids": target.pids(found[0])}
            return {"pids": {watcher.name: target.pids(watcher) for watcher in found}}
        watchers = target.watchers()
        reply: Fields = {"watchers": sorted(watcher.name.lower() for watcher in watchers)}
        if call.props["pids"]:
            reply["pids"] = {watcher.name: target.pids(watcher) for watcher in watchers}
        return reply

    def words(self, reply: Fields) -> str:
        """Join them with commas, as Circus does; a line for each of several watchers."""
        entries = reply["watchers"] if "watchers" in reply else reply["pids"]
        if isinstance(entries, Mapping):
            lines = (f"{name}: {','.join(map(str, pids))}" for name, pids in by_name(entries))
            return "\n".join(map(str.rstrip, lines))
        return ",".join(map(str, entries))
