"""numprocesses: the number of processes."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAME, Call, Command, Fields


class NumProcesses(Command):
    name = "numprocesses"
    doc = "Show the number of processes, of all watchers or of one."
    properties = (ANY_NAME,)
    usage = "[NAME]"

    def execute(self, call: Call) -> Fields | None:
        target = call.target
        if call.props["name"] is None:
            return {"numprocesses": sum(len(target.pids(w)) for w in target.watchers())}
        watcher = call.one()
        return {"numprocesses": len(target.pids(watcher)), "watcher_name": watcher.name}

    def words(self, reply: Fields) -> str:
        return str(reply["numprocesses"])
