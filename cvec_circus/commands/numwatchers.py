"""numwatchers: the number of watchers."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields


class NumWatchers(Command):
    name = "numwatchers"
    doc = "Show the number of watchers."

    def execute(self, call: Call) -> Fields | None:
        return {"numwatchers": len(call.target.watchers())}

    def words(self, reply: Fields) -> str:
        return str(reply["numwatchers"])
