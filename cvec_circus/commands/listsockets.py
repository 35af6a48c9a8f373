"""listsockets: the sockets that the daemon listens on for its watchers."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields


class ListSockets(Command):
    """Immutable. The command `listsockets`."""

    name = "listsockets"
    doc = "Show the sockets that the daemon holds for its watchers."

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up."""
        return {"sockets": target.sockets()}

    def words(self, reply: Fields) -> str:
        """Show a socket a line."""
        lines = []
        for socket in reply["sockets"]:
            where = socket["path"] if "path" in socket else f"{socket['host']}:{socket['port']}"
            lines.append(f"{socket['fd']}: {socket['name']} at {where}")
        return "\n".join(lines) or "no sockets"
