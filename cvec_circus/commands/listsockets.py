"""listsockets: the sockets that the daemon holds for its watchers."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.render import Table


class ListSockets(Command):
    name = "listsockets"
    doc = "Show the sockets that the daemon holds for its watchers."

    def execute(self, call: Call) -> Fields | None:
        return {"sockets": call.target.sockets()}

    def words(self, reply: Fields) -> str | Table:
        rows = []
        for socket in reply["sockets"]:
            where = socket["path"] if "path" in socket else f"{socket['host']}:{socket['port']}"
            rows.append((str(socket["fd"]), socket["name"], where, str(socket["backlog"])))
        return Table(("FD", "NAME", "ADDRESS", "BACKLOG"), rows) if rows else "no sockets"
