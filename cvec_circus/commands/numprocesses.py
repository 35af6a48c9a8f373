"""numprocesses: the number of processes."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields


class NumProcesses(Command):
    name = "numprocesses"
    doc = "Show the number of processes, of all watchers or of some."
    properties = (ANY_NAMES, MATCH)
    usage = "[NAME ...]"

    def execute(self, call: Call) -> Fields | None:
        target = call.target
        found = call.several()
        watchers = target.watchers() if found is None else found
        reply: Fields = {"numprocesses": sum(len(target.pids(one)) for one in watchers)}
        return {**reply, "watcher_name": watchers[0].name} if call.names(watchers) else reply

    def words(self, reply: Fields) -> str:
        return str(reply["numprocesses"])
