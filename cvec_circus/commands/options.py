"""options: all options of a watcher; and how options are shown."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, Call, Command, Fields
from cvec_circus.commands.render import Table, key_lines, option_lines
from cvec_circus.options.secrets import conceal


class OptionsCommand(Command):
    """A command whose reply has options. Immutable."""

    def concealed(self, reply: Fields) -> Fields:
        return {**reply, "options": conceal("", reply["options"])}

    def words(self, reply: Fields) -> Table:
        return key_lines(reply["options"])

    def script(self, reply: Fields) -> str:
        return option_lines(reply["options"])


class Options(OptionsCommand):
    name = "options"
    doc = "Show all options of a watcher."
    properties = (NAME,)
    usage = "NAME"

    def execute(self, call: Call) -> Fields | None:
        return {"options": call.target.options(call.one())}
