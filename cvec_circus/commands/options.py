"""options: all options of a watcher."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, Answer, Command, CommandTarget, Fields
from cvec_circus.commands.render import Table, key_lines


class Options(Command):
    """Immutable. The command `options`."""

    name = "options"
    doc = "Show all options of a watcher."
    properties = (NAME,)
    arguments = ("name",)
    usage = "NAME"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up."""
        return {"options": target.options(target.find(props["name"]))}

    def words(self, reply: Fields) -> Table:
        """Show an option a line."""
        return key_lines(reply["options"])
