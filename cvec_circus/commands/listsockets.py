"""listsockets: the sockets that the daemon holds for its watchers."""

from __future__ import annotations

from cvec_circus.commands.base import Call, Command, Fields
from cvec_circus.commands.render import Table


class ListSockets(Command):
    name = "listsockets"
    doc = "Show the sockets that the daemon holds for its watchers."

    def execute(self, call: Call) -> Fields | None:
        return {"sockets": call.target.sockets(), "leaving": call.target.sockets(leaving=True)}

    def words(self, reply: Fields) -> str | Table:
        rows = [_row(socket) for socket in reply["sockets"]]
        titles = ["FD", "NAME", "ADDRESS", "BACKLOG"]
        if leaving := reply.get("leaving"):
            titles.append("NOTE")
            rows = [[*row, ""] for row in rows]
            rows += [[*_row(socket), "closed once no process serves it"] for socket in leaving]
        return Table(titles, rows, numbers=(0, 3)) if rows else "no sockets"

    def script(self, reply: Fields) -> str:
        sockets = reply["sockets"]
        lines = (f"{one['fd']}:socket '{one['name']}' at {_address(one)}" for one in sockets)
        return "\n".join(lines)


def _row(socket: Fields) -> list[str]:
    return [str(socket["fd"]), socket["name"], _address(socket), str(socket["backlog"])]


def _address(socket: Fields) -> str:
    return socket["path"] if "path" in socket else f"{socket['host']}:{socket['port']}"
