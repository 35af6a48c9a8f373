"""ping: is the daemon there, and which one is it."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields
from cvec_circus.commands.render import Table, key_lines


class Ping(Command):
    """Immutable. The command `ping`."""

    name = "ping"
    doc = "See whether the daemon is there, and which one it is."

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Describe the daemon."""
        return target.description()

    def words(self, reply: Fields) -> Table:
        """Show an entry a line."""
        shown = {key: reply[key] for key in reply if key not in ("status", "time", "id")}
        return key_lines(shown)
