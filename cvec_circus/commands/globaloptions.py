"""globaloptions: the options of the daemon itself."""

from __future__ import annotations

from cvec_circus.commands.base import Answer, Command, CommandTarget, Fields, Property
from cvec_circus.commands.render import Table, key_lines
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_text


class GlobalOptions(Command):
    """Immutable. The command `globaloptions`."""

    name = "globaloptions"
    doc = "Show the options of the daemon itself."
    properties = (Property("option", to_text, doc="One option; all of them without it."),)
    arguments = ("option",)
    usage = "[OPTION]"

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Look them up."""
        options = target.global_options()
        wanted = props["option"]
        if wanted is None:
            return {"options": options}
        if wanted not in options:
            raise MessageError(f"{wanted[:60]!r} not an existing option")
        return {"options": {wanted: options[wanted]}}

    def words(self, reply: Fields) -> Table:
        """Show an option a line."""
        return key_lines(reply["options"])
